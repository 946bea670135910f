//! Where spans are looked for: in the built-in collector, or in Jaeger.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::tail::jaeger::{Jaeger, LARGEST};
use crate::tail::traces::{self, Trace};
use crate::trace::TraceError;
use crate::trace::collector::{Collector, SpanSink, TracesData, json_line};
use crate::units::Nanos;

use super::door::Door;
use super::waits::Waits;

/// Exports that are kept; a Milvus under other load may send many.
const MOST_EXPORTS: usize = 4_096;

/// How long somebody waits who wants to be gone.
const AT_ONCE: Nanos = Nanos::from_secs(1);

/// A place where spans arrive.
pub(super) enum Arrivals {
    /// The built-in collector behind its door.
    BuiltIn { door: Door, collector: Collector, lines: Lines },
    /// A Jaeger, asked by id.
    Jaeger(Jaeger),
    /// There is none that could be asked.
    Nowhere,
}

/// What the collector received, one export a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl SpanSink for Lines {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST_EXPORTS {
            lines.push(json_line(data)?);
        }
        Ok(())
    }
}

impl Arrivals {
    /// A collector at this address.
    pub(super) fn built_in(listen: SocketAddr) -> Result<Self, TraceError> {
        let lines = Lines::default();
        let collector = Collector::start(SocketAddr::from(([127, 0, 0, 1], 0)), Box::new(lines.clone()))?;
        let door = Door::open(listen, collector.addr()).map_err(|source| TraceError::Listen { address: listen, source })?;
        Ok(Self::BuiltIn { door, collector, lines })
    }

    /// The spans of a trace that have arrived so far, and whether spans of other traces have; `None` where the doctor was told to stop
    /// before that was known.
    pub(super) fn of(&self, trace_id: &str, waits: &Waits<'_>) -> Option<(Trace, bool)> {
        if waits.stop().is_stopped() {
            return None;
        }
        let Self::Jaeger(jaeger) = self else { return Some(self.at_once(trace_id)) };
        // Whether it can be asked has been looked at before; what it does not have yet may come.
        let (jaeger, id) = (jaeger.clone(), trace_id.to_owned());
        waits.of_blocking(move || jaeger.traces(&[&id]).unwrap_or_default()).map(|found| own_and_others(trace_id, found))
    }

    /// The same within [`AT_ONCE`], whoever waits.
    pub(super) fn at_once(&self, trace_id: &str) -> (Trace, bool) {
        let found: Vec<Trace> = match self {
            Self::BuiltIn { lines, .. } => {
                let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().flat_map(|line| traces::from_json(line.as_bytes()).unwrap_or_default()).collect()
            }
            Self::Jaeger(jaeger) => {
                let hurried = Jaeger::bounded(jaeger.url(), AT_ONCE, LARGEST);
                hurried.and_then(|jaeger| jaeger.traces(&[trace_id])).unwrap_or_default()
            }
            Self::Nowhere => Vec::new(),
        };
        own_and_others(trace_id, found)
    }

    /// Where exporters send; of a Jaeger nothing.
    pub(super) fn url(&self) -> String {
        match self {
            Self::BuiltIn { door, .. } => format!("http://{}", door.addr()),
            Self::Jaeger(_) | Self::Nowhere => String::new(),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::BuiltIn { .. } => "the built-in collector".to_owned(),
            Self::Jaeger(jaeger) => format!("Jaeger at {}", jaeger.url()),
            Self::Nowhere => "no place that can be asked".to_owned(),
        }
    }

    /// Connections that began with TLS, where that can be seen.
    pub(super) fn in_tls(&self) -> u64 {
        if let Self::BuiltIn { door, .. } = self { door.in_tls() } else { 0 }
    }

    /// Ends the collector.
    pub(super) fn end(self) {
        if let Self::BuiltIn { door, collector, .. } = self {
            drop(door);
            let _ = collector.stop();
        }
    }
}

/// All spans of one trace, and whether there are other traces.
fn own_and_others(trace_id: &str, found: Vec<Trace>) -> (Trace, bool) {
    let (own, others): (Vec<Trace>, Vec<Trace>) = found.into_iter().partition(|trace| trace.id == trace_id);
    let spans = own.into_iter().flat_map(|trace| trace.spans).collect();
    (Trace { id: trace_id.to_owned(), spans }, !others.is_empty())
}
