//! What a search for capacity found, as `capacity.json` and `--json` have it.

use std::path::PathBuf;

use serde::Serialize;

use crate::result::StoredRun;
use crate::result::model::{Gate, Latency};
use crate::units::Nanos;

use super::probe::{Answer, Ask, Purpose, Shown, Verdict};
use super::slo::Slo;

/// The schema that this version writes.
pub const SCHEMA: &str = "tailtrace.capacity/1";
/// The file's name in the series' directory.
pub const FILE: &str = "capacity.json";

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capacity {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The scenario's name.
    pub scenario: String,
    /// The stream whose rate was varied.
    pub stream: String,
    /// What had to hold.
    pub slos: Vec<String>,
    /// The search was interrupted, or a probe could not be made or kept; what follows is what was known by then.
    pub partial: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// The rate at which the SLOs are just met, estimated from all probes; with `above-max` the highest that was tried.
    pub rate_per_s: Option<f64>,
    /// The lower end of its interval; with `not-judged` the rate up to which the SLOs are known to be met.
    pub low_per_s: Option<f64>,
    /// The upper end.
    pub high_per_s: Option<f64>,
    /// The interval's confidence.
    pub confidence: f64,
    /// The highest rate that a confirming run passed.
    pub confirmed_per_s: Option<f64>,
    /// The lowest rate above it that failed.
    pub first_failing_per_s: Option<f64>,
    /// In a sentence.
    pub reason: String,
    /// Every probe, in the order made.
    pub probes: Vec<ProbeRow>,
    /// What slow requests waited for, below and beyond the edge; absent without traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Beside>,
    /// What went wrong afterwards and changes nothing that was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// The series' directory.
    pub directory: PathBuf,
}

/// One probe: a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeRow {
    /// The rate that was asked for.
    pub rate_per_s: f64,
    /// Requests that ended ok, a second.
    pub achieved_per_s: f64,
    /// Whether every SLO was met; `null` where that was not judged.
    pub passed: Option<bool>,
    /// Why not; empty where it passed.
    pub why: String,
    /// `bracket`, `edge` or `confirm`.
    pub purpose: Purpose,
    /// How long was measured.
    pub length_ns: u64,
    /// The response times of the stream.
    pub response: Curve,
    /// Each SLO's figure.
    pub slos: Vec<Gate>,
    /// Its run directory.
    pub run: PathBuf,
}

/// A point of the latency curve; `null` where nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Curve {
    /// The median.
    pub p50_ns: Option<u64>,
    /// 90 % are at or below.
    pub p90_ns: Option<u64>,
    /// 95 % are at or below.
    pub p95_ns: Option<u64>,
    /// 99 % are at or below.
    pub p99_ns: Option<u64>,
    /// 99.9 % are at or below.
    pub p99_9_ns: Option<u64>,
}

impl From<&Latency> for Curve {
    fn from(of: &Latency) -> Self {
        Self { p50_ns: of.p50_ns, p90_ns: of.p90_ns, p95_ns: of.p95_ns, p99_ns: of.p99_ns, p99_9_ns: of.p99_9_ns }
    }
}

/// What slow requests waited for on both sides of the edge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beside {
    /// In the fastest probe that passed.
    pub passing: Explained,
    /// In the fastest that failed: beyond the edge for certain.
    pub failing: Explained,
}

/// What `explain` says of one probe's stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The probe's rate.
    pub rate_per_s: f64,
    /// The first sentence.
    pub sentence: String,
    /// The span that is named, where one is.
    pub named: Option<String>,
    /// Its run directory.
    pub run: PathBuf,
}

impl ProbeRow {
    pub(super) fn of(ask: &Ask, shown: &Shown, run: &StoredRun, stream: &str, slos: &[Slo]) -> Self {
        let found = run.document.stream(stream);
        let (passed, why) = match shown {
            Shown::Passed => (Some(true), String::new()),
            Shown::Failed { why, .. } => (Some(false), why.clone()),
            Shown::NotJudged { why } => (None, why.clone()),
        };
        Self {
            rate_per_s: ask.rate,
            achieved_per_s: found.map_or(0.0, |stream| stream.achieved_per_s),
            passed,
            why,
            purpose: ask.purpose,
            length_ns: Nanos((ask.seconds * 1e9).round() as u64).0,
            response: found.map(|stream| Curve::from(&stream.response)).unwrap_or_default(),
            slos: slos.iter().map(|slo| run.document.judge(&slo.gate)).collect(),
            run: run.path.clone(),
        }
    }
}

impl Capacity {
    pub(super) fn answered(&mut self, answer: Answer) {
        self.verdict = answer.verdict;
        self.rate_per_s = answer.rate;
        self.low_per_s = answer.low;
        self.high_per_s = answer.high;
        self.confirmed_per_s = answer.confirmed;
        self.first_failing_per_s = answer.first_failing;
        self.reason = answer.reason;
    }
}
