//! Milvus's own way to say no: a code and a reason inside an answer that gRPC calls OK.

use crate::wire::common;

/// A request that cannot be done. The code is Milvus's own, the reason is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (milvus:{code})")]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) reason: String,
}

/// Milvus's codes, as its clients know them.
pub(super) mod code {
    pub(crate) const MEMORY_LIMIT: i32 = 3;
    pub(crate) const RATE_LIMIT: i32 = 8;
    pub(crate) const COLLECTION_NOT_FOUND: i32 = 100;
    pub(crate) const COLLECTION_NOT_LOADED: i32 = 101;
    pub(crate) const INDEX_NOT_FOUND: i32 = 700;
    pub(crate) const INVALID_PARAMETER: i32 = 1100;
}

impl Refusal {
    pub(super) fn new(code: i32, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Something in the request is not as it should be.
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMETER, reason)
    }

    /// The status that carries it. The older code beside the newer one, for clients that look at that one only.
    pub(super) fn status(&self) -> common::Status {
        let older = match self.code {
            code::COLLECTION_NOT_FOUND => 4,
            code::INDEX_NOT_FOUND => 25,
            code::RATE_LIMIT => 49,
            _ => 1,
        };
        common::Status {
            error_code: older,
            reason: self.reason.clone(),
            code: self.code,
            retriable: matches!(self.code, code::MEMORY_LIMIT | code::RATE_LIMIT),
            detail: String::new(),
        }
    }
}
