//! The accounting of traces.

use serde::{Deserialize, Serialize};

/// Every stream request of warm-up, measure and drain: one decision each, and one client span where it was sampled.
/// decided = sampled + unsampled, sampled = the sum of `sampled_by`, ended = exported + dropped + failed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// The ratio given to the sampler.
    pub sample_fraction: f64,
    /// `traceparent`, `traceparent-always`, `client-request-id` or `none`.
    pub propagation: String,
    /// Requests that a decision was made for.
    pub decided: u64,
    /// Of these, to be traced.
    pub sampled: u64,
    /// Of the sampled, why.
    pub sampled_by: SampledBy,
    /// Spans of sampled requests that ended.
    pub ended: u64,
    /// Spans that the collector took.
    pub exported: u64,
    /// Spans that found the bounded queue full.
    pub dropped: u64,
    /// Spans that the collector refused, or that could not be sent in time.
    pub failed: u64,
    /// Why the first of them failed, as the connection or the collector says it; `null` where none did.
    pub why: Option<String>,
    /// Bytes of the export requests that were sent for them, as protobuf before compression; `null` in documents of earlier versions.
    pub export_bytes: Option<u64>,
    /// Where the spans went; `null` where nothing was exported.
    pub endpoint: Option<String>,
    /// The name that the client's spans carry.
    pub service_name: Option<String>,
    /// Slow requests and what is known of them; `null` where nothing was sampled and no outlier has a span.
    pub outliers: Option<Outliers>,
    /// Spans of the client alone, made after the run (`trace.outliers`); they do not stand in `ended`.
    pub client_only: Option<ClientOnly>,
    /// What the built-in collector handed on (`trace.forward`).
    pub forward: Option<Forward>,
    /// Traces that were fetched from a Jaeger when the run was over.
    pub evidence: Option<Evidence>,
}

/// Traces fetched into `spans.jsonl`: asked = kept + missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// From where.
    pub jaeger: String,
    /// Traces that were asked for: all that the report shows, all of the tail and some others, each up to a limit.
    pub asked: u64,
    /// Traces that are kept, whole or not.
    pub kept: u64,
    /// Of these, with spans of the server.
    pub with_server_spans: u64,
    /// Traces that Jaeger did not have, or no longer.
    pub missing: u64,
    /// The size of `spans.jsonl`.
    pub bytes: u64,
    /// How long it took.
    pub took_ns: u64,
    /// Why it ended before all were asked for; `null` where they were.
    pub why: Option<String>,
}

/// Requests of the measured phase whose response took longer than `above_ns`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outliers {
    /// How many there were, over all streams.
    pub seen: u64,
    /// Of these, with a span of the client alone.
    pub client_only: u64,
    /// What was caught of them, and for how many spans.
    pub caught: Caught,
    /// The same for what the ratio took.
    pub ratio: Caught,
    /// Stream by stream.
    pub streams: Vec<OutliersOfStream>,
}

/// What sampling caught of the outliers, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Caught {
    /// Outliers that were sampled: their server was asked to trace them.
    pub sampled: u64,
    /// Outliers of whose server spans the run directory holds some; `null` where it does not hold the traces of all.
    pub with_server_spans: Option<u64>,
    /// Client spans of the whole run, warm-up included, that were spent on it.
    pub spans: u64,
}

/// One stream's outliers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutliersOfStream {
    /// The stream.
    pub name: String,
    /// `trace.burst.above`, or without bursts the stream's p99.9.
    pub above_ns: u64,
    /// Requests whose response took longer, to the three digits of a histogram.
    pub seen: u64,
    /// Of these, sampled.
    pub sampled: u64,
    /// Of these, sampled by the ratio.
    pub sampled_ratio: u64,
    /// Of the others, with a span of the client alone.
    pub client_only: u64,
}

/// Spans of the client alone: made = exported + failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientOnly {
    /// Spans that were made.
    pub made: u64,
    /// Spans that the collector took.
    pub exported: u64,
    /// Spans that were refused, or could not be sent in time.
    pub failed: u64,
}

/// Spans that the built-in collector handed on: taken = forwarded + dropped + failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Forward {
    /// Where they went.
    pub endpoint: String,
    /// Spans to be handed on: all that `spans.jsonl` took.
    pub taken: u64,
    /// Spans that the endpoint took.
    pub forwarded: u64,
    /// Spans that found the queue full.
    pub dropped: u64,
    /// Spans that the endpoint refused, or that could not be sent in time.
    pub failed: u64,
    /// Why the first of them failed.
    pub why: Option<String>,
}

/// Why requests were sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SampledBy {
    /// The sampler's ratio.
    pub ratio: u64,
    /// A burst.
    pub burst: u64,
    /// Asked for by name.
    pub forced: u64,
}

impl Trace {
    pub(super) fn broken_equations(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let SampledBy { ratio, burst, forced } = self.sampled_by;
        if self.sampled != ratio + burst + forced {
            broken.push(format!("trace: sampled {} is not ratio + burst + forced = {}", self.sampled, ratio + burst + forced));
        }
        if self.sampled > self.decided {
            broken.push(format!("trace: sampled {} of {} decided", self.sampled, self.decided));
        }
        let accounted = self.exported + self.dropped + self.failed;
        if self.ended != accounted {
            broken.push(format!("trace: ended {} is not exported + dropped + failed = {accounted}", self.ended));
        }
        if let Some(forward) = &self.forward
            && forward.taken != forward.forwarded + forward.dropped + forward.failed
        {
            broken.push(format!("trace.forward: taken {} is not forwarded + dropped + failed", forward.taken));
        }
        if let Some(evidence) = &self.evidence
            && evidence.asked != evidence.kept + evidence.missing
        {
            broken.push(format!("trace.evidence: asked {} is not kept + missing", evidence.asked));
        }
        if let Some(spans) = &self.client_only
            && spans.made != spans.exported + spans.failed
        {
            broken.push(format!("trace.client_only: made {} is not exported + failed", spans.made));
        }
        broken
    }
}
