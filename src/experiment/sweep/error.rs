//! Why a sweep was not made, or ended early.

use crate::experiment::compare::CompareError;
use crate::experiment::rounds::RoundsError;
use crate::result::ResultError;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// What is to be varied is wrong.
    #[error("--vary {text}: {why}; write KEY=VALUE,VALUE,… such as trace.sample_fraction=0,0.01,0.1")]
    Vary {
        /// As typed.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// What is asked for does not go together.
    #[error("{0}")]
    Options(String),
    /// A figure that a run does not have.
    #[error(transparent)]
    Figure(#[from] CompareError),
    /// A run could not be made.
    #[error(transparent)]
    Rounds(#[from] RoundsError),
    /// The outcome cannot be written.
    #[error(transparent)]
    Result(#[from] ResultError),
}
