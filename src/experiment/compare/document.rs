//! What a comparison says, as plain data: the document that `--json` prints.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::result::model::RunDocument;
use crate::scenario::Metric;

use super::decision::{Bound, Decision, Verdict, Whose};

/// The schema of the document.
pub(super) const SCHEMA: &str = "tailtrace.compare/1";

/// How the intervals came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Paired t over interleaved rounds, looked at by plan.
    Rounds,
    /// Welch's t over runs; where one side is a single run, with the other side's spread.
    Runs,
    /// One run a side: how its seconds scatter.
    Seconds,
}

impl Method {
    /// For people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Rounds => "paired t on the log ratios of interleaved rounds, at planned looks",
            Self::Runs => "t on the logarithms of the runs' figures",
            Self::Seconds => "block bootstrap over the seconds of one run a side",
        }
    }

    /// What there could be more of: so many `rounds`, or `runs a side`.
    #[must_use]
    pub const fn unit(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Rounds, 1) => "round",
            (Self::Rounds, _) => "rounds",
            (Self::Runs | Self::Seconds, 1) => "run a side",
            (Self::Runs | Self::Seconds, _) => "runs a side",
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Of a live comparison: more rounds were planned; this is what was known by then.
    pub partial: bool,
    /// Of all metrics together.
    pub verdict: Verdict,
    /// One sentence.
    pub reason: String,
    /// One entry a metric.
    pub metrics: Vec<Compared>,
    /// How the intervals came about.
    pub method: Method,
    /// The confidence with which all intervals hold together.
    pub confidence: f64,
    /// What is compared with.
    pub base: Side,
    /// What is compared.
    pub candidate: Side,
    /// Of a live comparison: the most rounds there could have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rounds: Option<usize>,
    /// What is to be known before the figures are believed.
    pub notes: Vec<String>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What makes the side, such as `readers.params.ef=64`, or its first run.
    pub label: String,
    /// Its run directories.
    pub runs: Vec<PathBuf>,
}

/// One metric's comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    #[serde(serialize_with = "by_name")]
    pub metric: Metric,
    /// What was found.
    pub verdict: Verdict,
    /// candidate ÷ baseline; of errors, that of the shares of good answers.
    pub ratio: f64,
    /// The lower end of its interval.
    #[serde(serialize_with = "finite")]
    pub low: f64,
    /// The upper end; `null` where nothing bounds it yet.
    #[serde(serialize_with = "finite")]
    pub high: f64,
    /// Rounds, or runs of the smaller side, behind it.
    pub rounds: usize,
    /// By what share it may get worse.
    pub tolerance: f64,
    /// The baseline's figure (geometric mean of several, arithmetic where one is 0), in ns, a second, or 0 to 1.
    pub base: f64,
    /// The candidate's.
    pub candidate: f64,
    /// A figure of either side is a lower bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Of an undecided one: how many more rounds (or runs a side) it would take, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_rounds: Option<usize>,
    /// Of an undecided one: the side whose lower bound keeps it so, however many rounds (or runs) there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_of: Option<Whose>,
    /// The figures behind it: baseline and candidate of each round, or all of one side.
    pub figures: Figures,
}

/// The figures of both sides, in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Figures {
    /// The baseline's.
    pub base: Vec<f64>,
    /// The candidate's.
    pub candidate: Vec<f64>,
}

impl Compared {
    pub(super) fn new(metric: &Metric, tolerance: f64, decision: Decision, bound: Bound, figures: Figures) -> Self {
        Self {
            metric: metric.clone(),
            verdict: decision.verdict,
            ratio: decision.ratio,
            low: decision.low,
            high: decision.high,
            rounds: decision.rounds,
            tolerance,
            base: middle(&figures.base),
            candidate: middle(&figures.candidate),
            at_least: bound.baseline || bound.candidate,
            more_rounds: decision.more_rounds,
            bound_of: decision.bound_of,
            figures,
        }
    }
}

/// Geometric mean; the arithmetic one where a figure is zero, as errors are.
pub(in crate::experiment) fn middle(figures: &[f64]) -> f64 {
    let n = figures.len().max(1) as f64;
    if figures.iter().all(|figure| *figure > 0.0) {
        (figures.iter().map(|figure| figure.ln()).sum::<f64>() / n).exp()
    } else {
        figures.iter().sum::<f64>() / n
    }
}

