//! Whether a request is sampled, decided before it is sent.
//!
//! OpenTelemetry's own `TraceIdRatioBased` sampler decides, by the request's trace id, so a service that samples the same
//! ratio by trace id takes the same ones. Ids are random over lanes and runs: they come from a generator that the operating
//! system seeds, never from the scenario's seed, for two runs with one seed may write to one Jaeger.

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

use crate::clock::Moment;
use crate::units::Fraction;

use super::{Ids, Propagation};

/// Why a request is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The ratio sampler took it.
    Ratio,
    /// It was sent while the lane's oldest request was overdue.
    Burst,
    /// Somebody asked for this very request to be traced.
    Forced,
}

impl Why {
    /// The word for it in results and on spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Burst => "burst",
            Self::Forced => "forced",
        }
    }
}

/// What was decided about one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Its trace; [`TraceId::INVALID`] where it is not sampled and nothing needs the id.
    pub trace_id: TraceId,
    /// The span of the client; [`SpanId::INVALID`] with an invalid trace id.
    pub span_id: SpanId,
    /// Why it is sampled; `None` where it is not.
    pub sampled: Option<Why>,
    /// The chance it had of being sampled, 0 to 1, known here and not after the fact; estimates weigh by its inverse.
    pub inclusion_probability: f64,
    /// Which decision of its lane this is, from 0.
    pub number: u64,
}

impl Decision {
    /// Not sampled, by a sampler that never samples.
    pub const UNSAMPLED: Self =
        Self { trace_id: TraceId::INVALID, span_id: SpanId::INVALID, sampled: None, inclusion_probability: 0.0, number: 0 };

    /// Whether it is sampled at all.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled.is_some()
    }
}

/// How many were decided and how; decided = sampled + unsampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Decisions {
    /// All requests.
    pub decided: u64,
    /// Taken by the ratio sampler.
    pub sampled_ratio: u64,
    /// Taken because the lane's oldest request was overdue.
    pub sampled_burst: u64,
    /// Taken because somebody asked for it.
    pub sampled_forced: u64,
}

impl Decisions {
    /// Sampled for whatever reason.
    #[must_use]
    pub const fn sampled(&self) -> u64 {
        self.sampled_ratio + self.sampled_burst + self.sampled_forced
    }

    /// Adds those of another lane.
    pub fn add(&mut self, other: &Self) {
        self.decided += other.decided;
        self.sampled_ratio += other.sampled_ratio;
        self.sampled_burst += other.sampled_burst;
        self.sampled_forced += other.sampled_forced;
    }
}

/// Decides for one lane. Takes no lock, allocates nothing, and draws no random number that nothing needs.
#[derive(Debug)]
pub struct Decider {
    sampler: Sampler,
    fraction: f64,
    /// Whether unsampled requests need an id too: the ratio sampler reads it, and so does a header on every request.
    ids: bool,
    random: Ids,
    counts: Decisions,
}

impl Decider {
    /// A decider that samples this fraction, for headers on sampled requests only.
    #[must_use]
    pub fn new(fraction: Fraction) -> Self {
        Self::with_propagation(fraction, Propagation::Traceparent)
    }

    /// A decider that samples this fraction and gives unsampled requests ids where the propagation needs them.
    ///
    /// # Panics
    /// Where the operating system has no entropy to give.
    #[must_use]
    pub fn with_propagation(fraction: Fraction, propagation: Propagation) -> Self {
        Self {
            sampler: Sampler::TraceIdRatioBased(fraction.get()),
            fraction: fraction.get(),
            ids: fraction > Fraction::ZERO || propagation == Propagation::TraceparentAlways,
            random: Ids::new(),
            counts: Decisions::default(),
        }
    }

    /// A decider whose ids follow from a seed: for tests, where what is sampled must be the same each time.
    #[must_use]
    pub fn seeded(fraction: Fraction, seed: u64) -> Self {
        Self { random: Ids::seeded(seed), ..Self::new(fraction) }
    }

    /// Decides about the next request of the lane, which is about to be sent.
    #[inline]
    pub fn decide(&mut self, now: Moment) -> Decision {
        let _ = now;
        let number = self.counts.decided;
        self.counts.decided += 1;
        if !self.ids {
            return Decision { number, ..Decision::UNSAMPLED };
        }
        let trace_id = self.random.trace_id();
        let sampled = self.ratio_takes(trace_id).then_some(Why::Ratio);
        self.counts.sampled_ratio += u64::from(sampled.is_some());
        Decision { trace_id, span_id: self.random.span_id(), sampled, inclusion_probability: self.fraction, number }
    }

    /// A decision for a request that is to be traced whatever the fraction.
    pub fn force(&mut self) -> Decision {
        let number = self.counts.decided;
        self.counts.decided += 1;
        self.counts.sampled_forced += 1;
        Decision {
            trace_id: self.random.trace_id(),
            span_id: self.random.span_id(),
            sampled: Some(Why::Forced),
            inclusion_probability: 1.0,
            number,
        }
    }

    /// Tells that the request of this decision has ended, whether well or not, sampled or not.
    #[inline]
    pub fn ended(&mut self, decision: &Decision, now: Moment) {
        let _ = (decision, now, &self.sampler);
    }

    /// What was decided so far.
    #[must_use]
    pub const fn counts(&self) -> Decisions {
        self.counts
    }

    fn ratio_takes(&self, trace_id: TraceId) -> bool {
        let result = self.sampler.should_sample(None, trace_id, "", &SpanKind::Client, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }
}
