//! The sweep itself: rounds until enough is known, and the document that grows with them.

use serde_json::{Value, json};

use crate::experiment::Observer;
use crate::experiment::compare::decision::Worse;
use crate::experiment::compare::live::check_stream;
use crate::experiment::compare::metrics::{question, reading};
use crate::experiment::compare::middle;
use crate::experiment::rounds::{Cell, Rounds, SeriesOptions, Variant};
use crate::scenario::{Metric, Percentile, Plan, Statistic, Time};
use crate::stats::interval::Interval;
use crate::stats::{CONFIDENCE, balanced};
use crate::units::Nanos;

use super::catch::Catch;
use super::document::{Line, MetricChange, Picture, SCHEMA, StreamBenefit, Sweep, ValueOutcome};
use super::fraction::{Candidate, recommend};
use super::measured::{OneCell, cost, typical};
use super::precision::{Changes, Stopping};
use super::{Point, SweepError, Vary};

/// The document in the series' directory.
pub const SWEEP_FILE: &str = "sweep.json";

/// What is to be varied, and how long.
#[derive(Debug, Clone)]
pub struct SweepOptions {
    /// The keys.
    pub varied: Vec<Vary>,
    /// Every value, and the plan that makes; the first is what the others are compared with.
    pub points: Vec<(Point, Plan)>,
    /// Which figures; none for the usual ones.
    pub metrics: Vec<Metric>,
    /// When it ends.
    pub stopping: Stopping,
    /// What a sample fraction is to catch.
    pub catch: Catch,
    /// The overhead that a recommended one must be shown to stay below.
    pub max_overhead: f64,
}

/// Measures all values in turn.
///
/// # Errors
/// Where a run could not be made. What was known by then stands in `sweep.json`.
pub fn sweep(options: &SweepOptions, mut series: SeriesOptions<'_>, observer: &mut dyn Observer) -> Result<Sweep, SweepError> {
    series.what = "sweep";
    let Some((_, first)) = options.points.first() else {
        return Err(SweepError::Options("there is nothing to vary".to_owned()));
    };
    if let Some(vary) = options.varied.iter().find(|vary| vary.variable().is_some())
        && series.before_each.is_none()
    {
        let text = format!("{} sets an environment variable of `--before-each`, and there is no such command", vary.key);
        return Err(SweepError::Options(text));
    }
    let names: Vec<String> = first.streams.iter().map(|stream| stream.name.clone()).collect();
    let metrics = if options.metrics.is_empty() { default_metrics(first) } else { options.metrics.clone() };
    for metric in &metrics {
        check_stream(metric, &names)?;
    }
    let seed = first.seed;
    let variants = options.points.iter().map(|(point, plan)| Variant {
        label: options.label(point),
        plan: Plan { seed, ..plan.clone() },
        environment: point.environment(),
    });
    let mut rounds = Rounds::begin(variants.collect(), series)?;
    let found = Going::new(options, metrics).run(&mut rounds, observer);
    let trouble = rounds.end();
    found.map(|mut found| {
        found.notes.extend(trouble);
        found
    })
}

/// Of each stream the response time's median and p99, of closed loops the rate besides.
fn default_metrics(plan: &Plan) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for stream in &plan.streams {
        for percentile in [Percentile::P50, Percentile::P99] {
            let statistic = Statistic::Percentile(percentile);
            metrics.push(Metric::Time { stream: stream.name.clone(), time: Time::Response, statistic });
        }
        if matches!(stream.load.shape, crate::load::Shape::Closed { .. }) {
            metrics.push(Metric::Rate { stream: stream.name.clone() });
        }
    }
    metrics
}

impl SweepOptions {
    /// A value as people see it while it is measured.
    fn label(&self, point: &Point) -> String {
        match &self.varied[..] {
            [vary] => format!("{}={}", vary.key, point.label()),
            _ => point.label(),
        }
    }

    /// Whether fractions are recommended.
    fn of_fractions(&self) -> bool {
        matches!(&self.varied[..], [vary] if vary.is_sample_fraction())
    }
}

/// A value as JSON: a number where it is one.
fn value(text: &str) -> Value {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (text.parse::<u64>(), number) {
        (Ok(whole), _) => json!(whole),
        (_, Some(number)) => json!(number),
        _ => json!(text),
    }
}

fn values(point: &Point) -> Value {
    match &point.values[..] {
        [(_, only)] => value(only),
        all => Value::Object(all.iter().map(|(key, text)| (key.clone(), value(text))).collect()),
    }
}

/// A sweep that is going on.
struct Going<'a> {
    options: &'a SweepOptions,
    metrics: Vec<Metric>,
    changes: Changes,
    /// By value and round.
    cells: Vec<Vec<OneCell>>,
    /// By metric, value and round.
    figures: Vec<Vec<Vec<f64>>>,
    at_least: Vec<Vec<bool>>,
}

