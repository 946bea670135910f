//! Where the SLOs stop being met, from all probes together.

use crate::stats::CONFIDENCE;
use crate::stats::crossing::{self, Crossing, Estimate, Sample};

use super::probe::{Probe, Question, Shown};

/// A confirming run should pass with this chance where the estimate is right: 2 standard deviations below the edge, so 98 % of the time.
const SHOULD_PASS: f64 = 2.0;

/// The edge: a rate and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    /// The rate.
    pub(super) at: f64,
    /// The lower end of its interval.
    pub(super) low: f64,
    /// The upper end.
    pub(super) high: f64,
    /// From which figure it was estimated; `None` where only a bracket is known.
    pub(super) fitted: Option<Crossing>,
    /// The limit of that figure.
    limit: f64,
}

/// The edge of what these probes saw, of which `passed` is the highest rate that passed below the lowest that failed; `None` where
/// more probes have to tell. Of several SLOs the one that is reached first decides.
#[must_use]
pub(super) fn edge(question: &Question, probes: &[Probe], passed: f64, failed: f64) -> Option<Edge> {
    let bracket = Edge { at: (passed * failed).sqrt(), low: passed, high: failed, fitted: None, limit: 0.0 };
    let (mut fitted, mut cliff) = (Vec::new(), false);
    for (slo, limit) in question.limits.iter().enumerate().filter_map(|(slo, limit)| Some((slo, (*limit)?))) {
        let samples: Vec<Sample> = probes.iter().filter_map(|probe| *probe.samples.get(slo)?).collect();
        match crossing::estimate(&samples, limit, bracket.at, CONFIDENCE) {
            Estimate::At(crossing) => fitted.push((limit, crossing)),
            Estimate::Cliff => cliff = true,
            Estimate::Unknown => {}
        }
    }
    let plain = |probe: &&Probe| matches!(probe.shown, Shown::Failed { estimated: false, .. });
    let failed_plainly = probes.iter().filter(plain).map(|probe| probe.ask.rate).reduce(f64::min);
    let Some((limit, first)) = fitted.iter().copied().min_by(|a, b| a.1.at.total_cmp(&b.1.at)) else {
        return (cliff || failed_plainly.is_some_and(|rate| rate <= failed)).then_some(bracket);
    };
    // A line through a jump is wrong, and says so by an interval that two clear probes know better.
    let known = first.low >= passed && first.high <= failed;
    if !known && clear(probes, question, passed, &first, false) && clear(probes, question, failed, &first, true) {
        return Some(bracket);
    }
    // What is only passed or failed has the last word where it failed below the estimate.
    if failed_plainly.is_some_and(|rate| rate < first.low) {
        return Some(bracket);
    }
    let low = fitted.iter().map(|(_, crossing)| crossing.low).fold(first.low, f64::min);
    let high = fitted.iter().map(|(_, crossing)| crossing.high).fold(first.high, f64::min);
    Some(Edge { at: first.at, low, high: high.max(first.at), fitted: Some(first), limit })
}

/// Whether probes at a rate were clearly within their limits, or one clearly beyond, by more than such a queue's chance.
fn clear(probes: &[Probe], question: &Question, rate: f64, fitted: &Crossing, beyond: bool) -> bool {
    let at = probes.iter().filter(|probe| probe.ask.rate == rate);
    let mut figures =
        at.flat_map(|probe| question.limits.iter().zip(&probe.samples)).filter_map(|(limit, sample)| Some(((*limit)?, (*sample)?)));
    let side = |(limit, sample): (f64, Sample)| sample.clearly_beyond(limit, fitted.within);
    if beyond { figures.any(|figure| side(figure) == Some(true)) } else { figures.all(|figure| side(figure) == Some(false)) }
}

impl Edge {
    /// By how much the edge scatters that one run of so many seconds shows, as a part of the rate: one standard deviation.
    pub(super) fn scatter(&self, seconds: f64) -> f64 {
        let Some(fitted) = self.fitted else { return 0.0 };
        let count = fitted.at * seconds * self.limit;
        (fitted.dispersion / count.max(1.0)).sqrt() / fitted.slope
    }

    /// The rate at which a run of so many seconds should pass, by what is known and by how such runs scatter.
    pub(super) fn should_pass(&self, seconds: f64, within: f64) -> f64 {
        let Some(fitted) = self.fitted else { return self.low };
        let both = self.scatter(seconds).hypot(fitted.error / fitted.slope);
        self.at * (1.0 - (SHOULD_PASS * both).clamp(within / 2.0, 0.5))
    }
}
