//! The slowest requests of a stream, kept as they go by.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::trace::Finished;
use crate::units::Nanos;

/// How many are kept of each stream on each lane.
pub(super) const KEPT: usize = 100;

/// Keeps the requests with the longest response time. Room for all of them is taken at the start; a request that is not
/// among them costs one comparison.
#[derive(Debug)]
pub(super) struct Slowest {
    kept: BinaryHeap<Reverse<ByResponse>>,
}

#[derive(Debug)]
struct ByResponse(Nanos, Finished);

impl PartialEq for ByResponse {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for ByResponse {}
impl PartialOrd for ByResponse {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ByResponse {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Default for Slowest {
    fn default() -> Self {
        Self { kept: BinaryHeap::with_capacity(KEPT + 1) }
    }
}

impl Slowest {
    /// Looks at a request that ended.
    pub(super) fn see(&mut self, finished: &Finished) {
        let response = finished.done.since(finished.intended);
        if self.kept.len() == KEPT {
            if self.kept.peek().is_some_and(|Reverse(least)| least.0 >= response) {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse(ByResponse(response, *finished)));
    }

    /// The kept ones, the slowest first.
    #[must_use]
    pub(super) fn into_sorted(self) -> Vec<Finished> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(ByResponse(_, finished))| finished).collect()
    }
}
