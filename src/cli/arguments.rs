//! What can be typed. Short help is one line, long help (`--help`) says what happens and shows an example.

mod capacity;
mod compare;
mod doctor;
mod explain;
mod replay;
mod sweep;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::milvus::DEFAULT_PORT;
use crate::scenario::Overrides;
use crate::trace::Endpoint;

pub(super) use capacity::{CapacityArguments, ModelArgument};
pub(super) use compare::CompareArguments;
pub(super) use doctor::DoctorArguments;
pub(super) use explain::ExplainArguments;
pub(super) use replay::{BesideArgument, ReplayArguments};
pub(super) use sweep::SweepArguments;

macro_rules! exit_status {
    () => {
        "\
Exit status:
  0  done; where something was measured, every gate passed
  1  measured, and a gate failed or a regression is shown
  2  nothing (complete) was measured: bad scenario, target out of reach, interrupted
  3  measured, but not to be trusted, or too little to decide"
    };
}

const EXIT_STATUS: &str = exit_status!();

/// Load generator and latency benchmark for Milvus that traces a sampled fraction of its own requests.
#[derive(Debug, Parser)]
#[command(name = "tailtrace", version, max_term_width = 110, after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(RunArguments),
    Explain(ExplainArguments),
    Replay(ReplayArguments),
    // Large, as the next three: boxed, so that the others stay small.
    Sweep(Box<SweepArguments>),
    Compare(Box<CompareArguments>),
    Capacity(Box<CapacityArguments>),
    Doctor(DoctorArguments),
    // By far the largest: boxed, so that the others stay small.
    Practice(Box<PracticeArguments>),
    Check(CheckArguments),
    /// Print the JSON Schema of scenario files
    ///
    /// It names every key with its unit, limits and default. Editors check and complete scenario files with it; with the
    /// extension "Even Better TOML", a first line `#:schema scenario.schema.json` is enough.
    #[command(after_long_help = "Example:\n  tailtrace schema > scenario.schema.json")]
    Schema,
    Completions(CompletionsArguments),
}

/// Run a scenario: send its load, measure it, trace a sampled fraction of it
///
/// Makes and fills the collection, warms up, measures, waits for the last answers, and drops the collection. Figures go to
/// standard output and, with everything behind them, into a run directory of their own; progress goes to standard error.
/// Ctrl-C ends the measured phase early and leaves a whole result that says it is partial; a second one ends at once.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS, after_long_help = concat!("Examples:
  tailtrace run scenarios/quickstart.toml
  tailtrace run scenarios/search-and-insert.toml --set readers.rate=500/s --set load.duration=60s
  tailtrace run scenarios/quickstart.toml --json | jq '.streams[0].response.p99_ns'

", exit_status!()))]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) measuring: MeasuringArguments,
}

/// What every measuring command takes.
#[derive(Debug, Args)]
pub(super) struct MeasuringArguments {
    #[command(flatten)]
    pub(super) scenario: ScenarioArguments,
    /// Where run directories are made
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) out: PathBuf,
    /// Say nothing but the result: no progress, no summary
    ///
    /// Without --json the result is the path of the run directory.
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print the result document as JSON on standard output, and the summary on standard error
    #[arg(long)]
    pub(super) json: bool,
}

/// Run the built-in Milvus-compatible target as a server
///
/// It searches exactly, in memory, and behaves as the flags say: a queue, stalls, failures, slow parts. The flags are the
/// keys of a scenario's [practice] table with the same values: TOML, or a bare text where it is not. Prints its address on
/// standard output when it is ready, and ends with Ctrl-C, SIGTERM or its terminal.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace practice
  tailtrace practice --search canned --port 0
  tailtrace practice --servers 1 --service 'exponential 2ms' --stall '{ every = \"10s\", for = \"1s\" }'
  tailtrace practice --slow-span '{ name = \"Delegator-waitTSafe\", fraction = \"2%\", by = \"40ms\" }' --otlp http://localhost:4317")]
pub(super) struct PracticeArguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub(super) port: u16,
    /// Address to listen on; the default is reached from this machine only, 0.0.0.0 from everywhere
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) listen: IpAddr,
    /// Where its spans go by OTLP/gRPC, such as `http://localhost:4317`; left out: it makes none
    #[arg(long, value_name = "URL", value_parser = otlp_url)]
    pub(super) otlp: Option<Endpoint>,
    #[command(flatten)]
    behaviour: Behaviour,
}

/// A server has no collector of its own.
fn otlp_url(text: &str) -> Result<Endpoint, String> {
    match text.parse()? {
        Endpoint::BuiltIn => Err("the built-in collector belongs to `run`; give a URL such as http://localhost:4317".to_owned()),
        url @ Endpoint::Url(_) => Ok(url),
    }
}

