//! One stream on one lane: its schedule, its workers, and which of them does what.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use crate::clock::Moment;
use crate::trace::{Finished, Outcome};
use crate::units::Nanos;

use super::interval::StreamInterval;
use super::phases::Phases;
use super::recorder::{Recorder, StreamRecord};
use super::schedule::{Arrival, Schedule};
use super::shape::{Part, Shape, StreamLoad};
use super::under_way::UnderWay;

/// A request that may go: encoded, with its intended start (`None` in a closed loop: it is when it is sent).
pub(super) struct Ready<R> {
    pub(super) sequence: u64,
    pub(super) intended: Option<Moment>,
    pub(super) request: R,
}

/// Requests that may be encoded before they are due: enough for a clump of arrivals.
const AHEAD: usize = 8;

/// Workers that there is room for from the begin; an open loop whose target falls behind gets more, up to its limit.
const WORKERS_AT_FIRST: usize = 1024;

/// Timeouts are looked for no more often than this. A dispatcher that looks all the time leaves the lane's thread to nobody, so
/// that not one request would be sent.
const LEAST_TICK: Nanos = Nanos::from_micros(100);

pub(super) struct StreamState<R> {
    load: StreamLoad,
    part: Part,
    begin: Moment,
    closed: bool,
    schedule: Option<Schedule>,
    /// The next arrivals, each with its request where that is encoded already.
    ahead: VecDeque<(Arrival, Option<R>)>,
    /// Requests begun, in a closed loop.
    begun: u64,
    /// The most workers it may have.
    room: usize,
    workers: Vec<Worker<R>>,
    idle: Vec<usize>,
    /// Requests are due and no worker is free.
    starved: bool,
    in_flight: usize,
    /// To find those that take too long.
    under_way: UnderWay,
    recorder: Recorder,
}

struct Worker<R> {
    assigned: Option<Ready<R>>,
    waker: Option<Waker>,
    busy: bool,
    /// It stands in `idle`.
    resting: bool,
    /// Its request is not waited for any more.
    given_up: Option<Outcome>,
}

impl<R> StreamState<R> {
    pub(super) fn new(load: StreamLoad, part: Part, begin: Moment, warmup: Nanos, duration: Nanos, seed: u64) -> Self {
        let mut schedule = Schedule::new(&load.shape, warmup, seed, part);
        let ahead = schedule.iter_mut().flatten().take(AHEAD).map(|arrival| (arrival, None)).collect();
        let (room, expected) = match &load.shape {
            Shape::Closed { workers } => (part.share(*workers), 0.0),
            Shape::Open { stages, max_in_flight, .. } => {
                let seconds = duration.as_secs_f64().max(1e-9);
                let whole: f64 = stages.iter().map(super::shape::Stage::requests).sum();
                // The densest second of a ramp holds twice the mean.
                let densest = stages.iter().flat_map(|stage| [stage.from, stage.to]).map(|rate| rate.per_second() * seconds);
                let expected = densest.fold(whole, f64::max) / (part.lanes * part.shards) as f64;
                (part.share(*max_in_flight).max(1), expected)
            }
        };
        let closed = schedule.is_none();
        Self {
            load,
            part,
            begin,
            closed,
            schedule,
            ahead,
            begun: 0,
            room,
            workers: Vec::new(),
            idle: Vec::new(),
            starved: false,
            in_flight: 0,
            under_way: UnderWay::for_workers(room.min(WORKERS_AT_FIRST)),
            recorder: Recorder::new(expected, !closed),
        }
    }

    /// Whether each of its requests is traced.
    pub(super) const fn is_forced(&self) -> bool {
        self.load.forced
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) const fn is_starved(&self) -> bool {
        self.starved
    }

    pub(super) const fn set_starved(&mut self, starved: bool) {
        self.starved = starved;
    }

    /// Workers to start with: all of a closed loop, none of an open one.
    pub(super) const fn closed_workers(&self) -> usize {
        if self.is_closed() { self.room } else { 0 }
    }

    pub(super) fn next_closed(&mut self) -> u64 {
        self.begun += 1;
        self.part.nth(self.begun - 1)
    }

    /// When the next request is due, where there is one before `end` and a worker for it.
    pub(super) fn next_due(&self, end: Moment) -> Option<Moment> {
        let due = self.intended(self.ahead.front()?.0);
        (due < end && !self.starved).then_some(due)
    }

    fn intended(&self, arrival: Arrival) -> Moment {
        self.begin.plus(arrival.due)
    }

    pub(super) fn is_due(&self, now: Moment, end: Moment) -> bool {
        self.ahead.front().is_some_and(|(arrival, _)| {
            let intended = self.intended(*arrival);
            intended <= now && intended < end
        })
    }

    /// Takes the next request where it is due.
    pub(super) fn take_due(&mut self, now: Moment, end: Moment, prepare: impl FnOnce(u64) -> R) -> Option<Ready<R>> {
        if !self.is_due(now, end) {
            return None;
        }
        let (arrival, request) = self.ahead.pop_front()?;
        self.ahead.extend(self.schedule.as_mut().and_then(Iterator::next).map(|arrival| (arrival, None)));
        let request = request.unwrap_or_else(|| prepare(arrival.sequence));
        Some(Ready { sequence: arrival.sequence, intended: Some(self.intended(arrival)), request })
    }

