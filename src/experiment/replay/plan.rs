//! The plan of a replay: that of the stored run, with a stream of repeats for each stream that has slow requests.

use crate::load::{Shape, Stage, StreamLoad};
use crate::milvus::operation::Settings as Operation;
use crate::result::model::RunDocument;
use crate::scenario::{Lanes, Plan, Stream};
use crate::stats::arrivals::Process;
use crate::units::{Nanos, Rate};

use super::choose::Chosen;
use super::error::ReplayError;
use super::order::Sent;
use super::{Beside, ReplaySettings};

/// Beside the run's load: repeats are this share of what it achieved, so that they change little of what they are to meet.
const SHARE: f64 = 0.05;
/// Repeats a second beside the run's load: at least, so that a slow run is not replayed for hours, and at most.
const RATES: (f64, f64) = (1.0, 50.0);
/// Alone: the share of the time in which a repeat is on its way, by what the requests took in the stored run.
const BUSY_ALONE: f64 = 0.6;
/// Alone, at most so many a second.
const FASTEST_ALONE: f64 = 200.0;
/// A stream that has more requests unanswered than this is no gentle one.
const IN_FLIGHT: usize = 64;
/// Stream names are no longer than this.
const LONGEST_NAME: usize = 64;

/// What `--set` may change: none of it changes a request.
pub(super) const KEYS: [&str; 4] = ["target", "load", "trace", "practice"];
/// What follows from the repeats.
const LENGTH: &str = "load.duration";

/// Whether every override, as it was typed, is of a key that a replay can change.
pub(super) fn check_keys(set: &[String]) -> Result<(), ReplayError> {
    for key in set.iter().map(|set| set.split_once('=').map_or(set.as_str(), |(key, _)| key).trim()) {
        if key == LENGTH {
            return Err(ReplayError::Length);
        }
        if !KEYS.contains(&key.split('.').next().unwrap_or_default().trim()) {
            return Err(ReplayError::OtherKey { key: key.to_owned() });
        }
    }
    Ok(())
}

/// Whether a plan that `--set` has changed still sends the requests of the run's own.
pub(super) fn check_same_requests(own: &Plan, plan: &Plan) -> Result<(), ReplayError> {
    let other = |what: String| Err(ReplayError::OtherRequests { what });
    if own.seed != plan.seed {
        return other("seed".to_owned());
    }
    let (was, is) = (&own.collection, &plan.collection);
    if (was.dim, was.rows, was.metric, &was.vector_field) != (is.dim, is.rows, is.metric, &is.vector_field) {
        return other("the rows of `collection`".to_owned());
    }
    if own.streams.len() != plan.streams.len() {
        return other("the number of streams".to_owned());
    }
    match own.streams.iter().zip(&plan.streams).find(|(was, is)| was.name != is.name || was.operation != is.operation) {
        Some((was, _)) => other(format!("what `{}` sends", was.name)),
        None => Ok(()),
    }
}

/// Adds the repeats, and makes phases as long as they take.
pub(super) fn with_repeats(
    mut plan: Plan,
    chosen: &Chosen,
    sent: &Sent,
    settings: &ReplaySettings,
    of: &RunDocument,
) -> Result<Plan, ReplayError> {
    if let Some(rate) = settings.rate.filter(|rate| rate.per_second() <= 0.0) {
        return Err(ReplayError::Rate { rate: rate.to_string() });
    }
    // They speak of the run that was.
    plan.gates.clear();
    // A collection that the run has left there holds the same rows, and could not be made again beside it.
    plan.collection.reuse |= plan.collection.keep && plan.practice.is_none();
    let repeats = match settings.beside {
        Beside::Same => beside_the_load(&mut plan, chosen, sent, settings.rate, of),
        Beside::None => alone(&mut plan, chosen, sent, settings.rate),
    };
    plan.streams.extend(repeats);
    Ok(plan)
}

/// So much of a rate that exactly `count` requests are due in it, none of them at its very end.
fn length(count: usize, rate: f64) -> Nanos {
    Nanos(((count as f64 - 0.5) / rate * 1e9) as u64)
}

