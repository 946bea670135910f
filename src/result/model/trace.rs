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
    /// Where the spans went; `null` where nothing was exported.
    pub endpoint: Option<String>,
    /// The name that the client's spans carry.
    pub service_name: Option<String>,
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
        broken
    }
}
