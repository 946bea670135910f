//! What a search is asked, what it asks of the target, and what it answers: plain data.

use crate::stats::crossing::Sample;

/// What the search is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The first rate, a second.
    pub from: f64,
    /// The lowest rate that is tried.
    pub lowest: f64,
    /// The highest rate that is tried; `None`: until a probe fails.
    pub highest: Option<f64>,
    /// How narrow the answer should be, as a part of the rate.
    pub within: f64,
    /// Length of a full probe, in s.
    pub probe_s: f64,
    /// Length of the confirmation, in s.
    pub confirm_s: f64,
    /// For each SLO the limit of the figure that is estimated for it; `None` where a probe only passes or fails it.
    pub limits: Vec<Option<f64>>,
}

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To find two rates around the edge.
    Bracket,
    /// To estimate the edge.
    Edge,
    /// To confirm the answer.
    Confirm,
}

/// A probe to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    /// A second.
    pub rate: f64,
    /// In s, without warm-up.
    pub seconds: f64,
    /// What for.
    pub purpose: Purpose,
}

/// What a probe showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Every SLO was met, and the target kept up.
    Passed,
    /// It was not.
    Failed {
        /// What failed first.
        why: String,
        /// Only figures that are estimated failed: the estimate knows more about it than this one probe.
        estimated: bool,
        /// Any request was answered.
        answered: bool,
    },
    /// The figures are not about the target.
    NotJudged {
        /// Why not.
        why: String,
    },
}

/// A probe that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What was asked.
    pub ask: Ask,
    /// What came of it.
    pub shown: Shown,
    /// For each SLO what its figure was.
    pub samples: Vec<Option<Sample>>,
}

impl Probe {
    pub(super) const fn passed(&self) -> bool {
        matches!(self.shown, Shown::Passed)
    }

    pub(super) const fn failed(&self) -> bool {
        matches!(self.shown, Shown::Failed { .. })
    }
}

/// How a search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The edge lies between rates that were tried.
    Found,
    /// The highest rate still passes.
    AboveMax,
    /// The lowest rate does not pass.
    BelowMin,
    /// Something kept the target from being judged.
    NotJudged,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How the search ended.
    pub verdict: Verdict,
    /// The highest rate that meets the SLOs, estimated from all probes; the highest tried where that passes; `None` where none is known.
    pub rate: Option<f64>,
    /// The lower end of its 95 % interval; with `NotJudged` the rate up to which the SLOs are known to be met.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The highest rate that a confirming run passed.
    pub confirmed: Option<f64>,
    /// The lowest rate above it that failed.
    pub first_failing: Option<f64>,
    /// In a sentence.
    pub reason: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Make this probe.
    Probe(Ask),
    /// The search is over.
    Done(Answer),
}
