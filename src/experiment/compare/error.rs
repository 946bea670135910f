//! Why runs are not compared.

use std::path::PathBuf;

use crate::experiment::rounds::RoundsError;
use crate::result::ResultError;
use crate::scenario::{MetricError, ScenarioError};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A run directory cannot be read: not there, damaged, or of another schema.
    #[error(transparent)]
    Read(#[from] ResultError),
    /// A run did not end as planned.
    #[error("`{}` did not end as planned (it is partial): only whole runs are compared; run it again", path.display())]
    Partial {
        /// The run.
        path: PathBuf,
    },
    /// Files of a run are not whole.
    #[error("`{}` is only half there: {what}; copy the whole directory, or run it again", path.display())]
    HalfWritten {
        /// The run.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A run's figures are not about its target.
    #[error("`{}` is not to be trusted: {why}", path.display())]
    Untrusted {
        /// The run.
        path: PathBuf,
        /// The finding.
        why: String,
    },
    /// Runs of different plans.
    #[error(
        "the plans of `{}` and `{}` differ: {}; run both with the same scenario, or say which differences are meant with {}",
        base.display(), candidate.display(), shown(.keys), allow(.keys)
    )]
    Different {
        /// A run of the baseline.
        base: PathBuf,
        /// The run that differs from it.
        candidate: PathBuf,
        /// What differs.
        keys: Vec<super::Difference>,
    },
    /// The same run twice.
    #[error("`{}` is the same run as `{}`: a run compared with itself says nothing; give another", path.display(), first.display())]
    Twice {
        /// The run.
        path: PathBuf,
        /// Where it, or what it is a copy of, was given before.
        first: PathBuf,
    },
    /// A metric's name is wrong.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A metric that a run does not have.
    #[error("`{}` has no figure for `{metric}`: {why}", path.display())]
    NoFigure {
        /// The run.
        path: PathBuf,
        /// The metric.
        metric: String,
        /// What it has.
        why: String,
    },
    /// One run a side, and a metric whose precision one run does not tell.
    #[error("one run alone does not tell how precisely it knows `{metric}`: {why}")]
    OneRunOnly {
        /// The metric.
        metric: String,
        /// Why, and what would do.
        why: String,
    },
    /// A folder of past runs that says nothing about noise.
    #[error(
        "`{}` holds {found} of the at least {needed} past runs of this plan that noise is learned from, without those that are compared; make more, or give it with `--noise 3%`",
        place.display()
    )]
    TooFewPastRuns {
        /// The folder.
        place: PathBuf,
        /// Runs found that could be used.
        found: usize,
        /// Runs needed.
        needed: usize,
    },
    /// The folder of past runs cannot be listed.
    #[error("cannot list the past runs in `{}`", place.display())]
    PastRuns {
        /// The folder.
        place: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A side's plan is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The two sides of a live comparison differ in more than the settings allow to compare.
    #[error("{message}")]
    Sides {
        /// What is wrong, and what would do.
        message: String,
    },
    /// A run of a live comparison failed.
    #[error(transparent)]
    Rounds(#[from] RoundsError),
}

impl CompareError {
    /// Whether something was measured that cannot be trusted, rather than nothing.
    #[must_use]
    pub const fn is_untrusted(&self) -> bool {
        matches!(self, Self::Untrusted { .. })
    }
}

/// So many differing keys are named; the rest is counted.
const SHOWN: usize = 6;

fn shown(keys: &[super::Difference]) -> String {
    let mut text: Vec<String> = keys.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more) = keys.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push(format!("and {more} more"));
    }
    text.join(", ")
}

fn allow(keys: &[super::Difference]) -> String {
    let key = keys.first().map_or("KEY", |difference| difference.key.as_str());
    format!("`--allow-different {key}`")
}
