//! By what factor one side differs from another, and how surely, on the scale of logarithms.
//!
//! Paired rounds, unpaired runs and resampled single runs all end in the same three numbers: an estimate, its standard error and
//! the degrees of freedom that the error is known with. Intervals are Student's.

use super::interval::{Interval, normal_quantile, student_quantile};

/// Beyond so many degrees of freedom Student's law is the normal one to seven digits.
const AS_GOOD_AS_NORMAL: f64 = 1e6;

/// More rounds than this are not asked of anybody.
const MOST_ROUNDS: usize = 10_000;

/// The mean of some logarithms, or of anything else, with what is known about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error, 0 or more.
    pub standard_error: f64,
    /// Degrees of freedom of the error; infinite where it is known.
    pub degrees: f64,
}

impl Estimate {
    /// The mean of independent values; `None` for fewer than two, or where one is not finite.
    #[must_use]
    pub fn of_mean(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        if n < 2.0 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let value = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0);
        Some(Self { value, standard_error: (variance / n).sqrt(), degrees: n - 1.0 })
    }

    /// `self` − `other`, both estimated apart.
    ///
    /// Welch, *Biometrika* 34 (1947) 28: the spreads may differ; the degrees of freedom are Satterthwaite's (*Biometrics Bulletin* 2
    /// (1946) 110).
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let moved = Self { value: self.value - other.value, ..self };
        moved.widened(Self { value: 0.0, ..other })
    }

    /// The same estimate with an independent error added: its value is added too, its variance and degrees of freedom as by
    /// Satterthwaite.
    #[must_use]
    pub fn widened(self, by: Self) -> Self {
        let (own, other) = (self.standard_error.powi(2), by.standard_error.powi(2));
        let variance = own + other;
        let degrees = if variance > 0.0 {
            let share = |part: f64, degrees: f64| if degrees.is_finite() { part.powi(2) / degrees } else { 0.0 };
            let known = share(own, self.degrees) + share(other, by.degrees);
            if known > 0.0 { variance.powi(2) / known } else { f64::INFINITY }
        } else {
            self.degrees.min(by.degrees)
        };
        Self { value: self.value + by.value, standard_error: variance.sqrt(), degrees }
    }

    /// The interval outside of which each side holds the truth with chance `tail`.
    #[must_use]
    pub fn bounds(&self, tail: f64) -> Interval {
        // With no spread at all the interval is a point, whatever the quantile.
        let half = if self.standard_error > 0.0 { quantile(1.0 - tail, self.degrees) * self.standard_error } else { 0.0 };
        Interval { low: self.value - half, high: self.value + half }
    }
}

/// The quantile of Student's law, or of the normal one where the degrees are too many to tell.
fn quantile(p: f64, degrees: f64) -> f64 {
    if degrees < AS_GOOD_AS_NORMAL { student_quantile(p, degrees) } else { normal_quantile(p) }
}

/// candidate ÷ baseline in logarithms over paired rounds of positive figures; `None` as for [`Estimate::of_mean`].
///
/// Student's paired t: machines drift, and the two halves of a round drift together.
#[must_use]
pub fn paired(logs: &[f64]) -> Option<Estimate> {
    Estimate::of_mean(logs)
}

/// candidate − baseline of logarithms over runs that have no partner: by Welch where both sides have two or more; where one side
/// is a single run, with the other side's spread for both; `None` for single runs on both sides.
#[must_use]
pub fn unpaired(baseline: &[f64], candidate: &[f64]) -> Option<Estimate> {
    match (Estimate::of_mean(baseline), Estimate::of_mean(candidate)) {
        (Some(base), Some(other)) => Some(other.minus(base)),
        (Some(base), None) => {
            Some(single(candidate, base, baseline.len())?.minus(base)).map(|found| Estimate { degrees: base.degrees, ..found })
        }
        (None, Some(other)) => {
            Some(other.minus(single(baseline, other, candidate.len())?)).map(|found| Estimate { degrees: other.degrees, ..found })
        }
        (None, None) => None,
    }
}

/// A single run, with the spread of the `runs` that `others` is the mean of.
fn single(value: &[f64], others: Estimate, runs: usize) -> Option<Estimate> {
    let [value] = value else { return None };
    value.is_finite().then(|| Estimate { value: *value, standard_error: others.standard_error * (runs as f64).sqrt(), ..others })
}

