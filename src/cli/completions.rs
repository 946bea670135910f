//! `tailtrace completions`.

use clap::CommandFactory as _;

use super::arguments::{Arguments, CompletionsArguments};
use super::exit::{CliError, Status};
use super::output;

pub(super) fn run(arguments: &CompletionsArguments) -> Result<Status, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tailtrace", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
