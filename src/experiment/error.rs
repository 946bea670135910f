//! Why a run gave no result.

use crate::load::LoadError;
use crate::milvus::ConnectionError;
use crate::milvus::collection::SetupError;
use crate::milvus::operation::OperationError;
use crate::practice::PracticeError;
use crate::result::ResultError;
use crate::trace::TraceError;

/// Why nothing, or nothing complete, was measured.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The place for the result.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The practice target.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// Tracing.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The way to the target.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The collection.
    #[error(transparent)]
    SetUp(#[from] SetupError),
    /// A request that Milvus would refuse.
    #[error("stream `{stream}` cannot be encoded")]
    Operation {
        /// The stream.
        stream: String,
        /// Why.
        source: OperationError,
    },
    /// The lanes.
    #[error("{message}")]
    Load {
        /// What happened to which lane.
        message: String,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The operating system gave no runtime.
    #[error("cannot start: the operating system has no thread or descriptor left")]
    Start(#[source] std::io::Error),
    /// A limit that cannot be shared out among the lanes.
    #[error(
        "stream `{stream}`: max_in_flight = {max_in_flight} cannot be split over {lanes} lanes, each needs one; raise it or set load.lanes = {max_in_flight}"
    )]
    TooFewInFlight {
        /// The stream.
        stream: String,
        /// Its limit.
        max_in_flight: usize,
        /// How many lanes there are.
        lanes: usize,
    },
    /// Stopped before the first request was sent.
    #[error("stopped before anything was measured")]
    Interrupted,
}

impl RunError {
    /// From what the lanes say.
    pub(super) fn from_load(error: LoadError<Self>) -> Self {
        match error {
            LoadError::Connect { source, .. } => source,
            other => {
                let message = other.to_string();
                let source = match other {
                    LoadError::Start { source, .. } => Some(source.into()),
                    LoadError::Connect { .. } | LoadError::Died { .. } => None,
                };
                Self::Load { message, source }
            }
        }
    }
}
