//! `replay.json`, and what `replay --json` prints: the verdicts with all that they rest on.

use serde::{Deserialize, Serialize};

use crate::result::model::{RunDocument, Trust};
use crate::tail::Explained;
use crate::units::Nanos;

use super::choose::{OfStream, Original};
use super::repeats::{OfOrder, Repeat};
use super::verdict::{ALPHA, Case, Judged, Verdict, judge, told_ns};
use super::{Beside, Replay};

/// The schema that this version writes.
const SCHEMA: &str = "tailtrace.replay/1";

/// A replay. Times are whole nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// The slow requests, slowest first.
    pub requests: Vec<Replayed>,
    /// The typical ones beside them.
    pub typical: Vec<Typical>,
    /// What is known of each stream that has slow requests.
    pub streams: Vec<ReplayedStream>,
    /// Streams that were not replayed, because they write.
    pub left_out: Vec<LeftOut>,
    /// What ran beside the repeats.
    pub load: Beside,
    /// Repeats of each request.
    pub times: usize,
    /// What the order was drawn from.
    pub seed: u64,
    /// How it was decided.
    pub method: Method,
    /// The id of the run that was replayed.
    pub of: String,
    /// Its directory.
    pub of_directory: String,
    /// The id of the run that the repeats were.
    pub run: String,
    /// Its directory: `explain` reads it.
    pub run_directory: String,
    /// How far that run can be trusted.
    pub trust: Trust,
    /// It was stopped early, and so were some repeats.
    pub partial: bool,
    /// What went wrong afterwards and changes no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
}

/// One slow request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Its stream.
    pub stream: String,
    /// Its number in the stored run's stream.
    pub sequence: u64,
    /// Its response time in the stored run.
    pub original_ns: u64,
    /// It had not ended by then.
    pub original_at_least: bool,
    /// What came of it.
    pub verdict: Verdict,
    /// Service times of the repeats that ended ok or timed out, in the order of sending.
    pub repeats_ns: Vec<u64>,
    /// The median of these.
    pub median_ns: Option<u64>,
    /// How many of these timed out: they took at least so long.
    pub timed_out: u64,
    /// Repeats that failed, and tell nothing.
    pub failed: u64,
    /// Repeats that were never sent or never ended.
    pub missing: u64,
    /// The chance of repeats so slow where the request is not slow by nature, adjusted for all requests.
    pub p_nature: f64,
    /// The chance of repeats so fast where it is, likewise.
    pub p_circumstance: f64,
    /// The traces of the repeats, in the order of sending.
    pub trace_ids: Vec<String>,
}

/// One typical request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Typical {
    /// Its stream.
    pub stream: String,
    /// Its number in the stored run's stream.
    pub sequence: u64,
    /// Its response time in the stored run; `null` where it was not kept.
    pub original_ns: Option<u64>,
    /// Service times of the repeats, as those of slow ones.
    pub repeats_ns: Vec<u64>,
}

/// A stream that has slow requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayedStream {
    /// Its name.
    pub stream: String,
    /// The stream of the repeats in the replay's own run.
    pub replayed_as: String,
    /// The median response time in the stored run.
    pub median_ns: u64,
    /// The median service time of the typical requests' repeats.
    pub typical_median_ns: Option<u64>,
    /// A repeat that took longer than this was slow again: the median of the typical ones and the least margin.
    pub slow_above_ns: Option<u64>,
    /// How many of the slow requests' repeats were.
    #[serde(default)]
    pub slow_again: u64,
    /// How many of theirs tell something.
    #[serde(default)]
    pub told: u64,
    /// Where the typical ones come from.
    pub typical_from: TypicalFrom,
    /// What `explain` says of the repeats that were slow again, against the middle half of all; `null` where their traces are not at hand,
    /// and where none of the slow requests' was slow again.
    #[serde(default)]
    pub explained: Option<Explained>,
}

impl ReplayedStream {
    /// Whether typical requests take over twice as long now as in the stored run, ns: what the repeats are held against has changed.
    #[must_use]
    pub fn typical_slower(&self) -> Option<u64> {
        self.typical_median_ns.filter(|now| *now > 2 * self.median_ns)
    }

    /// Where the tail of an explanation begins: at repeats that were slow again, where those of slow requests are among them. In whole
    /// microseconds, for nobody types more.
    #[must_use]
    pub fn explain_above(&self) -> Option<Nanos> {
        self.slow_above_ns.filter(|_| self.slow_again > 0).map(|above| Nanos(above / 1_000 * 1_000))
    }
}

/// Where typical requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypicalFrom {
    /// Sampled requests of the run whose response times lay between the quartiles.
    Sampled,
    /// Too few were sampled: any requests of the stream that are not known to have been slow.
    Drawn,
}

/// A stream that is not replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub stream: String,
    /// What it does.
    pub operation: String,
}

/// How it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// `rank-sum`.
    pub test: String,
    /// Whether all chances are exact; else some are the normal approximation's.
    pub exact: bool,
    /// The chance of one wrong verdict of a kind among all requests.
    pub alpha: f64,
    /// `holm`.
    pub correction: String,
    /// The share of the extra time that makes the difference.
    pub margin: f64,
}

/// The share of the extra time that lies between by nature and by circumstance.
const MARGIN: f64 = 0.25;

/// A quarter of what it took longer than the median of its stream.
pub(super) fn margin_ns(original: &Original, of: &OfStream) -> u64 {
    (original.response_ns.unwrap_or_default().saturating_sub(of.median_ns) as f64 * MARGIN) as u64
}

