//! What the tasks of one lane share: its streams, its figures, and the target. No other thread sees it, and nothing in it waits.

use crate::clock::{Moment, thread_cpu, thread_waited};
use crate::stats::histogram::Histogram;
use crate::trace::{Decider, Finished, Outcome, SpanLane};
use crate::units::Nanos;

use super::interval::{Handover, INTERVAL, Interval};
use super::lane::{LaneReport, LaneSettings};
use super::phases::Stop;
use super::stream::{Ready, StreamState};
use super::target::Target;

/// The dispatcher looks at timeouts, stop and hand-over at least so often. Timeouts are kept to this, or to a tenth of
/// themselves where they are shorter.
pub(super) const TICK: Nanos = Nanos::from_millis(10);

/// What a look at the clock and a turn of the runtime take: nothing is encoded so shortly before something is due.
const LEAST_MARGIN: Nanos = Nanos::from_micros(5);

/// A lane that was interrupted while it encoded must not believe for long that encoding takes milliseconds.
const MOST_ENCODING: Nanos = Nanos::from_micros(500);

pub(super) struct State<T: Target> {
    pub(super) settings: LaneSettings,
    pub(super) target: T,
    pub(super) decider: Decider,
    spans: SpanLane,
    handover: Box<dyn Handover>,
    pub(super) stop: Stop,
    pub(super) streams: Vec<StreamState<T::Request>>,
    interval: Box<Interval>,
    pub(super) timer_error: Histogram,
    cpu: CpuOfPhase,
    /// Worker tasks that have not ended.
    pub(super) workers: usize,
    pub(super) ending: bool,
    merged_intervals: u64,
    /// The last second whose hand-over had to wait.
    merged_at: u64,
    /// What encoding one request of each stream took lately.
    encoding: Nanos,
}

/// The lane's use of the processor at the begin and the end of the measured phase.
#[derive(Debug, Default)]
struct CpuOfPhase {
    begin: Option<Cpu>,
    end: Option<Cpu>,
}

/// One reading.
#[derive(Debug, Clone, Copy, Default)]
struct Cpu {
    used: Nanos,
    waited: Nanos,
    at: Moment,
}

impl Cpu {
    /// Of the calling thread. Reads a file of the kernel's: twice a run.
    fn read(at: Moment) -> Self {
        Self { used: thread_cpu(), waited: thread_waited().unwrap_or_default(), at }
    }
}

/// What became of a request that was due.
pub(super) enum Assigned<R> {
    ToIdle,
    NewWorker(Ready<R>),
}

impl<T: Target> State<T> {
    pub(super) fn new(
        settings: LaneSettings,
        target: T,
        decider: Decider,
        spans: SpanLane,
        handover: Box<dyn Handover>,
        stop: Stop,
    ) -> Self {
        let phases = settings.phases;
        let warmup = phases.measure.since(phases.begin);
        let duration = phases.drain.since(phases.measure);
        let streams: Vec<_> = settings
            .streams
            .iter()
            .map(|(load, seed)| StreamState::new(load.clone(), settings.part, phases.begin, warmup, duration, *seed))
            .collect();
        let interval = Box::new(Interval::empty(streams.len()));
        Self {
            settings,
            target,
            decider,
            spans,
            handover,
            stop,
            streams,
            interval,
            timer_error: Histogram::new(),
            cpu: CpuOfPhase::default(),
            workers: 0,
            ending: false,
            merged_intervals: 0,
            merged_at: 0,
            encoding: Nanos::ZERO,
        }
    }

    /// Phases, stop, timeouts and hand-over.
    pub(super) fn look_after(&mut self, now: Moment) {
        if self.stop.is_stopped() && now < self.settings.phases.drain {
            self.settings.phases = self.settings.phases.stopped_at(now);
        }
        let phases = self.settings.phases;
        if self.cpu.begin.is_none() && now >= phases.measure {
            self.cpu.begin = Some(Cpu::read(now));
        }
        if self.cpu.end.is_none() && now >= phases.drain {
            self.cpu.end = Some(Cpu::read(now));
        }
        for stream in &mut self.streams {
            stream.time_out(now);
        }
        let second = now.since(phases.measure).0 / INTERVAL.0;
        if second > self.interval.index {
            if self.handover.exchange(&mut self.interval) {
                self.interval.index = second;
            } else if self.merged_at != second {
                self.merged_at = second;
                self.merged_intervals += 1;
            }
        }
    }

