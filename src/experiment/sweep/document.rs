//! What a sweep says, as plain data: the document that `--json` prints, with data that a picture can be drawn from as they stand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// The schema of the document.
pub(super) const SCHEMA: &str = "tailtrace.sweep/1";

/// A sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// More rounds were planned: this is what was known by then.
    pub partial: bool,
    /// The key that is varied, or the two of them.
    pub vary: serde_json::Value,
    /// One entry a value, in the order given; the first is what the others are compared with.
    pub values: Vec<ValueOutcome>,
    /// The recommended value; `null` where there is none, or none is asked for.
    pub recommended: Option<serde_json::Value>,
    /// Why, or why none.
    pub reason: String,
    /// The confidence with which all intervals hold together.
    pub confidence: f64,
    /// How that is reached.
    pub method: String,
    /// Rounds that were measured.
    pub rounds: usize,
    /// What is to be known before the figures are believed.
    pub notes: Vec<String>,
    /// Lines to draw: one a metric.
    pub picture: Picture,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueOutcome {
    /// The value; of a grid, a table of both keys.
    pub value: serde_json::Value,
    /// What people call it.
    pub label: String,
    /// Rounds behind its figures.
    pub rounds: usize,
    /// Its figures by metric.
    pub metrics: BTreeMap<String, MetricChange>,
    /// What it costs.
    pub cost: Cost,
    /// Of the sample fraction: what it brings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benefit: Vec<StreamBenefit>,
    /// Why some of its runs cannot be trusted; empty where all can.
    pub distrust: Vec<String>,
    /// Its run directories.
    pub runs: Vec<PathBuf>,
}

/// A metric's figure and its change against the first value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricChange {
    /// Geometric mean over the rounds, of a time; the arithmetic one where a round's figure is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_ns: Option<u64>,
    /// The same of what is no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Ratio to the first value − 1; of errors, that of the shares of good answers.
    pub change: f64,
    /// The lower end of its interval; `null` with fewer than two rounds.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// A round's figure was a lower bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// What a value costs, medians over its rounds; what was not seen is `null`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Cost {
    /// The process's CPU for a request.
    pub client_cpu_ns_per_request: Option<f64>,
    /// Spans that the client exported.
    pub client_spans_per_s: Option<f64>,
    /// Bytes of its export requests as protobuf, before compression.
    pub client_bytes_per_s: Option<f64>,
    /// Spans of others that the built-in collector took.
    pub server_spans_per_s: Option<f64>,
    /// Their bytes.
    pub server_bytes_per_s: Option<f64>,
    /// One entry a stream.
    pub streams: Vec<StreamCost>,
}

/// One stream's part.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StreamCost {
    /// Its name.
    pub name: String,
    /// Requests that ended ok.
    pub rate_per_s: f64,
    /// Requests that did not, of those scheduled.
    pub errors: f64,
    /// Service times of unsampled requests.
    pub service_unsampled: Option<SampledApart>,
    /// Service times of sampled requests.
    pub service_sampled: Option<SampledApart>,
}

/// Service times of sampled, or of unsampled requests alone.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct SampledApart {
    /// The median.
    pub p50_ns: f64,
    /// 99 % are at or below.
    pub p99_ns: f64,
}

/// What a sample fraction brings of one stream's slow requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamBenefit {
    /// The stream.
    pub stream: String,
    /// Beyond which percentile: `p99.9`.
    pub beyond: String,
    /// Requests a second that the chance is worked out with.
    pub rate_per_s: f64,
    /// In how much time.
    pub within_ns: u64,
    /// Requests beyond the percentile in that time, as expected.
    pub requests: f64,
    /// Traced ones that are wanted.
    pub wanted: u64,
    /// The chance of so many at least.
    pub chance: f64,
}

/// Lines, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Picture {
    /// What the horizontal axis shows.
    pub x_label: String,
    /// One a metric.
    pub lines: Vec<Line>,
}

/// One metric over all values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The metric.
    pub metric: String,
    /// `ns`, `per_s` or `fraction`.
    pub unit: &'static str,
    /// The values.
    pub x: Vec<serde_json::Value>,
    /// The figures.
    pub y: Vec<f64>,
    /// Changes against the first value.
    pub change: Vec<f64>,
    /// Lower ends of their intervals.
    pub low: Vec<Option<f64>>,
    /// Upper ends.
    pub high: Vec<Option<f64>>,
    /// Every round's figure, by value.
    pub rounds: Vec<Vec<f64>>,
}
