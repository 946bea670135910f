//! What the requests of a stream do: one file an operation.
//!
//! An operation encodes request n of its stream into bytes that are ready to be sent, and judges the answer's bytes. It
//! knows no connection, no time and no lane. A new operation is a new file with a `Settings` that implements [`Kind`], and
//! one line in the list below.

mod answer;
#[cfg(test)]
mod golden;
mod insert;
mod kept;
mod protobuf;
mod recall;
mod requests;
mod rows;
mod search;

use std::sync::Arc;

use bytes::BytesMut;

use crate::load::Failure;
use crate::workload::Vectors;

use super::collection::Collection;

pub use insert::Settings as InsertSettings;
pub use kept::{Kept, KeptAnswer, MOST_KEPT};
pub use recall::{Recall, mean_recall};
pub use requests::Requests;
pub use search::{MAX_TOP_K, Settings as SearchSettings};

/// Makes the enum of all operations, from the one line that each has.
macro_rules! operations {
    ($($(#[doc = $about:literal])* $variant:ident($settings:ty)),+ $(,)?) => {
        /// What the requests of a stream do, with what that needs to know.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Settings {
            $($(#[doc = $about])* $variant($settings)),+
        }

        impl Settings {
            /// The names of all operations, as scenarios write them.
            pub const NAMES: &'static [&'static str] = &[$(<$settings as Kind>::NAME),+];

            /// As a scenario writes it.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$settings as Kind>::NAME),+ }
            }

            /// The method of Milvus's service that it calls, such as `Search`.
            #[must_use]
            pub const fn method(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$settings as Kind>::METHOD),+ }
            }

            /// Whether its requests change the collection: then sending one again is another thing than sending it once.
            #[must_use]
            pub const fn writes(&self) -> bool {
                match self { $(Self::$variant(_) => <$settings as Kind>::WRITES),+ }
            }

            /// The operation for one lane.
            ///
            /// # Errors
            /// What Milvus would refuse of every request.
            pub fn make(&self, work: &Work) -> Result<Box<dyn Operation>, OperationError> {
                match self { $(Self::$variant(settings) => settings.make(work)),+ }
            }
        }
    };
}

operations! {
    /// Nearest neighbours of a query vector.
    Search(SearchSettings),
    /// New rows.
    Insert(InsertSettings),
}

/// A kind of operation: its settings know its names and make it.
pub trait Kind {
    /// As a scenario writes it.
    const NAME: &'static str;
    /// The method of Milvus's service.
    const METHOD: &'static str;
    /// Whether its requests change the collection.
    const WRITES: bool = false;

    /// The operation for one lane.
    ///
    /// # Errors
    /// What Milvus would refuse of every request.
    fn make(&self, work: &Work) -> Result<Box<dyn Operation>, OperationError>;
}

/// What an operation works on.
#[derive(Debug, Clone)]
pub struct Work {
    /// The collection.
    pub collection: Arc<Collection>,
    /// Where vectors come from.
    pub vectors: Vectors,
    /// The stream's place in the scenario.
    pub stream: u16,
    /// Rows that earlier runs of a series wrote as this stream.
    pub written: u64,
}

/// One stream's operation in one lane.
pub trait Operation: Send {
    /// The full path of the method, such as `/milvus.proto.milvus.MilvusService/Search`.
    fn path(&self) -> &str;

    /// A bound on the bytes of a request, prefix and all.
    fn longest(&self) -> usize;

    /// Appends request `sequence`, ready to be sent: gRPC's five-byte prefix and the message.
    fn encode(&mut self, sequence: u64, out: &mut BytesMut);

    /// Whether the request depends on what its session has written: then [`Operation::append_session`] is called just
    /// before sending, where something was written.
    fn of_session(&self) -> bool {
        false
    }

    /// Appends the timestamp of the session's last write to a request from [`Operation::encode`] (the whole of it: prefix
    /// first, nothing before).
    fn append_session(&self, _written: u64, _request: &mut BytesMut) {}

    /// Judges the answer to request `sequence`, and keeps a copy of it where it is one of those to be judged closer after the
    /// run. Gives the timestamp of the write, where it was one.
    ///
    /// # Errors
    /// The status inside the answer, where it is no success.
    fn judge(&mut self, sequence: u64, measured: bool, answer: &[u8]) -> Result<Option<u64>, Failure>;

    /// Ends the operation: what it kept.
    fn leave(self: Box<Self>) -> Kept {
        Kept::default()
    }
}

/// The largest message that Milvus takes and sends, in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;

/// What Milvus would refuse of every request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// `top_k` out of range.
    #[error("top_k = {given} is not from 1 to {MAX_TOP_K}, which is what Milvus takes")]
    TopK {
        /// What was asked for.
        given: u32,
    },
    /// A field that an insert has to fill and cannot.
    #[error("an insert cannot fill field `{field}` of type {kind} in collection `{collection}`; search it only, or use another")]
    CannotFill {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// Its type.
        kind: &'static str,
    },
    /// An insert of nothing.
    #[error("batch = 0 inserts nothing; write 1 or more")]
    NoRows,
    /// A batch that fits into no message.
    #[error("batch = {batch} rows of {dim} dimensions are {bytes} bytes, above the 64 MiB that Milvus takes; up to {fits} rows fit")]
    Batch {
        /// Rows.
        batch: u32,
        /// Dimensions of each.
        dim: usize,
        /// Bytes of one request.
        bytes: usize,
        /// What would fit.
        fits: usize,
    },
}
