//! All lanes of one machine, from connecting to the sum of what they measured.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use crate::clock::{Moment, SystemClock, Wait, now, pause, process_cpu};
use crate::trace::{Decider, Propagation, SpanLane};
use crate::units::Nanos;

use super::IntervalSink;
use super::collect::{Collector, LaneEnd, lane_handover};
use super::lane::{LaneReport, LaneSettings, run_lane};
use super::measured::Measured;
use super::phases::{Phases, Stop};
use super::shape::{Part, StreamLoad};
use super::target::Target;

/// What the lanes of this machine do.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// All streams, in order, each with the seed of its arrivals.
    pub streams: Vec<(StreamLoad, u64)>,
    /// How long requests are sent that do not count.
    pub warmup: Nanos,
    /// How long requests are sent that count.
    pub duration: Nanos,
    /// How long is waited for answers afterwards.
    pub drain: Nanos,
    /// Threads.
    pub lanes: usize,
    /// This machine's number.
    pub shard: u64,
    /// How many machines there are.
    pub shards: u64,
    /// How lanes wait for intended starts.
    pub wait: Wait,
    /// How sampled requests tell the server.
    pub propagation: Propagation,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E: std::error::Error + 'static> {
    /// A lane could not connect.
    #[error("lane {lane} could not connect")]
    Connect {
        /// The lane's number.
        lane: usize,
        /// Why.
        source: E,
    },
    /// The operating system gave no thread, runtime or timer.
    #[error("lane {lane} could not start: the operating system has no thread, timer or descriptor left; try fewer lanes")]
    Start {
        /// The lane's number.
        lane: usize,
        /// What it said.
        source: std::io::Error,
    },
    /// A bug in a lane.
    #[error("lane {lane} died while measuring; this is a bug in tailtrace, please report it with the scenario")]
    Died {
        /// The lane's number.
        lane: usize,
    },
}

/// Between connecting and beginning: time for every lane to reach its first wait.
const HEAD_START: Nanos = Nanos::from_millis(20);

/// How often the collecting thread looks at the lanes.
const LOOK: Nanos = Nanos::from_millis(50);

/// Runs all lanes to their end, hands every second to `sink` as it is over for all of them, and adds them up.
///
/// `connect` makes a lane's target, on the lane's thread and in its runtime. `deciders` and `spans` hold one for each lane.
///
/// # Errors
/// Where a lane could not connect or start (then nothing was sent), or died.
pub fn run<T, F, E>(
    settings: &RunSettings,
    connect: F,
    deciders: Vec<Decider>,
    spans: Vec<SpanLane>,
    sink: &mut dyn IntervalSink,
    stop: &Stop,
) -> Result<Measured<T::Leftover>, LoadError<E>>
where
    T: Target,
    F: AsyncFn(usize) -> Result<T, E> + Sync,
    E: std::error::Error + Send + 'static,
{
    std::thread::scope(|scope| {
        let (connected_sender, connected) = sync_channel(settings.lanes);
        let mut lanes = Vec::new();
        let mut ends = Vec::new();
        for (lane, (decider, spans)) in deciders.into_iter().zip(spans).enumerate() {
            let (handover, end) = lane_handover(settings.streams.len());
            ends.push(end);
            let equipment = Equipment { decider, spans, handover, stop: stop.clone(), connected: connected_sender.clone() };
            lanes.push(LaneThread::start(scope, lane, settings, &connect, equipment)?);
        }
        drop(connected_sender);
        wait_until_connected(&connected, settings.lanes)?;
        let phases = Phases::new(now().plus(HEAD_START), settings.warmup, settings.duration, settings.drain);
        for lane in &lanes {
            // A lane that is gone is found when it is joined.
            let _ = lane.begin.send(phases);
        }
        sink.begin(phases.measure);
        let mut collector = Collector::new(settings.streams.len(), ends, sink);
        let cpu = collect_until_finished(&mut collector, &lanes, &phases, stop);
        let mut measured = Measured::new(settings.streams.len(), phases, cpu);
        for (lane, thread) in lanes.into_iter().enumerate() {
            let report = thread.join(lane)?;
            collector.last(&report.last);
            measured.add_lane(report);
        }
        measured.add_intervals(collector.finish());
        Ok(measured)
    })
}

