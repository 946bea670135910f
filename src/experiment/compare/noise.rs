//! What moves between two runs of the same: given, or learned from past runs.

use std::path::Path;

use crate::result::{self, StoredRun};
use crate::scenario::Metric;
use crate::stats::log_ratio::Estimate;
use crate::units::Fraction;

use super::metrics::{is_of_answers, reading};
use super::{CompareError, accept, differences};

/// With fewer past runs a spread is a guess.
pub const FEWEST_PAST_RUNS: usize = 4;

/// How much figures move from run to run though nothing was changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Noise {
    /// Nobody said.
    #[default]
    Unknown,
    /// The standard deviation of a run's times and rates, as a share of them. Nothing about errors and recall: good answers are a share
    /// that hardly moves where times move by percents, and what is allowed of them is a tenth.
    Given(Fraction),
    /// Spreads of past runs, one a metric: standard deviation of the logarithm, and how many runs it is from.
    Learned(Vec<(f64, usize)>),
}

impl Noise {
    /// Learns from the runs in a folder that are whole, can be trusted, and are of the first compared run's plan; others are passed over.
    /// So are the compared runs themselves and copies of them: a change between the sides would pass for noise, and hide itself.
    ///
    /// # Errors
    /// Where the folder cannot be listed, or holds too few of them.
    pub fn learn(place: &Path, compared: &[&StoredRun], metrics: &[Metric]) -> Result<Self, CompareError> {
        let listed = |source| CompareError::PastRuns { place: place.to_owned(), source };
        let past = |run: &StoredRun| {
            let same_plan = |first: &&StoredRun| differences(&first.document.plan, &run.document.plan, &[]).is_empty();
            compared.first().is_some_and(same_plan) && compared.iter().all(|own| own.document.id != run.document.id)
        };
        let mut logs: Vec<Vec<f64>> = vec![Vec::new(); metrics.len()];
        let mut found = 0;
        for entry in std::fs::read_dir(place).map_err(listed)? {
            let path = entry.map_err(listed)?.path();
            // Whatever else lies there is nobody's mistake.
            let run = result::read(&path).ok().and_then(|run| accept::accept(run).ok());
            let Some(run) = run.filter(past) else { continue };
            let figures: Result<Vec<f64>, _> = metrics.iter().map(|metric| Ok(reading(&run, metric)?.ln(metric))).collect();
            let Ok(figures) = figures.map_err(|_: CompareError| ()) else { continue };
            found += 1;
            for (logs, figure) in logs.iter_mut().zip(figures) {
                logs.push(figure);
            }
        }
        if found < FEWEST_PAST_RUNS {
            return Err(CompareError::TooFewPastRuns { place: place.to_owned(), found, needed: FEWEST_PAST_RUNS });
        }
        let spread = |logs: &Vec<f64>| Estimate::of_mean(logs).map_or(0.0, |mean| mean.standard_error * (logs.len() as f64).sqrt());
        Ok(Self::Learned(logs.iter().map(|logs| (spread(logs), logs.len())).collect()))
    }

    /// The error that a comparison of `base` with `candidate` runs has because of it, for `metric`, which has this index; `None` where
    /// nothing is known.
    #[must_use]
    pub fn error(&self, (at, metric): (usize, &Metric), base: usize, candidate: usize) -> Option<Estimate> {
        let (spread, degrees) = match self {
            Self::Unknown => return None,
            Self::Given(_) if is_of_answers(metric) => return None,
            Self::Given(share) => (share.get().ln_1p(), f64::INFINITY),
            Self::Learned(spreads) => {
                let (spread, runs) = spreads.get(at)?;
                (*spread, (*runs - 1) as f64)
            }
        };
        let both = (1.0 / base.max(1) as f64 + 1.0 / candidate.max(1) as f64).sqrt();
        Some(Estimate { value: 0.0, standard_error: spread * both, degrees })
    }
}
