//! Why there was no search for capacity.

use crate::experiment::RunError;
use crate::result::ResultError;
use crate::scenario::MetricError;

/// Why nothing was searched, or nothing found by the first probe.
#[derive(Debug, thiserror::Error)]
pub enum CapacityError {
    /// An SLO that cannot be read.
    #[error("--slo '{text}'")]
    Slo {
        /// As typed.
        text: String,
        /// What is wrong.
        source: MetricError,
    },
    /// None at all.
    #[error("what must hold is missing: give at least one --slo, such as --slo 'readers.response.p99 < 20ms'")]
    NoSlo,
    /// A stream that is not there.
    #[error("{what} speaks of a stream `{name}` that is not there; streams of this scenario: {known}")]
    NoStream {
        /// What was typed.
        what: String,
        /// The name in it.
        name: String,
        /// All there are.
        known: String,
    },
    /// A recall of what does not search.
    #[error("--slo '{slo}': `{name}` does {operation}, and only searches have a recall")]
    NoRecall {
        /// As typed.
        slo: String,
        /// The stream.
        name: String,
        /// What it does.
        operation: String,
    },
    /// Two SLOs of which one at most can be met.
    #[error("the SLOs `{one}` and `{other}` contradict each other: no run can meet both; take one of them out")]
    Contradiction {
        /// The earlier.
        one: String,
        /// The later.
        other: String,
    },
    /// An SLO outside of what a figure can be.
    #[error("no run can meet `{slo}`; give a limit that a figure can keep to")]
    Never {
        /// The SLO.
        slo: String,
    },
    /// An SLO that an overload would meet.
    #[error("`{slo}` asks for slow or failing requests, which more load always brings; write its limit with `<`")]
    WrongWay {
        /// The SLO.
        slo: String,
    },
    /// A closed loop has no rate.
    #[error(
        "stream `{name}` is a closed loop of {workers} and has no rate to vary; give it `rate` in place of `workers` in the scenario \
         (the search begins there), or ask for the number of workers with --model usl"
    )]
    Closed {
        /// The stream.
        name: String,
        /// Its workers.
        workers: usize,
    },
    /// An open loop has no workers.
    #[error(
        "stream `{name}` is an open loop, and --model usl varies the workers of a closed one; give it `workers` in place of `rate` in the scenario"
    )]
    Open {
        /// The stream.
        name: String,
    },
    /// Several streams that may be meant.
    #[error("which stream is to be varied? Name one of {names} with --stream")]
    WhichStream {
        /// All there are.
        names: String,
    },
    /// Numbers that do not go together.
    #[error("{0}")]
    Options(String),
    /// The first probe could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The outcome cannot be written, or a probe not read.
    #[error(transparent)]
    Result(#[from] ResultError),
}
