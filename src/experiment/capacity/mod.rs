//! How many requests a second meet the SLOs?
//!
//! [`search`] decides, from the probes so far alone, what to probe next and when the answer is known; [`edge`] estimates the rate from all
//! probes together; this file makes the probes, each a run with a directory of its own, and keeps what is known after each.
//! `docs/method.md` says why it is done so.

mod document;
mod edge;
mod error;
mod judge;
mod plans;
mod probe;
mod search;
mod slo;
mod usl;

use std::path::Path;

use crate::clock::{Anchor, now};
use crate::experiment::explain::{self, explain_run};
use crate::result::model::{Gate, RunDocument};
use crate::result::{self, SeriesDirectory, StoredRun, WallTime};
use crate::scenario::Plan;
use crate::stats::CONFIDENCE;
use crate::units::{Causes, Nanos, Rate};

use super::RunError;
use super::observer::{Event, Observer};
use super::rounds::SeriesOptions;
use super::run::{RunOptions, run_sharing};
use super::shared::Shared;

pub use document::{Beside, Capacity, Curve, Explained, FILE, ProbeRow, SCHEMA};
pub use error::CapacityError;
pub use probe::{Answer, Ask, Next, Probe, Purpose, Question, Shown, Verdict};
pub use search::{give_up, next};
pub use slo::{Slo, read as read_slos};
pub use usl::{Estimated, MOST_WORKERS, Point, Scaling, USL_SCHEMA, scaling};

/// `--within`.
pub const WITHIN: f64 = 0.02;
/// `--confirm`.
pub const CONFIRM: Nanos = Nanos::from_secs(60);
/// Without `--from` the search begins at the scenario's rate and goes down to this part of it at most.
const LOWEST_PART: f64 = 64.0;

/// What is asked, beside the scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityOptions {
    /// What must hold; see [`read_slos`].
    pub slos: Vec<Slo>,
    /// The stream that is varied; left out: the only open one.
    pub stream: Option<String>,
    /// The first and lowest rate; left out: the scenario's, and down to a 64th of it.
    pub from: Option<Rate>,
    /// The highest rate; left out: none.
    pub max: Option<Rate>,
    /// How narrow the answer should be, as a part of the rate.
    pub within: f64,
    /// Length of the confirming run.
    pub confirm: Nanos,
}

