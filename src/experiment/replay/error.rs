//! Why nothing is sent again.

use std::path::PathBuf;

use crate::experiment::RunError;
use crate::result::ResultError;
use crate::result::model::ModelError;
use crate::units::count;

use super::DEFAULT_TIMES;
use super::plan::KEYS;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The stored run cannot be read, or the result not be written.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// Its plan is none that this version can run.
    #[error("cannot run the plan of `{path}` again")]
    Plan {
        /// The run.
        path: PathBuf,
        /// Why not.
        source: Box<ModelError>,
    },
    /// It is a replay: its request numbers are places in an order.
    #[error("`{path}` is a replay itself; name the run that it replayed{}, or explain this one", of.as_ref().map(|of| format!(", `{of}`")).unwrap_or_default())]
    IsReplay {
        /// The run.
        path: PathBuf,
        /// The directory of the run that it replayed, where it says so.
        of: Option<String>,
    },
    /// `--top 0`.
    #[error("--top 0 replays nothing; write 1 or more")]
    Nothing,
    /// All its streams write.
    #[error("no stream of `{path}` can be replayed: {streams} write, and writing once more is another thing than writing once")]
    OnlyWrites {
        /// The run.
        path: PathBuf,
        /// Its streams.
        streams: String,
    },
    /// It holds no single request of a stream that reads.
    #[error("`{path}` names no slow request: it was stopped before its slowest were written, or nothing was sampled; replay a whole run")]
    NoRequests {
        /// The run.
        path: PathBuf,
    },
    /// No verdict would be possible.
    #[error(
        "--times {times} cannot decide: with {requests} slow and as many typical requests, {fewest} repeats of each are the fewest that can; \
         write --times {fewest} or more, or leave it out for {DEFAULT_TIMES}"
    )]
    TooFew {
        /// What was asked for.
        times: usize,
        /// Slow requests.
        requests: usize,
        /// What would do.
        fewest: u64,
    },
    /// More than is sensible.
    #[error("--times {times} of {requests} requests, slow and typical, are more than {} repeats; lower --top or --times", count(*most as u64))]
    TooMany {
        /// Slow requests, and as many typical ones.
        requests: usize,
        /// What was asked for.
        times: usize,
        /// What would do.
        most: usize,
    },
    /// `--rate 0/s`.
    #[error("--rate {rate}: repeats at no rate never come; write a rate such as 20/s")]
    Rate {
        /// As it was given.
        rate: String,
    },
    /// An override changes what is sent.
    #[error(
        "--set changes {what}, so other requests would be sent than the run's; a replay takes changes of target, load, trace and practice"
    )]
    OtherRequests {
        /// The key.
        what: String,
    },
    /// `--set load.duration=…`.
    #[error("--set load.duration: a replay is as long as its repeats take; set --times, --top or --rate")]
    Length,
    /// An override of what a replay takes from the run.
    #[error("--set {key}: a replay takes its requests and its load from the run; it can change keys of {}", KEYS.map(|key| format!("`{key}`")).join(", "))]
    OtherKey {
        /// The key.
        key: String,
    },
    /// The run of the repeats.
    #[error(transparent)]
    Run(#[from] RunError),
}
