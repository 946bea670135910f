//! `tailtrace run`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::experiment::explain::{Question, explain_at_hand};
use crate::experiment::{self, RunOptions, RunOutcome};
use crate::report::{self, ExplainLook, Look};
use crate::result::model::{RunDocument, Trust};
use crate::scenario;
use crate::trace::process_environment;
use crate::units::Causes;

use super::arguments::RunArguments;
use super::exit::{CliError, Status};
use super::progress::Progress;
use super::signals::stop_on_signal;

pub(super) fn run(arguments: &RunArguments) -> Result<Status, CliError> {
    let measuring = &arguments.measuring;
    let plan = scenario::read(&measuring.scenario.scenario, &measuring.scenario.overrides())?;
    let stop = stop_on_signal()?;
    let mut progress = Progress::new(&plan, measuring.quiet);
    let options = RunOptions {
        out: measuring.out.clone(),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        stop,
        environment: &process_environment,
    };
    let outcome = experiment::run(&plan, &options, &mut progress);
    progress.finish();
    let outcome = outcome?;
    match print(&outcome, measuring.json, measuring.quiet) {
        // A reader who has seen enough (`tailtrace run … | head`) changes nothing about how it went.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status(&outcome.document)),
    }
}

/// The summary, and why the slow requests were slow where their traces are in the run directory.
fn summary(out: &mut dyn io::Write, outcome: &RunOutcome, colours: bool) -> io::Result<()> {
    report::write_text(out, &outcome.document, Look { colours, directory: Some(&outcome.directory) })?;
    match explain_at_hand(&outcome.directory, &outcome.document, &Question::default()) {
        None => Ok(()),
        Some(Ok(answer)) => {
            writeln!(out)?;
            report::write_explanation(out, &answer.explanation, ExplainLook { colours, short: true })
        }
        // What was measured stands, whether it can be explained or not.
        Some(Err(error)) => writeln!(out, "\nwhy slow    cannot be explained here: {}", Causes(&error)),
    }
}

/// The result: the document, the summary, or the directory alone.
fn print(outcome: &RunOutcome, json: bool, quiet: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        if !quiet {
            // Where standard error is closed there is nobody to tell.
            let _ = summary(&mut io::stderr().lock(), outcome, colours(io::stderr().is_terminal()));
        }
        report::write_json(&mut out, &outcome.document)?;
    } else if quiet {
        writeln!(out, "{}", outcome.directory.display())?;
    } else {
        summary(&mut out, outcome, colours(io::stdout().is_terminal()))?;
    }
    out.flush()
}

/// Whether to colour: on a terminal whose owner has not said no (<https://no-color.org>).
pub(super) fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What a run says to scripts: whether it is whole, then whether it can be trusted, then whether its gates passed.
fn status(document: &RunDocument) -> Status {
    if document.partial || document.measured_nothing() {
        Status::NotMeasured
    } else if document.trust == Trust::Invalid {
        Status::NotTrusted
    } else if document.gates.iter().any(|gate| !gate.passed) {
        Status::Failed
    } else {
        Status::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::WallTime;
    use crate::result::model::{Gate, Stream};

    #[test]
    fn interrupted_goes_before_untrusted_before_failed() {
        let mut document = RunDocument::begun("id", "s", WallTime::from_unix_ns(0));
        document.partial = false;
        document.trust = Trust::Invalid;
        assert_eq!(status(&document).code(), 2, "nothing was due");
        document.streams.push(Stream { scheduled: 1, ..Stream::default() });
        document.trust = Trust::Suspect;
        assert_eq!(status(&document).code(), 0, "suspect is told, and passes");
        document.gates.push(Gate { passed: true, ..Gate::default() });
        assert_eq!(status(&document).code(), 0);
        document.gates.push(Gate::default());
        assert_eq!(status(&document).code(), 1);
        document.trust = Trust::Invalid;
        assert_eq!(status(&document).code(), 3);
        document.partial = true;
        assert_eq!(status(&document).code(), 2);
    }

    #[test]
    fn colours_need_a_terminal() {
        assert!(!colours(false));
    }
}
