//! The arguments of `tailtrace compare`.

use std::path::PathBuf;

use clap::Args;

use crate::units::Fraction;

macro_rules! compare_status {
    () => {
        "\
Exit status:
  0  ok: every metric is within its tolerance
  1  a regression is shown
  2  nothing was compared: runs that are partial, damaged or of different plans, or could not be made
  3  undecided, or a run is not to be trusted"
    };
}
const COMPARE_STATUS: &str = compare_status!();

/// Better or worse: compare runs, stored ones or two settings measured in turn
///
/// Stored: `compare BASE… --candidate RUN…`. Several runs a side are best: what scatters between them is the noise. Of one run a side the
/// seconds are the noise, and what drifts from run to run has to be said (--noise, --noise-from). Live: `compare SCENARIO --a KEY=VALUE --b
/// KEY=VALUE` measures both in turn until it is decided. A metric is ok where its change is shown to be within the tolerance, a
/// regression where it is shown to be beyond, and undecided otherwise; all of them together are right with 95 %.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_STATUS, after_long_help = concat!("Examples:
  tailtrace compare results/main-* --candidate results/branch-*
  tailtrace compare base/ --candidate new/ --noise 3% --markdown \"$GITHUB_STEP_SUMMARY\" --junit compare.xml
  tailtrace compare scenarios/search-and-insert.toml --a readers.params.ef=64 --b readers.params.ef=128
  tailtrace compare scenarios/search-and-insert.toml --a target.uri=http://old:19530 --b target.uri=http://new:19530

", compare_status!()))]
pub(in crate::cli) struct CompareArguments {
    /// Run directories of the baseline; or, with --a and --b, one scenario
    #[arg(required = true, value_name = "BASE|SCENARIO")]
    pub(in crate::cli) base: Vec<PathBuf>,
    /// Run directories of the candidate
    #[arg(long, value_name = "RUN", num_args = 1..)]
    pub(in crate::cli) candidate: Vec<PathBuf>,
    /// By what share times and rates may get worse; errors and recall by a tenth of it [default: 5%]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub(in crate::cli) tolerance: Option<Fraction>,
    /// A figure to compare, such as readers.response.p99; may be given more than once
    ///
    /// Left out: of each stream the response time's p50 and p99 (of closed loops the rate besides), and errors. Each one more widens all
    /// intervals.
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Vec<String>,
    /// A key, with all below it, in which the plans may differ; may be given more than once
    #[arg(long, value_name = "KEY", help_heading = "Stored runs")]
    pub(in crate::cli) allow_different: Vec<String>,
    /// How much times and rates scatter between runs of the same, such as 3% (standard deviation)
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, help_heading = "Stored runs", conflicts_with = "noise_from")]
    pub(in crate::cli) noise: Option<Fraction>,
    /// Learn that from a folder of past runs of the same plan
    #[arg(long, value_name = "DIR", help_heading = "Stored runs")]
    pub(in crate::cli) noise_from: Option<PathBuf>,
    /// What makes the baseline; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Live")]
    pub(in crate::cli) a: Vec<String>,
    /// What makes the candidate; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Live")]
    pub(in crate::cli) b: Vec<String>,
    /// Most rounds, each one run of both sides [default: 30]
    #[arg(long, value_name = "N", help_heading = "Live", value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub(in crate::cli) max_rounds: Option<u32>,
    /// Set a key of the scenario for both sides; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Live")]
    pub(in crate::cli) set: Vec<String>,
    /// Seed of vectors, queries and arrivals of both sides
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::seed, help_heading = "Live")]
    pub(in crate::cli) seed: Option<u64>,
    /// Where the series' directory is made
    #[arg(long, value_name = "DIR", default_value = "results", help_heading = "Live")]
    pub(in crate::cli) out: PathBuf,
    /// Write the outcome as Markdown; `-` is standard output, the file that `GITHUB_STEP_SUMMARY` names is added to
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) markdown: Option<PathBuf>,
    /// Write the outcome as JUnit XML, a test for each metric
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) junit: Option<PathBuf>,
    /// Print the outcome as JSON on standard output, and the table on standard error
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) json: bool,
    /// Say nothing but the verdict
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) quiet: bool,
}