fn wait_until_connected<E: std::error::Error>(
    connected: &Receiver<(usize, Result<(), LoadError<E>>)>,
    lanes: usize,
) -> Result<(), LoadError<E>> {
    let mut failed = None;
    let mut answers = vec![false; lanes];
    for (lane, result) in connected.iter().take(lanes) {
        answers[lane] = true;
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
    }
    match (failed, answers.iter().position(|answered| !answered)) {
        (Some(error), _) => Err(error),
        (None, Some(lane)) => Err(LoadError::Died { lane }),
        (None, None) => Ok(()),
    }
}

/// CPU time of the whole process in the measured phase, and how long that was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProcessCpu {
    pub(super) used: Nanos,
    pub(super) over: Nanos,
}

fn collect_until_finished<L>(collector: &mut Collector<'_>, lanes: &[LaneThread<'_, L>], phases: &Phases, stop: &Stop) -> ProcessCpu {
    let mut begin: Option<(Moment, Nanos)> = None;
    let mut end: Option<(Moment, Nanos)> = None;
    while !lanes.iter().all(|lane| lane.thread.is_finished()) {
        let present = now();
        if begin.is_none() && present >= phases.measure {
            begin = Some((present, process_cpu()));
            collector.sink().measuring();
        }
        if end.is_none() && (present >= phases.drain || stop.is_stopped()) {
            end = Some((present, process_cpu()));
            collector.sink().draining();
        }
        collector.collect();
        let ahead = [phases.measure, phases.drain].into_iter().filter(|moment| *moment > present);
        pause(ahead.map(|moment| moment.since(present)).fold(LOOK, Nanos::min));
    }
    // The lanes may be through before the end of the measured phase was looked at: a drain with nothing to wait for is short.
    if end.is_none() {
        collector.sink().draining();
    }
    match (begin, end.or_else(|| Some((now(), process_cpu())))) {
        (Some(begin), Some(end)) => ProcessCpu { used: Nanos(end.1.0.saturating_sub(begin.1.0)), over: end.0.since(begin.0) },
        _ => ProcessCpu::default(),
    }
}

/// What a lane takes along to its thread.
struct Equipment<E: std::error::Error + 'static> {
    decider: Decider,
    spans: SpanLane,
    handover: LaneEnd,
    stop: Stop,
    connected: SyncSender<(usize, Result<(), LoadError<E>>)>,
}

struct LaneThread<'scope, L> {
    begin: SyncSender<Phases>,
    thread: ScopedJoinHandle<'scope, Option<std::io::Result<LaneReport<L>>>>,
}

impl<'scope, L: Send + 'static> LaneThread<'scope, L> {
    fn start<'env, T, F, E>(
        scope: &'scope Scope<'scope, 'env>,
        lane: usize,
        settings: &RunSettings,
        connect: &'env F,
        equipment: Equipment<E>,
    ) -> Result<Self, LoadError<E>>
    where
        T: Target<Leftover = L>,
        F: AsyncFn(usize) -> Result<T, E> + Sync,
        E: std::error::Error + Send + 'static,
    {
        let (begin, begins) = sync_channel::<Phases>(1);
        let part = Part { shard: settings.shard, shards: settings.shards, lane: lane as u64, lanes: settings.lanes as u64 };
        let clock = SystemClock { wait: settings.wait };
        let (streams, propagation) = (settings.streams.clone(), settings.propagation);
        let thread = std::thread::Builder::new()
            .name(format!("lane-{lane}"))
            .spawn_scoped(scope, move || {
                let Equipment { decider, spans, handover, stop, connected } = equipment;
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build_local(tokio::runtime::LocalOptions::default());
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(source) => {
                        let _ = connected.send((lane, Err(LoadError::Start { lane, source })));
                        return None;
                    }
                };
                let target = match runtime.block_on(connect(lane)) {
                    Ok(target) => target,
                    Err(source) => {
                        let _ = connected.send((lane, Err(LoadError::Connect { lane, source })));
                        return None;
                    }
                };
                let _ = connected.send((lane, Ok(())));
                drop(connected);
                // No begin comes where another lane could not connect.
                let phases = begins.recv().ok()?;
                let settings = LaneSettings { part, streams, phases, propagation };
                Some(runtime.block_on(run_lane(clock, settings, target, decider, spans, Box::new(handover), stop)))
            })
            .map_err(|source| LoadError::Start { lane, source })?;
        Ok(Self { begin, thread })
    }

    fn join<E: std::error::Error>(self, lane: usize) -> Result<LaneReport<L>, LoadError<E>> {
        match self.thread.join() {
            Ok(Some(Ok(report))) => Ok(report),
            Ok(Some(Err(source))) => Err(LoadError::Start { lane, source }),
            Ok(None) | Err(_) => Err(LoadError::Died { lane }),
        }
    }
}
