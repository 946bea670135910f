//! Does a series grow without end, or does it only look like it for a while? For the backlog of a target that may be overloaded.
//!
//! A queue that is nearly full swings slowly, so a short stretch of it climbs by chance, and a test that takes neighbours for
//! independent calls every busy server overloaded. Here the worst case of memory is the null hypothesis: a random walk without
//! drift, which forgets nothing. Its steps are independent, so the mean step over its standard error has Student's law. A
//! series that does return to its level has steps that cancel each other, and is called growing less often still (a unit root
//! is the boundary between the two: Dickey and Fuller, *J. Am. Stat. Assoc.* 74 (1979) 427).

use super::interval::student_p_value;

/// The chance that a series which does not grow is called growing.
pub const ALPHA: f64 = 0.001;

/// Fewer figures than this say nothing.
pub const FEWEST_FIGURES: usize = 6;

/// How a series grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Mean growth from one figure to the next, in the unit of the figures.
    pub per_step: f64,
    /// The chance of such growth, or more, where there is none.
    pub p_value: f64,
    /// Whether it is over the limit and not by chance.
    pub growing: bool,
}

/// Whether `figures` at equal distances grow by more than `limit` a step; `None` for fewer than [`FEWEST_FIGURES`].
#[must_use]
pub fn growth(figures: &[f64], limit: f64) -> Option<Growth> {
    if figures.len() < FEWEST_FIGURES {
        return None;
    }
    let steps: Vec<f64> = figures.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = steps.len() as f64;
    let per_step = steps.iter().sum::<f64>() / n;
    let variance = steps.iter().map(|step| (step - per_step).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    let p_value = match (per_step > 0.0, error > 0.0) {
        (false, _) => 1.0,
        (true, false) => 0.0,
        (true, true) => student_p_value(per_step / error, n - 1.0) / 2.0,
    };
    Some(Growth { per_step, p_value, growing: per_step > limit && p_value <= ALPHA })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::simulate;

    /// Mean response (s) of each second of a queue.
    fn seconds(arrivals_per_s: f64, seconds: usize, seed: u64) -> Vec<f64> {
        let n = (arrivals_per_s * (seconds as f64 + 5.0)) as usize;
        let mut sums = vec![(0.0, 0.0); seconds];
        for (arrival, response) in simulate::mmc(1, arrivals_per_s, 1000.0, n, &mut simulate::rng(seed)) {
            // Five seconds to settle.
            if let Some(sum) = sums.get_mut((arrival - 5.0).floor() as usize).filter(|_| arrival >= 5.0) {
                *sum = (sum.0 + response, sum.1 + 1.0);
            }
        }
        sums.into_iter().map(|(sum, count)| sum / count).collect()
    }

    #[test]
    fn a_queue_that_only_swings_does_not_grow() {
        // At 97 % of capacity the queue remembers itself for 1/(√μ−√λ)² = 4.3 s, half of the stretch. Of 1,000 stretches one may be
        // called growing by the test's own α: ten are far out.
        let growing = (0..1000).filter(|seed| growth(&seconds(970.0, 10, *seed), 0.01).unwrap().growing).count();
        assert!(growing < 10, "{growing}");
    }

    #[test]
    fn memory_that_never_fades_is_allowed_for() {
        let mut rng = simulate::rng(3);
        let growing = (0..4000)
            .filter(|_| {
                let mut level = 10.0;
                let walk: Vec<f64> = simulate::ar1(0.0, 10, &mut rng)
                    .into_iter()
                    .map(|step| {
                        level += step;
                        level
                    })
                    .collect();
                growth(&walk, 0.0).unwrap().growing
            })
            .count();
        // 4 expected, Poisson: 13 or more have a chance of 3e-4.
        assert!(growing < 13, "{growing}");
    }

    #[test]
    fn a_queue_that_is_overloaded_grows() {
        // 20 % too many: 0.17 s a second, and steps scatter by √(λ+μ) requests = 0.05 s: t of 10 in 10 seconds.
        let growing = (0..200).filter(|seed| growth(&seconds(1200.0, 10, *seed), 0.01).unwrap().growing).count();
        assert!(growing > 195, "{growing}");
    }

    #[test]
    fn little_growth_and_little_data_are_not_growth() {
        let climbing: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(growth(&climbing, 0.5).unwrap().growing);
        assert!(!growth(&climbing, 1.5).unwrap().growing, "significant, and too small to matter");
        assert_eq!(growth(&climbing[..5], 0.5), None);
        assert_eq!(growth(&[7.0; 9], 0.0).unwrap(), Growth { per_step: 0.0, p_value: 1.0, growing: false });
    }
}