impl<'a> Going<'a> {
    fn new(options: &'a SweepOptions, metrics: Vec<Metric>) -> Self {
        let values = options.points.len();
        Self {
            options,
            changes: Changes::new(options.stopping, values, metrics.len()),
            cells: vec![Vec::new(); values],
            figures: vec![vec![Vec::new(); values]; metrics.len()],
            at_least: vec![vec![false; values]; metrics.len()],
            metrics,
        }
    }

    fn run(mut self, rounds: &mut Rounds<'_>, observer: &mut dyn Observer) -> Result<Sweep, SweepError> {
        let orders = balanced::orders(self.options.points.len());
        loop {
            let order = &orders[rounds.done() % orders.len()];
            let cells = rounds.round(order, self.changes.planned(), observer)?;
            self.take(cells)?;
            let found = self.document(!self.changes.is_over());
            rounds.directory().write(SWEEP_FILE, &found)?;
            if !found.partial {
                return Ok(found);
            }
        }
    }

    fn take(&mut self, cells: Vec<Cell>) -> Result<(), SweepError> {
        let mut logs = vec![Vec::with_capacity(cells.len()); self.metrics.len()];
        for cell in cells {
            for (at, metric) in self.metrics.iter().enumerate() {
                let figure = reading(&cell.run, metric)?;
                logs[at].push(figure.ln(metric));
                self.figures[at][cell.variant].push(figure.value);
                self.at_least[at][cell.variant] |= figure.at_least;
            }
            let measured = OneCell { path: cell.run.path.clone(), cost: cost(&cell.run), distrust: cell.distrust() };
            self.cells[cell.variant].push(measured);
        }
        self.changes.push(&logs);
        Ok(())
    }

    fn document(&self, partial: bool) -> Sweep {
        let values: Vec<ValueOutcome> = (0..self.options.points.len()).map(|at| self.value(at)).collect();
        let (recommended, reason) = self.recommendation(&values);
        let keys: Vec<&str> = self.options.varied.iter().map(|vary| vary.key.as_str()).collect();
        Sweep {
            schema: SCHEMA,
            partial,
            vary: if let [key] = keys[..] { json!(key) } else { json!(keys) },
            recommended,
            reason,
            confidence: CONFIDENCE,
            method: self.method(),
            rounds: self.changes.rounds(),
            notes: self.notes(),
            picture: self.picture(&keys, &values),
            values,
        }
    }

    fn value(&self, at: usize) -> ValueOutcome {
        let (point, _) = &self.options.points[at];
        let cells = &self.cells[at];
        let mut distrust: Vec<String> = cells.iter().filter_map(|cell| cell.distrust.clone()).collect();
        distrust.dedup();
        let metrics = (0..self.metrics.len()).map(|metric| (self.metrics[metric].to_string(), self.metric(metric, at)));
        let mut outcome = ValueOutcome {
            value: self.typed(at),
            label: point.label(),
            rounds: cells.len(),
            metrics: metrics.collect(),
            cost: typical(cells),
            benefit: Vec::new(),
            distrust,
            runs: cells.iter().map(|cell| cell.path.clone()).collect(),
        };
        if self.options.of_fractions() {
            outcome.benefit = self.benefit(self.fraction(at), &outcome);
        }
        outcome
    }

    /// The value as a document has it: of a fraction in percent the number.
    fn typed(&self, at: usize) -> Value {
        let typed = values(&self.options.points[at].0);
        if self.options.of_fractions() && typed.is_string() { json!(self.fraction(at)) } else { typed }
    }

    /// The sample fraction of a value, however it was typed: `1%` is 0.01.
    fn fraction(&self, at: usize) -> f64 {
        self.options.points[at].1.trace.sample_fraction.get()
    }

    fn metric(&self, metric: usize, at: usize) -> MetricChange {
        let figures = &self.figures[metric][at];
        let middle = middle(figures);
        let is_time = matches!(self.metrics[metric], Metric::Time { .. });
        let (change, interval) = match self.changes.change(metric, at) {
            Some((change, interval)) => (change, Some(interval)),
            None => (self.changes.first_round(metric, at).unwrap_or(0.0), None),
        };
        let end = |of: fn(&Interval) -> f64| interval.as_ref().map(|interval| of(interval).exp_m1());
        MetricChange {
            value_ns: is_time.then_some(middle.round() as u64),
            value: (!is_time).then_some(middle),
            change: change.exp_m1(),
            low: end(|interval| interval.low),
            high: end(|interval| interval.high),
            at_least: self.at_least[metric][at],
        }
    }

    /// Chances beyond p99, p99.9 and p99.99 in a run's length, and beyond what is to be caught in its own time.
    fn benefit(&self, fraction: f64, outcome: &ValueOutcome) -> Vec<StreamBenefit> {
        let length = self.options.points.first().map_or(Nanos::ZERO, |(_, plan)| plan.load.duration);
        let of_run = |percentile| Catch { percentile, within: length, ..self.options.catch };
        let asked = [Percentile::P99, Percentile::P99_9, Percentile::P99_99].map(of_run);
        let mut benefits = Vec::new();
        for stream in &outcome.cost.streams {
            for catch in std::iter::once(self.options.catch).chain(asked) {
                let (requests, chance) = catch.chance(stream.rate_per_s, fraction);
                benefits.push(StreamBenefit {
                    stream: stream.name.clone(),
                    beyond: catch.percentile.to_string(),
                    rate_per_s: stream.rate_per_s,
                    within_ns: catch.within.0,
                    requests,
                    wanted: catch.requests,
                    chance,
                });
            }
        }
        benefits
    }