    /// Gives the stream's next request to a worker where it is due and there is one.
    pub(super) fn assign_due(&mut self, stream: usize, now: Moment) -> Option<Assigned<T::Request>> {
        let own = &mut self.streams[stream];
        if own.is_closed() || own.is_starved() || !own.is_due(now, self.settings.phases.drain) {
            return None;
        }
        if !own.has_room() {
            own.set_starved(true);
            return None;
        }
        let target = &mut self.target;
        let ready = own.take_due(now, self.settings.phases.drain, |sequence| target.prepare(stream, sequence))?;
        match own.assign_to_idle(ready) {
            Ok(()) => Some(Assigned::ToIdle),
            Err(ready) => Some(Assigned::NewWorker(ready)),
        }
    }

    /// Encodes one request that will be due; `false` where enough are ready.
    pub(super) fn prepare_one(&mut self, clock: impl Fn() -> Moment) -> bool {
        let begin = clock();
        let target = &mut self.target;
        let mut prepared = false;
        for (stream, own) in self.streams.iter_mut().enumerate() {
            prepared |= own.prepare_one(|sequence| target.prepare(stream, sequence));
        }
        if prepared {
            // Rises at once and falls slowly, so that a stream of rare large requests is not forgotten.
            self.encoding = clock().since(begin).max(Nanos(self.encoding.0 / 8 * 7)).min(MOST_ENCODING);
        }
        prepared
    }

    /// Requests are encoded ahead only while the next one is due no sooner than this: twice what it took lately.
    pub(super) const fn encoding_margin(&self) -> Nanos {
        Nanos(2 * self.encoding.0 + LEAST_MARGIN.0)
    }

    pub(super) fn next_moment(&self, now: Moment) -> Moment {
        let tick = self.streams.iter().map(StreamState::tick).fold(TICK, Nanos::min);
        self.streams
            .iter()
            .filter_map(|stream| stream.next_due(self.settings.phases.drain))
            .fold(now.plus(tick).min(self.settings.phases.end.max(now)), Moment::min)
    }

    /// Nothing is due and nothing on its way any more, or the drain has taken as long as it may.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        let phases = self.settings.phases;
        now >= phases.end || (now >= phases.drain && self.streams.iter().all(|stream| stream.is_spent(phases.drain)))
    }

    /// Ends the run: gives up what is on its way, counts what was never sent.
    pub(super) fn end(&mut self, now: Moment) {
        self.ending = true;
        let phases = self.settings.phases;
        for (stream, interval) in self.streams.iter_mut().zip(&mut self.interval.streams) {
            stream.end(now, &phases, interval);
        }
    }

    /// Judges, counts and traces a request that has ended.
    pub(super) fn finish(&mut self, worker: usize, mut finished: Finished, answer: Result<T::Answer, Outcome>) {
        let stream = usize::from(finished.stream);
        let mut reason = String::new();
        match answer {
            Ok(answer) => {
                if let Err(failure) = self.target.judge(stream, worker, finished.sequence, finished.phase_measured, answer) {
                    finished.outcome = failure.outcome;
                    reason = failure.reason;
                }
            }
            Err(given_up) => finished.outcome = given_up,
        }
        let phases = self.settings.phases;
        self.streams[stream].finish(worker, &finished, &phases, &mut self.interval.streams[stream], || reason);
        self.decider.ended(&finished.decision, finished.done);
        if finished.decision.is_sampled() {
            self.spans.end(finished);
        }
    }

    pub(super) fn into_report(self) -> LaneReport<T::Leftover> {
        let (begin, end) = (self.cpu.begin.unwrap_or_default(), self.cpu.end.unwrap_or_default());
        LaneReport {
            streams: self.streams.into_iter().map(StreamState::into_record).collect(),
            last: self.interval,
            decisions: self.decider.counts(),
            phases: self.settings.phases,
            timer_error: self.timer_error,
            cpu: Nanos(end.used.0.saturating_sub(begin.used.0)),
            waited: Nanos(end.waited.0.saturating_sub(begin.waited.0)),
            measured: end.at.since(begin.at),
            merged_intervals: self.merged_intervals,
            leftover: self.target.leave(),
        }
    }
}
