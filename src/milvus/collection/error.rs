//! Why there is no collection to send requests to.

use crate::units::Nanos;
use crate::wire::common;

use super::super::operation::MAX_MESSAGE;

/// Why set-up went no further. Nothing has been measured then, and what this run made has been dropped again.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The call did not come through.
    #[error("{rpc} at {uri} failed: {}", told(source))]
    Call {
        /// The method.
        rpc: &'static str,
        /// The target.
        uri: String,
        /// gRPC's status.
        source: Box<tonic::Status>,
    },
    /// Something took the connection and never answered.
    #[error(
        "{uri} took the connection and did not answer within {limit} (target.connect_within): it may be no Milvus, or one that is still \
         starting; correct `target.uri` (19530 is Milvus's port as a rule), or wait until it is up"
    )]
    Silent {
        /// The target.
        uri: String,
        /// How long was waited.
        limit: Nanos,
    },
    /// Another protocol, or the connection was cut before an answer.
    #[error(
        "what answers at {uri} does not speak gRPC as a Milvus does ({}); correct `target.uri`: 19530 is Milvus's port as a rule, and \
         one that encrypts is reached by https://",
        told(status)
    )]
    NoGrpc {
        /// The target.
        uri: String,
        /// gRPC's status.
        status: Box<tonic::Status>,
    },
    /// The server knows no such method.
    #[error("this Milvus ({version}) does not offer {rpc}; tailtrace works with 2.3 and newer")]
    NotOffered {
        /// The method.
        rpc: &'static str,
        /// What the server says it is.
        version: String,
    },
    /// Milvus said no.
    #[error("Milvus refused {rpc}: {reason} (milvus:{code})")]
    Refused {
        /// The method.
        rpc: &'static str,
        /// Its code.
        code: i32,
        /// Its reason.
        reason: String,
    },
    /// A collection of that name is there, and this run did not make it.
    #[error(
        "collection `{name}` exists already{}; it was left as it is. Choose one: `collection.reuse = true` sends requests to it \
         as it is, another `collection.name` makes a new one, or drop it yourself",
        if *own { ", made by an earlier run of tailtrace that kept it or was killed" } else { ", and tailtrace did not make it" }
    )]
    Exists {
        /// Its name.
        name: String,
        /// Whether it carries tailtrace's mark.
        own: bool,
    },
    /// There is nothing to reuse.
    #[error("collection `{name}` does not exist, so there is nothing to reuse; leave out `collection.reuse` to have it made")]
    Missing {
        /// The name.
        name: String,
    },
    /// The collection differs from what the scenario says.
    #[error("collection `{name}` has {key} {found}, the scenario says {expected}; leave out `collection.{key}` or correct it")]
    Differs {
        /// The collection.
        name: String,
        /// The key in `[collection]`.
        key: &'static str,
        /// What the collection has.
        found: String,
        /// What the scenario says.
        expected: String,
    },
    /// The collection is none that requests can be sent to.
    #[error("collection `{name}` cannot be used: {why}")]
    Unusable {
        /// The collection.
        name: String,
        /// Why, and what to do.
        why: String,
    },
    /// It took too long.
    #[error("collection `{name}` was not {step} within {limit} (collection.ready_within)")]
    NotReady {
        /// The collection.
        name: String,
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Nanos,
    },
    /// A row is larger than a message may be.
    #[error("one row of {dim} dimensions is larger than the {MAX_MESSAGE} bytes of a message")]
    RowTooLarge {
        /// Dimensions.
        dim: usize,
    },
    /// The system has no timer to wait with.
    #[error("cannot wait for the collection: the system gives no timer")]
    Timer(#[source] std::io::Error),
}

impl SetupError {
    /// What it says of a target that has not answered any call yet, within `limit`.
    pub(super) fn of_first_call(self, limit: Nanos) -> Self {
        use tonic::Code;
        match self {
            // tonic reports its own time limit as a cancelled call.
            Self::Call { uri, source, .. } if matches!(source.code(), Code::Cancelled | Code::DeadlineExceeded) => {
                Self::Silent { uri, limit }
            }
            // A status of HTTP/2 itself: no server of gRPC made it up.
            Self::Call { uri, source, .. } if source.code() == Code::Internal && std::error::Error::source(&*source).is_some() => {
                Self::NoGrpc { uri, status: source }
            }
            error => error,
        }
    }

    /// Whether the same call may succeed a moment later: the target was out of reach, restarting, or had too much to do.
    pub(super) fn may_pass(&self) -> bool {
        use tonic::Code;
        match self {
            Self::Call { source, .. } => matches!(
                source.code(),
                // A connection that is lost in mid-call shows as any of these.
                Code::Unavailable
                    | Code::Unknown
                    | Code::Internal
                    | Code::Cancelled
                    | Code::Aborted
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
            ),
            Self::Refused { code, .. } => code::RATE_LIMIT.contains(code),
            _ => false,
        }
    }
}

/// A gRPC status in words.
fn told(status: &tonic::Status) -> String {
    let name = crate::trace::Outcome::Grpc(i32::from(status.code()) as u8);
    if status.message().is_empty() { name.to_string() } else { format!("{name}: {}", status.message()) }
}

/// An error code of Milvus that has a meaning here.
pub(super) mod code {
    /// The collection is not there.
    pub(in super::super) const COLLECTION_NOT_FOUND: i32 = 100;
    /// Wait and try again: the newer code, and the older one.
    pub(in super::super) const RATE_LIMIT: [i32; 2] = [8, 49];
    /// The older code for a collection that is not there.
    pub(in super::super) const COLLECTION_NOT_EXISTS: i32 = 4;
}

/// A status that is no success, as an error.
pub(super) fn refused(rpc: &'static str, status: Option<&common::Status>) -> Result<(), SetupError> {
    match status {
        Some(status) if !crate::wire::is_success(status) => {
            Err(SetupError::Refused { rpc, code: crate::wire::failure_code(status), reason: status.reason.clone() })
        }
        _ => Ok(()),
    }
}
