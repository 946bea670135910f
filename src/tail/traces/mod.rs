//! Traces as they were recorded, whoever recorded them: read from OTLP/JSON and from Jaeger's JSON, kept as OTLP/JSON.
//!
//! ```
//! let saved = br#"{"data":[{"traceID":"1f","spans":[{"traceID":"1f","spanID":"a","operationName":"Search",
//!     "references":[],"startTime":1700000000000000,"duration":1500,"tags":[],"processID":"p1"}],
//!     "processes":{"p1":{"serviceName":"standalone"}}}]}"#;
//! let traces = tailtrace::tail::traces::from_json(saved).unwrap();
//! assert_eq!(traces[0].id, "0000000000000000000000000000001f");
//! assert_eq!(traces[0].spans[0].duration_ns, 1_500_000);
//! ```

mod document;
mod error;
mod gather;
mod ids;
mod jaeger;
mod otlp;
mod read;
mod text;

use std::collections::BTreeMap;

pub use error::{DocumentError, TracesError};
pub use otlp::write_otlp_line;
pub use read::{Reading, from_json, read, read_where};

/// The service of a span that does not say which made it, as OpenTelemetry's SDKs call it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// What part a span has in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SpanKind {
    /// It does not say.
    #[default]
    Unspecified,
    /// Work inside of one service.
    Internal,
    /// It answers a call.
    Server,
    /// It calls, and waits for the answer.
    Client,
    /// It hands a message over and waits for nobody.
    Producer,
    /// It works on a message that somebody handed over.
    Consumer,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// Its id, 16 lower-case hex digits.
    pub id: String,
    /// Its parent's id; `None` of a root.
    pub parent: Option<String>,
    /// The service that made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its part in a call.
    pub kind: SpanKind,
    /// Its start, ns since the Unix epoch by that service's clock.
    pub start_ns: u64,
    /// Its length, ns.
    pub duration_ns: u64,
    /// Attributes as text, by key; numbers and booleans as they print.
    pub attributes: BTreeMap<String, String>,
}

/// All spans of one trace id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// The trace id, 32 lower-case hex digits.
    pub id: String,
    /// Its spans, in the order in which they were read.
    pub spans: Vec<Span>,
}

#[cfg(test)]
mod tests;
