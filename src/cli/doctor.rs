//! `tailtrace doctor`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::experiment::{self, Diagnosis, DoctorSettings};
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
    let diagnosis = experiment::examine(&plan, &settings, &process_environment, &stop_on_signal()?)?;
    match print(&diagnosis, arguments.json) {
        // A reader who has seen enough changes nothing about how it is.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status(&diagnosis)),
    }
}

fn print(diagnosis: &Diagnosis, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, diagnosis)?;
        writeln!(out)?;
    } else {
        report::write_diagnosis(&mut out, diagnosis, colours(io::stdout().is_terminal()))?;
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
