//! Two settings of one scenario, measured in turn until it is decided which is worse.

use crate::result::model::RunDocument;
use crate::scenario::{Metric, Plan};
use crate::stats::{CONFIDENCE, balanced};

use crate::experiment::Observer;
use crate::experiment::rounds::{Cell, Rounds, SeriesOptions, Variant};

use super::CompareError;
use super::decision::{Bound, Change, Sequential, Verdict};
use super::document::{Compared, Comparison, Figures, Method, SCHEMA, Side};
use super::metrics::{self, Reading, reading};

/// The document in the series' directory.
pub const COMPARE_FILE: &str = "compare.json";

/// One side: what is set, and the plan that makes.
#[derive(Debug, Clone)]
pub struct LiveSide {
    /// What is set: `readers.params.ef=64`.
    pub label: String,
    /// The plan.
    pub plan: Plan,
}

/// What is to be compared, and how long.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// The baseline.
    pub base: LiveSide,
    /// The candidate.
    pub candidate: LiveSide,
    /// Which figures; none for the usual ones.
    pub metrics: Vec<Metric>,
    /// By what share times and rates may get worse.
    pub tolerance: f64,
    /// The most rounds.
    pub max_rounds: usize,
}

/// Measures both in turn, A B, B A, …, until every metric is decided or the rounds are used up.
///
/// # Errors
/// Where a run could not be made or cannot be trusted. What was known by then stands in `compare.json`.
pub fn compare(options: &LiveOptions, series: SeriesOptions<'_>, observer: &mut dyn Observer) -> Result<Comparison, CompareError> {
    let names = |plan: &Plan| plan.streams.iter().map(|stream| stream.name.clone()).collect::<Vec<String>>();
    if names(&options.base.plan) != names(&options.candidate.plan) {
        return Err(CompareError::Sides { message: "both sides need the same streams; set keys, not their names".to_owned() });
    }
    for metric in &options.metrics {
        check_stream(metric, &names(&options.base.plan))?;
    }
    let variant = |side: &LiveSide| Variant { label: side.label.clone(), plan: side.plan.clone(), environment: Vec::new() };
    // Both draw from one seed, whichever the scenario left open.
    let (base, mut candidate) = (variant(&options.base), variant(&options.candidate));
    candidate.plan.seed = base.plan.seed;
    let mut rounds = Rounds::begin(vec![base, candidate], series)?;
    let found = Live::new(options).run(&mut rounds, observer);
    let trouble = rounds.end();
    found.map(|mut found| {
        found.notes.extend(trouble);
        found
    })
}

/// A metric must speak of a stream that there is, before anything is measured.
pub fn check_stream(metric: &Metric, streams: &[String]) -> Result<(), CompareError> {
    match metric.stream() {
        Some(name) if !streams.iter().any(|stream| stream == name) => {
            let message = format!("`{metric}`: the scenario has no stream `{name}`, only {}", streams.join(", "));
            Err(CompareError::Sides { message })
        }
        _ => Ok(()),
    }
}

struct Live<'a> {
    options: &'a LiveOptions,
    metrics: Vec<Metric>,
    decision: Option<Sequential>,
    figures: Vec<Figures>,
    bounds: Vec<Bound>,
    sides: [Side; 2],
}

impl<'a> Live<'a> {
    fn new(options: &'a LiveOptions) -> Self {
        let side = |side: &LiveSide| Side { label: side.label.clone(), runs: Vec::new() };
        Self {
            options,
            metrics: options.metrics.clone(),
            decision: None,
            figures: Vec::new(),
            bounds: Vec::new(),
            sides: [side(&options.base), side(&options.candidate)],
        }
    }

    fn run(mut self, rounds: &mut Rounds<'_>, observer: &mut dyn Observer) -> Result<Comparison, CompareError> {
        let orders = balanced::orders(2);
        loop {
            let order = &orders[rounds.done() % orders.len()];
            let planned = self.decision.as_ref().and_then(Sequential::next_look);
            let cells = rounds.round(order, planned.unwrap_or(crate::stats::looks::FEWEST_ROUNDS), observer)?;
            for (side, cell) in self.sides.iter_mut().zip(&cells) {
                side.runs.push(cell.run.path.clone());
                if let Some(why) = cell.distrust() {
                    return Err(CompareError::Untrusted { path: cell.run.path.clone(), why });
                }
            }
            self.take(&cells)?;
            let found = self.document();
            rounds.directory().write(COMPARE_FILE, &found)?;
            if !found.partial {
                return Ok(found);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.decision.as_ref().is_some_and(Sequential::is_over)
    }

    /// Takes the figures of a round's two cells.
    fn take(&mut self, cells: &[Cell]) -> Result<(), CompareError> {
        let [base, candidate] = cells else { unreachable!("a round of two variants has two cells") };
        if self.decision.is_none() {
            self.begin(&base.run.document);
        }
        let mut changes = Vec::with_capacity(self.metrics.len());
        for (at, metric) in self.metrics.iter().enumerate() {
            let (of_base, of_candidate): (Reading, Reading) = (reading(&base.run, metric)?, reading(&candidate.run, metric)?);
            let bound = Bound { baseline: of_base.at_least, candidate: of_candidate.at_least };
            self.figures[at].base.push(of_base.value);
            self.figures[at].candidate.push(of_candidate.value);
            self.bounds[at] = self.bounds[at].or(bound);
            changes.push(Change { ln: of_candidate.ln(metric) - of_base.ln(metric), bound });
        }
        if let Some(decision) = &mut self.decision {
            decision.push(&changes);
        }
        Ok(())
    }

    /// What streams there are, and so the usual metrics, is known with the first run.
    fn begin(&mut self, document: &RunDocument) {
        if self.metrics.is_empty() {
            self.metrics = metrics::default_metrics(document);
        }
        let questions: Vec<_> = self.metrics.iter().map(|metric| metrics::question(metric, self.options.tolerance)).collect();
        self.decision = Some(Sequential::new(&questions, self.options.max_rounds));
        self.figures = vec![Figures::default(); self.metrics.len()];
        self.bounds = vec![Bound::default(); self.metrics.len()];
    }

    fn document(&self) -> Comparison {
        let decisions = self.decision.as_ref().map(Sequential::decisions).unwrap_or_default();
        let compared: Vec<Compared> = self
            .metrics
            .iter()
            .zip(decisions)
            .zip(self.figures.iter().zip(&self.bounds))
            .map(|((metric, decision), (figures, bound))| {
                let tolerance = metrics::question(metric, self.options.tolerance).tolerance;
                Compared::new(metric, tolerance, decision, *bound, figures.clone())
            })
            .collect();
        Comparison {
            schema: SCHEMA,
            partial: !self.is_over(),
            verdict: Verdict::of_all(compared.iter().map(|metric| metric.verdict)),
            reason: Comparison::reason(&compared, Method::Rounds),
            metrics: compared,
            method: Method::Rounds,
            confidence: CONFIDENCE,
            base: self.sides[0].clone(),
            candidate: self.sides[1].clone(),
            max_rounds: self.decision.as_ref().map(Sequential::most_rounds),
            notes: self.notes(),
        }
    }

    fn notes(&self) -> Vec<String> {
        let writes = |plan: &Plan| plan.streams.iter().any(|stream| stream.operation.writes());
        if self.options.base.plan.practice.is_none() && writes(&self.options.base.plan) {
            return vec![
                "the collection grows with every run: sides take turns in going first, so that it grows for both alike".to_owned(),
            ];
        }
        Vec::new()
    }
}
