//! Spans from many lines and files, joined into traces.

use std::cell::Cell;
use std::collections::HashMap;

use super::document::Document;
use super::{DocumentError, Span, Trace};

/// Traces in the making.
pub(super) struct Gathering<'w> {
    wanted: &'w dyn Fn(&str) -> bool,
    traces: Vec<Trace>,
    by_id: HashMap<String, usize>,
    spans: usize,
    seen: Cell<u64>,
}

impl<'w> Gathering<'w> {
    pub(super) fn new(wanted: &'w dyn Fn(&str) -> bool) -> Self {
        Self { wanted, traces: Vec::new(), by_id: HashMap::new(), spans: 0, seen: Cell::new(0) }
    }

    /// How many spans are held.
    pub(super) const fn spans(&self) -> usize {
        self.spans
    }

    /// How many spans there were, wanted or not.
    pub(super) fn seen(&self) -> u64 {
        self.seen.get()
    }

    /// Takes the wanted spans of a document.
    pub(super) fn add(&mut self, document: Document<'_>) -> Result<(), DocumentError> {
        // It is asked for every span.
        let counted = |id: &str| {
            self.seen.set(self.seen.get() + 1);
            (self.wanted)(id)
        };
        document.spans(&counted, &mut |trace_id, span| {
            let at = if let Some(at) = self.by_id.get(trace_id) {
                *at
            } else {
                self.by_id.insert(trace_id.to_owned(), self.traces.len());
                self.traces.push(Trace { id: trace_id.to_owned(), spans: Vec::new() });
                self.traces.len() - 1
            };
            self.traces[at].spans.push(span);
            self.spans += 1;
            Ok(())
        })
    }

    /// The traces in the order in which they were first seen, and how many spans came again and were dropped.
    pub(super) fn finish(mut self) -> (Vec<Trace>, u64) {
        let repeated = self.traces.iter_mut().map(drop_repeated).sum();
        (self.traces, repeated)
    }
}

/// Drops spans that an exporter sent twice, or that two files hold. Two spans that share an id and are not the same stay.
fn drop_repeated(trace: &mut Trace) -> u64 {
    let before = trace.spans.len();
    let mut keep = vec![true; before];
    {
        let mut first: HashMap<&str, usize> = HashMap::with_capacity(before);
        for (at, span) in trace.spans.iter().enumerate() {
            let known = *first.entry(&span.id).or_insert(at);
            keep[at] = known == at || !is_same(&trace.spans[known], span);
        }
    }
    let mut kept = keep.iter();
    trace.spans.retain(|_| *kept.next().unwrap_or(&true));
    (before - trace.spans.len()) as u64
}

/// Attributes aside: a collector on the way may add some.
fn is_same(a: &Span, b: &Span) -> bool {
    (&a.service, &a.name, &a.parent, a.start_ns, a.duration_ns) == (&b.service, &b.name, &b.parent, b.start_ns, b.duration_ns)
}
