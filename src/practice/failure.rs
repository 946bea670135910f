//! The ways a request can fail, by the names under which results count them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use tonic::Code;

use crate::trace::{Outcome, grpc_name};

/// A failure that the practice target answers with: a gRPC status such as `UNAVAILABLE`, or `milvus:<code>`, an error of
/// Milvus's own inside an answer that gRPC calls OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A gRPC status by its number, 1 to 16.
    Grpc(u8),
    /// Milvus's own code inside the answer.
    Milvus(i32),
}

/// The gRPC statuses that say no.
const NOT_OK: std::ops::RangeInclusive<u8> = 1..=16;

/// A text that names no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a failure: a gRPC status such as \"UNAVAILABLE\", or \"milvus:\" and a code from 1 on, such as \"milvus:100\"")]
pub struct FailureError(String);

impl Failure {
    /// The caller has given the request up.
    pub const CANCELLED: Self = Self::Grpc(1);
    /// What Milvus answers where too many requests are there already.
    pub const RESOURCE_EXHAUSTED: Self = Self::Grpc(8);
    /// What stands between a caller and a server that is not there.
    pub const UNAVAILABLE: Self = Self::Grpc(14);
    /// Milvus's own rate limit.
    pub const RATE_LIMIT: Self = Self::Milvus(8);

    /// The gRPC status this failure travels under; `Ok` for Milvus's own.
    pub(super) fn code(self) -> Code {
        match self {
            Self::Grpc(code) => Code::from(i32::from(code)),
            Self::Milvus(_) => Code::Ok,
        }
    }
}

impl FromStr for Failure {
    type Err = FailureError;

    fn from_str(text: &str) -> Result<Self, FailureError> {
        let error = || FailureError(text.to_owned());
        if let Some(code) = text.strip_prefix("milvus:") {
            return code.parse().ok().filter(|code| *code > 0).map(Self::Milvus).ok_or_else(error);
        }
        NOT_OK.into_iter().find(|code| grpc_name(*code) == Some(text)).map(Self::Grpc).ok_or_else(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The same key that a result counts it under.
        match *self {
            Self::Grpc(code) => Outcome::Grpc(code).fmt(f),
            Self::Milvus(code) => Outcome::Milvus(code).fmt(f),
        }
    }
}

impl serde::Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Failure {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Failure {
    fn schema_name() -> Cow<'static, str> {
        "Failure".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A gRPC status such as \"UNAVAILABLE\", or \"milvus:\" and Milvus's own code, such as \"milvus:100\".",
            "pattern": "^([A-Z_]+|milvus:[0-9]+)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_shown_again() {
        for text in NOT_OK.filter_map(grpc_name).chain(["milvus:100", "milvus:8"]) {
            assert_eq!(text.parse::<Failure>().unwrap().to_string(), text);
        }
        assert_eq!("UNAVAILABLE".parse::<Failure>().unwrap().code(), Code::Unavailable);
        assert_eq!("RESOURCE_EXHAUSTED".parse::<Failure>().unwrap().code(), Code::ResourceExhausted);
        assert_eq!(Failure::RATE_LIMIT.code(), Code::Ok);
    }

    #[test]
    fn what_is_no_failure_is_refused_with_examples() {
        for text in ["", "OK", "unavailable", "milvus:0", "milvus:-1", "milvus:", "milvus:x", "14"] {
            assert!(text.parse::<Failure>().unwrap_err().to_string().contains("milvus:100"), "{text}");
        }
    }
}
