//! What the commands that make series of runs have in common: stopping, and the command line for the results.

use std::path::Path;

use crate::experiment::rounds::SeriesOptions;
use crate::trace::process_environment;

use super::exit::CliError;
use super::signals::stop_on_signal;

/// A series that Ctrl-C ends after what is on its way; a second one ends it at once.
pub(super) fn options(out: &Path, what: &'static str, before_each: Option<String>) -> Result<SeriesOptions<'static>, CliError> {
    Ok(SeriesOptions {
        out: out.to_owned(),
        what,
        before_each,
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        stop: stop_on_signal()?,
        environment: &process_environment,
    })
}
