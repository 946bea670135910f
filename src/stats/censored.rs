//! Percentiles where some requests were never seen to end.
//!
//! A request that timed out or never finished took *at least* as long as it was waited for: its time is right-censored
//! (Klein & Moeschberger, *Survival Analysis*, 2nd ed., §3.2). It enters the percentiles at the time it had waited, and a
//! percentile that would be another if it had taken for ever is a lower bound. So a hung request cannot make a percentile
//! look better, and only the percentiles that it touches lose their upper side.

use super::histogram::Histogram;
use super::interval;

/// A percentile or a mean, and whether it is only known to be at least so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// In ns: the value, or its lower bound.
    pub ns: u64,
    /// Whether the true value may be larger: printed with ≥, and fails its gate.
    pub at_least: bool,
}

/// Latencies of finished requests together with the waiting times of unfinished ones.
#[derive(Debug, Clone)]
pub struct Censored {
    all: Histogram,
    observed: Histogram,
}

impl Censored {
    /// `observed`: times of requests that ended; `waited`: how long the others had been waited for.
    #[must_use]
    pub fn new(observed: Histogram, waited: &Histogram) -> Self {
        let mut all = observed.clone();
        all.add(waited);
        Self { all, observed }
    }

    /// Both together, the censored ones at the time they had waited.
    #[must_use]
    pub const fn all(&self) -> &Histogram {
        &self.all
    }

    /// How many were never seen to end.
    #[must_use]
    pub fn censored(&self) -> u64 {
        self.all.count() - self.observed.count()
    }

    /// Quantile `q` from 0 to 1, by the definition of [`Histogram`].
    #[must_use]
    pub fn quantile(&self, q: f64) -> Figure {
        if q <= 0.0 {
            return Figure { ns: self.all.min_ns(), at_least: self.all.min_ns() != self.observed.min_ns() };
        }
        self.at_rank(Histogram::rank(q, self.all.count()))
    }

    fn at_rank(&self, rank: u64) -> Figure {
        let ns = self.all.value_at_rank(rank);
        // Had the censored ones taken for ever, they would stand behind all observed ones.
        let at_least = rank > self.observed.count() || self.observed.value_at_rank(rank) != ns;
        Figure { ns, at_least: at_least && self.censored() > 0 }
    }

    /// The mean in ns: a lower bound as soon as one request is censored.
    #[must_use]
    pub fn mean(&self) -> Figure {
        Figure { ns: self.all.mean_ns(), at_least: self.censored() > 0 }
    }

    /// The confidence interval of quantile `q` in ns, see [`interval::quantile_ranks`]; `None` where the effective samples are
    /// too few. Its upper end is open (`None`) where it is itself only a lower bound; the lower end holds either way.
    #[must_use]
    pub fn interval(&self, q: f64, effective_count: f64, confidence: f64) -> Option<(u64, Option<u64>)> {
        let (low, high) = interval::quantile_ranks(q, self.all.count(), effective_count, confidence)?;
        let (low, high) = (self.at_rank(low), self.at_rank(high));
        Some((low.ns, (!high.at_least).then_some(high.ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        for value in values {
            histogram.record(value);
        }
        histogram
    }

    #[test]
    fn without_censored_ones_every_percentile_is_known() {
        let sample = Censored::new(of(1..=1000), &Histogram::new());
        for q in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(sample.quantile(q), Figure { ns: of(1..=1000).quantile_ns(q), at_least: false });
        }
        assert!(!sample.mean().at_least);
    }

    #[test]
    fn only_the_percentiles_that_hung_requests_touch_are_lower_bounds() {
        // 990 fast ones, ten that were given up after 2,000 ns: rank 990 is the last that is known.
        let sample = Censored::new(of(1..=990), &of([2000; 10]));
        assert_eq!(sample.quantile(0.5), Figure { ns: 500, at_least: false });
        assert_eq!(sample.quantile(0.99), Figure { ns: 990, at_least: false });
        assert_eq!(sample.quantile(0.991), Figure { ns: 2000, at_least: true });
        assert!(sample.mean().at_least);
        assert_eq!(sample.censored(), 10);
    }

    #[test]
    fn a_request_given_up_early_makes_every_percentile_above_it_a_lower_bound() {
        // Waited 100 ns only (a drain that ended): it may be the fastest or the slowest.
        let sample = Censored::new(of((1..=20).map(|i| i * 10)), &of([100]));
        assert!(!sample.quantile(0.4).at_least);
        let median = sample.quantile(0.55); // rank 12 of 21: 110 with it in place, 120 without
        assert_eq!(median, Figure { ns: 110, at_least: true });
    }

    #[test]
    fn nothing_at_all_is_zero_and_nothing_finished_is_a_bound() {
        let nothing = Censored::new(Histogram::new(), &Histogram::new());
        assert_eq!(nothing.quantile(0.99), Figure { ns: 0, at_least: false });
        let hung = Censored::new(Histogram::new(), &of([1000; 5]));
        for q in [0.0, 0.5, 1.0] {
            assert_eq!(hung.quantile(q), Figure { ns: 1000, at_least: true });
        }
    }

    #[test]
    fn an_interval_whose_upper_end_hung_is_open_and_one_of_too_few_is_none() {
        let (sample, whole) = (Censored::new(of(1..=985), &of([2000; 15])), of(1..=1000));
        let (low, high) = interval::quantile_ns(&whole, 0.5, 1000.0, 0.95).unwrap();
        assert_eq!(sample.interval(0.5, 1000.0, 0.95), Some((low, Some(high))), "the median knows nothing of what hung");
        // Rank 980 is known, the upper end of its interval is not.
        let (low, high) = interval::quantile_ns(&whole, 0.98, 1000.0, 0.95).unwrap();
        assert!(low < 985 && high > 985, "{low} to {high}");
        assert_eq!(sample.interval(0.98, 1000.0, 0.95), Some((low, None)));
        assert_eq!(sample.interval(0.98, 100.0, 0.95), None);
    }
}