fn beside_the_load(plan: &mut Plan, chosen: &Chosen, sent: &Sent, rate: Option<Rate>, of: &RunDocument) -> Vec<Stream> {
    let counts: Vec<usize> = sent.orders.iter().map(|order| order.requests.len()).collect();
    let all: usize = counts.iter().sum();
    let moving = plan.streams.iter().any(|stream| match &stream.load.shape {
        Shape::Open { stages, .. } => stages.iter().any(|stage| stage.from != stage.to) || stages.len() > 1,
        Shape::Closed { .. } => false,
    });
    let achieved: f64 = of.streams.iter().map(|stream| stream.achieved_per_s).sum();
    let rate = rate.map_or_else(|| (achieved * SHARE).clamp(RATES.0, RATES.1), Rate::per_second);
    // A load whose stages move is a whole: the repeats are spread over all of it.
    let duration = if moving { plan.load.duration } else { length(all, rate) };
    plan.load.duration = duration;
    for stream in &mut plan.streams {
        if let Shape::Open { stages, .. } = &mut stream.load.shape
            && let [only] = &mut stages[..]
        {
            only.length = duration;
        }
    }
    let of_stream = |(of, count): (&super::choose::OfStream, &usize)| {
        let own = &plan.streams[of.stream];
        // The share of the time that the stream has, with as many of its requests due as there are.
        let rate = Rate::from_per_second((*count as f64 - 0.5) / duration.as_secs_f64()).unwrap_or_default();
        let in_flight = own.load.most_in_flight().max(IN_FLIGHT);
        repeats(plan, own, vec![Stage::steady(rate, duration)], in_flight)
    };
    chosen.streams.iter().zip(&counts).map(of_stream).collect()
}

/// One request at a time, one stream after the other.
fn alone(plan: &mut Plan, chosen: &Chosen, sent: &Sent, rate: Option<Rate>) -> Vec<Stream> {
    plan.load.warmup = Nanos::ZERO;
    plan.load.lanes = Lanes::Count(1);
    let lengths: Vec<(Rate, Nanos)> = chosen
        .streams
        .iter()
        .zip(&sent.orders)
        .map(|(of, order)| {
            let slow = of.slow.iter().filter_map(|original| original.response_ns).sum::<u64>() as f64 / of.slow.len() as f64;
            let mean = f64::midpoint(slow, of.median_ns as f64).max(1.0) / 1e9;
            let rate = rate.map_or_else(|| (BUSY_ALONE / mean).min(FASTEST_ALONE), Rate::per_second);
            (Rate::from_per_second(rate).unwrap_or_default(), length(order.requests.len(), rate))
        })
        .collect();
    plan.load.duration = Nanos(lengths.iter().map(|(_, length)| length.0).sum());
    let of_stream = |(at, of): (usize, &super::choose::OfStream)| {
        let pause = |of: &[(Rate, Nanos)]| Stage::steady(Rate::ZERO, Nanos(of.iter().map(|(_, length)| length.0).sum()));
        let stages = [pause(&lengths[..at]), Stage::steady(lengths[at].0, lengths[at].1), pause(&lengths[at + 1..])];
        let stages = stages.into_iter().filter(|stage| stage.length > Nanos::ZERO).collect();
        repeats(plan, &plan.streams[of.stream], stages, 1)
    };
    let repeats = chosen.streams.iter().enumerate().map(of_stream).collect();
    plan.streams.clear();
    repeats
}

/// A stream of repeats: due at even distances (their order is random), all traced, none in the warm-up.
fn repeats(plan: &Plan, of: &Stream, stages: Vec<Stage>, max_in_flight: usize) -> Stream {
    let shape = Shape::Open { arrivals: Process::Constant, warmup: Rate::ZERO, stages, max_in_flight };
    let operation: Operation = of.operation.clone();
    Stream { name: free_name(plan, &of.name), operation, load: StreamLoad { shape, timeout: of.load.timeout, forced: true } }
}

/// `readers-replay`, or with a number behind it where that is taken.
fn free_name(plan: &Plan, of: &str) -> String {
    let endings = std::iter::once("-replay".to_owned()).chain((2..).map(|n| format!("-replay-{n}")));
    endings
        .map(|ending| format!("{}{ending}", &of[..of.len().min(LONGEST_NAME - ending.len())]))
        .find(|name| plan.streams.iter().all(|stream| stream.name != *name))
        .unwrap_or_default()
}
