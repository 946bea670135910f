//! What each request on rows asks for, as bytes: the same request asks for the same, whenever and by whomever it is sent.

use bytes::Bytes;

use crate::wire::milvus::{DeleteRequest, HybridSearchRequest, InsertRequest, QueryRequest, SearchRequest, UpsertRequest};

/// A request on rows.
pub(crate) trait Asking {
    /// What a read asks for; `None` of a write.
    fn asked(&self) -> Option<Bytes> {
        None
    }
}

impl Asking for SearchRequest {
    fn asked(&self) -> Option<Bytes> {
        Some(self.placeholder_group.clone())
    }
}

impl Asking for HybridSearchRequest {
    fn asked(&self) -> Option<Bytes> {
        Some(self.requests.iter().flat_map(|request| request.placeholder_group.iter().copied()).collect())
    }
}

impl Asking for QueryRequest {
    fn asked(&self) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(self.expr.as_bytes()))
    }
}

impl Asking for InsertRequest {}
impl Asking for UpsertRequest {}
impl Asking for DeleteRequest {}
