//! Two settings measured in turn, round by round: by what factor do they differ?
//!
//! Machines drift; the two halves of a round drift together. So the rounds' log ratios are the sample, and requests, which are
//! correlated, are not. Ratios come as factors (1.05 is 5 % more), p-values and confidences from 0 to 1.

use super::interval::{mean, student_p_value};

/// How a candidate compares with a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Rounds behind it.
    pub rounds: usize,
    /// candidate ÷ baseline, geometric mean over the rounds.
    pub ratio: f64,
    /// The lower end of its confidence interval.
    pub low: f64,
    /// The upper end of its confidence interval.
    pub high: f64,
    /// The chance of rounds so far from 1 where there is no difference; two-sided.
    pub p_value: f64,
}

/// candidate ÷ baseline over paired rounds of positive figures; `None` for fewer than two rounds, for sides of unequal length, or where
/// a figure is not positive.
///
/// Student's paired t on the logarithms (*Biometrika* 6 (1908) 1): with five rounds its 95 % are 95 %, where a percentile bootstrap
/// covers 83 % ([`super::bootstrap`]).
#[must_use]
pub fn ratio(baseline: &[f64], candidate: &[f64], confidence: f64) -> Option<Ratio> {
    let usable = |side: &[f64]| side.iter().all(|figure| *figure > 0.0 && figure.is_finite());
    if baseline.len() != candidate.len() || !usable(baseline) || !usable(candidate) {
        return None;
    }
    let logs: Vec<f64> = baseline.iter().zip(candidate).map(|(base, other)| (other / base).ln()).collect();
    let rounds = logs.len();
    let (middle, interval) = mean(&logs, confidence)?;
    let error = (logs.iter().map(|log| (log - middle).powi(2)).sum::<f64>() / (rounds * (rounds - 1)) as f64).sqrt();
    let p_value = match (middle == 0.0, error == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => student_p_value(middle / error, (rounds - 1) as f64),
    };
    Some(Ratio { rounds, ratio: middle.exp(), low: interval.low.exp(), high: interval.high.exp(), p_value })
}

/// p-values adjusted for being looked at together, in their order: each may be held against the one α of all.
///
/// Holm, *Scandinavian Journal of Statistics* 6 (1979) 65: never weaker than Bonferroni's, and as free of assumptions.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (step, at) in order.into_iter().enumerate() {
        largest = largest.max(p_values[at] * (p_values.len() - step) as f64).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{bootstrap, simulate};

    #[test]
    fn a_drift_that_both_halves_share_is_no_difference() {
        let drift = [1.0, 1.3, 0.8, 2.0, 1.1];
        let same = ratio(&drift, &drift, 0.95).unwrap();
        assert_eq!((same.ratio, same.p_value, same.rounds), (1.0, 1.0, 5));
        let slower: Vec<f64> = drift.iter().zip([1.09, 1.10, 1.11, 1.10, 1.10]).map(|(d, r)| d * r).collect();
        let found = ratio(&drift, &slower, 0.95).unwrap();
        assert!((found.ratio - 1.1).abs() < 1e-4 && found.low > 1.09 && found.high < 1.11 && found.p_value < 1e-5, "{found:?}");
    }

    #[test]
    fn what_is_no_paired_sample_has_no_ratio() {
        for (a, b) in [(&[1.0][..], &[1.0][..]), (&[1.0, 2.0], &[1.0]), (&[1.0, 0.0], &[1.0, 1.0]), (&[1.0, f64::NAN], &[1.0, 1.0])] {
            assert_eq!(ratio(a, b, 0.95), None);
        }
    }

    #[test]
    fn five_rounds_are_covered_by_t_as_promised_and_by_a_percentile_bootstrap_not() {
        const RUNS: u32 = 1000;
        let mut rng = simulate::rng(17);
        let (mut by_t, mut by_bootstrap) = (0, 0);
        for run in 0..RUNS {
            let noise: Vec<f64> = simulate::ar1(0.0, 5, &mut rng).into_iter().map(|z| (0.05 * z).exp()).collect();
            let found = ratio(&[1.0; 5], &noise, 0.95).unwrap();
            by_t += u32::from(found.low <= 1.0 && 1.0 <= found.high);
            let logs: Vec<f64> = noise.iter().map(|n| n.ln()).collect();
            by_bootstrap += u32::from(bootstrap::percentile(&logs, bootstrap::mean, 0.95, 400, u64::from(run)).unwrap().contains(0.0));
        }
        // 95 % of 1,000 runs scatters by 0.7 %, 83 % by 1.2 %: four deviations.
        assert!((922..=978).contains(&by_t), "{by_t}");
        assert!((780..=880).contains(&by_bootstrap), "{by_bootstrap}");
    }

    #[test]
    fn holm_adjusts_as_in_his_example() {
        // Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and never below the one before.
        let found = holm(&[0.03, 0.01, 0.04, 0.02]);
        for (found, expected) in found.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
