//! What a lane drives when it drives a Milvus: an operation a stream, over channels of its own.

use bytes::BytesMut;
use tonic::transport::Channel;

use crate::load::{Failure, Target};
use crate::trace::{ContextHeader, Outcome};

use super::call::{Answer, CODE_OK, Caller};
use super::connection::{Connection, ConnectionError};
use super::operation::{Kept, Operation, Requests};

/// One lane's way to a Milvus.
pub struct MilvusTarget {
    /// The lane's channels; workers take them in turn.
    channels: Vec<Channel>,
    streams: Vec<Stream>,
    requests: Requests,
    /// The timestamp of the last write of each session. Workers of one number, over all streams of the lane, are one
    /// session: worker 3 of the readers sees what worker 3 of the writers wrote.
    written: Vec<u64>,
}

struct Stream {
    operation: Box<dyn Operation>,
    caller: Caller,
}

impl std::fmt::Debug for MilvusTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MilvusTarget").field("channels", &self.channels.len()).field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}

impl MilvusTarget {
    /// Connects a lane: so many channels, and room for `in_flight` requests at a time. Call it on the lane's thread.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn connect(
        connection: &Connection,
        operations: Vec<Box<dyn Operation>>,
        channels: usize,
        in_flight: usize,
    ) -> Result<Self, ConnectionError> {
        let mut connected = Vec::with_capacity(channels);
        for _ in 0..channels.max(1) {
            connected.push(connection.channel(in_flight.div_ceil(channels.max(1))).await?);
        }
        let streams = operations
            .into_iter()
            .map(|operation| Stream { caller: Caller::new(operation.path(), connection.headers()), operation })
            .collect();
        Ok(Self { channels: connected, streams, requests: Requests::new(), written: Vec::new() })
    }
}

impl Target for MilvusTarget {
    type Request = BytesMut;
    type Answer = Answer;
    type Leftover = Vec<Kept>;

    fn prepare(&mut self, stream: usize, sequence: u64) -> BytesMut {
        self.requests.encode(&mut *self.streams[stream].operation, sequence)
    }

    fn call(
        &mut self,
        stream: usize,
        worker: usize,
        mut request: BytesMut,
        context: Option<ContextHeader>,
    ) -> impl Future<Output = Answer> + 'static {
        let own = &self.streams[stream];
        if own.operation.of_session()
            && let Some(written) = self.written.get(worker).filter(|written| **written > 0)
        {
            own.operation.append_session(*written, &mut request);
        }
        own.caller.call(self.channels[worker % self.channels.len()].clone(), request.freeze(), context)
    }

    fn judge(&mut self, stream: usize, worker: usize, sequence: u64, measured: bool, answer: Answer) -> Result<(), Failure> {
        let Answer { code, message, body } = answer;
        if code != CODE_OK {
            return Err(Failure { outcome: Outcome::Grpc(code), reason: message });
        }
        if let Some(written) = self.streams[stream].operation.judge(sequence, measured, &body)? {
            if self.written.len() <= worker {
                self.written.resize(worker + 1, 0);
            }
            self.written[worker] = written.max(self.written[worker]);
        }
        Ok(())
    }

    fn leave(self) -> Vec<Kept> {
        self.streams.into_iter().map(|stream| stream.operation.leave()).collect()
    }
}
