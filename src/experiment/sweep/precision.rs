//! When enough rounds are measured, and how sure every change is: apart from where the figures come from.
//!
//! Every value is compared with the first, round by round: paired t on the log ratios. The intervals of all values and all metrics hold
//! together with 95 %, by Bonferroni's inequality. How many rounds there are is set beforehand, or follows by Stein's two stages from the
//! first of them alone, so that the intervals cover either way.

use crate::stats::interval::Interval;
use crate::stats::log_ratio::paired;
use crate::stats::two_stage::FirstStage;
use crate::stats::{CONFIDENCE, balanced};

/// With fewer rounds than this, where nobody says how many, intervals would mostly be Student's factor for few of them.
const FEWEST_ROUNDS: usize = 8;

/// Most rounds where a precision is asked for, unless told otherwise.
pub const MAX_ROUNDS: usize = 100;

/// When a sweep ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stopping {
    /// After so many rounds, 2 or more.
    Rounds(usize),
    /// When every interval reaches at most so far to either side (0.02 is 2 %), or after so many rounds.
    UntilPrecise {
        /// How far.
        share: f64,
        /// The most rounds.
        most: usize,
    },
}

impl Stopping {
    /// The rounds in which all of so many values are balanced.
    #[must_use]
    pub fn default_for(values: usize) -> Self {
        Self::Rounds(balanced::whole_rounds(values, FEWEST_ROUNDS))
    }
}

/// The changes of all values in all metrics against the first value, as rounds come in.
#[derive(Debug, Clone)]
pub struct Changes {
    stopping: Stopping,
    values: usize,
    metrics: usize,
    /// ln(value ÷ first value), by metric, value (without the first) and round.
    logs: Vec<Vec<Vec<f64>>>,
    rounds: usize,
    /// Rounds that are planned by now.
    planned: usize,
    first_stage: Option<Vec<Vec<FirstStage>>>,
}

impl Changes {
    /// For so many values and metrics.
    #[must_use]
    pub fn new(stopping: Stopping, values: usize, metrics: usize) -> Self {
        let planned = match stopping {
            Stopping::Rounds(rounds) => rounds.max(2),
            // The first stage tells the spread: balanced, and enough that Student's factor is near what it ends at.
            Stopping::UntilPrecise { most, .. } => balanced::whole_rounds(values, FEWEST_ROUNDS).min(most.max(2)),
        };
        let logs = vec![vec![Vec::new(); values.saturating_sub(1)]; metrics];
        Self { stopping, values, metrics, logs, rounds: 0, planned, first_stage: None }
    }

    /// The chance that each interval may miss with on each side.
    fn tail(&self) -> f64 {
        (1.0 - CONFIDENCE) / 2.0 / self.comparisons().max(1) as f64
    }

    /// How many intervals hold together.
    #[must_use]
    pub const fn comparisons(&self) -> usize {
        self.values.saturating_sub(1) * self.metrics
    }

