//! Traces from a Jaeger, by id and by search; bounded in number.

use std::collections::HashSet;

use crate::tail::jaeger::{IDS_AT_ONCE, Jaeger, Search};
use crate::tail::traces::Trace;
use crate::units::Nanos;

use super::{ExplainError, Whose};

/// So many traces are taken from a search at most; a period that holds more gives a subset of it: its latest parts first.
const MOST_FOUND: usize = 5_000;
/// One answer holds so many at most (see [`crate::tail::jaeger::LARGEST`]).
const MOST_AT_ONCE: usize = 1_000;

/// When the requests were sent, ns since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From here …
    pub from_ns: u64,
    /// … to here.
    pub to_ns: u64,
}

impl Period {
    /// The time before `now_ns`, so long.
    #[must_use]
    pub const fn last(length: Nanos, now_ns: u64) -> Self {
        Self { from_ns: now_ns.saturating_sub(length.0), to_ns: now_ns }
    }
}

/// The traces with these ids, as far as it has them.
pub(super) fn fetch(jaeger: &Jaeger, ids: &[&str]) -> Result<Vec<Trace>, ExplainError> {
    let mut traces = Vec::new();
    for some in ids.chunks(IDS_AT_ONCE) {
        traces.extend(jaeger.traces(some)?);
    }
    Ok(traces)
}

/// The traces that a service began in a period. Jaeger gives the latest so many of what it is asked for: what it holds before
/// these is asked for next.
pub(super) fn search(jaeger: &Jaeger, whose: &Whose, period: Period) -> Result<Vec<Trace>, ExplainError> {
    let (mut traces, mut seen) = (Vec::new(), HashSet::new());
    let (start_us, mut end_us) = (period.from_ns / 1_000, period.to_ns / 1_000);
    while traces.len() < MOST_FOUND && start_us < end_us {
        // An operation is judged here: Jaeger knows whole names only.
        let search = Search { service: whose.service.clone(), start_us, end_us, limit: MOST_AT_ONCE, ..Search::default() };
        let found = jaeger.search(&search)?;
        // Jaeger finds a trace by its latest span of the service. When it began says nothing of the others: the root of a batch job,
        // the service's own or another's, may lie before everything that went on beside it.
        let asked = start_us..=end_us;
        let latest = |trace: &Trace| {
            let own = trace.spans.iter().filter(|span| span.service == whose.service).map(|span| span.start_ns / 1_000);
            own.filter(|start| asked.contains(start)).max()
        };
        let earliest = found.iter().filter_map(latest).min();
        let all = found.len() < MOST_AT_ONCE;
        let before = traces.len();
        traces.extend(found.into_iter().filter(|trace| seen.insert(trace.id.clone())));
        match earliest {
            // Where nothing new came, the same would come again.
            Some(earliest) if !all && traces.len() > before => end_us = earliest.min(end_us - 1),
            _ => break,
        }
    }
    Ok(traces)
}
