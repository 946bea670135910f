//! Command line: clap types, help, progress, exit status.
//!
//! Owns what is typed and what a person sees while something runs; everything else is called. Results go to standard
//! output, everything human to standard error; neither is written to but through this room and `report`.

mod arguments;
mod capacity;
mod check;
mod compare;
mod completions;
mod doctor;
mod exit;
mod explain;
mod output;
mod practice;
mod progress;
mod replay;
mod run;
mod schema;
mod series;
mod signals;
mod sweep;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};

pub use exit::{CliError, Status};

/// Runs the command that was typed; the first argument is the program's name.
///
/// # Errors
/// What kept it from being done. Nothing has been printed about it.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<Status, CliError> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(shown) if matches!(shown.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return output::text(&shown.render().to_string());
        }
        Err(wrong) => return Err(CliError::usage(&wrong)),
    };
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Capacity(arguments) => capacity::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Explain(explain) => explain::run(&explain),
        Command::Practice(practice) => practice::run(&practice),
        Command::Check(check) => check::run(&check),
        Command::Schema => schema::run(),
        Command::Completions(completions) => completions::run(&completions),
    }
}
