//! Exit statuses, in one place.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::experiment::capacity::CapacityError;
use crate::experiment::compare::CompareError;
use crate::experiment::explain::ExplainError;
use crate::experiment::sweep::SweepError;
use crate::experiment::{ReplayError, RunError};
use crate::practice::PracticeError;
use crate::result::ResultError;
use crate::result::model::ModelError;
use crate::scenario::ScenarioError;
use crate::trace::TraceError;

/// How it went, for the caller's script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: done; where something was measured, every gate passed.
    Passed,
    /// 1: measured, and a gate failed or a regression is shown.
    Failed,
    /// 2: nothing, or nothing whole, could be measured: bad scenario, target out of reach, interrupted.
    NotMeasured,
    /// 3: measured, but not to be trusted, or too little to decide.
    NotTrusted,
}

impl Status {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::NotMeasured => 2,
            Self::NotTrusted => 3,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// What keeps a command from being done.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments are wrong: clap's own text, which says what would be right.
    #[error("{0}")]
    Usage(String),
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Ctrl-C would do nothing.
    #[error("cannot listen for Ctrl-C, SIGTERM and a hang-up")]
    Signals(#[source] io::Error),
    /// The practice target cannot run.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// Its spans have no way out.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Nothing was measured.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run that was named cannot be read.
    #[error(transparent)]
    Stored(#[from] ResultError),
    /// Its plan is none that can be run.
    #[error("cannot run the plan of `{run}` again")]
    StoredPlan {
        /// The run.
        run: String,
        /// Why not.
        source: Box<ModelError>,
    },
    /// Nothing was replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Runs are not compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// No sweep was made.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// No search for capacity was made.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// A file that was asked for cannot be written.
    #[error("cannot write `{}`; name a file in a folder that exists and can be written to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing could be explained.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// Standard output does not take what is printed.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl CliError {
    pub(super) fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::Usage(format!("a command is missing\n\n{}", text.trim_end()));
        }
        Self::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned())
    }

    /// Nothing was measured; only a reader who has seen enough (`tailtrace … | head`) is no failure.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::Passed,
            Self::Compare(error) if error.is_untrusted() => Status::NotTrusted,
            _ => Status::NotMeasured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_has_seen_enough_is_no_failure() {
        let closed = CliError::Output(io::Error::from(io::ErrorKind::BrokenPipe));
        let full = CliError::Output(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((closed.status().code(), full.status().code()), (0, 2));
    }

    #[test]
    fn statuses_are_those_that_scripts_were_promised() {
        let all = [Status::Passed, Status::Failed, Status::NotMeasured, Status::NotTrusted];
        assert_eq!(all.map(Status::code), [0, 1, 2, 3]);
    }
}
