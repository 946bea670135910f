//! A lane's way out for finished requests: the producing half of a bounded ring, and its counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Finished;

/// What a lane has counted, read by the exporter at any time.
///
/// Only the lane writes, so plain stores do. `dropped` is stored after `ended` and read before it: a reader never sees more
/// dropped than ended, whenever it looks.
#[derive(Debug, Default)]
#[repr(align(128))] // Two cache lines: no other lane's counter shares one with it.
pub(super) struct LaneCounts {
    ended: AtomicU64,
    dropped: AtomicU64,
}

impl LaneCounts {
    /// Ended and dropped so far.
    pub(super) fn read(&self) -> (u64, u64) {
        let dropped = self.dropped.load(Ordering::Acquire);
        (self.ended.load(Ordering::Acquire), dropped)
    }
}

/// One lane's end of the exporter. Never blocks, never allocates, wakes nobody.
#[derive(Debug)]
pub struct SpanLane {
    counts: Arc<LaneCounts>,
    ended: u64,
    dropped: u64,
    /// `None` where nothing is exported: then every span is counted as dropped.
    ring: Option<rtrb::Producer<Finished>>,
}

impl SpanLane {
    pub(super) fn new(ring: Option<rtrb::Producer<Finished>>) -> (Self, Arc<LaneCounts>) {
        let counts = Arc::new(LaneCounts::default());
        (Self { counts: counts.clone(), ended: 0, dropped: 0, ring }, counts)
    }

    /// Hands a finished request on; one that was not sampled has no span and is not counted. Where the ring is full the span
    /// is dropped and counted: an exporter that cannot follow costs spans, never time.
    #[inline]
    pub fn end(&mut self, finished: Finished) {
        if !finished.decision.is_sampled() {
            return;
        }
        self.ended += 1;
        self.counts.ended.store(self.ended, Ordering::Release);
        let kept = self.ring.as_mut().is_some_and(|ring| ring.push(finished).is_ok());
        if !kept {
            self.dropped += 1;
            self.counts.dropped.store(self.dropped, Ordering::Release);
        }
    }
}
