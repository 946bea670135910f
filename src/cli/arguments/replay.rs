//! What can be typed behind `tailtrace replay`.

use std::path::PathBuf;

use clap::Args;

use crate::experiment::{DEFAULT_TIMES, DEFAULT_TOP, Replay};
use crate::units::{Rate, count};

/// Send the slowest requests of a run again: slow by nature or by circumstance?
///
/// Takes the slowest requests of a run directory, byte for byte, and as many typical ones; sends each so many times in one random
/// order, all traced, under the run's load or alone; and says of each slow one whether it is slow each time (look at what it asks for) or
/// was slow that once (look at what went on). Ends with what `explain` says of the repeats that were slow again. Requests that write are
/// not sent again. The repeats are a run with a directory of its own.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace replay results/20260301T093000Z-quickstart-1f2e3d4c
  tailtrace replay results/20260301T093000Z-quickstart-1f2e3d4c --top 20 --times 20 --load none
  tailtrace replay results/20260301T093000Z-quickstart-1f2e3d4c --json | jq '.requests[] | {sequence, verdict}'

Exit status:
  0  verdicts were found, for all requests or for some
  2  nothing (complete) was measured: no such run, nothing to replay, target out of reach, interrupted
  3  not one request could be decided, or the repeats' own run is not to be trusted")]
pub(in crate::cli) struct ReplayArguments {
    /// The run directory, or the run.json in it
    pub(in crate::cli) run: PathBuf,
    /// How many of the slowest requests, over all streams that read
    #[arg(long, value_name = "N", default_value_t = DEFAULT_TOP, value_parser = repeats)]
    pub(in crate::cli) top: usize,
    /// How often each is sent
    #[arg(long, value_name = "K", default_value_t = DEFAULT_TIMES, value_parser = repeats)]
    pub(in crate::cli) times: usize,
    /// What runs beside the repeats: the run's load, or nothing
    ///
    /// With none there is one lane and no warm-up.
    #[arg(long, value_name = "LOAD", value_enum, default_value_t = BesideArgument::Same)]
    pub(in crate::cli) load: BesideArgument,
    /// Repeats a second, such as 20/s; left out: a twentieth of the run's own rate, 1/s to 50/s
    ///
    /// With --load none, left out: as fast as leaves pauses, 200/s at most. Where the load has stages, repeats are spread over all of it and
    /// this is not used.
    #[arg(long, value_name = "RATE")]
    pub(in crate::cli) rate: Option<Rate>,
    /// Set a key of the run's plan that changes no request: of target, load (not its duration), trace, practice
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Seed of the order of repeats; left out: drawn, and stored
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::seed)]
    pub(in crate::cli) seed: Option<u64>,
    /// Where the run directory of the repeats is made
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(in crate::cli) out: PathBuf,
    /// Say nothing but the result: no progress, no table
    ///
    /// Without --json the result is the path of the run directory.
    #[arg(long)]
    pub(in crate::cli) quiet: bool,
    /// Print the verdicts as JSON (replay.json) on standard output, and the table on standard error
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// No more than all repeats together may be.
fn repeats(text: &str) -> Result<usize, String> {
    let most = Replay::MOST_REPEATS;
    text.trim().parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| format!("expected 1 to {}", count(most as u64)))
}

/// `--load`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum BesideArgument {
    /// The load of the run
    Same,
    /// Nothing: one request at a time
    None,
}
