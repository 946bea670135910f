//! The tree under one client span, mended: every span of it once, at a place on the client's clock, with the part of its
//! interval that lies inside of all spans above it.
//!
//! Recorded traces are odd: spans are lost, come twice, name parents that lead in a circle, begin before their parents or end
//! after them, stand on clocks that differ. Nothing here trusts them; what was mended is counted. Walks are loops, not
//! recursion: a chain of a million spans is a tree like any other.

mod client;
mod kin;
mod place;

use super::attribution::Oddities;
use super::traces::{Span, SpanKind, Trace};

pub use client::{ClientSpan, Cut, client_spans};

/// Jaeger keeps whole microseconds, so that an end computed from start and length can lie one beyond the parent's. Less than
/// this is not odd.
const ROUNDING_NS: i128 = 1_000;

/// One span in its tree. Times are ns after the client span's start.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) span: &'t Span,
    /// Where its parent stands; the client span's is itself.
    pub(super) parent: usize,
    pub(super) children: Vec<usize>,
    /// Its start, moved where its clock was off.
    pub(super) start: i128,
    /// `start` and its length.
    pub(super) end: i128,
    /// The part of it that lies inside of all spans above: from here …
    pub(super) from: i128,
    /// … to here; the same where nothing of it does.
    pub(super) to: i128,
    /// How far it was moved.
    moved: i128,
    /// Whether it and all above it are of the client's own service.
    pub(super) of_client: bool,
}

/// All spans that hang below a client span.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    /// The client span first; parents before their children.
    pub(super) nodes: Vec<Node<'t>>,
    /// What was odd.
    pub(super) oddities: Oddities,
}

impl<'t> Tree<'t> {
    /// Finds the client span and everything below it.
    pub(super) fn build(trace: &'t Trace, client: ClientSpan<'_>) -> Result<Self, Cut> {
        let kin = kin::Kin::of(trace, client)?;
        let mut tree = Self { nodes: Vec::with_capacity(trace.spans.len()), oddities: kin.oddities };
        tree.place_all(trace, &kin);
        tree.clip();
        Ok(tree)
    }

    /// The client span's length.
    pub(super) fn total_ns(&self) -> u64 {
        self.nodes[0].span.duration_ns
    }

    /// Leaves out of each span what its parents did not wait for, and counts the spans that reach over their parent's ends. A
    /// span is held against its own parent as it was recorded: what a span that was cut takes its children is its own fault.
    fn clip(&mut self) {
        for at in 1..self.nodes.len() {
            let (parent, node) = (&self.nodes[self.nodes[at].parent], &self.nodes[at]);
            let (early, late) = (node.start < parent.start - ROUNDING_NS, node.end > parent.end + ROUNDING_NS);
            if node.start > parent.end + ROUNDING_NS {
                self.oddities.asynchronous += 1;
            } else {
                self.oddities.early_children += u64::from(early);
                self.oddities.late_children += u64::from(late);
            }
            let from = node.start.clamp(parent.from, parent.to);
            let to = node.end.clamp(from, parent.to);
            (self.nodes[at].from, self.nodes[at].to) = (from, to);
        }
    }

    /// Whether any span of another service lies below the client's.
    pub(super) fn joined(&self) -> bool {
        self.nodes.iter().any(|node| node.span.service != self.nodes[0].span.service)
    }

    /// Which spans of the client's own are where it called and waited for the answer: their own time is on the way.
    pub(super) fn callers(&self) -> Vec<bool> {
        let root = &self.nodes[0].span.service;
        let calls = |node: &Node<'_>| node.children.iter().any(|child| self.nodes[*child].span.service != *root);
        let mut callers: Vec<bool> = self
            .nodes
            .iter()
            .map(|node| node.of_client && matches!(node.span.kind, SpanKind::Client | SpanKind::Unspecified) && calls(node))
            .collect();
        // The client span calls by its role, unless a span below it does so in its place, or it is a server's.
        let in_its_place = callers[1..].iter().any(|caller| *caller);
        callers[0] = self.joined() && self.nodes[0].span.kind != SpanKind::Server && (calls(&self.nodes[0]) || !in_its_place);
        callers
    }
}

#[cfg(test)]
mod tests;
