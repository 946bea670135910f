//! Confidence intervals: of a share, of a percentile, of a mean.
//!
//! Confidences are from 0 to 1, exclusive; every interval is two-sided with equal tails.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use super::histogram::Histogram;

/// From `low` to `high`, both in the unit of what was estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The quantile of the standard normal law; `p` in (0, 1).
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The quantile of Student's t with `degrees` > 0 degrees of freedom; `p` in (0, 1).
#[must_use]
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::NAN, |law| law.inverse_cdf(p))
}

/// The two-sided p-value of a t statistic with `degrees` > 0 degrees of freedom.
#[must_use]
pub fn student_p_value(t: f64, degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(1.0, |law| (2.0 * law.sf(t.abs())).min(1.0))
}

/// Probabilities of a binomial count from the first that matters: 12 standard deviations below the mean, less than 1e-30.
///
/// The terms are summed one by one, by pmf(k+1) = pmf(k)·(n−k)/(k+1)·p/(1−p): the usual continued fraction of the incomplete
/// beta function needs √n terms too, and libraries cut it off at a hundred or so.
fn binomial_terms(n: u64, p: f64) -> (u64, impl Iterator<Item = f64>) {
    let (count, mean) = (n as f64, n as f64 * p);
    let first = (mean - 12.0 * (mean * (1.0 - p)).sqrt() - 12.0).max(0.0).floor();
    let ln_first = ln_gamma(count + 1.0) - ln_gamma(first + 1.0) - ln_gamma(count - first + 1.0)
        + if first > 0.0 { first * p.ln() } else { 0.0 }
        + (count - first) * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let terms = std::iter::successors(Some((first, ln_first.exp())), move |(k, term)| {
        (*k < count).then(|| (k + 1.0, term * (count - k) / (k + 1.0) * odds))
    });
    (first as u64, terms.map(|(_, term)| term))
}

/// P(X ≤ `k`) for X binomial with `n` draws of chance `p`; relative error below 1e-5 for n up to 1e9.
#[must_use]
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let (first, terms) = binomial_terms(n, p);
    if k < first { 0.0 } else { terms.take((k - first + 1) as usize).sum::<f64>().min(1.0) }
}

/// The counts between which a binomial count of `n` draws of chance `p` lies with at least `confidence`: each tail outside
/// holds at most (1 − confidence)/2.
///
/// What a sampler with ratio `p` may keep of `n` requests.
#[must_use]
pub fn binomial_counts(n: u64, p: f64, confidence: f64) -> (u64, u64) {
    if p <= 0.0 || n == 0 {
        return (0, 0);
    }
    if p >= 1.0 {
        return (n, n);
    }
    let tail = (1.0 - confidence) / 2.0;
    let (first, terms) = binomial_terms(n, p);
    let (mut sum, mut low, mut high) = (0.0, first, first);
    for (k, term) in (first..).zip(terms) {
        if sum <= tail {
            low = k; // P(X ≤ k − 1) is at most the tail
        }
        sum += term;
        high = k;
        if sum >= 1.0 - tail {
            break; // P(X > k) is at most the tail
        }
    }
    (low, high)
}

/// The score interval of a share: narrower than the exact one (Clopper and Pearson's), right on average; the whole of [0, 1] for n = 0.
///
/// Wilson, *J. Am. Stat. Assoc.* 22 (1927) 209; `n` may be an effective count.
#[must_use]
pub fn wilson_share(share: f64, n: f64, confidence: f64) -> Interval {
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z2 = normal_quantile(f64::midpoint(1.0, confidence)).powi(2);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = (share * (1.0 - share) * z2 / n + (z2 / (2.0 * n)).powi(2)).sqrt() / (1.0 + z2 / n);
    Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

/// The ranks (from 1) of the order statistics between which quantile `q` lies with at least `confidence`.
///
/// For independent samples the number below the true quantile is binomial, whatever their law (David & Nagaraja, *Order
/// Statistics*, 3rd ed., §7.1). Correlated samples are worth fewer: the ranks are found among `effective_count` of them and
/// widened to the same places among all `count`. `None` where so few effective samples cannot bound the quantile on both
/// sides: at 95 %, fewer than 6 for a median, 368 for p99, 3,688 for p99.9 and 36,887 for p99.99.
#[must_use]
pub fn quantile_ranks(q: f64, count: u64, effective_count: f64, confidence: f64) -> Option<(u64, u64)> {
    let effective = effective_count.min(count as f64).floor();
    if effective < 1.0 || !(0.0..1.0).contains(&q) || q == 0.0 {
        return None;
    }
    let (below_low, below_high) = binomial_counts(effective as u64, q, confidence);
    // The interval [X_(l), X_(u)) misses when fewer than l or at least u lie below the quantile.
    let (low, high) = (below_low, below_high + 1);
    if low < 1 || high > effective as u64 {
        return None;
    }
    let spread = count as f64 / effective;
    let low = ((low - 1) as f64 * spread).floor() as u64 + 1;
    let high = (high as f64 * spread).ceil() as u64;
    Some((low, high.min(count)))
}

/// The interval of quantile `q` of `histogram` in ns, by [`quantile_ranks`].
#[must_use]
pub fn quantile_ns(histogram: &Histogram, q: f64, effective_count: f64, confidence: f64) -> Option<(u64, u64)> {
    let (low, high) = quantile_ranks(q, histogram.count(), effective_count, confidence)?;
    Some((histogram.value_at_rank(low), histogram.value_at_rank(high)))
}

#[cfg(test)]
mod tests;
