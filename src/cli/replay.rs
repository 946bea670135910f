//! `tailtrace replay`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::experiment::{Beside, Replay, ReplayDocument, ReplayOutcome, ReplaySettings, RunOptions, Verdict};
use crate::report;
use crate::result::model::Trust;
use crate::scenario::{self, Overrides};
use crate::trace::process_environment;

use super::arguments::{BesideArgument, ReplayArguments};
use super::exit::{CliError, Status};
use super::progress::Progress;
use super::run::colours;
use super::signals::stop_on_signal;

pub(super) fn run(arguments: &ReplayArguments) -> Result<Status, CliError> {
    let stored = crate::result::read(&arguments.run)?;
    let named = arguments.run.display().to_string();
    let plan = stored.document.plan().map_err(|source| CliError::StoredPlan { run: named.clone(), source: Box::new(source) })?;
    let overrides = Overrides { set: arguments.set.clone(), seed: None };
    let plan = if overrides.set.is_empty() { plan } else { scenario::reread(&plan, &stored.path, &overrides)? };
    Replay::check_keys(&arguments.set)?;
    let beside = match arguments.load {
        BesideArgument::Same => Beside::Same,
        BesideArgument::None => Beside::None,
    };
    let settings =
        ReplaySettings { top: Some(arguments.top), times: Some(arguments.times), beside, rate: arguments.rate, seed: arguments.seed };
    let replay = Replay::new(&stored, plan, settings)?;
    let stop = stop_on_signal()?;
    let mut progress = Progress::new(replay.plan(), arguments.quiet);
    let options = RunOptions {
        out: arguments.out.clone(),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        stop,
        environment: &process_environment,
    };
    let outcome = replay.run(&options, &mut progress);
    progress.finish();
    let outcome = outcome?;
    match print(&outcome, arguments) {
        // A reader who has seen enough (`tailtrace replay … | head`) changes nothing about how it went.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status(&outcome.replay)),
    }
}

/// The verdicts, as a table or as JSON, or the directory alone.
fn print(outcome: &ReplayOutcome, arguments: &ReplayArguments) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.json {
        if !arguments.quiet {
            // Where standard error is closed there is nobody to tell.
            let _ = report::write_replay(&mut io::stderr().lock(), &outcome.replay, &outcome.run, colours(io::stderr().is_terminal()));
        }
        serde_json::to_writer_pretty(&mut out, &outcome.replay)?;
        writeln!(out)?;
    } else if arguments.quiet {
        writeln!(out, "{}", outcome.directory.display())?;
    } else {
        report::write_replay(&mut out, &outcome.replay, &outcome.run, colours(io::stdout().is_terminal()))?;
    }
    out.flush()
}

/// Whether it is whole, then whether it can be trusted, then whether anything was decided.
fn status(replay: &ReplayDocument) -> Status {
    let decided = replay.requests.iter().any(|request| request.verdict != Verdict::Undecided);
    if replay.partial {
        Status::NotMeasured
    } else if replay.trust == Trust::Invalid || !decided {
        Status::NotTrusted
    } else {
        Status::Passed
    }
}