/// How many rounds it takes, by what `found` knows after `rounds` of them, until its interval with `tail` on each side is
/// narrower than `distance` to either side; `None` where that is more than anybody measures.
#[must_use]
pub fn rounds_until(found: &Estimate, rounds: usize, distance: f64, tail: f64) -> Option<usize> {
    let spread = found.standard_error * (rounds as f64).sqrt();
    let enough = |n: usize| quantile(1.0 - tail, n.saturating_sub(1).max(1) as f64) * spread / (n as f64).sqrt() < distance;
    // The half-width falls with n: bisection.
    let (mut low, mut high) = (2_usize, MOST_ROUNDS);
    if distance.is_nan() || distance <= 0.0 || !enough(high) {
        return None;
    }
    while low < high {
        let middle = usize::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle + 1 }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::simulate;

    #[test]
    fn welchs_interval_is_that_of_scipy() {
        // scipy 1.17: ttest_ind(candidate, base, equal_var=False).confidence_interval(0.95), df 2.9412 by Satterthwaite's formula,
        // recomputed by hand below.
        let (base, candidate) = ([1.0, 2.0, 4.0], [3.0, 3.5, 4.5]);
        let found = unpaired(&base, &candidate).unwrap();
        let (a, b) = (7.0 / 3.0 / 3.0, 7.0 / 12.0 / 3.0); // variances of the means: 2.333/3 and 0.5833/3
        assert!((found.value - (11.0 / 3.0 - 7.0 / 3.0)).abs() < 1e-12);
        assert!((found.standard_error - f64::sqrt(a + b)).abs() < 1e-12);
        assert!((found.degrees - (a + b).powi(2) / (a * a / 2.0 + b * b / 2.0)).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_single_run_is_held_against_the_spread_of_the_others() {
        let base = [1.0, 2.0, 3.0, 4.0];
        let found = unpaired(&base, &[4.0]).unwrap();
        // s = 1.291; a new value differs from the mean of four with s·√(1 + 1/4).
        let s = (5.0_f64 / 3.0).sqrt();
        assert!((found.value - 1.5).abs() < 1e-12 && (found.standard_error - s * 1.25_f64.sqrt()).abs() < 1e-12);
        assert_eq!(found.degrees, 3.0);
        let turned = unpaired(&[4.0], &base).unwrap();
        assert_eq!((turned.value, turned.standard_error, turned.degrees), (-1.5, found.standard_error, 3.0));
        assert_eq!(unpaired(&[1.0], &[2.0]), None);
        assert_eq!(unpaired(&[1.0, 2.0], &[f64::NEG_INFINITY]), None);
    }

    #[test]
    fn intervals_of_every_kind_of_comparison_cover_as_promised() {
        const RUNS: usize = 2000;
        let mut rng = simulate::rng(3);
        let mut missed = [0_u32; 3];
        for _ in 0..RUNS {
            let values = simulate::ar1(0.0, 16, &mut rng);
            let wide: Vec<f64> = values[4..8].iter().map(|v| 3.0 * v).collect();
            let found = [paired(&values[..6]), unpaired(&wide, &values[8..12]), unpaired(&values[..5], &values[5..6])];
            for (missed, found) in missed.iter_mut().zip(found) {
                *missed += u32::from(!found.unwrap().bounds(0.025).contains(0.0));
            }
        }
        // 5 % of 2,000 is 100 ± 10 (one deviation); four of them. Welch's degrees are an approximation: a percent more.
        assert!((60..=140).contains(&missed[0]) && (50..=160).contains(&missed[1]) && (60..=140).contains(&missed[2]), "{missed:?}");
    }

    #[test]
    fn no_spread_is_a_point_and_an_error_that_is_known_is_normal() {
        let point = paired(&[0.5; 4]).unwrap();
        assert_eq!(point.bounds(1e-6), Interval { low: 0.5, high: 0.5 });
        let known = point.widened(Estimate { value: 0.0, standard_error: 0.1, degrees: f64::INFINITY });
        assert_eq!(known.degrees, f64::INFINITY);
        assert!((known.bounds(0.025).high - (0.5 + 0.195_996)).abs() < 1e-5);
    }

    #[test]
    fn the_rounds_it_would_take_are_the_first_that_are_enough() {
        let found = Estimate { value: 0.0, standard_error: 0.02, degrees: 3.0 };
        let rounds = rounds_until(&found, 4, 0.02, 0.025).unwrap();
        let half = |n: usize| student_quantile(0.975, n as f64 - 1.0) * 0.04 / (n as f64).sqrt();
        assert!(half(rounds) < 0.02 && half(rounds - 1) >= 0.02, "{rounds}");
        assert_eq!((rounds_until(&found, 4, 0.0, 0.025), rounds_until(&found, 4, 1e-9, 0.025)), (None, None));
    }
}