impl Comparison {
    /// The sentence that says what was found.
    pub(super) fn reason(metrics: &[Compared], method: Method) -> String {
        let of = |verdict| metrics.iter().filter(move |metric| metric.verdict == verdict);
        match Verdict::of_all(metrics.iter().map(|metric| metric.verdict)) {
            Verdict::Ok => "every metric is within its tolerance".to_owned(),
            Verdict::Regression => format!("worse by more than the tolerance: {}", names(&of(Verdict::Regression).collect::<Vec<_>>())),
            Verdict::Undecided => {
                let why = |bound_of: Option<Whose>| {
                    let open: Vec<&Compared> = of(Verdict::Undecided).filter(|metric| metric.bound_of == bound_of).collect();
                    let said = || bound_of.map_or_else(|| too_little(&open, method), |whose| only_a_bound(&open, whose, method));
                    (!open.is_empty()).then(said)
                };
                let all = [None, Some(Whose::Baseline), Some(Whose::Candidate)];
                all.into_iter().filter_map(why).collect::<Vec<String>>().join("; ")
            }
        }
    }
}

fn names(metrics: &[&Compared]) -> String {
    metrics.iter().map(|metric| metric.metric.to_string()).collect::<Vec<_>>().join(", ")
}

/// What is said of metrics that more rounds might decide.
fn too_little(open: &[&Compared], method: Method) -> String {
    let more = open.iter().map(|metric| metric.more_rounds).collect::<Option<Vec<usize>>>().and_then(|all| all.into_iter().max());
    let hope = match more {
        Some(more) => format!("it would take about {more} more {}", method.unit(more)),
        None => format!("no number of {} will do: the change lies too near to the tolerance", method.unit(0)),
    };
    format!("too little is known of {}; {hope}", names(open))
}

/// What is said of metrics that a lower bound keeps from a verdict.
fn only_a_bound(open: &[&Compared], whose: Whose, method: Method) -> String {
    let are = if open.len() == 1 { "is only a lower bound" } else { "are only lower bounds" };
    format!(
        "requests of the {} timed out or were never answered, so that its {} {are}, which more {} do not change: raise `timeout` and \
         `load.drain`, or lower the rate",
        whose.as_str(),
        names(open),
        method.unit(0)
    )
}

/// Where a run came from, for a side's label.
pub(super) fn label(document: &RunDocument) -> String {
    let version = document.target.version.as_deref().unwrap_or(&document.target.uri);
    format!("{} on {version}, {}", document.scenario, document.started)
}

fn by_name<S: Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(metric)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn finite<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_none() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undecided(metric: &str, more_rounds: Option<usize>) -> Compared {
        let decision = Decision { verdict: Verdict::Undecided, ratio: 1.0, low: 0.9, high: 1.1, rounds: 4, more_rounds, bound_of: None };
        Compared::new(&metric.parse().unwrap(), 0.05, decision, Bound::default(), Figures::default())
    }

    #[test]
    fn an_undecided_comparison_says_what_more_it_would_take_of_what_was_compared() {
        for (method, more, part) in [
            (Method::Rounds, Some(1), "about 1 more round"),
            (Method::Rounds, Some(7), "about 7 more rounds"),
            (Method::Rounds, None, "no number of rounds will do"),
            (Method::Runs, Some(1), "about 1 more run a side"),
            (Method::Seconds, Some(7), "about 7 more runs a side"),
            (Method::Runs, None, "no number of runs a side will do"),
        ] {
            let reason = Comparison::reason(&[undecided("readers.response.p99", more)], method);
            let end = if more.is_some() { part.to_owned() } else { format!("{part}: the change lies too near to the tolerance") };
            assert!(reason.starts_with("too little is known of readers.response.p99; ") && reason.ends_with(&end), "{reason}");
        }
    }

    #[test]
    fn a_lower_bound_in_the_way_is_not_explained_as_too_little_data() {
        let bounded = |metric, whose| Compared { bound_of: Some(whose), ..undecided(metric, None) };
        let (p99, p50) = (bounded("readers.response.p99", Whose::Candidate), bounded("readers.response.p50", Whose::Candidate));
        let one = Comparison::reason(std::slice::from_ref(&p99), Method::Runs);
        let expected = "requests of the candidate timed out or were never answered, so that its readers.response.p99 is only a lower bound, \
                        which more runs a side do not change: raise `timeout` and `load.drain`, or lower the rate";
        assert_eq!(one, expected);
        let two = Comparison::reason(&[p50, p99, undecided("errors", Some(3))], Method::Rounds);
        assert!(two.starts_with("too little is known of errors; it would take about 3 more rounds; requests of the candidate "), "{two}");
        assert!(
            two.contains("its readers.response.p50, readers.response.p99 are only lower bounds, which more rounds do not change"),
            "{two}"
        );
        let of_base = Comparison::reason(&[bounded("readers.response.p99", Whose::Baseline)], Method::Rounds);
        assert!(of_base.starts_with("requests of the baseline timed out"), "{of_base}");
    }
}
