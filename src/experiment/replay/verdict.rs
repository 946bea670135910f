//! By nature or by circumstance: the test.
//!
//! A quarter of what a request took longer than the stream's median is the margin: the slowest of many were unlucky too as a rule, so
//! more would be asked of a slow nature than it can give. Its repeats are held against the typical requests' repeats,
//! these made slower by the margin, with the rank-sum test in both directions. Significantly slower: the extra time
//! came again, and came with this request. Significantly faster: it stayed away. The order of sending was drawn at random, so
//! under the hypothesis that the request is like a typical one made slower by the margin, every assignment is equally likely, however
//! times hang together. Holm's step-down holds the chance of one wrong verdict of a kind among all requests under [`ALPHA`].

use crate::stats::holm::holm;
use crate::stats::rank::{fewest_to_decide, least_chance, rank_sum};
use crate::trace::Outcome;

use super::choose::Chosen;
use super::error::ReplayError;
use super::repeats::Repeat;

/// The chance that any request is wrongly said to be slow by nature; and the same for by circumstance.
pub(super) const ALPHA: f64 = 0.05;

/// Why a request was slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Slow again, each time: look at what it asks for.
    ByNature,
    /// Not slow again: look at what went on at the time.
    ByCircumstance,
    /// The repeats do not say.
    Undecided,
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// Adjusted for all requests.
    pub(super) p_nature: f64,
    pub(super) p_circumstance: f64,
    pub(super) exact: bool,
}

/// One slow request, with the typical ones of its stream.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) repeats: &'a [Repeat],
    /// The repeats of all typical requests of the stream.
    pub(super) typical: &'a [Repeat],
    /// A quarter of what it took longer than the stream's median.
    pub(super) margin_ns: u64,
}

/// A time that is not known to have ended: longer than all others.
const FOR_EVER: u64 = u64::MAX;

/// What a repeat tells of how long the request takes; `None` of one that failed, or was cut off by the run's end.
pub(super) const fn told_ns(repeat: &Repeat) -> Option<u64> {
    match repeat.outcome {
        Outcome::Ok => Some(repeat.service_ns),
        Outcome::TimedOut => Some(FOR_EVER),
        Outcome::Grpc(_) | Outcome::Milvus(_) | Outcome::Unfinished => None,
    }
}

/// Judges all slow requests of a replay together.
pub(super) fn judge(cases: &[Case<'_>]) -> Vec<Judged> {
    let tests: Vec<_> = cases
        .iter()
        .map(|case| {
            let own: Vec<u64> = case.repeats.iter().filter_map(told_ns).collect();
            let slower: Vec<u64> = case.typical.iter().filter_map(told_ns).map(|ns| ns.saturating_add(case.margin_ns)).collect();
            rank_sum(&own, &slower)
        })
        .collect();
    let adjusted =
        |p: fn(&crate::stats::rank::RankSum) -> f64| holm(&tests.iter().map(|test| test.as_ref().map_or(1.0, p)).collect::<Vec<_>>());
    let (nature, circumstance) = (adjusted(|test| test.larger), adjusted(|test| test.smaller));
    let judged = |at: usize| {
        let (p_nature, p_circumstance) = (nature[at], circumstance[at]);
        let verdict = match (p_nature <= ALPHA, p_circumstance <= ALPHA) {
            (true, false) => Verdict::ByNature,
            (false, true) => Verdict::ByCircumstance,
            _ => Verdict::Undecided,
        };
        Judged { verdict, p_nature, p_circumstance, exact: tests[at].as_ref().is_none_or(|test| test.exact) }
    };
    (0..cases.len()).map(judged).collect()
}

/// Whether so many repeats could decide about every request, if they said so clearly.
pub(super) fn check_decidable(chosen: &Chosen, times: usize) -> Result<(), ReplayError> {
    let requests = chosen.slow();
    let each = ALPHA / requests as f64;
    // The stream with the fewest typical requests has the fewest repeats to be held against.
    let groups = chosen.streams.iter().map(|stream| stream.typical.len() as u64).min().unwrap_or(1);
    if times > 0 && least_chance(times as u64, groups * times as u64) <= each {
        return Ok(());
    }
    Err(ReplayError::TooFew { times, requests, fewest: fewest_to_decide(groups, each).unwrap_or(u64::MAX) })
}
