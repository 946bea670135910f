//! What the instrument reads for a server that answers at once: the least that any figure of the run can be.

use std::collections::BTreeMap;

use crate::clock::Wait;
use crate::load::{self, Interval, IntervalSink, RunSettings, Shape, Stage, Stop, StreamLoad};
use crate::milvus::operation::{SearchSettings, Settings as OperationSettings, Work};
use crate::milvus::{Address, Connection, MilvusTarget, TargetSettings};
use crate::practice;
use crate::result::model;
use crate::stats::arrivals::Process;
use crate::trace::{Decider, Exporter, Propagation};
use crate::units::{Fraction, Nanos, Rate};

use super::RunError;
use super::observer::{Event, Observer};
use super::shared::Shared;
use super::standing::LOOPBACK;

/// How long the floor is measured, after a warm-up of a fifth of it.
const LENGTH: Nanos = Nanos::from_secs(1);
/// A floor at a rate above this would say how fast the null target is, which shares the machine, and not what the
/// instrument adds.
const HIGHEST_RATE: f64 = 10_000.0;
/// Below this rate a second holds too few requests for a median.
const LOWEST_RATE: f64 = 50.0;
/// Far more than a server that answers at once ever has waiting.
const MOST_IN_FLIGHT: usize = 1024;
/// A closed loop is floored with no more requests at a time than this, for the same reason as the rate.
const MOST_WORKERS: usize = 16;

/// A floor serves runs of the same series whose rate lies within this factor of its own.
const NEAR: f64 = 2.0;

/// What a floor depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conditions {
    load: StreamLoad,
    lanes: usize,
    wait: Wait,
    dim: usize,
}

impl Conditions {
    pub(super) fn of(streams: &[StreamLoad], lanes: usize, wait: Wait, dim: usize) -> Self {
        Self { load: null_load(streams), lanes, wait, dim }
    }

    /// Whether a floor measured under other conditions is these ones' too. In a closed loop it grows with the workers, so they must be
    /// as many; with the rate of an open one it changes little.
    pub(super) fn are_met_by(&self, other: &Self) -> bool {
        let same = (self.lanes, self.wait, self.dim) == (other.lanes, other.wait, other.dim);
        same && match (&self.load.shape, &other.load.shape) {
            (Shape::Open { warmup: rate, .. }, Shape::Open { warmup: of_other, .. }) => {
                let ratio = rate.per_second() / of_other.per_second();
                (1.0 / NEAR..=NEAR).contains(&ratio)
            }
            (shape, of_other) => shape == of_other,
        }
    }
}

