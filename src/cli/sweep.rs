//! `tailtrace sweep`.

use std::io::{self, IsTerminal as _};

use crate::experiment::compare::CompareError;
use crate::experiment::sweep::fraction::MAX_OVERHEAD;
use crate::experiment::sweep::precision::MAX_ROUNDS;
use crate::experiment::sweep::{Catch, Point, Stopping, Sweep, SweepError, SweepOptions, Vary, points, sweep};
use crate::report::{self, Look};
use crate::scenario::{self, Metric, Overrides, Plan};
use crate::units::Fraction;

use super::arguments::{ScenarioArguments, SweepArguments};
use super::exit::{CliError, Status};
use super::progress::Progress;
use super::run::colours;
use super::series;

pub(super) fn run(arguments: &SweepArguments) -> Result<Status, CliError> {
    let measuring = &arguments.measuring;
    let options = options(arguments)?;
    let mut progress = Progress::new(&options.points[0].1, measuring.quiet);
    let series = series::options(&measuring.out, "sweep", arguments.before_each.clone())?;
    let found = sweep(&options, series, &mut progress);
    progress.finish();
    let found = found?;
    match print(&found, measuring.json, measuring.quiet) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ if found.values.iter().any(|value| !value.distrust.is_empty()) => Ok(Status::NotTrusted),
        _ => Ok(Status::Passed),
    }
}

/// Everything that can be wrong with what was typed shows here, before anything is measured.
fn options(arguments: &SweepArguments) -> Result<SweepOptions, CliError> {
    let wrong = |text: String| CliError::Usage(text);
    let varied = arguments.vary.iter().map(|text| text.parse()).collect::<Result<Vec<Vary>, SweepError>>()?;
    let all = points(&varied)?;
    check_set_once(&varied, &arguments.measuring.scenario)?;
    let mut seed = None;
    let mut of_points: Vec<(Point, Plan)> = Vec::with_capacity(all.len());
    for point in all {
        let own = point.set();
        let set = arguments.measuring.scenario.set.iter().chain(&own).cloned().collect();
        let overrides = Overrides { set, seed: arguments.measuring.scenario.seed }.or_seed(seed);
        let plan = scenario::read(&arguments.measuring.scenario.scenario, &overrides).map_err(|error| error.typed_as("--vary", &own))?;
        // What the scenario leaves open is drawn once, for all values.
        seed = Some(plan.seed);
        of_points.push((point, plan));
    }
    let stopping = match (arguments.rounds, arguments.until_precise) {
        (Some(rounds), _) => Stopping::Rounds(rounds as usize),
        (None, Some(share)) if share.get() > 0.0 => {
            Stopping::UntilPrecise { share: share.get(), most: arguments.max_rounds.map_or(MAX_ROUNDS, |rounds| rounds as usize) }
        }
        (None, Some(_)) => return Err(wrong("--until-precise must be above 0: no number of rounds makes an interval a point".to_owned())),
        (None, None) => Stopping::default_for(of_points.len()),
    };
    if !varied.iter().any(Vary::is_sample_fraction) {
        for (given, flag) in [(arguments.catch.is_some(), "--catch"), (arguments.max_overhead.is_some(), "--max-overhead")] {
            if given {
                let text = format!("{flag} is for sample fractions; vary them, such as --vary trace.sample_fraction=0,0.01,0.1");
                return Err(wrong(text));
            }
        }
    }
    let catch = match &arguments.catch {
        Some(text) => text.parse::<Catch>().map_err(|error| wrong(format!("--catch: {error}")))?,
        None => Catch::default(),
    };
    let metrics = arguments.metric.iter().map(|name| name.parse::<Metric>().map_err(CompareError::Metric)).collect::<Result<_, _>>();
    Ok(SweepOptions {
        varied,
        points: of_points,
        metrics: metrics.map_err(SweepError::Figure)?,
        stopping,
        catch,
        max_overhead: arguments.max_overhead.map_or(MAX_OVERHEAD, Fraction::get),
    })
}

/// A key that is varied is set by nothing else, or one of the two would be passed over in silence.
fn check_set_once(varied: &[Vary], scenario: &ScenarioArguments) -> Result<(), CliError> {
    let set = scenario.set.iter().find(|set| set.split_once('=').is_some_and(|(key, _)| varied.iter().any(|vary| vary.key == key.trim())));
    let other = set.map(|set| format!("--set {set}")).or_else(|| {
        let seed = scenario.seed.filter(|_| varied.iter().any(|vary| vary.key == "seed"));
        seed.map(|seed| format!("--seed {seed}"))
    });
    match other {
        Some(other) => Err(CliError::Usage(format!("{other} sets a key that --vary goes through; take one of the two out"))),
        None => Ok(()),
    }
}

fn print(found: &Sweep, json: bool, quiet: bool) -> io::Result<()> {
    let directory = found.values.first().and_then(|value| value.runs.first()).and_then(|run| run.parent());
    let look = |terminal| Look { colours: colours(terminal), directory };
    if json {
        if !quiet {
            // Where standard error is closed there is nobody to tell.
            let _ = report::write_sweep(&mut io::stderr().lock(), found, look(io::stderr().is_terminal()));
        }
        serde_json::to_writer_pretty(io::stdout().lock(), found)?;
        return io::Write::write_all(&mut io::stdout().lock(), b"\n");
    }
    if quiet {
        let path = directory.map(|path| path.display().to_string()).unwrap_or_default();
        return io::Write::write_all(&mut io::stdout().lock(), format!("{path}\n").as_bytes());
    }
    report::write_sweep(&mut io::stdout().lock(), found, look(io::stdout().is_terminal()))
}
