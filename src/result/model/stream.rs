//! One stream's figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Latency;

/// How a stream's requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loop {
    /// At times that do not depend on the answers.
    #[default]
    Open,
    /// Each worker's next one when its last one ended.
    Closed,
}

/// One stream: only requests whose intended start lies in the measured phase count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// Its name in the scenario.
    pub name: String,
    /// `search`, `insert`, …
    pub operation: String,
    /// Open or closed.
    #[serde(rename = "loop")]
    pub load_loop: Loop,
    /// Repeats of a replay: `service` is what to read, `response` holds what one waited for its turn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repeats: bool,
    /// The rate that the scenario asks for, over the whole measured phase; `null` in a closed loop.
    pub asked_per_s: Option<f64>,
    /// Requests that ended ok, over the length of the measured phase.
    pub achieved_per_s: f64,
    /// Requests that were due: ok + failed + `timed_out` + unfinished.
    pub scheduled: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that both gRPC and Milvus call a success.
    pub ok: u64,
    /// Requests with an answer that is no success.
    pub failed: u64,
    /// Requests that were given up when their time-out had passed.
    pub timed_out: u64,
    /// Requests with no answer, or never sent, when drain ended.
    pub unfinished: u64,
    /// Failed requests by status: gRPC's by name (`UNAVAILABLE`), Milvus's as `milvus:100`. They add up to `failed`.
    pub errors: BTreeMap<String, u64>,
    /// Done − intended start, of ok requests and of censored ones.
    pub response: Latency,
    /// Done − sent, of the same.
    pub service: Latency,
    /// Sent − intended start, of all that were sent.
    pub lateness: Latency,
    /// Service of the sampled ones among them, time-outs and unfinished ones at the time they had waited; `null` where none
    /// was sampled.
    pub service_sampled: Option<Latency>,
    /// Service of the others; beside `service_sampled` it says whether tracing makes a request slower.
    pub service_unsampled: Option<Latency>,
    /// Of searches, where truth is known.
    pub recall: Option<Recall>,
    /// What did not end ok, by status, time-outs and unfinished ones included.
    pub failures: Vec<Failures>,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// The measurement's checks of itself.
    pub checks: Checks,
    /// The slowest requests, slowest first, sampled or not.
    pub slowest: Vec<SlowRequest>,
    /// Sampled requests for each range between percentiles.
    pub exemplars: Vec<Exemplar>,
}

impl Stream {
    /// Requests that did not end ok.
    #[must_use]
    pub const fn not_ok(&self) -> u64 {
        self.failed + self.timed_out + self.unfinished
    }

    /// Requests that did not end ok over scheduled ones; `None` where none was scheduled.
    #[must_use]
    pub fn error_fraction(&self) -> Option<f64> {
        (self.scheduled > 0).then(|| self.not_ok() as f64 / self.scheduled as f64)
    }

    pub(super) fn broken_equations(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let ended = self.ok + self.not_ok();
        if self.scheduled != ended {
            broken.push(format!("{}: scheduled {} is not ok + failed + timed_out + unfinished = {ended}", self.name, self.scheduled));
        }
        let by_status: u64 = self.errors.values().sum();
        if by_status != self.failed {
            broken.push(format!("{}: errors add up to {by_status}, not to failed = {}", self.name, self.failed));
        }
        for failures in self.failures.iter().filter(|failures| failures.response.count != failures.count) {
            let (status, count, times) = (&failures.status, failures.count, failures.response.count);
            broken.push(format!("{}: {count} ended as {status}, and {times} times are kept of them", self.name));
        }
        if self.sent > self.scheduled || self.ok > self.sent {
            broken.push(format!("{}: ok {} ≤ sent {} ≤ scheduled {} does not hold", self.name, self.ok, self.sent, self.scheduled));
        }
        broken
    }
}

/// How much of the exact answer the searches found.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Recall {
    /// The k of recall@k.
    pub at: u64,
    /// The mean over the judged queries, 0 to 1.
    pub mean: f64,
    /// How many queries were judged.
    pub queries: u64,
    /// The 95 % confidence interval of the mean.
    pub interval: Option<[f64; 2]>,
}

