//! `requests.jsonl`: single requests, one JSON object a line.
//!
//! Kept are the sampled ones (all of them up to [`CAP`], a random subset beyond it) and the outliers, sampled or not.

mod log;

use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::units::LineOfJson;

pub use log::{CAP, Counts, RequestLog};

use super::ResultError;
use super::directory::replace;

/// One kept request. Times are ns after `started` of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its stream.
    pub stream: String,
    /// Its number in the stream, from 0.
    pub sequence: u64,
    /// Whether its intended start lies in the measured phase.
    pub measured: bool,
    /// When the schedule wanted it to go.
    pub intended_ns: u64,
    /// Just before the call.
    pub sent_ns: u64,
    /// When the answer was whole, or was given up.
    pub done_ns: u64,
    /// `ok`, a key of `errors`, `timed_out` or `unfinished`.
    pub outcome: String,
    /// 32 hex digits; `null` where the request had none.
    pub trace_id: Option<String>,
    /// The client's span, 16 hex digits; `null` where the request had none.
    pub span_id: Option<String>,
    /// Whether it was sampled.
    pub sampled: bool,
    /// Why it was sampled: `ratio`, `burst` or `forced`.
    pub why: Option<String>,
    /// The chance it had of being sampled, known before it was sent.
    pub inclusion_probability: f64,
    /// Why it is here.
    pub kept: Vec<Kept>,
    /// The chance that a sampled request had of being kept as such; 1 where all were.
    pub keep_probability: f64,
    /// The chance that a kept sampled request had of having its trace kept in `spans.jsonl` too: 1 where all traces are there,
    /// 0 where this one was not asked for.
    #[serde(default = "certain")]
    pub traced_keep_probability: f64,
    /// A span of the client alone was made for it after the fact, for it was slow and not sampled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_only: bool,
}

const fn certain() -> f64 {
    1.0
}

impl Request {
    /// Done − intended start.
    #[must_use]
    pub const fn response_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.intended_ns)
    }

    /// Done − sent.
    #[must_use]
    pub const fn service_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.sent_ns)
    }

    /// How many requests its trace stands for in an estimate: the inverse of the chance that it had of being sampled, kept
    /// and kept with its trace (Horvitz and Thompson). `None` where it stands for none: not sampled, here for being slow
    /// only, or its trace was not asked for.
    #[must_use]
    pub fn weight(&self) -> Option<f64> {
        let chance = self.inclusion_probability * self.keep_probability * self.traced_keep_probability;
        (self.sampled && self.kept.contains(&Kept::Sampled) && chance > 0.0).then(|| 1.0 / chance)
    }
}

/// Why a request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// It was sampled, and fell into the subset that is kept.
    Sampled,
    /// It is one of the slowest of its stream.
    Outlier,
}

/// Reads the file. A last line that is only half there (the run was killed) is left out.
pub fn read(path: &Path) -> Result<Vec<Request>, ResultError> {
    let text = std::fs::read(path).map_err(ResultError::read(path))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    text[..whole]
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|cause| ResultError::Damaged {
                path: path.to_owned(),
                line: at + 1,
                what: LineOfJson(cause).to_string(),
            })
        })
        .collect()
}

/// Puts these in the place of what the file holds, at once.
pub fn write(path: &Path, requests: &[Request]) -> Result<(), ResultError> {
    replace(path, |file| {
        requests.iter().try_for_each(|request| {
            serde_json::to_writer(&mut *file, request)?;
            file.write_all(b"\n")
        })
    })
}

/// For tests: a sampled request of `readers` that was due at 0, and kept with its trace for certain.
#[cfg(test)]
pub(crate) fn sketch(sequence: u64, response_ns: u64) -> Request {
    Request {
        stream: "readers".to_owned(),
        sequence,
        measured: true,
        intended_ns: 0,
        sent_ns: 0,
        done_ns: response_ns,
        outcome: "ok".to_owned(),
        trace_id: Some(format!("{sequence:032x}")),
        span_id: Some(format!("{sequence:016x}")),
        sampled: true,
        why: None,
        inclusion_probability: 1.0,
        kept: vec![Kept::Sampled],
        keep_probability: 1.0,
        traced_keep_probability: 1.0,
        client_only: false,
    }
}

#[cfg(test)]
mod tests;
