//! What can be typed. Short help is one line, long help (`--help`) says what happens and shows an example.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::scenario::Overrides;

const EXIT_STATUS: &str = "\
Exit status:
  0  done; where something was measured, every gate passed
  1  measured, and a gate failed or a regression is shown
  2  nothing (complete) was measured: bad scenario, target out of reach, interrupted
  3  measured, but not to be trusted, or too little to decide";

/// Load generator and latency benchmark for Milvus that traces a sampled fraction of its own requests.
#[derive(Debug, Parser)]
#[command(name = "tailtrace", version, max_term_width = 110, after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(CheckArguments),
    /// Print the JSON Schema of scenario files
    ///
    /// It names every key with its unit, limits and default. Editors check and complete scenario files with it; with the
    /// extension "Even Better TOML", a first line `#:schema scenario.schema.json` is enough.
    #[command(after_long_help = "Example:\n  tailtrace schema > scenario.schema.json")]
    Schema,
    Completions(CompletionsArguments),
}

/// Check a scenario and print the plan that it makes, without sending anything
///
/// Reads the scenario as `run` would, with overrides and defaults, and prints what would be sent where. What is wrong is
/// shown with file, line and key; nothing is connected to.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace check scenarios/quickstart.toml
  tailtrace check scenarios/quickstart.toml --set readers.rate=2000/s --json")]
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
    /// The scenario file (TOML)
    pub(super) scenario: PathBuf,
    /// Set a key of the scenario; may be given more than once
    ///
    /// Keys are paths: `load.duration`, `trace.sample_fraction`; a stream stands under its name: `readers.rate`. The
    /// value is TOML, or a bare text where it is not: --set load.lanes=2 --set readers.rate=500/s
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Seed of vectors, queries and arrivals; left out: the scenario's, or a drawn one, which is stored
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
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
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!((5..110).contains(&help.len()), "{} {}: {help}", command.get_name(), argument.get_id());
            }
        }
    }
}
