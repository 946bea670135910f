//! Which requests of a stored run are sent again: its slowest, and as many typical ones of the same streams.

use std::collections::{BTreeMap, HashSet};

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use crate::result::StoredRun;
use crate::result::requests::Request;
use crate::scenario::Plan;

use super::document::{LeftOut, TypicalFrom};
use super::error::ReplayError;

/// A request that is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Original {
    /// Its stream's place in the plan.
    pub(super) stream: usize,
    pub(super) sequence: u64,
    /// Its response time in the stored run, where that is known.
    pub(super) response_ns: Option<u64>,
    /// It had not ended when it was given up.
    pub(super) at_least: bool,
}

/// What is sent again of one stream.
#[derive(Debug)]
pub(super) struct OfStream {
    pub(super) stream: usize,
    /// The median response time of the whole stream in the stored run.
    pub(super) median_ns: u64,
    /// The slowest first.
    pub(super) slow: Vec<Original>,
    pub(super) typical: Vec<Original>,
    pub(super) typical_from: TypicalFrom,
}

/// What is sent again.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) streams: Vec<OfStream>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Chosen {
    /// All of it.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Original> {
        self.streams.iter().flat_map(|stream| stream.slow.iter().chain(&stream.typical))
    }

    pub(super) fn slow(&self) -> usize {
        self.streams.iter().map(|stream| stream.slow.len()).sum()
    }
}

/// Chooses the `top` slowest requests of all streams that read, and beside those of each stream as many typical ones of it.
pub(super) fn choose(stored: &StoredRun, plan: &Plan, top: usize, seed: u64) -> Result<Chosen, ReplayError> {
    let document = &stored.document;
    let left_out: Vec<LeftOut> = plan
        .streams
        .iter()
        .filter(|stream| stream.operation.writes())
        .map(|stream| LeftOut { stream: stream.name.clone(), operation: stream.operation.name().to_owned() })
        .collect();
    if left_out.len() == plan.streams.len() {
        let streams = left_out.iter().map(|out| format!("`{}`", out.stream)).collect::<Vec<_>>().join(", ");
        return Err(ReplayError::OnlyWrites { path: stored.path.clone(), streams });
    }
    let kept = stored.requests()?;
    let known = |name: &str| plan.streams.iter().position(|stream| stream.name == name && !stream.operation.writes());
    // The document holds ten of each stream even where the file of the others is lost.
    let mut found: BTreeMap<(usize, u64), Original> = BTreeMap::new();
    for (index, stream) in document.streams.iter().filter_map(|stream| Some((known(&stream.name)?, stream))) {
        for slow in stream.slowest.iter().filter(|slow| replayable(&slow.outcome)) {
            let original = original(index, slow.sequence, slow.response_ns, &slow.outcome);
            found.insert((index, slow.sequence), original);
        }
    }
    for request in kept.iter().filter(|request| request.measured && replayable(&request.outcome)) {
        if let Some(index) = known(&request.stream) {
            found.insert((index, request.sequence), original(index, request.sequence, request.response_ns(), &request.outcome));
        }
    }
    let mut slowest: Vec<Original> = found.into_values().collect();
    slowest.sort_by_key(|original| std::cmp::Reverse(original.response_ns));
    slowest.truncate(top);
    if slowest.is_empty() {
        return Err(ReplayError::NoRequests { path: stored.path.clone() });
    }
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(seed);
    let streams = (0..plan.streams.len())
        .filter_map(|stream| {
            let slow: Vec<Original> = slowest.iter().filter(|original| original.stream == stream).cloned().collect();
            (!slow.is_empty()).then(|| of_stream(stored, &kept, &plan.streams[stream].name, slow, &mut random))
        })
        .collect();
    Ok(Chosen { streams, left_out })
}

/// A failure says nothing about how long an answer takes.
fn replayable(outcome: &str) -> bool {
    matches!(outcome, "ok" | "timed_out" | "unfinished")
}

fn original(stream: usize, sequence: u64, response_ns: u64, outcome: &str) -> Original {
    Original { stream, sequence, response_ns: Some(response_ns), at_least: outcome != "ok" }
}

/// Typical ones: sampled requests between the quartiles of the stream, drawn at random. Where too few of them were kept, the rest are any
/// numbers of the stream that are not known to be slow: half of those were typical, and few were slow.
fn of_stream(stored: &StoredRun, kept: &[Request], name: &str, slow: Vec<Original>, random: &mut rand_pcg::Pcg64Mcg) -> OfStream {
    let own = |request: &&Request| request.stream == name && request.measured;
    let mut sampled: Vec<&Request> = kept.iter().filter(own).filter(|request| request.sampled && request.outcome == "ok").collect();
    sampled.sort_by_key(|request| request.response_ns());
    let quantile = |q: f64| {
        let logged = stored.times.get(name).filter(|times| times.response.count() > 0).map(|times| times.response.quantile_ns(q));
        logged.or_else(|| Some(sampled.get((q * sampled.len() as f64) as usize)?.response_ns()))
    };
    let (low, high) = (quantile(0.25).unwrap_or(0), quantile(0.75).unwrap_or(u64::MAX));
    let median_ns = quantile(0.5).or_else(|| stored.document.stream(name)?.response.p50_ns).unwrap_or_default();
    let stream = slow[0].stream;
    let mut taken: HashSet<u64> = slow.iter().map(|original| original.sequence).collect();
    let between: Vec<&&Request> =
        sampled.iter().filter(|request| (low..=high).contains(&request.response_ns()) && !taken.contains(&request.sequence)).collect();
    let mut typical: Vec<Original> = between
        .sample(random, slow.len())
        .map(|request| original(stream, request.sequence, request.response_ns(), &request.outcome))
        .collect();
    let typical_from = if typical.len() == slow.len() { TypicalFrom::Sampled } else { TypicalFrom::Drawn };
    let outliers = kept.iter().filter(own).filter(|request| request.response_ns() > high).map(|request| request.sequence);
    taken.extend(outliers.chain(typical.iter().map(|original| original.sequence)));
    let last = kept.iter().filter(own).map(|request| request.sequence).chain(slow.iter().map(|original| original.sequence)).max();
    // Requests follow from their numbers, whether or not the run came so far: beyond the last one there are more.
    let range = last.unwrap_or(0).saturating_add(1 + 2 * (slow.len() + taken.len()) as u64);
    while typical.len() < slow.len() {
        let sequence = random.random_range(0..range);
        if taken.insert(sequence) {
            typical.push(Original { stream, sequence, response_ns: None, at_least: false });
        }
    }
    typical.shuffle(random);
    OfStream { stream, median_ns, slow, typical, typical_from }
}
