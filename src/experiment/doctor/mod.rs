//! Why are there no traces? One request that is traced for certain, followed from the client to Milvus, to the collector and to where
//! traces are looked at; said link by link, with what was seen, and for what is broken the likely cause and what to change.
//!
//! It asks one question that needs no data and changes none (does a collection of this name exist?), so it may be put to any Milvus.

mod arrivals;
mod causes;
mod chain;
mod door;
mod link;
mod links;
mod spans;
mod speech;
mod waits;

use std::net::SocketAddr;

use crate::load::Stop;
use crate::scenario::Plan;
use crate::trace::Environment;
use crate::trace::collector::DEFAULT_LISTEN;
use crate::units::Nanos;

use super::RunError;

pub use link::{Diagnosis, Link};

/// The link that a server may not offer.
const TRACE_SETTINGS: &str = "trace settings";
/// The link without which the built-in collector does.
const JAEGER: &str = "jaeger";
/// The link that may say nothing of itself …
const COLLECTOR: &str = "collector";
/// … where this one proves it.
const CLIENT_SPAN: &str = "client span";

/// `--within`: how long spans may take to arrive. OpenTelemetry's exporters send a batch every five seconds, Jaeger's storage takes its
/// time.
pub const DEFAULT_WITHIN: Nanos = Nanos::from_secs(10);

/// No time that is shorter says anything.
pub const LEAST_WITHIN: Nanos = Nanos::from_secs(1);

/// How the doctor looks.
#[derive(Debug, Clone)]
pub struct DoctorSettings {
    /// How long spans may take to arrive.
    pub within: Nanos,
    /// The URL of Milvus's metrics and management port; left out: port 9091 of the target's host.
    pub management: Option<String>,
    /// Where the built-in collector listens for a Milvus; for the practice target in this process it takes a free port.
    pub listen: SocketAddr,
}

impl Default for DoctorSettings {
    fn default() -> Self {
        Self { within: DEFAULT_WITHIN, management: None, listen: DEFAULT_LISTEN }
    }
}

/// Looks at every link, and tells each as soon as it is known. A broken one is no error: it is the answer. Once it is told to stop it waits
/// for nobody any more, and says so.
///
/// # Errors
/// Where it could not look: no thread or port, settings that make no connection.
pub fn examine(
    plan: &Plan,
    settings: &DoctorSettings,
    environment: Environment<'_>,
    stop: &Stop,
    tell: &mut dyn FnMut(&Link),
) -> Result<Diagnosis, RunError> {
    chain::Chain::new(plan, settings, environment, waits::Waits::new(stop)?, links::Links::new(tell)).follow()
}
