//! Better, worse, or not to be told: the decision, apart from where its figures come from.
//!
//! A non-inferiority test: `ok` has to be shown as much as `regression` has. A candidate is ok where the interval of its change
//! lies within the tolerance, and a regression where it lies beyond; nothing is said where it lies on both sides. The intervals of
//! all metrics, over all looks at a comparison that goes on, hold together with 95 %: Bonferroni over the metrics, [`Looks`] over time.

use serde::Serialize;

use crate::stats::CONFIDENCE;
use crate::stats::interval::Interval;
use crate::stats::log_ratio::{self, Estimate};
use crate::stats::looks::Looks;

/// What times and rates may get worse by, where nothing else is said: less is hard to show on a shared machine.
pub const TOLERANCE: f64 = 0.05;

/// Most rounds of a live comparison. At 3 % of scatter from run to run, equal settings are found ok by then nine times in ten with
/// six metrics, and a slowdown of twice the tolerance nineteen times in twenty (`decision/tests.rs`); most end after a third of them.
pub const MAX_ROUNDS: usize = 30;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not worse by more than the tolerance; an improvement is ok.
    Ok,
    /// Too little is known to say either.
    Undecided,
    /// Worse by more than the tolerance.
    Regression,
}

impl Verdict {
    /// Of all metrics together: one regression is one, and all must be ok.
    #[must_use]
    pub fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Undecided)
    }

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Undecided => "undecided",
            Self::Regression => "regression",
        }
    }
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worse {
    /// Times.
    More,
    /// Rates, shares of good answers.
    Less,
}

/// What is asked of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Which way is worse.
    pub worse: Worse,
    /// By what share it may get worse, 0 to 1.
    pub tolerance: f64,
}

impl Question {
    /// The tolerance as a logarithm, in the direction that is worse.
    fn limit(self) -> f64 {
        match self.worse {
            Worse::More => self.tolerance.ln_1p(),
            Worse::Less => -(-self.tolerance).ln_1p(),
        }
    }

    /// The change in the direction that is worse.
    fn harm(self, ln: f64) -> f64 {
        match self.worse {
            Worse::More => ln,
            Worse::Less => -ln,
        }
    }

    /// The verdict, were the figures what they seem.
    fn seeming(self, change: Interval) -> Verdict {
        let (best, worst) = match self.worse {
            Worse::More => (change.low, change.high),
            Worse::Less => (-change.high, -change.low),
        };
        // Intervals of several looks that contradict each other decide nothing.
        if best > worst {
            Verdict::Undecided
        } else if worst <= self.limit() {
            Verdict::Ok
        } else if best > self.limit() {
            Verdict::Regression
        } else {
            Verdict::Undecided
        }
    }

    fn verdict(self, change: Interval, bound: Bound) -> Verdict {
        let seeming = self.seeming(change);
        if bound.forbids(seeming).is_some() { Verdict::Undecided } else { seeming }
    }

    /// The verdict that more rounds would come to, by what is known.
    fn ahead(self, change: Interval, ln: f64) -> Verdict {
        match self.seeming(change) {
            Verdict::Undecided if self.harm(ln) > self.limit() => Verdict::Regression,
            Verdict::Undecided => Verdict::Ok,
            seeming => seeming,
        }
    }
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The baseline's.
    Baseline,
    /// The candidate's.
    Candidate,
}

impl Whose {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        }
    }
}

/// Whether figures are lower bounds only, because requests that never ended would have raised them: a candidate's is no proof that it
/// is fast, a baseline's none that it was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound {
    /// A figure of the baseline is one.
    pub baseline: bool,
    /// A figure of the candidate is one.
    pub candidate: bool,
}

impl Bound {
    /// Either's.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { baseline: self.baseline || other.baseline, candidate: self.candidate || other.candidate }
    }

    /// Whose figure is no proof of this verdict.
    const fn forbids(self, verdict: Verdict) -> Option<Whose> {
        match verdict {
            Verdict::Ok if self.candidate => Some(Whose::Candidate),
            Verdict::Regression if self.baseline => Some(Whose::Baseline),
            _ => None,
        }
    }
}

/// What is known about one metric, as factors: candidate ÷ baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// What was found.
    pub verdict: Verdict,
    /// The estimate, never outside of its interval.
    pub ratio: f64,
    /// The lower end of its interval; 0 where nothing bounds it yet.
    pub low: f64,
    /// The upper end; infinite where nothing bounds it yet.
    pub high: f64,
    /// Rounds, or runs a side, behind it.
    pub rounds: usize,
    /// Of an undecided one: how many more it would take, about; `None` where that is more than anybody measures, or none would do.
    pub more_rounds: Option<usize>,
    /// Of an undecided one: whose lower bound keeps it so, however many rounds there are.
    pub bound_of: Option<Whose>,
}

