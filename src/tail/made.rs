//! Requests for tests, whose parts are known: nobody sent them.

use std::sync::Arc;

use super::attribution::{Part, Place};
use super::subject::{Subject, Traced};
use crate::stats::histogram::Histogram;

/// What a typical request takes in these tests, ms.
pub(super) const TYPICAL_MS: u64 = 10;

/// A place of the server's, by its span.
pub(super) fn place(span: &str) -> Place {
    Place { service: "standalone".to_owned(), span: span.to_owned(), path: span.to_owned() }
}

/// A request sent at this time, ms, that stands for `weight` and spent so many ms in each span.
pub(super) fn traced(at_ms: u64, weight: f64, parts: &[(&str, u64)]) -> Traced {
    Traced {
        trace_id: String::new(),
        sequence: None,
        at_ns: at_ms * 1_000_000,
        response_ns: parts.iter().map(|(_, ms)| ms * 1_000_000).sum(),
        weight,
        why: None,
        joined: true,
        parts: parts.iter().map(|(span, ms)| Part { place: Arc::new(place(span)), self_ns: ms * 1_000_000 }).collect(),
    }
}

/// Searches of which `all` lists the response times, ms, each with how many took it.
pub(super) fn subject(all: &[(u64, u64)], traced: Vec<Traced>) -> Subject {
    let mut histogram = Histogram::new();
    for (ms, times) in all {
        histogram.record_n(ms * 1_000_000, *times);
    }
    Subject { name: "readers".to_owned(), operation: "search".to_owned(), traced, all: Some(histogram), ..Subject::default() }
}