    /// The overhead is judged by closed loops' rates and every stream's median response time, or by the metrics that were named: a p99's
    /// interval is seldom narrow enough to show a percent.
    fn counts_as_overhead(&self, metric: &Metric) -> bool {
        let median = |statistic: &Statistic| matches!(statistic, Statistic::Percentile(percentile) if *percentile == Percentile::P50);
        match metric {
            _ if !self.options.metrics.is_empty() => true,
            Metric::Time { statistic, .. } => median(statistic),
            Metric::Rate { .. } => true,
            Metric::Recall { .. } | Metric::Errors { .. } => false,
        }
    }

    /// The most that the value can be worse than the first, by the intervals.
    fn overhead(&self, at: usize) -> f64 {
        let worst = |metric: usize| {
            let of = &self.metrics[metric];
            let (_, interval) = self.changes.change(metric, at)?;
            Some(match question(of, 0.0).worse {
                Worse::More => interval.high.exp_m1(),
                Worse::Less => -interval.low.exp_m1(),
            })
        };
        let counted = (0..self.metrics.len()).filter(|metric| self.counts_as_overhead(&self.metrics[*metric]));
        counted.map(|metric| worst(metric).unwrap_or(f64::INFINITY)).fold(0.0, f64::max)
    }

    fn recommendation(&self, values: &[ValueOutcome]) -> (Option<Value>, String) {
        if !self.options.of_fractions() {
            return (None, "a value is recommended where trace.sample_fraction is varied".to_owned());
        }
        let Some(stream) = values.first().and_then(|first| first.cost.streams.first()).map(|stream| stream.name.clone()) else {
            return (None, "nothing was measured".to_owned());
        };
        let candidates: Vec<Candidate> = values
            .iter()
            .enumerate()
            .map(|(at, value)| Candidate {
                fraction: self.fraction(at),
                chance: value.benefit.first().map_or(0.0, |benefit| benefit.chance),
                overhead: self.overhead(at),
                trusted: value.distrust.is_empty(),
            })
            .collect();
        let (best, mut reason) = recommend(&candidates, &self.options.catch, self.options.max_overhead, &stream);
        let first = &values[0];
        if candidates[0].fraction > 0.0 {
            let text = format!("; overheads are against {}, not against no tracing", first.label);
            reason.push_str(&text);
        }
        (best.map(|best| values[best].value.clone()), reason)
    }

    fn method(&self) -> String {
        let stopping = match self.options.stopping {
            Stopping::Rounds(_) => "paired t on log ratios",
            Stopping::UntilPrecise { .. } => "paired t on log ratios, rounds by Stein's two stages",
        };
        format!(
            "{stopping} against the first value; {} intervals hold together with {:.0} % (Bonferroni)",
            self.changes.comparisons(),
            CONFIDENCE * 100.0
        )
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let whole = balanced::orders(self.options.points.len()).len();
        let rounds = self.changes.rounds();
        if self.changes.is_over() && !rounds.is_multiple_of(whole) {
            notes.push(format!("the order is balanced over every {whole} rounds, and there were {rounds}"));
        }
        if let Some(needed) = self.changes.beyond_the_limit().filter(|_| self.changes.is_over()) {
            notes.push(format!(
                "the precision asked for would take about {needed} rounds (--max-rounds); the intervals hold, and are wider"
            ));
        }
        let (_, plan) = &self.options.points[0];
        if plan.practice.is_none() && plan.streams.iter().any(|stream| stream.operation.writes()) {
            notes.push("the collection grows with every run: values take turns in their order, so that it grows for all alike".to_owned());
        }
        notes
    }

    fn picture(&self, keys: &[&str], values: &[ValueOutcome]) -> Picture {
        let line = |(at, metric): (usize, &Metric)| {
            let name = metric.to_string();
            let of = |value: &ValueOutcome| value.metrics.get(&name).copied();
            let changes: Vec<MetricChange> = values.iter().filter_map(of).collect();
            Line {
                unit: match metric {
                    Metric::Time { .. } => "ns",
                    Metric::Rate { .. } => "per_s",
                    Metric::Recall { .. } | Metric::Errors { .. } => "fraction",
                },
                x: values.iter().map(|value| value.value.clone()).collect(),
                y: changes.iter().map(|change| change.value.or(change.value_ns.map(|ns| ns as f64)).unwrap_or(0.0)).collect(),
                change: changes.iter().map(|change| change.change).collect(),
                low: changes.iter().map(|change| change.low).collect(),
                high: changes.iter().map(|change| change.high).collect(),
                rounds: self.figures[at].clone(),
                metric: name,
            }
        };
        Picture { x_label: keys.join(", "), lines: self.metrics.iter().enumerate().map(line).collect() }
    }
}

#[cfg(test)]
mod tests;
