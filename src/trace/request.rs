//! A finished request, as a lane hands it on: plain data, copied without allocating.

use std::fmt;

use crate::clock::Moment;
use crate::units::Nanos;

use super::Decision;

/// How a request ended. Its text is the key under which `run.json` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// gRPC status OK, and the Milvus status inside the answer says success.
    Ok,
    /// A gRPC status other than OK, by its code (1 to 16).
    Grpc(u8),
    /// A gRPC OK whose answer carries this Milvus error code.
    Milvus(i32),
    /// No whole answer within the stream's timeout.
    TimedOut,
    /// Still without an answer when the drain ended, or never sent.
    Unfinished,
}

/// The names of the gRPC status codes, by code.
const GRPC_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a gRPC status code, such as `UNAVAILABLE` for 14; `None` beyond 16.
#[must_use]
pub fn grpc_name(code: u8) -> Option<&'static str> {
    GRPC_NAMES.get(usize::from(code)).copied()
}

impl Outcome {
    /// Whether the request did what it was sent for.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// The gRPC status code the caller saw: a Milvus error travels under OK, and a request that was given up is what gRPC
    /// calls `DEADLINE_EXCEEDED` or, at the end of the run, `CANCELLED`.
    #[must_use]
    pub const fn grpc_code(self) -> u8 {
        match self {
            Self::Ok | Self::Milvus(_) => 0,
            Self::Grpc(code) => code,
            Self::TimedOut => 4,
            Self::Unfinished => 1,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Grpc(code) => match grpc_name(*code) {
                Some(name) => f.write_str(name),
                None => write!(f, "grpc:{code}"),
            },
            Self::Milvus(code) => write!(f, "milvus:{code}"),
            Self::TimedOut => f.write_str("timed_out"),
            Self::Unfinished => f.write_str("unfinished"),
        }
    }
}

/// A sampled request that has ended, with everything its span needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finished {
    /// Which stream of the scenario it belongs to, by its place there.
    pub stream: u16,
    /// Whether its intended start lies in the measure phase.
    pub phase_measured: bool,
    /// Its number within the stream.
    pub sequence: u64,
    /// When the schedule wanted it to go.
    pub intended: Moment,
    /// Just before the call.
    pub sent: Moment,
    /// When the answer was whole, or was given up.
    pub done: Moment,
    /// How it ended.
    pub outcome: Outcome,
    /// What was decided before it was sent.
    pub decision: Decision,
}

impl Finished {
    /// Response time: done − intended start.
    #[must_use]
    pub const fn response(&self) -> Nanos {
        self.done.since(self.intended)
    }

    /// Service time: done − sent. The length of its span.
    #[must_use]
    pub const fn service(&self) -> Nanos {
        self.done.since(self.sent)
    }

    /// Lateness: sent − intended start.
    #[must_use]
    pub const fn lateness(&self) -> Nanos {
        self.sent.since(self.intended)
    }
}

/// What the spans of one stream have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamIdentity {
    /// The stream's name in the scenario.
    pub name: String,
    /// The method of `milvus.proto.milvus.MilvusService` it calls, such as `Search`.
    pub operation: String,
    /// The database operation in the words of the scenario, such as `search`.
    pub db_operation: String,
    /// The collection it works on.
    pub collection: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_under_the_names_of_their_status() {
        for (outcome, key) in [
            (Outcome::Ok, "ok"),
            (Outcome::Grpc(14), "UNAVAILABLE"),
            (Outcome::Grpc(16), "UNAUTHENTICATED"),
            (Outcome::Grpc(17), "grpc:17"),
            (Outcome::Milvus(100), "milvus:100"),
            (Outcome::TimedOut, "timed_out"),
            (Outcome::Unfinished, "unfinished"),
        ] {
            assert_eq!(outcome.to_string(), key);
        }
    }

    #[test]
    fn the_names_are_those_of_the_grpc_library() {
        for (code, name) in GRPC_NAMES.iter().enumerate() {
            let theirs = format!("{:?}", tonic::Code::from(i32::try_from(code).unwrap()));
            assert_eq!(name.replace('_', "").to_lowercase(), theirs.to_lowercase());
        }
    }

    #[test]
    fn response_is_lateness_and_service_together() {
        let finished = Finished {
            stream: 0,
            phase_measured: true,
            sequence: 7,
            intended: Moment::from_ns(1_000),
            sent: Moment::from_ns(1_300),
            done: Moment::from_ns(5_300),
            outcome: Outcome::Ok,
            decision: Decision::UNSAMPLED,
        };
        assert_eq!((finished.lateness(), finished.service(), finished.response()), (Nanos(300), Nanos(4_000), Nanos(4_300)));
    }
}
