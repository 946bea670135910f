//! How each answer says no: with a status inside.

use prost::Message;

use crate::practice::refusal::Refusal;
use crate::wire::{common, milvus};

/// An answer of Milvus's, which can carry a refusal.
pub(crate) trait Answering: Message + Default {
    /// The answer that carries nothing but this status.
    fn with_status(status: common::Status) -> Self;

    /// The answer to a request that was refused.
    fn refused(refusal: &Refusal) -> Self {
        Self::with_status(refusal.status())
    }
}

impl Answering for common::Status {
    fn with_status(status: common::Status) -> Self {
        status
    }
}

macro_rules! answering {
    ($($answer:ident),+ $(,)?) => {
        $(impl Answering for milvus::$answer {
            fn with_status(status: common::Status) -> Self {
                Self { status: Some(status), ..Self::default() }
            }
        })+
    };
}

answering!(
    AllocTimestampResponse,
    BoolResponse,
    CheckHealthResponse,
    ConnectResponse,
    DescribeCollectionResponse,
    DescribeIndexResponse,
    FlushResponse,
    GetCollectionStatisticsResponse,
    GetFlushStateResponse,
    GetLoadStateResponse,
    GetLoadingProgressResponse,
    GetVersionResponse,
    ListDatabasesResponse,
    MutationResult,
    QueryResults,
    SearchResults,
    ShowCollectionsResponse,
);
