//! Traces as they were recorded, whoever recorded them.

use std::collections::BTreeMap;

/// One span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its id, 16 lower-case hex digits.
    pub id: String,
    /// Its parent's id; `None` of a root.
    pub parent: Option<String>,
    /// The service that made it.
    pub service: String,
    /// Its name.
    pub name: String,
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
