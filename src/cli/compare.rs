//! `tailtrace compare`.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use crate::experiment::compare::live::{LiveOptions, LiveSide};
use crate::experiment::compare::stored::{NoiseFrom, StoredOptions};
use crate::experiment::compare::{CompareError, Comparison, MAX_ROUNDS, TOLERANCE, Verdict, live, stored};
use crate::report::{self, Look};
use crate::scenario::{self, Metric, Overrides};
use crate::units::Fraction;

use super::arguments::CompareArguments;
use super::exit::{CliError, Status};
use super::progress::Progress;
use super::run::colours;
use super::series;

pub(super) fn run(arguments: &CompareArguments) -> Result<Status, CliError> {
    let metrics = metrics(&arguments.metric)?;
    if arguments.json && to_standard_output(arguments) {
        return Err(CliError::Usage("--markdown - and --json would both write to standard output: give one of them a file".to_owned()));
    }
    // Where the outcome is to go shows before anything is measured.
    check_place(arguments.markdown.as_deref())?;
    check_place(arguments.junit.as_deref())?;
    let found = if arguments.a.is_empty() && arguments.b.is_empty() { stored(arguments, metrics) } else { live(arguments, metrics) }?;
    match print(&found, arguments) {
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    Ok(match found.verdict {
        Verdict::Ok => Status::Passed,
        Verdict::Regression => Status::Failed,
        Verdict::Undecided => Status::NotTrusted,
    })
}

fn metrics(names: &[String]) -> Result<Vec<Metric>, CliError> {
    if let Some(twice) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
        return Err(CliError::Usage(format!("--metric {twice} is given twice: it would widen all intervals and tell nothing more")));
    }
    names.iter().map(|name| name.parse().map_err(|error| CliError::Compare(CompareError::Metric(error)))).collect()
}

fn tolerance(arguments: &CompareArguments) -> Result<f64, CliError> {
    let tolerance = arguments.tolerance.map_or(TOLERANCE, Fraction::get);
    if tolerance <= 0.0 || tolerance >= 1.0 {
        return Err(CliError::Usage("--tolerance must lie between 0 and 100 %: at 0 nothing could ever be shown to be ok".to_owned()));
    }
    Ok(tolerance)
}

fn stored(arguments: &CompareArguments, metrics: Vec<Metric>) -> Result<Comparison, CliError> {
    for (given, flag) in
        [(arguments.max_rounds.is_some(), "--max-rounds"), (!arguments.set.is_empty(), "--set"), (arguments.seed.is_some(), "--seed")]
    {
        if given {
            return Err(CliError::Usage(format!("{flag} is for a live comparison: give a scenario with --a KEY=VALUE and --b KEY=VALUE")));
        }
    }
    if arguments.candidate.is_empty() {
        let text =
            "there is nothing to compare with: give `--candidate RUN` for stored runs, or `--a KEY=VALUE --b KEY=VALUE` for a scenario";
        return Err(CliError::Usage(text.to_owned()));
    }
    let noise = match (arguments.noise, &arguments.noise_from) {
        (Some(share), _) => NoiseFrom::Given(share),
        (None, Some(place)) => NoiseFrom::Folder(place.clone()),
        (None, None) => NoiseFrom::Nowhere,
    };
    let options = StoredOptions {
        base: arguments.base.clone(),
        candidate: arguments.candidate.clone(),
        metrics,
        tolerance: tolerance(arguments)?,
        allow_different: arguments.allow_different.clone(),
        noise,
    };
    Ok(stored::compare(&options)?)
}

