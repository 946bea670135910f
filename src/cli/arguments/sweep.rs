//! The arguments of `tailtrace sweep`.

use clap::Args;

use crate::units::Fraction;

use super::{EXIT_STATUS, MeasuringArguments};

/// Measure a key's values in turn: what each changes, costs and brings
///
/// Every round measures every value once, in an order that balances place and neighbours; each value is compared with the first by the
/// rounds' log ratios, and the intervals of all values and metrics hold together with 95 %. Of `trace.sample_fraction` it also says what a
/// fraction costs, how likely it catches slow requests, and recommends the smallest that catches what --catch asks for with an overhead
/// shown to be below --max-overhead. The collection is shared by all runs, but for values that need another.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS, after_long_help = "Examples:
  tailtrace sweep scenarios/search-and-insert.toml --vary trace.sample_fraction=0,0.001,0.01,0.1,1
  tailtrace sweep scenarios/search-and-insert.toml --vary readers.params.ef=64,128,256 --until-precise 2%
  tailtrace sweep scenarios/search-and-insert.toml --vary load.lanes=1,2 --vary readers.rate=500/s,1000/s --rounds 8
  tailtrace sweep scenarios/search-and-insert.toml --vary env.FRACTION=0,0.01,1 --before-each ./restart-milvus.sh --set trace.propagation=none

Exit status:
  0  every value was measured
  2  nothing complete was measured: bad scenario or value, --before-each failed, target out of reach, interrupted
  3  measured, but a value has a run that is not to be trusted")]
pub(in crate::cli) struct SweepArguments {
    #[command(flatten)]
    pub(in crate::cli) measuring: MeasuringArguments,
    /// A key and its values; given twice, a grid of two keys
    ///
    /// The first value is what the others are compared with. A key `env.NAME` is none of the scenario's: its value is only for
    /// --before-each, as NAME. Commas in quotes, brackets and braces belong to a value.
    #[arg(long, required = true, value_name = "KEY=VALUE,VALUE,…")]
    pub(in crate::cli) vary: Vec<String>,
    /// Rounds, each one run of every value [default: 8 or more, so that all are balanced]
    #[arg(long, value_name = "N", conflicts_with = "until_precise", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(in crate::cli) rounds: Option<u32>,
    /// Go on until every interval reaches at most so far to either side, such as 2%
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub(in crate::cli) until_precise: Option<Fraction>,
    /// Most rounds of --until-precise [default: 100]
    #[arg(long, value_name = "N", requires = "until_precise", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(in crate::cli) max_rounds: Option<u32>,
    /// A shell command to run before each run, such as one that restarts the target
    ///
    /// It finds the value in `TAILTRACE_VALUE`, each key's under its name (`TAILTRACE_TRACE_SAMPLE_FRACTION`; of env.NAME under NAME), and the
    /// round in `TAILTRACE_ROUND`. Where it fails, the sweep ends.
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::cli) before_each: Option<String>,
    /// A figure to compare, such as readers.response.p99; may be given more than once
    ///
    /// Left out: of each stream the response time's p50 and p99, of closed loops the rate besides.
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Vec<String>,
    /// What a sample fraction is to catch [default: p99.9 x5 in 10m]
    #[arg(long, value_name = "WHAT")]
    pub(in crate::cli) catch: Option<String>,
    /// The overhead that a recommended fraction is shown to stay below [default: 1%]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub(in crate::cli) max_overhead: Option<Fraction>,
}
