//! Where each span stands on the client's clock. Lengths are trusted, starts of other services only as far as they can be right.

use std::collections::{HashMap, VecDeque};

use crate::tail::traces::{Span, SpanKind, Trace};

use super::kin::Kin;
use super::{Node, ROUNDING_NS, Tree};

/// So many spans whose parent is lost look for the span that they lie in; further ones hang below the client span.
const MOST_SEARCHES: usize = 1_000;

impl<'t> Tree<'t> {
    pub(super) fn place_all(&mut self, trace: &'t Trace, kin: &Kin) {
        self.place_below(trace, kin, (kin.client, 0));
        // How far each service's clock is off, for spans whose caller is not known.
        let moved: HashMap<&str, i128> = self.nodes.iter().map(|node| (node.span.service.as_str(), node.moved)).collect();
        for (count, lost) in kin.lost.iter().enumerate() {
            let span = &trace.spans[*lost];
            let by = moved.get(span.service.as_str()).copied().unwrap_or(0);
            let start = i128::from(span.start_ns) - i128::from(trace.spans[kin.client].start_ns) + by;
            let end = start + i128::from(span.duration_ns);
            if start >= -ROUNDING_NS && end <= self.nodes[0].end + ROUNDING_NS {
                let parent = if count < MOST_SEARCHES { self.innermost(&span.service, start, end) } else { 0 };
                self.place_below(trace, kin, (*lost, parent));
            }
        }
    }

    /// The innermost span of the service that holds the interval; the client span where there is none.
    fn innermost(&self, service: &str, start: i128, end: i128) -> usize {
        let holds = |at: usize| self.nodes[at].start - ROUNDING_NS <= start && end <= self.nodes[at].end + ROUNDING_NS;
        let (mut at, mut found) = (0, 0);
        while let Some(inner) =
            self.nodes[at].children.iter().copied().filter(|child| holds(*child)).min_by_key(|child| self.nodes[*child].span.duration_ns)
        {
            at = inner;
            if self.nodes[at].span.service == service {
                found = at;
            }
        }
        found
    }

    /// Places a span, as the child of `top.1`, and everything below it. Each span has one parent, and the client span is
    /// nobody's child: so none comes here twice.
    fn place_below(&mut self, trace: &'t Trace, kin: &Kin, top: (usize, usize)) {
        let mut waiting = VecDeque::from([top]);
        while let Some((at, parent)) = waiting.pop_front() {
            let number = self.place(trace, at, parent, trace.spans[kin.client].start_ns);
            waiting.extend(kin.children[at].iter().map(|child| (*child, number)));
        }
    }

    fn place(&mut self, trace: &'t Trace, at: usize, parent: usize, zero: u64) -> usize {
        let span = &trace.spans[at];
        let recorded = i128::from(span.start_ns) - i128::from(zero);
        let length = i128::from(span.duration_ns);
        let number = self.nodes.len();
        let (moved, of_client) = if number == 0 {
            (0, true)
        } else {
            let of_client = self.nodes[parent].of_client && span.service == self.nodes[0].span.service;
            (self.moved(parent, at, trace, recorded), of_client)
        };
        let start = recorded + moved;
        if number > 0 {
            self.nodes[parent].children.push(number);
        }
        self.nodes.push(Node {
            span,
            parent,
            children: Vec::new(),
            start,
            end: start + length,
            from: start,
            to: start + length,
            moved,
            of_client,
        });
        number
    }

    /// How far a span is to be moved: as far as its parent, unless a call to another service lies between them. A called
    /// service's span lies inside its caller's. Where its own clock has it so, that is right, or its caller's shift is; else it goes into
    /// the middle, with all below it.
    fn moved(&mut self, parent: usize, at: usize, trace: &Trace, recorded: i128) -> i128 {
        let (caller, span) = (&self.nodes[parent], &trace.spans[at]);
        if !is_call(caller, span) {
            return caller.moved;
        }
        let length = i128::from(span.duration_ns);
        let fits = |by: i128| recorded + by >= caller.start - ROUNDING_NS && recorded + by + length <= caller.end + ROUNDING_NS;
        if fits(0) {
            return 0;
        }
        if fits(caller.moved) {
            return caller.moved;
        }
        let room = caller.end - caller.start - length;
        if room < 0 {
            // It is longer than its caller's: whatever that is, no clock's offset explains it.
            return caller.moved;
        }
        self.oddities.skewed += 1;
        self.nodes[parent].start + room / 2 - recorded
    }
}

/// Whether the caller waited in its span while another service, on a clock that may be another, answered in this one.
fn is_call(caller: &Node<'_>, span: &Span) -> bool {
    let answers = matches!(span.kind, SpanKind::Server | SpanKind::Unspecified);
    let waits = match caller.span.kind {
        SpanKind::Client => true,
        SpanKind::Unspecified => answers,
        SpanKind::Internal => caller.of_client && answers,
        SpanKind::Server | SpanKind::Producer | SpanKind::Consumer => false,
    };
    waits && caller.span.service != span.service && span.kind != SpanKind::Consumer
}
