//! What a lane drives: anything that encodes a request, sends it and judges the answer.

use crate::trace::{ContextHeader, Outcome};

/// One lane's connection to what is measured. A lane owns it alone; nothing in it is shared with another thread while
/// measuring.
pub trait Target: 'static {
    /// A request, encoded and ready to go.
    type Request: 'static;
    /// The whole answer, or why there is none.
    type Answer: 'static;
    /// What is left of the target when the lane ends, for other threads to judge (kept answers, for instance).
    type Leftover: Send + 'static;

    /// Encodes request number `sequence` of a stream. Called before the request is due.
    fn prepare(&mut self, stream: usize, sequence: u64) -> Self::Request;

    /// Sends the request and waits for the whole answer: all that lies between `sent` and `done`. What depends on the
    /// moment of sending is added here: `context`, and what the `worker` (numbered within the stream and the lane) knows.
    fn call(
        &mut self,
        stream: usize,
        worker: usize,
        request: Self::Request,
        context: Option<ContextHeader>,
    ) -> impl Future<Output = Self::Answer> + 'static;

    /// Says after `done` whether the answer is ok, and takes from it what it wants to keep. `measured` tells whether the
    /// request counts (its intended start lies in the measured phase).
    ///
    /// # Errors
    /// What went wrong, as it is counted.
    fn judge(&mut self, stream: usize, worker: usize, sequence: u64, measured: bool, answer: Self::Answer) -> Result<(), Failure>;

    /// Ends the target.
    fn leave(self) -> Self::Leftover;
}

/// Why a request is not ok.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status it is counted under.
    pub outcome: Outcome,
    /// What the server said; one sample a status is kept.
    pub reason: String,
}
