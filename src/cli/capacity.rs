//! `tailtrace capacity`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::experiment::capacity::{self, CONFIRM, CapacityOptions, MOST_WORKERS, Verdict, WITHIN, read_slos};
use crate::report::{self, Look};
use crate::scenario::{self, Plan};
use crate::units::Fraction;

use super::arguments::{CapacityArguments, ModelArgument};
use super::exit::{CliError, Status};
use super::progress::Progress;
use super::run::colours;
use super::series;

pub(super) fn run(arguments: &CapacityArguments) -> Result<Status, CliError> {
    let measuring = &arguments.measuring;
    let plan = scenario::read(&measuring.scenario.scenario, &measuring.scenario.overrides())?;
    match arguments.model {
        Some(ModelArgument::Usl) => scaling(&plan, arguments),
        None => search(&plan, arguments),
    }
}

fn search(plan: &Plan, arguments: &CapacityArguments) -> Result<Status, CliError> {
    let measuring = &arguments.measuring;
    let options = CapacityOptions {
        slos: read_slos(&arguments.slo, plan)?,
        stream: arguments.stream.clone(),
        from: arguments.from,
        max: arguments.max,
        within: arguments.within.map_or(WITHIN, Fraction::get),
        confirm: arguments.confirm.unwrap_or(CONFIRM),
    };
    let mut progress = Progress::new(plan, measuring.quiet);
    let found = capacity::capacity(plan, &options, series::options(&measuring.out, "capacity", None)?, &mut progress);
    progress.finish();
    let found = found?;
    let status = match (found.partial, found.verdict) {
        (true, _) => Status::NotMeasured,
        (false, Verdict::Found | Verdict::AboveMax) => Status::Passed,
        (false, Verdict::BelowMin) => Status::Failed,
        (false, Verdict::NotJudged) => Status::NotTrusted,
    };
    printed(
        print(measuring.json, measuring.quiet, &found, &found.directory, &|out, look| report::write_capacity(out, &found, look)),
        status,
    )
}

fn scaling(plan: &Plan, arguments: &CapacityArguments) -> Result<Status, CliError> {
    let measuring = &arguments.measuring;
    let most = arguments.max_workers.map_or(MOST_WORKERS, |most| most as usize);
    let mut progress = Progress::new(plan, measuring.quiet);
    let series = series::options(&measuring.out, "capacity", None)?;
    let found = capacity::scaling(plan, arguments.stream.as_deref(), most, series, &mut progress);
    progress.finish();
    let found = found?;
    let status = match (found.partial, found.lambda_per_s) {
        (true, _) => Status::NotMeasured,
        (false, Some(_)) => Status::Passed,
        (false, None) => Status::NotTrusted,
    };
    printed(print(measuring.json, measuring.quiet, &found, &found.directory, &|out, look| report::write_scaling(out, &found, look)), status)
}

/// A reader who has seen enough (`tailtrace capacity … | head`) changes nothing about how it went.
fn printed(printed: io::Result<()>, status: Status) -> Result<Status, CliError> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status),
    }
}

fn print(
    json: bool,
    quiet: bool,
    document: &impl serde::Serialize,
    directory: &std::path::Path,
    text: &dyn Fn(&mut dyn io::Write, Look<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let look = |terminal| Look { colours: colours(terminal), directory: Some(directory) };
    let mut out = io::stdout().lock();
    if json {
        if !quiet {
            // Where standard error is closed there is nobody to tell.
            let _ = text(&mut io::stderr().lock(), look(io::stderr().is_terminal()));
        }
        serde_json::to_writer_pretty(&mut out, document)?;
        writeln!(out)?;
    } else if quiet {
        writeln!(out, "{}", directory.display())?;
    } else {
        text(&mut out, look(io::stdout().is_terminal()))?;
    }
    out.flush()
}
