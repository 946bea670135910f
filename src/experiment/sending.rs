//! What the streams of a run send: as a rule each its own requests, in a replay those of another stream.

use crate::milvus::operation::{Operation, OperationError, Work};
use crate::scenario::Stream;
use crate::trace::SampledSink;

/// Decides what the streams of a run send, and looks at what became of it.
pub(super) trait Sending: Sync {
    /// One lane's operation of the plan's stream `index`. `work` gives what a stream works on, by its place.
    fn operation(&self, index: usize, stream: &Stream, work: &dyn Fn(usize) -> Work) -> Result<Box<dyn Operation>, OperationError>;

    /// What sees every sampled request that ended: `log`, or something around it.
    fn sink(&self, log: Box<dyn SampledSink>) -> Box<dyn SampledSink> {
        log
    }
}

/// Each stream sends its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own;

impl Sending for Own {
    fn operation(&self, index: usize, stream: &Stream, work: &dyn Fn(usize) -> Work) -> Result<Box<dyn Operation>, OperationError> {
        stream.operation.make(&work(index))
    }
}
