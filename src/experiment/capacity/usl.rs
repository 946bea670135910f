//! How far does it scale? Closed-loop points at 1, 2, 4 … workers, and the Universal Scalability Law through them.

use std::path::PathBuf;

use serde::Serialize;

use crate::clock::{Anchor, now};
use crate::experiment::RunError;
use crate::experiment::observer::{Event, Observer};
use crate::experiment::rounds::SeriesOptions;
use crate::experiment::run::{RunOptions, run_sharing};
use crate::experiment::shared::Shared;
use crate::result::{SeriesDirectory, WallTime};
use crate::scenario::Plan;
use crate::stats::CONFIDENCE;
use crate::stats::interval::Interval;
use crate::stats::usl;
use crate::units::Causes;

use super::document::{Curve, FILE};
use super::error::CapacityError;
use super::{judge, plans};

/// The schema that this version writes.
pub const USL_SCHEMA: &str = "tailtrace.usl/1";
/// Most workers that are tried, where nothing else is said.
pub const MOST_WORKERS: usize = 256;
/// A point lasts so many seconds at most.
const POINT_S: f64 = 10.0;
/// Throughput below this part of the best seen shows that the peak is passed: more workers would only wait.
const PAST_THE_PEAK: f64 = 0.8;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaling {
    /// [`USL_SCHEMA`].
    pub schema: &'static str,
    /// `usl`.
    pub model: &'static str,
    /// The scenario's name.
    pub scenario: String,
    /// The stream whose workers were varied.
    pub stream: String,
    /// It was interrupted, or ended early; the points are those that were whole by then.
    pub partial: bool,
    /// The confidence of the intervals.
    pub confidence: f64,
    /// Throughput of one worker.
    pub lambda_per_s: Option<Estimated>,
    /// Contention.
    pub sigma: Option<Estimated>,
    /// Coherency.
    pub kappa: Option<Estimated>,
    /// The number of workers at which throughput peaks; `null` where no peak shows.
    pub peak_workers: Option<Estimated>,
    /// Throughput there.
    pub peak_per_s: Option<Estimated>,
    /// In a sentence.
    pub reason: String,
    /// Every point, in the order measured.
    pub points: Vec<Point>,
    /// What went wrong afterwards and changes nothing that was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// The series' directory.
    pub directory: PathBuf,
}

/// A figure and its interval; an end that is not known is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimated {
    /// The figure.
    pub value: f64,
    /// The lower end.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// One closed-loop run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// How many asked.
    pub workers: usize,
    /// Requests that ended ok, a second.
    pub achieved_per_s: f64,
    /// Why it does not count; empty where it does.
    pub why: String,
    /// The response times.
    pub response: Curve,
    /// Its run directory.
    pub run: PathBuf,
}

fn estimated(value: f64, interval: Interval) -> Estimated {
    let end = |end: f64| end.is_finite().then_some(end);
    Estimated { value, low: end(interval.low), high: end(interval.high) }
}

/// Measures a closed-loop stream at 1, 2, 4 … workers up to `most`, then down again, and fits the law.
///
/// # Errors
/// Where what is asked cannot be, or not even one point could be measured.
pub fn scaling(
    plan: &Plan,
    stream: Option<&str>,
    most: usize,
    series: SeriesOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<Scaling, CapacityError> {
    let stream = plans::stream(plan, stream, false)?;
    let directory = SeriesDirectory::create(&series.out, &plan.name, series.what, WallTime::from_unix_ns(Anchor::take().unix_ns(now())))?;
    let found = Scaling {
        schema: USL_SCHEMA,
        model: "usl",
        scenario: plan.name.clone(),
        stream: plan.streams[stream].name.clone(),
        partial: true,
        confidence: CONFIDENCE,
        lambda_per_s: None,
        sigma: None,
        kappa: None,
        peak_workers: None,
        peak_per_s: None,
        reason: String::new(),
        points: Vec::new(),
        trouble: Vec::new(),
        directory: directory.path().to_owned(),
    };
    let runs = RunOptions { out: directory.path().to_owned(), command: series.command, stop: series.stop, environment: series.environment };
    let mut climb = Climb { plan, stream, most, directory, runs, shared: Shared::new(), found };
    let ended = climb.up_and_down(observer);
    climb.end(ended)
}

struct Climb<'a> {
    plan: &'a Plan,
    stream: usize,
    most: usize,
    directory: SeriesDirectory,
    runs: RunOptions<'a>,
    shared: Shared,
    found: Scaling,
}