    /// Encodes the next request that is not yet; `false` where all that may be are.
    pub(super) fn prepare_one(&mut self, prepare: impl FnOnce(u64) -> R) -> bool {
        let Some((arrival, request)) = self.ahead.iter_mut().find(|(_, request)| request.is_none()) else { return false };
        *request = Some(prepare(arrival.sequence));
        true
    }

    pub(super) fn has_room(&self) -> bool {
        !self.idle.is_empty() || self.workers.len() < self.room
    }

    /// Gives a request to an idle worker; back where there is none.
    pub(super) fn assign_to_idle(&mut self, ready: Ready<R>) -> Result<(), Ready<R>> {
        let Some(index) = self.idle.pop() else { return Err(ready) };
        let worker = &mut self.workers[index];
        worker.resting = false;
        worker.assigned = Some(ready);
        if let Some(waker) = &worker.waker {
            waker.wake_by_ref();
        }
        Ok(())
    }

    pub(super) fn add_worker(&mut self, first: Option<Ready<R>>) -> usize {
        self.under_way.add_worker();
        self.workers.push(Worker { assigned: first, waker: None, busy: false, resting: false, given_up: None });
        self.workers.len() - 1
    }

    pub(super) fn take_assigned(&mut self, worker: usize) -> Option<Ready<R>> {
        self.workers[worker].assigned.take()
    }

    /// The worker waits until something is assigned to it.
    pub(super) fn rest(&mut self, worker: usize, context: &Context<'_>) {
        let own = &mut self.workers[worker];
        own.remember(context);
        if !std::mem::replace(&mut own.resting, true) {
            self.idle.push(worker);
        }
    }

    pub(super) fn begin(&mut self, worker: usize, sent: Moment) {
        let own = &mut self.workers[worker];
        own.busy = true;
        own.given_up = None;
        self.under_way.sent(worker, sent);
        self.in_flight += 1;
    }

    /// Why the worker's request is not waited for any more, if so; else the worker will be woken when that comes.
    pub(super) fn poll_given_up(&mut self, worker: usize, context: &Context<'_>) -> Option<Outcome> {
        let own = &mut self.workers[worker];
        own.remember(context);
        own.given_up
    }

    /// Gives up the requests that have taken longer than they may.
    pub(super) fn time_out(&mut self, now: Moment) {
        while let Some((worker, sent)) = self.under_way.oldest() {
            if now.since(sent) < self.load.timeout {
                return;
            }
            self.workers[worker].give_up(Outcome::TimedOut);
            self.under_way.ended(worker);
        }
    }

    /// How often timeouts have to be looked for.
    pub(super) fn tick(&self) -> Nanos {
        Nanos(self.load.timeout.0 / 10).max(LEAST_TICK)
    }

    /// Nothing is on its way, and nothing that is due before `end` has not been sent.
    pub(super) fn is_spent(&self, end: Moment) -> bool {
        let waiting = self.ahead.front().is_some_and(|(arrival, _)| self.intended(*arrival) < end);
        self.in_flight == 0 && !waiting && self.workers.iter().all(|worker| worker.assigned.is_none())
    }

    /// The run is over: whoever is on its way is given up, what was never sent is counted, idle workers go home.
    pub(super) fn end(&mut self, now: Moment, phases: &Phases, interval: &mut StreamInterval) {
        for worker in &mut self.workers {
            if worker.busy {
                worker.give_up(Outcome::Unfinished);
            } else if let Some(ready) = worker.assigned.take()
                && let Some(intended) = ready.intended
                && phases.counts(intended)
            {
                self.recorder.never_sent(now.since(intended), interval);
            }
            if let Some(waker) = &worker.waker {
                waker.wake_by_ref();
            }
        }
        let ahead = std::mem::take(&mut self.ahead).into_iter().map(|(arrival, _)| arrival);
        for arrival in ahead.chain(self.schedule.take().into_iter().flatten()) {
            let intended = self.intended(arrival);
            if intended >= phases.drain {
                break;
            }
            if phases.counts(intended) {
                self.recorder.never_sent(now.since(intended), interval);
            }
        }
    }

    /// Counts a request that has ended.
    pub(super) fn finish(
        &mut self,
        worker: usize,
        finished: &Finished,
        phases: &Phases,
        interval: &mut StreamInterval,
        reason: impl FnOnce() -> String,
    ) {
        self.workers[worker].busy = false;
        self.under_way.ended(worker);
        self.in_flight -= 1;
        if finished.phase_measured {
            if !self.is_closed() {
                self.recorder.sent(finished.intended.since(phases.measure).0, finished.sent.since(phases.measure).0);
            }
            self.recorder.ended(finished, interval, reason);
        }
    }

    pub(super) fn into_record(self) -> StreamRecord {
        self.recorder.into_record()
    }
}

impl<R> Worker<R> {
    fn remember(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }

    fn give_up(&mut self, outcome: Outcome) {
        self.given_up = Some(outcome);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