/// The floor that the series knows, or else one that is measured now and that the series knows from then on.
///
/// # Errors
/// Where the null target or the lanes cannot start.
pub(super) fn known(
    conditions: Conditions,
    shared: Option<&mut Shared>,
    work: &Work,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Option<model::Floor>, RunError> {
    if let Some(floor) = shared.as_ref().and_then(|shared| shared.floor(&conditions)) {
        return Ok(Some(floor));
    }
    observer.event(&Event::Floor);
    let floor = measure(&conditions, work, stop)?;
    if let (Some(shared), Some(floor)) = (shared, floor) {
        shared.keep_floor(conditions, floor);
    }
    Ok(floor)
}

/// Measures the floor at the run's rate, over the run's number of lanes, with searches like the run's.
fn measure(conditions: &Conditions, work: &Work, stop: &Stop) -> Result<Option<model::Floor>, RunError> {
    let &Conditions { lanes, wait, .. } = conditions;
    let settings = practice::Settings { search: practice::SearchMode::Canned, ..practice::Settings::default() };
    let server = practice::Server::start(settings, LOOPBACK, None)?;
    let target = TargetSettings::at(Address::Practice);
    let connection = Connection::new(&target, &format!("http://{}", server.addr()), |_| None)?;
    let search = OperationSettings::Search(SearchSettings { top_k: 10, consistency: None, params: BTreeMap::new() });
    let run = RunSettings {
        streams: vec![(conditions.load.clone(), 0)],
        warmup: Nanos(LENGTH.0 / 5),
        duration: LENGTH,
        drain: LENGTH,
        lanes,
        shard: 0,
        shards: 1,
        wait,
        propagation: Propagation::None,
    };
    let connect = async |_: usize| -> Result<MilvusTarget, RunError> {
        let search = search.make(work).map_err(|source| RunError::Operation { stream: "floor".to_owned(), source })?;
        Ok(MilvusTarget::connect(&connection, vec![search], 1, MOST_IN_FLIGHT).await?)
    };
    let deciders = std::iter::repeat_with(|| Decider::new(Fraction::ZERO)).take(lanes).collect();
    let (_, spans) = Exporter::disabled(lanes);
    let measured = load::run(&run, connect, deciders, spans, &mut Unwatched, stop).map_err(RunError::from_load);
    server.stop();
    let measured = measured?;
    let response = &measured.streams[0].response;
    Ok((response.count() > 0).then(|| model::Floor {
        p50_ns: response.quantile_ns(0.5),
        p99_ns: response.quantile_ns(0.99),
        rate_per_s: response.count() as f64 / measured.duration().as_secs_f64(),
        count: response.count(),
        of_series: false,
    }))
}

/// One stream with the rate of all open ones together, each in its densest stage, or else as many workers as all closed ones.
fn null_load(streams: &[StreamLoad]) -> StreamLoad {
    let rate: f64 = streams
        .iter()
        .filter_map(|stream| match &stream.shape {
            Shape::Open { stages, .. } => {
                Some(stages.iter().flat_map(|stage| [stage.from, stage.to]).map(Rate::per_second).fold(0.0, f64::max))
            }
            Shape::Closed { .. } => None,
        })
        .sum();
    let workers: usize = streams.iter().map(|stream| if let Shape::Closed { workers } = stream.shape { workers } else { 0 }).sum();
    let shape = if rate > 0.0 {
        let rate = Rate::from_per_second(rate.clamp(LOWEST_RATE, HIGHEST_RATE)).unwrap_or_default();
        Shape::Open { arrivals: Process::Constant, warmup: rate, stages: vec![Stage::steady(rate, LENGTH)], max_in_flight: MOST_IN_FLIGHT }
    } else {
        Shape::Closed { workers: workers.clamp(1, MOST_WORKERS) }
    };
    StreamLoad { shape, timeout: LENGTH, forced: false }
}

struct Unwatched;

impl IntervalSink for Unwatched {
    fn interval(&mut self, _: &Interval) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(stages: &[(f64, f64)]) -> StreamLoad {
        let rate = |per_second| Rate::from_per_second(per_second).unwrap();
        let stages: Vec<Stage> = stages.iter().map(|(from, to)| Stage { from: rate(*from), to: rate(*to), length: LENGTH }).collect();
        let shape = Shape::Open { arrivals: Process::Poisson, warmup: rate(1.0), stages, max_in_flight: 1 };
        StreamLoad { shape, timeout: LENGTH, forced: false }
    }

    fn rate_of(load: &StreamLoad) -> f64 {
        let Shape::Open { stages, .. } = &load.shape else { panic!("{load:?}") };
        stages[0].from.per_second()
    }

    #[test]
    fn the_floor_is_measured_at_the_densest_stage_of_every_stream() {
        let later = [open(&[(100.0, 100.0), (100.0, 900.0), (50.0, 50.0)]), open(&[(300.0, 300.0)])];
        assert_eq!(rate_of(&null_load(&later)), 1_200.0);
        assert_eq!(rate_of(&null_load(&[open(&[(1.0, 1.0)])])), LOWEST_RATE);
        assert_eq!(rate_of(&null_load(&[open(&[(1.0, 1e6)])])), HIGHEST_RATE);
        let closed = StreamLoad { shape: Shape::Closed { workers: 4 }, timeout: LENGTH, forced: false };
        assert_eq!(null_load(&[closed.clone(), closed]).shape, Shape::Closed { workers: 8 });
    }

    #[test]
    fn a_floor_serves_rates_near_its_own_on_the_same_lanes() {
        let at = |rate: f64, lanes: usize, dim: usize| Conditions::of(&[open(&[(rate, rate)])], lanes, Wait::Auto, dim);
        let asked = at(800.0, 1, 8);
        for near in [at(800.0, 1, 8), at(400.0, 1, 8), at(1_600.0, 1, 8)] {
            assert!(asked.are_met_by(&near), "{near:?}");
        }
        let polled = Conditions { wait: Wait::Poll, ..asked.clone() };
        for far in [at(399.0, 1, 8), at(1_601.0, 1, 8), at(800.0, 2, 8), at(800.0, 1, 9), polled] {
            assert!(!asked.are_met_by(&far), "{far:?}");
        }
        let closed = |workers| {
            let load = StreamLoad { shape: Shape::Closed { workers }, timeout: LENGTH, forced: false };
            Conditions::of(&[load], 1, Wait::Auto, 8)
        };
        assert!(closed(4).are_met_by(&closed(4)) && !closed(4).are_met_by(&closed(5)) && !closed(4).are_met_by(&asked));
    }
}
