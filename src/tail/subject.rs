//! What is explained: the traced requests of one stream or operation, and what is known of all its requests.

use crate::stats::histogram::Histogram;

use super::attribution::{Oddities, Part};

/// One traced request, taken apart from its intended start to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The trace id, 32 lower-case hex digits.
    pub trace_id: String,
    /// Its number in the stream; `None` where another client sent it.
    pub sequence: Option<u64>,
    /// Its intended start (of another client's: its span's start), ns since the Unix epoch.
    pub at_ns: u64,
    /// What its user waited, ns: done − intended start; of another client's request its span's length.
    pub response_ns: u64,
    /// How many requests it stands for, at least 1: 1 / (inclusion probability × keep probability).
    pub weight: f64,
    /// Why it was sampled: `ratio`, `burst` or `forced`; `None` where that is not known.
    pub why: Option<String>,
    /// Whether a server's span lies below the client's.
    pub joined: bool,
    /// Where the time went, each place once; they add up to `response_ns`.
    pub parts: Vec<Part>,
}

/// An explanation's subject: one stream of a run, or one operation of a service.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The stream; of other clients' traces the service.
    pub name: String,
    /// `search`, `insert`, …; of other clients' traces the name of their spans.
    pub operation: String,
    /// Its traced requests, in any order.
    pub traced: Vec<Traced>,
    /// Response times of all its requests, traced or not; `None` where only the traces are known, which then stand for all.
    pub all: Option<Histogram>,
    /// How many requests were over in each second and in the tail: the second's start (ns since the Unix epoch) and the number, in
    /// order. Empty where that is not known.
    pub slow_seconds: Vec<(u64, u64)>,
    /// How far the instrument's own times spread (its floor's p99 − p50), ns; `None` where that was not measured.
    pub floor_spread_ns: Option<u64>,
    /// How long its requests were sent for, ns; `None` where that is not known.
    pub length_ns: Option<u64>,
    /// The fraction of the requests that were meant to be sampled; `None` where that is not known.
    pub sample_fraction: Option<f64>,
    /// Whether they are repeats of a replay: half of them were chosen for having been slow, so that the tail may be most of them.
    pub repeats: bool,
    /// Sampled requests whose trace was not found.
    pub without_trace: u64,
    /// What was odd about the traces, and mended or left out.
    pub oddities: Oddities,
}