/// Puts the repeats together and judges them.
pub(super) fn document(replay: &Replay, collected: Vec<OfOrder>, run: &RunDocument) -> ReplayDocument {
    let plan = &replay.plan;
    let streams: Vec<Ended<'_>> = replay
        .chosen
        .streams
        .iter()
        .zip(collected)
        .enumerate()
        .map(|(at, (of, repeats))| Ended {
            of,
            name: replay.name_of(of.stream),
            replayed_as: plan.streams.get(replay.sent.beside + at).map_or_else(String::new, |stream| stream.name.clone()),
            typical: repeats[of.slow.len()..].concat(),
            repeats,
        })
        .collect();
    let slow: Vec<(&Ended<'_>, &Original, &[Repeat])> = streams
        .iter()
        .flat_map(|stream| stream.of.slow.iter().zip(&stream.repeats).map(move |(original, own)| (stream, original, &own[..])))
        .collect();
    let cases: Vec<Case<'_>> = slow
        .iter()
        .map(|(stream, original, repeats)| Case { repeats, typical: &stream.typical, margin_ns: margin_ns(original, stream.of) })
        .collect();
    let judged = judge(&cases);
    let mut requests: Vec<Replayed> = slow
        .iter()
        .zip(&judged)
        .map(|((stream, original, own), judged)| replayed(&stream.name, original, own, judged, replay.times))
        .collect();
    requests.sort_by_key(|request| std::cmp::Reverse(request.original_ns));
    ReplayDocument {
        schema: SCHEMA.to_owned(),
        requests,
        typical: streams.iter().flat_map(Ended::typical_requests).collect(),
        streams: streams.iter().map(Ended::summary).collect(),
        left_out: replay.chosen.left_out.clone(),
        load: replay.settings.beside,
        times: replay.times,
        seed: replay.seed,
        method: Method {
            test: "rank-sum".to_owned(),
            exact: judged.iter().all(|judged| judged.exact),
            alpha: ALPHA,
            correction: "holm".to_owned(),
            margin: MARGIN,
        },
        of: replay.of.id.clone(),
        of_directory: replay.directory.display().to_string(),
        run: run.id.clone(),
        run_directory: String::new(),
        trust: run.trust,
        partial: run.partial,
        trouble: Vec::new(),
    }
}

/// One stream, with what became of its repeats.
struct Ended<'a> {
    of: &'a OfStream,
    name: String,
    replayed_as: String,
    typical: Vec<Repeat>,
    repeats: OfOrder,
}

impl Ended<'_> {
    fn typical_requests(&self) -> impl Iterator<Item = Typical> {
        let own = &self.repeats[self.of.slow.len()..];
        self.of.typical.iter().zip(own).map(|(original, repeats)| Typical {
            stream: self.name.clone(),
            sequence: original.sequence,
            original_ns: original.response_ns,
            repeats_ns: waited(repeats),
        })
    }

    fn summary(&self) -> ReplayedStream {
        let typical_median_ns = median(&waited(&self.typical));
        let margin = self.of.slow.iter().map(|original| margin_ns(original, self.of)).min();
        let slow_above_ns = typical_median_ns.zip(margin).map(|(median, margin)| median + margin);
        let again = waited(&self.repeats[..self.of.slow.len()].concat());
        ReplayedStream {
            stream: self.name.clone(),
            replayed_as: self.replayed_as.clone(),
            median_ns: self.of.median_ns,
            typical_median_ns,
            slow_above_ns,
            slow_again: again.iter().filter(|ns| slow_above_ns.is_some_and(|above| **ns > above)).count() as u64,
            told: again.len() as u64,
            typical_from: self.of.typical_from,
            explained: None,
        }
    }
}

fn replayed(stream: &str, original: &Original, repeats: &[Repeat], judged: &Judged, times: usize) -> Replayed {
    use crate::trace::Outcome;
    let count = |is: fn(&Outcome) -> bool| repeats.iter().filter(|repeat| is(&repeat.outcome)).count() as u64;
    let repeats_ns = waited(repeats);
    let failed = count(|outcome| matches!(outcome, Outcome::Grpc(_) | Outcome::Milvus(_)));
    Replayed {
        stream: stream.to_owned(),
        sequence: original.sequence,
        original_ns: original.response_ns.unwrap_or_default(),
        original_at_least: original.at_least,
        verdict: judged.verdict,
        median_ns: median(&repeats_ns),
        timed_out: count(|outcome| *outcome == Outcome::TimedOut),
        failed,
        missing: (times as u64).saturating_sub(repeats_ns.len() as u64 + failed),
        repeats_ns,
        p_nature: judged.p_nature,
        p_circumstance: judged.p_circumstance,
        trace_ids: repeats.iter().map(|repeat| repeat.trace_id.to_string()).collect(),
    }
}

/// How long each repeat was waited for that tells something.
fn waited(repeats: &[Repeat]) -> Vec<u64> {
    repeats.iter().filter(|repeat| told_ns(repeat).is_some()).map(|repeat| repeat.service_ns).collect()
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    Some(u64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle_of_odd_and_of_even_numbers() {
        for (values, middle) in [(&[][..], None), (&[7], Some(7)), (&[9, 1], Some(5)), (&[9, 1, 2], Some(2)), (&[1, 20, 10, 2], Some(6))] {
            assert_eq!(median(values), middle, "{values:?}");
        }
    }
}