    /// Rounds so far.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        self.rounds
    }

    /// Rounds there will be, as far as is known by now.
    #[must_use]
    pub const fn planned(&self) -> usize {
        self.planned
    }

    /// Whether the planned rounds are measured.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.rounds >= self.planned
    }

    /// Takes a round: the logarithm of each metric's figure, by metric and value.
    pub fn push(&mut self, round: &[Vec<f64>]) {
        for (metric, figures) in self.logs.iter_mut().zip(round) {
            let Some((first, others)) = figures.split_first() else { continue };
            for (logs, other) in metric.iter_mut().zip(others) {
                logs.push(other - first);
            }
        }
        self.rounds += 1;
        if let Stopping::UntilPrecise { share, most } = self.stopping
            && self.rounds == self.planned
            && self.first_stage.is_none()
        {
            self.plan_second_stage(share.ln_1p(), most);
        }
    }

    fn plan_second_stage(&mut self, half_width: f64, most: usize) {
        let tail = self.tail();
        let of = |logs: &Vec<f64>| FirstStage::of(logs, tail);
        let stages: Option<Vec<Vec<FirstStage>>> = self.logs.iter().map(|metric| metric.iter().map(of).collect()).collect();
        let Some(stages) = stages else { return };
        let needed = stages.iter().flatten().map(|stage| stage.rounds_for(half_width)).max().unwrap_or(0);
        self.planned = needed.clamp(self.rounds, most.max(self.rounds));
        self.first_stage = Some(stages);
    }

    /// Rounds that the precision asked for would take, where the limit forbade them.
    #[must_use]
    pub fn beyond_the_limit(&self) -> Option<usize> {
        let Stopping::UntilPrecise { share, .. } = self.stopping else { return None };
        let needed = self.first_stage.iter().flatten().flatten().map(|stage| stage.rounds_for(share.ln_1p())).max()?;
        (needed > self.planned).then_some(needed)
    }

    /// A value's change in a metric, as a logarithm with its interval; a point at 0 for the first value, `None` with fewer than two
    /// rounds.
    #[must_use]
    pub fn change(&self, metric: usize, value: usize) -> Option<(f64, Interval)> {
        let Some(other) = value.checked_sub(1) else { return Some((0.0, Interval { low: 0.0, high: 0.0 })) };
        let logs = self.logs.get(metric)?.get(other)?;
        let found = paired(logs)?;
        let interval = match &self.first_stage {
            Some(stages) => stages[metric][other].interval(logs),
            None => found.bounds(self.tail()),
        };
        Some((found.value, interval))
    }

    /// A value's change in the first round alone, as a logarithm: what there is to tell before a second; `None` before it, and for the
    /// first value.
    #[must_use]
    pub fn first_round(&self, metric: usize, value: usize) -> Option<f64> {
        self.logs.get(metric)?.get(value.checked_sub(1)?)?.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use rand_distr::{Distribution as _, StandardNormal};

    const RUNS: usize = 1000;
    const VALUES: usize = 5;
    const METRICS: usize = 2;

    /// How many of [`RUNS`] simulated sweeps have an interval that misses the truth, where the values' figures lie at `truth` and scatter
    /// by `scatter` about a level that drifts from round to round; and their rounds on average.
    fn missed(stopping: Stopping, truth: [f64; VALUES], scatter: f64, seed: u64) -> (usize, f64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
        let (mut missed, mut rounds) = (0, 0);
        for _ in 0..RUNS {
            let mut changes = Changes::new(stopping, VALUES, METRICS);
            while !changes.is_over() {
                let drift = 0.2 * normal();
                let round =
                    (0..METRICS).map(|_| truth.iter().map(|level| level + drift + scatter * normal()).collect()).collect::<Vec<_>>();
                changes.push(&round);
            }
            rounds += changes.rounds();
            let fails = |metric, value| {
                let (_, interval) = changes.change(metric, value).unwrap();
                !interval.contains(truth[value] - truth[0])
            };
            missed += usize::from((0..METRICS).any(|metric| (1..VALUES).any(|value| fails(metric, value))));
        }
        (missed, rounds as f64 / RUNS as f64)
    }

    #[test]
    fn the_intervals_of_all_values_hold_together_however_many_rounds_there_are() {
        for (stopping, scatter, seed) in [
            (Stopping::Rounds(10), 0.03, 1),
            (Stopping::UntilPrecise { share: 0.02, most: 400 }, 0.01, 2),
            (Stopping::UntilPrecise { share: 0.05, most: 400 }, 0.03, 3),
            (Stopping::UntilPrecise { share: 0.02, most: 20 }, 0.05, 4),
        ] {
            let (missed, rounds) = missed(stopping, [0.0, 0.0, 0.01, 0.05, 0.2], scatter, seed);
            // At most 5 % (Bonferroni over 8 that share their baseline gives some less): 50 of 1,000 ± 7; three deviations above.
            assert!((10..=71).contains(&missed), "{missed} missed in {rounds} rounds with {stopping:?}");
        }
    }

    #[test]
    fn the_precision_asked_for_is_reached_or_its_price_is_told() {
        let mut random = StdRng::seed_from_u64(5);
        let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
        let mut run = |most| {
            let mut changes = Changes::new(Stopping::UntilPrecise { share: 0.02, most }, 2, 1);
            while !changes.is_over() {
                changes.push(&[vec![0.05 * normal(), 0.05 * normal()]]);
            }
            changes
        };
        let enough = run(1000);
        let (_, interval) = enough.change(0, 1).unwrap();
        assert!(interval.high - interval.low <= 2.0 * 1.02_f64.ln() + 1e-12 && enough.rounds() > 8 && enough.beyond_the_limit().is_none());
        let cut = run(8);
        assert!(cut.rounds() == 8 && cut.beyond_the_limit().unwrap() > 8);
    }

    #[test]
    fn the_first_value_is_what_others_are_compared_with() {
        let mut changes = Changes::new(Stopping::Rounds(2), 2, 1);
        assert_eq!(changes.change(0, 1), None);
        assert_eq!(changes.first_round(0, 1), None);
        changes.push(&[vec![1.0, 1.5]]);
        assert_eq!((changes.change(0, 1), changes.first_round(0, 1), changes.first_round(0, 0)), (None, Some(0.5), None));
        changes.push(&[vec![2.0, 2.5]]);
        assert!(changes.is_over());
        assert_eq!(changes.change(0, 0).unwrap().0, 0.0);
        assert_eq!(changes.change(0, 1), Some((0.5, Interval { low: 0.5, high: 0.5 })));
    }

    #[test]
    fn where_nobody_says_how_many_rounds_all_values_are_balanced() {
        assert_eq!([2, 3, 5].map(Stopping::default_for), [Stopping::Rounds(8), Stopping::Rounds(12), Stopping::Rounds(10)]);
    }
}
