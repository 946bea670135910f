//! Sampled tracing: the decision, W3C ids and headers, span building, OTLP export with exact accounting, the collector.
//!
//! A request travels through it in this order: a lane's [`Decider`] decides before it is sent, [`context_header`] gives what
//! travels with it, and once it is [`Finished`] the lane hands it to its [`SpanLane`]. Everything that costs anything
//! (building the span, encoding, sending, retrying) happens on a thread that is no lane.
//!
//! Two equations hold in every result, whatever the collector does: decided = sampled + unsampled, and
//! ended = exported + dropped + failed.

mod accounting;
mod client_only;
pub mod collector;
mod decision;
mod destination;
mod encoded;
mod error;
mod export;
mod forward;
mod ids;
mod lane;
mod overdue;
mod propagation;
mod pump;
mod rejected;
mod request;
mod sender;
mod server_span;
mod settings;
mod span;

pub use accounting::{Accounting, SampledSink};
pub use client_only::{ClientOnly, export_client_only, name_unsampled};
pub use decision::{Burst, Decider, Decision, Decisions, Why};
pub use destination::{
    DEFAULT_BATCH, DEFAULT_DELAY, DEFAULT_QUEUE, DEFAULT_SERVICE_NAME, DEFAULT_TIMEOUT, Destination, Environment, process_environment,
};
pub use error::TraceError;
pub use export::{DEFAULT_FINISH_LIMIT, DEFAULT_RING, ExportSettings, Exporter};
pub use forward::{Forwarded, Forwarder};
pub use ids::Ids;
pub use lane::SpanLane;
pub use opentelemetry::trace::{SpanId, TraceId};
pub use propagation::{ContextHeader, ParentContext, Propagation, context_header, parse_traceparent};
pub use request::{Finished, Outcome, StreamIdentity, grpc_name};
pub use server_span::{STANDALONE, ServerSpan, ServerSpanExporter, ServerSpans};
pub use settings::{Endpoint, Settings, SettingsError, checked_web_url};
pub use span::{MEASURED, RunIdentity};
