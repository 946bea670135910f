//! `tailtrace doctor`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::experiment::{self, Diagnosis, DoctorSettings, Link};
use crate::report;
use crate::scenario;
use crate::trace::process_environment;

use super::arguments::DoctorArguments;
use super::exit::{CliError, Status};
use super::run::colours;
use super::signals::stop_on_signal;

pub(super) fn run(arguments: &DoctorArguments) -> Result<Status, CliError> {
    let plan = scenario::read(&arguments.scenario.scenario, &arguments.scenario.overrides())?;
    let settings = DoctorSettings { within: arguments.within, management: arguments.management.clone(), ..DoctorSettings::default() };
    let stop = stop_on_signal()?;
    let mut out = io::stdout().lock();
    let colours = colours(io::stdout().is_terminal());
    let mut printed = Ok(());
    // Each link as it is found: some are waited for.
    let mut tell = |link: &Link| {
        if printed.is_ok() && !arguments.json {
            printed = report::write_link(&mut out, link, colours).and_then(|()| out.flush());
        }
    };
    let diagnosis = experiment::examine(&plan, &settings, &process_environment, &stop, &mut tell)?;
    match printed.and_then(|()| print(&mut out, &diagnosis, arguments.json, colours)) {
        // A reader who has seen enough changes nothing about how it is.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status(&diagnosis)),
    }
}

fn print(out: &mut dyn io::Write, diagnosis: &Diagnosis, json: bool, colours: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, diagnosis)?;
        writeln!(out)?;
    } else {
        report::write_diagnosis(out, diagnosis, colours)?;
    }
    out.flush()
}

/// Broken goes before not looked at.
fn status(diagnosis: &Diagnosis) -> Status {
    if diagnosis.first_broken().is_some() {
        Status::Failed
    } else if diagnosis.whole {
        Status::Passed
    } else {
        Status::NotMeasured
    }
}