impl Climb<'_> {
    /// Up until throughput falls, and down the same way: what drifts with time does not look like scaling.
    fn up_and_down(&mut self, observer: &mut dyn Observer) -> Result<(), CapacityError> {
        let (mut workers, mut best) = (1, 0.0_f64);
        let mut climbed = Vec::new();
        loop {
            let achieved = self.point(workers, observer)?;
            climbed.push(workers);
            best = best.max(achieved);
            let enough = climbed.len() >= usl::FEWEST_POINTS;
            if workers * 2 > self.most || (enough && achieved < PAST_THE_PEAK * best) {
                break;
            }
            workers *= 2;
        }
        for workers in climbed.into_iter().rev() {
            self.point(workers, observer)?;
        }
        Ok(())
    }

    fn point(&mut self, workers: usize, observer: &mut dyn Observer) -> Result<f64, CapacityError> {
        if self.runs.stop.is_stopped() {
            return Err(RunError::Interrupted.into());
        }
        let number = self.found.points.len();
        let seconds = POINT_S.min(self.plan.load.duration.as_secs_f64());
        observer.event(&Event::Point { number: number + 1, workers, seconds });
        let plan = plans::point(self.plan, self.stream, workers, seconds, number);
        let outcome = run_sharing(&plan, &self.runs, &mut self.shared, observer)?;
        if outcome.document.partial {
            return Err(RunError::Interrupted.into());
        }
        let of_stream = outcome.document.stream(&self.found.stream);
        let achieved = of_stream.map_or(0.0, |stream| stream.achieved_per_s);
        self.found.points.push(Point {
            workers,
            achieved_per_s: achieved,
            why: judge::generator_at_fault(&outcome.document).unwrap_or_default(),
            response: of_stream.map(|stream| Curve::from(&stream.response)).unwrap_or_default(),
            run: outcome.directory,
        });
        self.directory.write(FILE, &self.found)?;
        Ok(achieved)
    }

    fn end(mut self, ended: Result<(), CapacityError>) -> Result<Scaling, CapacityError> {
        self.found.trouble = self.shared.end();
        if let Err(error) = ended {
            if self.found.points.is_empty() {
                self.directory.remove_if_empty();
                return Err(error);
            }
            self.found.reason = format!("ended early: {}; ", Causes(&error));
        } else {
            self.found.partial = false;
        }
        self.found.fit(self.plan.seed);
        // Whoever waits for the answer gets it even where it cannot be kept, and is told that.
        if let Err(error) = self.directory.write(FILE, &self.found) {
            self.found.partial = true;
            self.found.trouble.push(Causes(&error).to_string());
        }
        Ok(self.found)
    }
}

impl Scaling {
    fn fit(&mut self, seed: u64) {
        let sound: Vec<(f64, f64)> =
            self.points.iter().filter(|point| point.why.is_empty()).map(|point| (point.workers as f64, point.achieved_per_s)).collect();
        let Some(fit) = usl::fit(&sound, CONFIDENCE, seed) else {
            let needed = usl::FEWEST_POINTS;
            let text = format!("no law: it takes sound points at {needed} different numbers of workers");
            self.reason.push_str(&text);
            return;
        };
        self.lambda_per_s = Some(estimated(fit.law.lambda, fit.lambda));
        self.sigma = Some(estimated(fit.law.sigma, fit.sigma));
        self.kappa = Some(estimated(fit.law.kappa, fit.kappa));
        let measured = self.points.iter().map(|point| point.workers).max().unwrap_or(1) as f64;
        if let Some(peak) = fit.peak {
            self.peak_workers = Some(estimated(peak.at, peak.at_interval));
            self.peak_per_s = Some(estimated(peak.throughput, peak.throughput_interval));
            let beyond = if peak.at > measured { ", which is more than was measured" } else { "" };
            let text = format!("throughput peaks at {:.0} workers with {:.0}/s{beyond}", peak.at, peak.throughput);
            self.reason.push_str(&text);
        } else {
            let text = format!("throughput shows no peak up to {measured:.0} workers");
            self.reason.push_str(&text);
        }
    }
}