fn live(arguments: &CompareArguments, metrics: Vec<Metric>) -> Result<Comparison, CliError> {
    let ([scenario], [_, ..], [_, ..]) = (&arguments.base[..], &arguments.a[..], &arguments.b[..]) else {
        let text = "a live comparison takes one scenario, and says what makes the two sides: `--a KEY=VALUE --b KEY=VALUE`";
        return Err(CliError::Usage(text.to_owned()));
    };
    let stored_only = [
        (!arguments.candidate.is_empty(), "--candidate"),
        (arguments.noise.is_some(), "--noise"),
        (arguments.noise_from.is_some(), "--noise-from"),
        (!arguments.allow_different.is_empty(), "--allow-different"),
    ];
    if let Some((_, flag)) = stored_only.iter().find(|(given, _)| *given) {
        return Err(CliError::Usage(format!("{flag} is for stored runs; a live comparison measures both sides itself")));
    }
    let side = |flag: &str, own: &[String], seed: Option<u64>| -> Result<LiveSide, CliError> {
        let set = arguments.set.iter().chain(own).cloned().collect();
        let overrides = Overrides { set, seed: arguments.seed }.or_seed(seed);
        let plan = scenario::read(scenario, &overrides).map_err(|error| error.typed_as(flag, own))?;
        Ok(LiveSide { label: own.join(", "), plan })
    };
    let base = side("--a", &arguments.a, None)?;
    let candidate = side("--b", &arguments.b, Some(base.plan.seed))?;
    let mut progress = Progress::new(&base.plan, arguments.quiet);
    let options = LiveOptions {
        base,
        candidate,
        metrics,
        tolerance: tolerance(arguments)?,
        max_rounds: arguments.max_rounds.map_or(MAX_ROUNDS, |rounds| rounds as usize),
    };
    let found = live::compare(&options, series::options(&arguments.out, "compare", None)?, &mut progress);
    progress.finish();
    Ok(found?)
}

fn to_standard_output(arguments: &CompareArguments) -> bool {
    arguments.markdown.as_deref().is_some_and(|path| path == Path::new("-"))
}

fn print(found: &Comparison, arguments: &CompareArguments) -> Result<(), CliError> {
    let directory = found.base.runs.first().and_then(|run| run.parent()).filter(|_| found.max_rounds.is_some());
    let look = |terminal| Look { colours: colours(terminal), directory };
    let markdown_out = to_standard_output(arguments);
    if arguments.json {
        if !arguments.quiet {
            // Where standard error is closed there is nobody to tell.
            let _ = report::write_compare(&mut io::stderr().lock(), found, look(io::stderr().is_terminal()));
        }
    } else if !markdown_out && !arguments.quiet {
        report::write_compare(&mut io::stdout().lock(), found, look(io::stdout().is_terminal()))?;
    } else if !markdown_out {
        writeln!(io::stdout().lock(), "{}", found.verdict.as_str())?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let _ = report::write_annotations(&mut io::stderr().lock(), found);
    }
    if let Some(path) = &arguments.markdown {
        into(path, &mut |out| report::write_markdown(out, found))?;
    }
    if let Some(path) = &arguments.junit {
        into(path, &mut |out| report::write_junit(out, found))?;
    }
    if arguments.json {
        super::output::json(found)?;
    }
    Ok(())
}

/// Whether a file can be written there. What stands in it stays until there is something to write, and none is left behind empty.
fn check_place(path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(()) };
    let was_there = path.exists();
    let opened = OpenOptions::new().create(true).append(true).open(path);
    if opened.is_ok() && !was_there {
        // An empty file that cannot be removed harms nobody.
        let _ = std::fs::remove_file(path);
    }
    opened.map(drop).map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// The summary of a workflow's job belongs to all its steps and is added to; every other file is written anew.
fn open(path: &Path) -> io::Result<std::fs::File> {
    let shared = std::env::var_os("GITHUB_STEP_SUMMARY").is_some_and(|summary| Path::new(&summary) == path);
    OpenOptions::new().create(true).write(true).append(shared).truncate(!shared).open(path)
}

fn into(path: &Path, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    if path == Path::new("-") {
        return Ok(write(&mut io::stdout().lock())?);
    }
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let mut text = Vec::new();
    write(&mut text).map_err(failed)?;
    open(path).and_then(|mut file| file.write_all(&text)).map_err(failed)
}
