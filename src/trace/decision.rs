//! Whether a request is sampled, decided before it is sent.
//!
//! OpenTelemetry's own `TraceIdRatioBased` sampler decides, by the request's trace id, so a service that samples the same
//! ratio by trace id takes the same ones. Ids are random over lanes and runs: they come from a generator that the operating
//! system seeds, never from the scenario's seed, for two runs with one seed may write to one Jaeger.

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

use crate::clock::Moment;
use crate::units::{Fraction, Nanos};

use super::overdue::Overdue;
use super::{Ids, Propagation, Settings};

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
    /// When it was decided.
    pub at: Moment,
}

impl Decision {
    /// Not sampled, by a sampler that never samples.
    pub const UNSAMPLED: Self =
        Self { trace_id: TraceId::INVALID, span_id: SpanId::INVALID, sampled: None, inclusion_probability: 0.0, at: Moment::from_ns(0) };

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

/// `trace.burst`: slow requests come in clumps, and what is sent while one is overdue is likely to be slow as well.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// A lane's burst begins when its oldest unanswered request is older than this.
    pub above: Nanos,
    /// It ends so long after that request was answered.
    #[serde(rename = "for")]
    pub lasting: Nanos,
    /// The fraction of the requests sent meanwhile that is sampled, beside those that `sample_fraction` takes anyway.
    pub fraction: Fraction,
}

/// A burst's state in one lane.
#[derive(Debug)]
struct Bursts {
    settings: Burst,
    overdue: Overdue,
    /// The last burst goes on to here, unless something is overdue still.
    until: Moment,
}

/// Decides for one lane. Takes no lock, allocates nothing, and draws no random number that nothing needs.
///
/// ```
/// use tailtrace::clock::Moment;
/// use tailtrace::trace::{Decider, Propagation, context_header};
/// use tailtrace::units::Fraction;
/// let mut decider = Decider::new(Fraction::ONE);
/// let decision = decider.decide(Moment::from_ns(1));
/// assert!(context_header(Propagation::Traceparent, &decision).is_some());
/// decider.ended(&decision, Moment::from_ns(2));
/// assert_eq!(decider.counts().sampled(), 1);
/// ```
#[derive(Debug)]
pub struct Decider {
    sampler: Sampler,
    fraction: f64,
    /// Whether unsampled requests need an id too: the ratio sampler reads it, and so does a header on every request.
    always_ids: bool,
    bursts: Option<Box<Bursts>>,
    ids: Ids,
    counts: Decisions,
}

impl Decider {
    /// A decider that samples this fraction and has headers on sampled requests only.
    #[must_use]
    pub fn new(fraction: Fraction) -> Self {
        Self {
            sampler: Sampler::TraceIdRatioBased(fraction.get()),
            fraction: fraction.get(),
            always_ids: fraction > Fraction::ZERO,
            bursts: None,
            ids: Ids::new(),
            counts: Decisions::default(),
        }
    }

    /// A decider as the scenario wants it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let mut decider = Self::new(settings.sample_fraction);
        decider.always_ids |= settings.propagation == Propagation::TraceparentAlways;
        decider.bursts = settings.burst.map(|settings| {
            let overdue = Overdue::new(settings.above);
            Box::new(Bursts { settings, overdue, until: Moment::from_ns(0) })
        });
        decider
    }

    /// The same with ids that follow from a seed: for tests, where what is sampled must be the same each time.
    #[must_use]
    pub fn with_ids(self, ids: Ids) -> Self {
        Self { ids, ..self }
    }

    /// Decides about the next request of the lane, which is sent `now`.
    #[inline]
    pub fn decide(&mut self, now: Moment) -> Decision {
        self.counts.decided += 1;
        let burst = self.bursts.as_mut().map_or(0.0, |bursts| bursts.fraction(now));
        if !self.always_ids && burst == 0.0 {
            return Decision { at: now, ..Decision::UNSAMPLED };
        }
        let trace_id = self.ids.trace_id();
        // The ratio sampler decides as if there were no bursts, so statistics over what it took stay what they were.
        let sampled = if self.ratio_takes(trace_id) {
            self.counts.sampled_ratio += 1;
            Some(Why::Ratio)
        } else if burst > 0.0 && self.ids.unit() < burst {
            self.counts.sampled_burst += 1;
            Some(Why::Burst)
        } else {
            None
        };
        // Two independent chances.
        let inclusion_probability = self.fraction + burst * (1.0 - self.fraction);
        Decision { trace_id, span_id: self.ids.span_id(), sampled, inclusion_probability, at: now }
    }

    /// A decision for a request that is to be traced whatever the fraction.
    pub fn force(&mut self, now: Moment) -> Decision {
        self.counts.decided += 1;
        self.counts.sampled_forced += 1;
        if let Some(bursts) = &mut self.bursts {
            bursts.overdue.sent(now);
        }
        let (trace_id, span_id) = (self.ids.trace_id(), self.ids.span_id());
        Decision { trace_id, span_id, sampled: Some(Why::Forced), inclusion_probability: 1.0, at: now }
    }

    /// Tells that the request of this decision has ended, whether well or not, sampled or not. Once a decision.
    #[inline]
    pub fn ended(&mut self, decision: &Decision, now: Moment) {
        if let Some(bursts) = &mut self.bursts
            && bursts.overdue.ended(decision.at, now)
        {
            bursts.until = now.plus(bursts.settings.lasting);
        }
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

impl Bursts {
    /// The fraction at which a request sent now is sampled for the burst's sake; 0 outside of one.
    fn fraction(&mut self, now: Moment) -> f64 {
        let burst = self.overdue.any(now) || now < self.until;
        self.overdue.sent(now);
        if burst { self.settings.fraction.get() } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