/// All streams' names, for messages.
fn names(plan: &Plan) -> String {
    plan.streams.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A gate's value with its unit; `None` where there is none.
fn value(gate: &Gate) -> Option<String> {
    let plain = |value: f64| match gate.metric.rsplit('.').next() {
        Some("errors") => crate::units::Fraction::new(value).map_or_else(|| value.to_string(), crate::units::Fraction::percent),
        Some("rate") => format!("{value:.1}/s"),
        _ => format!("{value:.4}"),
    };
    gate.value_ns.map(|ns| Nanos(ns).human()).or_else(|| gate.value.map(plain))
}

/// Searches for the highest rate of one stream at which the SLOs hold.
///
/// # Errors
/// Where what is asked cannot be, or not even one probe could be made. What ends the search later is told by the answer, so that
/// nothing that was measured is lost.
pub fn capacity(
    plan: &Plan,
    options: &CapacityOptions,
    series: SeriesOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<Capacity, CapacityError> {
    let stream = plans::stream(plan, options.stream.as_deref(), true)?;
    let question = question(plan, stream, options)?;
    let directory = SeriesDirectory::create(&series.out, &plan.name, series.what, WallTime::from_unix_ns(Anchor::take().unix_ns(now())))?;
    let found = Capacity {
        schema: SCHEMA,
        scenario: plan.name.clone(),
        stream: plan.streams[stream].name.clone(),
        slos: options.slos.iter().map(|slo| slo.gate.to_string()).collect(),
        partial: true,
        verdict: Verdict::NotJudged,
        rate_per_s: None,
        low_per_s: None,
        high_per_s: None,
        confidence: CONFIDENCE,
        confirmed_per_s: None,
        first_failing_per_s: None,
        reason: "the search is not over".to_owned(),
        probes: Vec::new(),
        explained: None,
        trouble: Vec::new(),
        directory: directory.path().to_owned(),
    };
    let runs = RunOptions { out: directory.path().to_owned(), command: series.command, stop: series.stop, environment: series.environment };
    let mut search =
        Searching { plan, slos: &options.slos, stream, question, directory, runs, shared: Shared::new(), broken_off: false, found };
    let ended = search.probe_on(observer);
    search.end(ended)
}

fn question(plan: &Plan, stream: usize, options: &CapacityOptions) -> Result<Question, CapacityError> {
    let wrong = |text: String| Err(CapacityError::Options(text));
    let begin = options.from.map_or_else(|| plans::rate(plan, stream), Rate::per_second);
    let highest = options.max.map(Rate::per_second);
    if begin <= 0.0 || highest.is_some_and(|highest| highest <= 0.0) {
        return wrong("--from and --max are rates above zero, such as --from 50/s --max 5000/s".to_owned());
    }
    if let (Some(from), Some(highest)) = (options.from, highest)
        && from.per_second() > highest
    {
        return wrong(format!("--from {from} is above --max {highest}/s; the search goes from the one up to the other"));
    }
    if !(options.within > 0.0 && options.within <= 0.5) {
        return wrong("--within is a part of the rate, above 0 and up to 50 %, such as 2%".to_owned());
    }
    if options.confirm < Nanos::from_secs(1) {
        return wrong("--confirm is a time of at least 1s, such as 60s".to_owned());
    }
    if plan.load.duration < Nanos::from_secs(1) {
        return wrong(format!("load.duration = {} is too short for a probe; give at least 1s", plan.load.duration));
    }
    let from = begin.min(highest.unwrap_or(f64::INFINITY));
    Ok(Question {
        from,
        lowest: if options.from.is_some() { from } else { from / LOWEST_PART },
        highest,
        within: options.within,
        probe_s: plan.load.duration.as_secs_f64(),
        confirm_s: options.confirm.as_secs_f64(),
        limits: options.slos.iter().map(Slo::limit).collect(),
    })
}

/// A search that is going on.
struct Searching<'a> {
    plan: &'a Plan,
    slos: &'a [Slo],
    stream: usize,
    question: Question,
    directory: SeriesDirectory,
    runs: RunOptions<'a>,
    shared: Shared,
    /// A probe could not be made, or was interrupted: there would have been more.
    broken_off: bool,
    found: Capacity,
}

impl Searching<'_> {
    /// Probes until the search is over or cannot go on.
    fn probe_on(&mut self, observer: &mut dyn Observer) -> Result<Answer, CapacityError> {
        let mut probes: Vec<Probe> = Vec::new();
        loop {
            let ask = match next(&self.question, &probes) {
                Next::Done(answer) => return Ok(answer),
                Next::Probe(ask) => ask,
            };
            match self.probe(ask, &mut probes, observer) {
                Ok(()) => {}
                // What was known before it broke off is worth more than the error alone.
                Err(error) if !probes.is_empty() => {
                    self.broken_off = true;
                    return Ok(give_up(&probes, broken_off(&ask, &error)));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes one more probe, and keeps what is known then.
    fn probe(&mut self, ask: Ask, probes: &mut Vec<Probe>, observer: &mut dyn Observer) -> Result<(), CapacityError> {
        let number = probes.len();
        observer.event(&Event::Probe { number: number + 1, rate_per_s: ask.rate, seconds: ask.seconds });
        let run = self.run(&ask, number, observer)?;
        let name = &self.found.stream;
        let (shown, samples) = judge::judge(&run, name, &ask, self.slos)?;
        let row = ProbeRow::of(&ask, &shown, &run, name, self.slos);
        self.found.probes.push(row);
        probes.push(Probe { ask, shown, samples });
        self.directory.write(FILE, &self.found)?;
        self.let_recover(&run.document);
        Ok(())
    }

    fn run(&mut self, ask: &Ask, number: usize, observer: &mut dyn Observer) -> Result<StoredRun, CapacityError> {
        let mut gates = Vec::new();
        for slo in self.slos {
            // The plan is stored with one limit a metric.
            if !gates.iter().any(|gate: &crate::scenario::Gate| gate.metric == slo.gate.metric) {
                gates.push(slo.gate.clone());
            }
        }
        if self.runs.stop.is_stopped() {
            return Err(RunError::Interrupted.into());
        }
        let plan = plans::probe(self.plan, self.stream, ask, number, gates);
        let outcome = run_sharing(&plan, &self.runs, &mut self.shared, observer)?;
        if outcome.document.partial {
            return Err(RunError::Interrupted.into());
        }
        Ok(result::read(&outcome.directory)?)
    }

    /// Requests that nobody waits for any more are still work for the target: the next probe would meet them. (The practice target goes
    /// with its run.)
    fn let_recover(&self, document: &RunDocument) {
        let left = document.streams.iter().any(|stream| stream.unfinished + stream.timed_out > 0);
        if left && self.plan.practice.is_none() {
            self.runs.stop.pause(self.plan.load.drain);
        }
    }

    fn end(mut self, ended: Result<Answer, CapacityError>) -> Result<Capacity, CapacityError> {
        self.found.trouble = self.shared.end();
        match ended {
            Ok(answer) => {
                self.found.partial = self.broken_off;
                self.found.answered(answer);
                if !self.broken_off {
                    self.found.explained = self.found.beside();
                }
                // Whoever waits for the answer gets it even where it cannot be kept, and is told that.
                if let Err(error) = self.directory.write(FILE, &self.found) {
                    self.found.partial = true;
                    self.found.trouble.push(Causes(&error).to_string());
                }
                Ok(self.found)
            }
            Err(error) => {
                self.directory.remove_if_empty();
                Err(error)
            }
        }
    }
}

fn broken_off(ask: &Ask, error: &CapacityError) -> String {
    match error {
        CapacityError::Run(RunError::Interrupted) => format!("interrupted in the probe at {}/s", ask.rate),
        CapacityError::Run(error) => format!("the probe at {}/s could not be made: {}", ask.rate, Causes(error)),
        error => format!("what the probe at {}/s showed could not be read or kept: {}", ask.rate, Causes(error)),
    }
}

impl Capacity {
    /// What `explain` says about the failing probe beside the passing one, where both have traces enough to say anything.
    fn beside(&self) -> Option<Beside> {
        let full = |row: &&ProbeRow| row.purpose != Purpose::Bracket;
        let passing =
            self.probes.iter().filter(full).filter(|row| row.passed == Some(true)).max_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s))?;
        let failing =
            self.probes.iter().filter(full).filter(|row| row.passed == Some(false)).max_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s))?;
        Some(Beside { passing: explained(passing, &self.stream)?, failing: explained(failing, &self.stream)? })
    }
}

/// `None` where nothing of the probe was traced.
fn explained(row: &ProbeRow, stream: &str) -> Option<Explained> {
    let run: &Path = &row.run;
    let traced = result::read(run).ok()?.document.trace.sampled > 0;
    let question = explain::Question { stream: Some(stream.to_owned()), ..explain::Question::default() };
    let answer = explain_run(run, &question).ok().filter(|_| traced)?;
    let first = answer.explanation.streams.into_iter().next()?;
    Some(Explained { rate_per_s: row.rate_per_s, sentence: first.sentence, named: first.named, run: row.run.clone() })
}
