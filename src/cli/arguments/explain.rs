//! What can be typed behind `tailtrace explain`.

use std::path::PathBuf;

use clap::Args;

use crate::tail::{Above, FoldedBy};
use crate::units::Nanos;

macro_rules! explain_status {
    () => {
        "\
Exit status:
  0  explained, in one stream at least, or nothing was slow
  2  nothing could be explained: no such run, no traces, no such service, an --above that most requests exceed
  3  too few slow requests are traced, in every stream"
    };
}

const EXPLAIN_STATUS: &str = explain_status!();

/// Say what the slow requests were waiting for, from their traces
///
/// Holds slow requests (above --above) against typical ones (p25 to p75), place by place: how much longer slow ones spend in each
/// span, on the network, or waiting to be sent, as shares of the whole with intervals. RUN is a run directory: its traces are those in
/// its spans.jsonl, or those in the Jaeger that its scenario names. With --traces or --jaeger it works on traces that any client made,
/// in Python, Java, Go or Node as well, and takes them as equally likely.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true), after_help = EXPLAIN_STATUS, after_long_help = concat!("Examples:
  tailtrace explain results/20260301T093000Z-quickstart-1f6c2a90
  tailtrace explain results/20260301T093000Z-quickstart-1f6c2a90 --above p99.9 --stream readers
  tailtrace explain --traces saved.json --service milvus-client --operation Search
  tailtrace explain --jaeger http://localhost:16686 --service milvus-client --last 1h --above p95
  tailtrace explain results/20260301T093000Z-quickstart-1f6c2a90 --folded diff | flamegraph.pl > diff.svg

", explain_status!()))]
pub(in crate::cli) struct ExplainArguments {
    /// The run's directory
    #[arg(value_name = "RUN", group = "source")]
    pub(in crate::cli) run: Option<PathBuf>,
    /// Traces in a file, or in the files of a directory: OTLP/JSON or Jaeger's JSON
    #[arg(long, value_name = "PATH", group = "source", requires = "service")]
    pub(in crate::cli) traces: Option<PathBuf>,
    /// Traces in the Jaeger with this address, such as `http://localhost:16686`
    #[arg(long, value_name = "URL", group = "source", requires = "service")]
    pub(in crate::cli) jaeger: Option<String>,
    /// The service that sent the requests, with --traces and --jaeger
    #[arg(long, value_name = "NAME", conflicts_with = "run")]
    pub(in crate::cli) service: Option<String>,
    /// Only spans of this name, or with it behind the last `/`, such as Search
    #[arg(long, value_name = "NAME", conflicts_with = "run")]
    pub(in crate::cli) operation: Option<String>,
    /// With --jaeger: how far back, such as 15m
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = past, conflicts_with_all = ["run", "traces"])]
    pub(in crate::cli) last: Nanos,
    /// Where the tail begins: a percentile over p50 (p90, p99.9), or a time over the median (50ms)
    #[arg(long, value_name = "WHERE", default_value_t = Above::DEFAULT)]
    pub(in crate::cli) above: Above,
    /// Only this stream of the run
    #[arg(long, value_name = "NAME", conflicts_with_all = ["traces", "jaeger"])]
    pub(in crate::cli) stream: Option<String>,
    /// Print folded stacks for flame-graph tools instead: tail, typical or diff
    #[arg(long, value_name = "WHICH", conflicts_with = "json")]
    pub(in crate::cli) folded: Option<FoldedBy>,
    /// Print the explanation as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A length of time that is not 0.
fn past(text: &str) -> Result<Nanos, String> {
    match text.parse::<Nanos>() {
        Ok(Nanos(0)) => Err("nothing lies in no time; such as 15m or 1h".to_owned()),
        Ok(length) => Ok(length),
        Err(error) => Err(error.to_string()),
    }
}