/// The keys of `[practice]` as flags, each with a value as a scenario has it.
macro_rules! behaviour {
    ($($(#[doc = $help:literal])+ $key:ident = $value:literal;)+) => {
        #[derive(Debug, Args)]
        #[command(next_help_heading = "Behaviour")]
        struct Behaviour {
            $($(#[doc = $help])+ #[arg(long, value_name = $value)] $key: Option<String>,)+
        }

        impl Behaviour {
            fn given(&self) -> Vec<(&'static str, &str)> {
                [$((stringify!($key), self.$key.as_deref())),+].into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            }
        }
    };
}

behaviour! {
    /// exact, or canned: one fixed answer at once
    search = "MODE";
    /// Requests that are served at once, the others queue; left out: all of them
    servers = "N";
    /// How long a request occupies its server: 'exponential 2ms', 'constant 1ms', 'lognormal 2ms 0.5'
    service = "LAW";
    /// Requests that may wait for a server; one more fails; left out: no limit
    max_queue = "N";
    /// The failure of a request beyond --max-queue: a gRPC status or milvus:CODE
    when_full = "FAILURE";
    /// No server works for a while: '{ every = "10s", for = "1s", first = "4s" }'
    stall = "TABLE";
    /// Fraction of the requests that fail, half as a gRPC status, half inside the answer
    error_rate = "FRACTION";
    /// Failures by their status: '{ UNAVAILABLE = 0.01, "milvus:100" = 0.02 }'
    errors = "TABLE";
    /// Some requests wait in one part: '{ name = "Delegator-waitTSafe", fraction = "2%", by = "40ms" }'
    slow_span = "TABLE";
    /// Some requests are slow by nature, each time: '{ fraction = "1%", by = "40ms" }'
    slow_key = "TABLE";
    /// Some requests are held on their way in: '{ fraction = "1%", by = "20ms" }'
    hold = "TABLE";
    /// Cut all connections so often, such as 5s
    cut_every = "TIME";
    /// Refuse new connections for so long after a cut
    refuse_for = "TIME";
    /// Fraction of the requests without a caller's trace context that are traced all the same
    sample_fraction = "FRACTION";
    /// How much longer a traced request occupies its server, such as 200us
    trace_cost = "TIME";
    /// Memory that inserted rows may take, such as 4GiB
    max_memory = "SIZE";
    /// How the server waits: auto, sleep, or poll (one core always busy, never late if it is its own)
    wait = "MODE";
    /// Seed of service times and faults
    seed = "N";
}

impl PracticeArguments {
    /// The keys that were given, with their values as typed.
    pub(super) fn given(&self) -> Vec<(&'static str, &str)> {
        self.behaviour.given()
    }
}

/// Check a scenario and print the plan that it makes, without sending anything
///
/// Reads the scenario as `run` would, with overrides and defaults, and prints what would be sent where. What is wrong is
/// shown with file, line and key; nothing is connected to.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace check scenarios/quickstart.toml
  tailtrace check scenarios/quickstart.toml --set readers.rate=2000/s --json
  tailtrace check results/20260301T093000Z-quickstart-1f6c2a90")]
pub(super) struct CheckArguments {
    #[command(flatten)]
    pub(super) scenario: ScenarioArguments,
    /// Print the plan as JSON, as results store it
    #[arg(long)]
    pub(super) json: bool,
}

/// A scenario and what takes the place of its values.
#[derive(Debug, Args)]
pub(super) struct ScenarioArguments {
    /// The scenario file (TOML); or a run directory, whose plan is run again
    ///
    /// A run directory (or its run.json) stands for the scenario of that run with every default filled in and with its seed:
    /// the same requests at the same times.
    pub(super) scenario: PathBuf,
    /// Set a key of the scenario; may be given more than once
    ///
    /// Keys are paths: `load.duration`, `trace.sample_fraction`; a stream stands under its name: `readers.rate`. The
    /// value is TOML, or a bare text where it is not: --set load.lanes=2 --set readers.rate=500/s. `rate`, `stages` and
    /// `workers` take each other's place: --set readers.workers=4 makes a closed loop of an open one.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Seed of vectors, queries and arrivals; left out: the scenario's, or a drawn one, which is stored
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub(super) seed: Option<u64>,
}

fn seed(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

impl ScenarioArguments {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides { set: self.set.clone(), seed: self.seed }
    }
}

/// Print a completion script for a shell
///
/// Completes commands and flags.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace completions bash > ~/.local/share/bash-completion/completions/tailtrace
  tailtrace completions fish > ~/.config/fish/completions/tailtrace.fish")]
pub(super) struct CompletionsArguments {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_one_line_and_a_paragraph() {
        for command in Arguments::command().get_subcommands().filter(|command| command.get_name() != "help") {
            let short = command.get_about().map(ToString::to_string).unwrap_or_default();
            let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
            assert!((10..90).contains(&short.len()) && !short.contains('\n'), "{}: {short}", command.get_name());
            assert!(long.len() > short.len(), "{}: {long}", command.get_name());
            for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!((5..110).contains(&help.len()), "{} {}: {help}", command.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn more_repeats_than_a_replay_has_are_refused_as_they_are_typed() {
        for flag in ["--top", "--times"] {
            let parsed = |most: &str| Arguments::try_parse_from(["tailtrace", "replay", "run", flag, most]);
            assert!(parsed("40000").is_ok(), "{flag}");
            let said = parsed("10000000000").unwrap_err().to_string();
            assert_eq!(parsed("0").unwrap_err().kind(), clap::error::ErrorKind::ValueValidation, "{flag}");
            assert!(said.contains(flag) && said.contains("expected 1 to 40,000"), "{said}");
        }
    }

    #[test]
    fn the_flags_of_practice_are_the_keys_of_its_table() {
        let schema = schemars::schema_for!(crate::practice::Settings).to_value();
        let keys: std::collections::BTreeSet<String> =
            schema["properties"].as_object().unwrap().keys().map(|key| format!("--{}", key.replace('_', "-"))).collect();
        let command = Arguments::command();
        let practice = command.find_subcommand("practice").unwrap();
        let flags = practice.get_arguments().filter(|argument| argument.get_help_heading() == Some("Behaviour"));
        assert_eq!(flags.map(|flag| format!("--{}", flag.get_long().unwrap())).collect::<std::collections::BTreeSet<_>>(), keys);
    }
}
