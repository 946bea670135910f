//! Which span of a trace is the client's.

use std::collections::{HashMap, HashSet};

use crate::tail::traces::{Span, SpanKind, Trace};

/// Names the span whose time is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientSpan<'a> {
    /// By its id, 16 lower-case hex digits.
    Id(&'a str),
    /// By its service and, where given, its operation: the first of [`client_spans`].
    Named {
        /// The client's service.
        service: &'a str,
        /// The span's name, or what stands behind the last `/` of it.
        operation: Option<&'a str>,
    },
}

/// Why a trace cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// Its client span was lost, or the trace is somebody else's.
    #[error("the trace has no such client span")]
    NoClientSpan,
}

impl ClientSpan<'_> {
    pub(super) fn find(self, trace: &Trace) -> Option<usize> {
        match self {
            Self::Id(id) => {
                let mut candidates = trace.spans.iter().enumerate().filter(|(_, span)| span.id == id);
                let first = candidates.next()?;
                // A server's span may share the id of its client's (B3 headers do so).
                let client = std::iter::once(first).chain(candidates).find(|(_, span)| span.kind == SpanKind::Client);
                Some(client.unwrap_or(first).0)
            }
            Self::Named { service, operation } => found(trace, service, operation).first().copied(),
        }
    }
}

/// The client spans of a trace that somebody else's client made, by their start: one trace may hold several requests.
///
/// With an operation: the spans of the service with that name, or where there is none, whose name has it behind its last `/`,
/// or is it, in any case.
/// Without one: the service's spans of kind client; where there are none, those of kind server (its own view); where there are
/// none, those with a child of another service; where there are none, all. Of spans below each other the uppermost counts.
#[must_use]
pub fn client_spans<'t>(trace: &'t Trace, service: &str, operation: Option<&str>) -> Vec<&'t Span> {
    found(trace, service, operation).into_iter().map(|at| &trace.spans[at]).collect()
}

fn found(trace: &Trace, service: &str, operation: Option<&str>) -> Vec<usize> {
    let own: Vec<usize> = (0..trace.spans.len()).filter(|at| trace.spans[*at].service == service).collect();
    let by = |test: &dyn Fn(&Span) -> bool| -> Vec<usize> { own.iter().copied().filter(|at| test(&trace.spans[*at])).collect() };
    let candidates = if let Some(operation) = operation {
        let exact = by(&|span| span.name == operation);
        let behind = |span: &Span| span.name.rsplit_once('/').is_some_and(|(_, last)| last.eq_ignore_ascii_case(operation));
        if exact.is_empty() { by(&|span| behind(span) || span.name.eq_ignore_ascii_case(operation)) } else { exact }
    } else {
        let called: HashSet<&str> =
            trace.spans.iter().filter(|span| span.service != service).filter_map(|span| span.parent.as_deref()).collect();
        let ways: [&dyn Fn(&Span) -> bool; 3] =
            [&|span| span.kind == SpanKind::Client, &|span| span.kind == SpanKind::Server, &|span| called.contains(span.id.as_str())];
        ways.into_iter().map(by).find(|found| !found.is_empty()).unwrap_or_else(|| own.clone())
    };
    let mut uppermost = uppermost(trace, &candidates);
    uppermost.sort_by_key(|at| trace.spans[*at].start_ns);
    uppermost
}

/// Those with none of the candidates above them. Each span is climbed over once.
fn uppermost(trace: &Trace, candidates: &[usize]) -> Vec<usize> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(trace.spans.len());
    for (at, span) in trace.spans.iter().enumerate() {
        by_id.entry(&span.id).or_insert(at);
    }
    let parent = |at: usize| trace.spans[at].parent.as_deref().and_then(|id| by_id.get(id)).copied();
    let mut is_candidate = vec![false; trace.spans.len()];
    for at in candidates {
        is_candidate[*at] = true;
    }
    // Of spans that were climbed over: whether a candidate is among them and those above.
    let mut below: Vec<Option<bool>> = vec![None; trace.spans.len()];
    let mut climbed = Vec::new();
    let mut uppermost = Vec::new();
    for candidate in candidates {
        let mut next = parent(*candidate);
        // A span that is being climbed over stands as `Some(false)`, which ends a climb in a circle.
        let (found, of_all) = loop {
            match next {
                None => break (false, false),
                Some(at) if at == *candidate => break (false, true),
                Some(at) if is_candidate[at] => break (true, true),
                Some(at) => {
                    if let Some(known) = below[at] {
                        break (known, known);
                    }
                    below[at] = Some(false);
                    climbed.push(at);
                    next = parent(at);
                }
            }
        };
        for at in climbed.drain(..) {
            below[at] = Some(of_all);
        }
        if !found {
            uppermost.push(*candidate);
        }
    }
    uppermost
}