/// Decides on what was measured once and for all, as one of so many metrics.
#[must_use]
pub fn decide(question: Question, found: &Estimate, rounds: usize, bound: Bound, metrics: usize) -> Decision {
    let tail = (1.0 - CONFIDENCE) / 2.0 / metrics.max(1) as f64;
    let change = found.bounds(tail);
    conclude(question, found, change, bound, rounds, tail)
}

fn conclude(question: Question, found: &Estimate, change: Interval, bound: Bound, rounds: usize, tail: f64) -> Decision {
    let verdict = question.verdict(change, bound);
    let is_open = verdict == Verdict::Undecided;
    let bound_of = bound.forbids(question.ahead(change, found.value)).filter(|_| is_open);
    let more_rounds = (is_open && bound_of.is_none()).then(|| {
        let distance = (question.limit() - question.harm(found.value)).abs();
        log_ratio::rounds_until(found, rounds, distance, tail).map(|needed| needed.saturating_sub(rounds).max(1))
    });
    // What all rounds say together can lie outside of what an earlier look left over, where a late round was an outlier.
    let value = if change.low <= change.high { found.value.clamp(change.low, change.high) } else { found.value };
    let (low, high) = (change.low.exp(), change.high.exp());
    Decision { verdict, ratio: value.exp(), low, high, rounds, more_rounds: more_rounds.flatten(), bound_of }
}

/// One round's change of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// ln(candidate ÷ baseline).
    pub ln: f64,
    /// Whether its figures are bounds.
    pub bound: Bound,
}

/// A comparison that goes on round by round until it is decided, or has had its rounds.
#[derive(Debug, Clone)]
pub struct Sequential {
    looks: Looks,
    /// What each metric may err by, over both sides and all looks.
    alpha: f64,
    rounds: usize,
    metrics: Vec<Tracked>,
}

#[derive(Debug, Clone)]
struct Tracked {
    question: Question,
    logs: Vec<f64>,
    bound: Bound,
    /// What all looks leave over.
    change: Interval,
}

impl Sequential {
    /// Asks these questions, over at most so many rounds.
    #[must_use]
    pub fn new(questions: &[Question], most_rounds: usize) -> Self {
        let everything = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        let tracked = |question: &Question| Tracked { question: *question, logs: Vec::new(), bound: Bound::default(), change: everything };
        Self {
            looks: Looks::up_to(most_rounds),
            alpha: (1.0 - CONFIDENCE) / questions.len().max(1) as f64,
            rounds: 0,
            metrics: questions.iter().map(tracked).collect(),
        }
    }

    /// Takes a round: one change for each question, in their order.
    pub fn push(&mut self, round: &[Change]) {
        self.rounds += 1;
        let level = self.looks.level(self.rounds, self.alpha);
        for (metric, change) in self.metrics.iter_mut().zip(round) {
            metric.logs.push(change.ln);
            metric.bound = metric.bound.or(change.bound);
            if let Some(level) = level
                && let Some(found) = log_ratio::paired(&metric.logs)
            {
                let now = found.bounds(level / 2.0);
                metric.change = Interval { low: metric.change.low.max(now.low), high: metric.change.high.min(now.high) };
            }
        }
    }

    /// Rounds so far.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        self.rounds
    }

    /// The most rounds there will be.
    #[must_use]
    pub fn most_rounds(&self) -> usize {
        self.looks.most()
    }

    /// After how many rounds the next look is; `None` where there is none.
    #[must_use]
    pub fn next_look(&self) -> Option<usize> {
        self.looks.rounds().iter().copied().find(|look| *look > self.rounds)
    }

    /// Whether more rounds would change nothing: a regression is shown, all are ok or kept from it by lower bounds alone, or the rounds
    /// are used up.
    ///
    /// To end where only bounds stand in the way gives up no verdict and makes no error likelier: intervals only shrink, a bound stays
    /// one, so that a metric whose interval lies on one side of its limit gets no verdict later that it cannot have now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let verdicts = self.metrics.iter().map(|metric| metric.question.verdict(metric.change, metric.bound));
        let settled = |metric: &Tracked| metric.question.seeming(metric.change) != Verdict::Undecided;
        let all_settled = !self.metrics.is_empty() && self.metrics.iter().all(settled);
        Verdict::of_all(verdicts) == Verdict::Regression || all_settled || self.next_look().is_none()
    }

    /// What is known by now, in the questions' order. Rounds after the last look move the estimates, not the intervals.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let tail = Looks::last_level(self.alpha) / 2.0;
        let nothing = Estimate { value: 0.0, standard_error: f64::INFINITY, degrees: 1.0 };
        let of = |metric: &Tracked| {
            let single = |log: &f64| Estimate { value: *log, ..nothing };
            let found = log_ratio::paired(&metric.logs).or_else(|| metric.logs.first().map(single)).unwrap_or(nothing);
            conclude(metric.question, &found, metric.change, metric.bound, self.rounds, tail)
        };
        self.metrics.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests;
