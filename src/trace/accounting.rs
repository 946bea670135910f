//! What became of the spans.

/// What became of the client spans of a run: ended = exported + dropped + failed, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Accounting {
    /// Sampled requests that ended, each with one span.
    pub ended: u64,
    /// Spans that the collector said it has taken.
    pub exported: u64,
    /// Spans that found a bounded buffer full and were let go, because the collector did not follow.
    pub dropped: u64,
    /// Spans that were sent without success, or not before the limit at the end.
    pub failed: u64,
    /// Of the dropped ones, those whose request the [`SampledSink`] has not seen either, because the lane's ring was full.
    pub unseen: u64,
    /// Bytes of all export requests that were sent, as protobuf before compression.
    pub bytes: u64,
}

impl Accounting {
    /// Whether the equation holds.
    #[cfg(test)]
    pub(super) const fn adds_up(&self) -> bool {
        self.ended == self.exported + self.dropped + self.failed
    }
}

/// Takes every sampled request that ended, on the exporter's thread, before and whether or not its span is exported.
pub trait SampledSink: Send {
    /// One sampled request has ended.
    fn sampled(&mut self, finished: &super::Finished);

    /// No more will come. Called once, on the same thread.
    fn close(&mut self) {}
}
