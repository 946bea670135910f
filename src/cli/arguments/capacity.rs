//! The arguments of `tailtrace capacity`.

use clap::{Args, ValueEnum};

use crate::units::{Fraction, Nanos, Rate};

use super::MeasuringArguments;

macro_rules! capacity_status {
    () => {
        "\
Exit status:
  0  the rate was found, or the highest that was allowed still meets every SLO
  1  the lowest rate does not meet them
  2  nothing was measured: bad scenario or SLO, target out of reach, interrupted
  3  the answer is known up to a rate only: the generator was the bottleneck; with --model usl no law could be fitted"
    };
}
const CAPACITY_STATUS: &str = capacity_status!();

/// Search for the highest rate at which SLOs are met
///
/// Varies the rate of one open-loop stream: doubles it until a short probe fails, closes in, probes both sides of the edge in full
/// (load.duration each), estimates the edge from all probes together with a 95 % interval, and confirms a rate that should pass in a longer
/// run. A probe fails on an SLO, on requests without an answer and on a backlog that grows; it is not judged where the
/// generator was the bottleneck. Each probe is a run with a directory of its own. With --model usl it varies the workers of a closed loop and
/// fits the Universal Scalability Law.
#[derive(Debug, Args)]
#[command(after_help = CAPACITY_STATUS, after_long_help = concat!("Examples:
  tailtrace capacity scenarios/search-and-insert.toml --slo 'readers.response.p99 < 20ms' --slo 'errors < 0.1%'
  tailtrace capacity scenarios/mm1.toml --slo 'readers.response.p95 < 12ms' --from 50/s --max 5000/s --within 1%
  tailtrace capacity scenarios/stall-closed.toml --model usl

", capacity_status!()))]
pub(in crate::cli) struct CapacityArguments {
    #[command(flatten)]
    pub(in crate::cli) measuring: MeasuringArguments,
    /// What must hold, such as 'readers.response.p99 < 20ms'; may be given more than once
    #[arg(long, value_name = "SLO")]
    pub(in crate::cli) slo: Vec<String>,
    /// The stream that is varied [default: the only open one; with --model usl the only closed one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) stream: Option<String>,
    /// The first and lowest rate [default: begins at the scenario's, and goes down to a 64th of it]
    #[arg(long, value_name = "RATE", conflicts_with = "model")]
    pub(in crate::cli) from: Option<Rate>,
    /// The highest rate [default: none]
    #[arg(long, value_name = "RATE", conflicts_with = "model")]
    pub(in crate::cli) max: Option<Rate>,
    /// How well the edge should be known: its standard error, as a share of the rate [default: 2%]
    #[arg(long, value_name = "SHARE", conflicts_with = "model")]
    pub(in crate::cli) within: Option<Fraction>,
    /// Length of the confirming run [default: 60s]
    #[arg(long, value_name = "TIME", conflicts_with = "model")]
    pub(in crate::cli) confirm: Option<Nanos>,
    /// Fit a model of closed-loop throughput instead
    #[arg(long, value_name = "MODEL", conflicts_with = "slo")]
    pub(in crate::cli) model: Option<ModelArgument>,
    /// Most workers of --model usl [default: 256]
    #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u32).range(8..=100_000))]
    pub(in crate::cli) max_workers: Option<u32>,
}

/// Which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ModelArgument {
    /// The Universal Scalability Law, over 1, 2, 4 … workers
    Usl,
}
