//! Rounds until an interval is as narrow as asked for, and covers all the same.
//!
//! Who goes on until the interval *looks* narrow stops where the spread happens to look small, and covers less than promised.
//! Stein's two stages (*Annals of Math. Statistics* 16 (1945) 243) are exact for normal rounds: the first stage tells the spread,
//! from it alone follow the rounds in all, and the interval goes around the mean of all of them with the spread of the first
//! stage. It depends on nothing else, so its coverage is Student's whatever number came out.

use super::interval::{Interval, student_quantile};

/// What the first stage tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstStage {
    /// Standard deviation of a round.
    spread: f64,
    /// Student's quantile with the first stage's degrees of freedom.
    quantile: f64,
    rounds: usize,
}

impl FirstStage {
    /// Of the first rounds' logarithms, for intervals outside of which each side holds the truth with chance `tail`; `None` for fewer
    /// than two.
    #[must_use]
    pub fn of(logs: &[f64], tail: f64) -> Option<Self> {
        let n = logs.len() as f64;
        if n < 2.0 || logs.iter().any(|log| !log.is_finite()) {
            return None;
        }
        let mean = logs.iter().sum::<f64>() / n;
        let spread = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        Some(Self { spread, quantile: student_quantile(1.0 - tail, n - 1.0), rounds: logs.len() })
    }

    /// Rounds in all, the first stage included, for an interval of at most `half_width` to either side.
    #[must_use]
    pub fn rounds_for(&self, half_width: f64) -> usize {
        let needed = (self.quantile * self.spread / half_width).powi(2).ceil();
        // What is beyond any number of rounds stays so.
        self.rounds.max(if needed.is_finite() { needed.min(1e9) as usize } else { usize::MAX })
    }

    /// The interval around the mean of all rounds; there may be fewer than [`FirstStage::rounds_for`] said, where a limit was set
    /// beforehand: it is wider then, and covers.
    #[must_use]
    pub fn interval(&self, all: &[f64]) -> Interval {
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let half = self.quantile * self.spread / n.sqrt();
        Interval { low: mean - half, high: mean + half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::log_ratio::paired;
    use crate::stats::simulate;

    const RUNS: u32 = 2000;
    const MOST: usize = 400;

    /// Rounds that scatter by `spread`.
    fn rounds(spread: f64, rng: &mut rand::rngs::StdRng) -> Vec<f64> {
        simulate::ar1(0.0, MOST, rng).into_iter().map(|z| spread * z).collect()
    }

    #[test]
    fn the_interval_is_as_narrow_as_asked_for_and_covers_as_promised() {
        for (spread, seed) in [(0.01, 1), (0.03, 2), (0.08, 3)] {
            let mut rng = simulate::rng(seed);
            let mut covered = 0;
            for _ in 0..RUNS {
                let logs = rounds(spread, &mut rng);
                let first = FirstStage::of(&logs[..8], 0.025).unwrap();
                let all = first.rounds_for(0.02).min(MOST);
                let interval = first.interval(&logs[..all]);
                assert!(all == MOST || interval.high - interval.low <= 0.04 + 1e-12);
                covered += u32::from(interval.contains(0.0));
            }
            // Exactly 95 %: 1,900 of 2,000 ± 10 (one deviation); four of them.
            assert!((1860..=1940).contains(&covered), "{covered} at a spread of {spread}");
        }
    }

    #[test]
    fn stopping_when_the_interval_looks_narrow_covers_less() {
        let mut rng = simulate::rng(4);
        let mut covered = 0;
        for _ in 0..RUNS {
            let logs = rounds(0.03, &mut rng);
            let narrow = |n: &usize| {
                let bounds = paired(&logs[..*n]).unwrap().bounds(0.025);
                bounds.high - bounds.low <= 0.04
            };
            let stopped = (4..=MOST).find(narrow).unwrap_or(MOST);
            covered += u32::from(paired(&logs[..stopped]).unwrap().bounds(0.025).contains(0.0));
        }
        assert!(covered < 1860, "{covered}: the test above could not fail");
    }

    #[test]
    fn rounds_follow_from_the_first_stage_alone() {
        // Spread √(1/3)·0.02 over four rounds, t with three degrees at 2.5 %: 3.1824.
        let first = FirstStage::of(&[0.01, -0.01, 0.01, -0.01], 0.025).unwrap();
        let spread = (4.0 * 1e-4 / 3.0_f64).sqrt();
        assert_eq!(first.rounds_for(0.01), (3.182_446 * spread / 0.01).powi(2).ceil() as usize);
        assert_eq!((first.rounds_for(1.0), first.rounds_for(0.0)), (4, usize::MAX));
        assert_eq!(FirstStage::of(&[1.0], 0.025), None);
        assert_eq!(FirstStage::of(&[0.5; 3], 0.025).unwrap().rounds_for(0.01), 3, "no spread needs no more");
    }
}