/// The requests of one status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// A key of `errors`, or `timed_out`, or `unfinished`.
    pub status: String,
    /// How many.
    pub count: u64,
    /// How long they took, from intended start to the failure (or to the end of drain).
    pub response: Latency,
    /// One reason as the server gave it; the first that came.
    pub sample: Option<String>,
}

/// One second of the measured phase, or of the drain after it: requests of the measured phase that ended in it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Seconds of the measured phase before it.
    pub second: u64,
    /// The rate that the scenario asks for in it, 0 after the measured phase; `null` in a closed loop.
    pub asked_per_s: Option<f64>,
    /// Requests that ended ok.
    pub ok: u64,
    /// Requests with an answer that is no success.
    pub failed: u64,
    /// Requests that timed out in it, or had no answer when the drain ended in it; 0 in documents of earlier versions.
    pub given_up: u64,
    /// The mean response time, ok and censored requests together.
    pub mean_ns: Option<u64>,
    /// Their median.
    pub p50_ns: Option<u64>,
    /// Their 99th percentile.
    pub p99_ns: Option<u64>,
}

/// What the measurement found when it checked itself; `null` where there was too little to judge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Checks {
    /// Send times against the arrival process; open loops only.
    pub arrivals: Option<Arrivals>,
    /// Whether the measured phase was one and the same state.
    pub stationarity: Option<Stationarity>,
}

/// Send times against the arrival process of the plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrivals {
    /// `poisson` or `constant`.
    pub process: String,
    /// Send times judged.
    pub samples: u64,
    /// How far they are off the plan, in the measure that `docs/method.md` defines; 0 is on the plan.
    pub effect_size: f64,
    /// The chance of such a difference by chance alone.
    pub p_value: f64,
    /// The verdict: large and not by chance.
    pub off_plan: bool,
}

/// Whether the per-second figures stayed on one level.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stationarity {
    /// Seconds judged.
    pub seconds: u64,
    /// The largest level shift that is more than chance.
    pub level_shift: Option<LevelShift>,
    /// A trend that is more than chance.
    pub trend: Option<Trend>,
}

/// A step in the seconds' median response times.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LevelShift {
    /// When, ns after the start of the measured phase.
    pub at_ns: u64,
    /// The geometric mean of these medians before it.
    pub before_ns: u64,
    /// The same after it.
    pub after_ns: u64,
    /// after ÷ before − 1.
    pub change: f64,
    /// The chance of such a step by chance alone.
    pub p_value: f64,
}

/// A slope in the seconds' median response times.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trend {
    /// What it adds up to over the measured phase: ratio − 1.
    pub change: f64,
    /// The chance of such a slope by chance alone.
    pub p_value: f64,
}

/// One of the slowest requests.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowRequest {
    /// Its number in the stream, from 0.
    pub sequence: u64,
    /// Its intended start, ns after `started`, as in `requests.jsonl`.
    pub intended_ns: u64,
    /// Done − intended start.
    pub response_ns: u64,
    /// Done − sent.
    pub service_ns: u64,
    /// Sent − intended start.
    pub lateness_ns: u64,
    /// `ok`, a key of `errors`, `timed_out` or `unfinished`.
    pub outcome: String,
    /// Its trace id, 32 hex digits, where it was sampled or has a span of the client alone.
    pub trace_id: Option<String>,
    /// The trace holds a span of the client alone, made after the fact.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_only: bool,
    /// Jaeger did not have the trace when the run was over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The trace's page, where `trace.jaeger` is set.
    pub link: Option<String>,
}

/// A sampled request that stands for a range of response times.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exemplar {
    /// The range begins above this percentile: `min`, `p50`, `p90`, `p95`, `p99`, `p99.9`, `p99.99`.
    pub above: String,
    /// Where the range begins.
    pub from_ns: u64,
    /// Its number in the stream, from 0.
    pub sequence: u64,
    /// Its response time.
    pub response_ns: u64,
    /// Its trace id, 32 hex digits.
    pub trace_id: String,
    /// Jaeger did not have the trace when the run was over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The trace's page, where `trace.jaeger` is set.
    pub link: Option<String>,
}
