//! How much a series that remembers itself tells: the variance of its mean, and the number of independent values it is worth.
//!
//! Latencies of neighbouring requests are alike (they met the same queue), so a million of them know less than a million
//! independent ones would. The estimate here is Geyer's initial monotone sequence: autocovariances are summed in neighbouring
//! pairs until a pair is no longer positive, none larger than the one before (Geyer, "Practical Markov Chain Monte Carlo",
//! *Statistical Science* 7 (1992) 473, §3.3). It needs no bandwidth to be chosen.

/// Variance (divided by n) and long-run variance of a series: the mean of n values has variance `long_run`/n.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variance {
    /// Of single values, in the square of their unit.
    pub single: f64,
    /// The sum of all autocovariances; never below `single`, so that anti-correlation does not make a series worth more than it has values.
    pub long_run: f64,
}

impl Variance {
    /// How many values the series forgets itself over, from 1: `long_run`/`single`.
    #[must_use]
    pub fn inflation(&self) -> f64 {
        if self.single > 0.0 { self.long_run / self.single } else { 1.0 }
    }
}

/// Both variances of `series` about `mean`; zero for an empty series. O(n · correlation length).
#[must_use]
pub fn variance(series: &[f64], mean: f64) -> Variance {
    let n = series.len();
    if n == 0 {
        return Variance { single: 0.0, long_run: 0.0 };
    }
    let at_lag = |lag: usize| series.iter().zip(series.iter().skip(lag)).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n as f64;
    let single = at_lag(0);
    let mut sum = 0.0;
    let mut smallest = f64::INFINITY;
    for lag in (0..n).step_by(2) {
        let pair = at_lag(lag) + at_lag(lag + 1);
        if pair <= 0.0 {
            break;
        }
        smallest = smallest.min(pair);
        sum += smallest;
    }
    Variance { single, long_run: (2.0 * sum - single).max(single) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::simulate;

    /// How many independent values `series` is worth for its mean, from 1 to its length; 0 for an empty one.
    fn effective_size(series: &[f64]) -> f64 {
        if series.is_empty() {
            return 0.0;
        }
        let n = series.len() as f64;
        let mean = series.iter().sum::<f64>() / n;
        (n / variance(series, mean).inflation()).max(1.0)
    }

    #[test]
    fn a_series_with_known_memory_is_worth_its_closed_form() {
        // AR(1): n · (1 − φ)/(1 + φ). With 20,000 values the estimate scatters by about √(8 · m/n), m = (1+φ)/(1−φ) · 2 lags summed:
        // under 9 % for φ = 0.9. Four deviations.
        for (phi, seed) in [(0.0, 1), (0.5, 2), (0.9, 3)] {
            let series = simulate::ar1(phi, 20_000, &mut simulate::rng(seed));
            let expected = 20_000.0 * (1.0 - phi) / (1.0 + phi);
            let scatter = 4.0 * (16.0 * (1.0 + phi) / (1.0 - phi) / 20_000.0_f64).sqrt();
            let found = effective_size(&series);
            assert!((found / expected).ln().abs() < scatter, "φ {phi}: {found} is not {expected} ± {scatter}");
        }
    }

    #[test]
    fn anti_correlation_is_not_worth_more_than_the_values_there_are() {
        let zigzag: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
        assert_eq!(effective_size(&zigzag), 1000.0);
    }

    #[test]
    fn short_and_constant_series_have_an_answer() {
        assert_eq!(effective_size(&[]), 0.0);
        assert_eq!(effective_size(&[3.0]), 1.0);
        assert_eq!(effective_size(&[3.0; 50]), 50.0);
        assert_eq!(variance(&[], 0.0), Variance { single: 0.0, long_run: 0.0 });
    }
}
