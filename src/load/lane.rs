//! One lane: one thread's share of all streams, from the intended start of each request to its place in a histogram.
//!
//! A lane is a few tasks on one runtime thread. The *dispatcher* waits for intended starts, hands due requests to idle
//! workers, times out old ones and hands over intervals. Each *worker* has one request on its way at a time. All of them
//! share the lane's state, which no other thread sees; it is borrowed for moments, never across a wait.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::clock::{Clock, Moment, Timer};
use crate::stats::histogram::Histogram;
use crate::trace::{Decider, Decisions, Finished, Outcome, Propagation, SpanLane, context_header};
use crate::units::Nanos;

use super::interval::{Handover, Interval};
use super::lane_state::{Assigned, State, TICK};
use super::phases::{Phases, Stop};
use super::recorder::StreamRecord;
use super::shape::{Part, StreamLoad};
use super::stream::{Ready, StreamState};
use super::target::Target;

/// What a lane needs to know of the run.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// Which requests are its own.
    pub part: Part,
    /// All streams of the scenario, in order, each with the seed of its arrivals.
    pub streams: Vec<(StreamLoad, u64)>,
    /// When it begins and ends.
    pub phases: Phases,
    /// How sampled requests tell the server.
    pub propagation: Propagation,
}

/// What a lane leaves behind.
#[derive(Debug)]
pub struct LaneReport<L> {
    /// A record a stream.
    pub streams: Vec<StreamRecord>,
    /// What happened since the last hand-over.
    pub last: Box<Interval>,
    /// What was decided about sampling, in all phases.
    pub decisions: Decisions,
    /// Where the measured phase ended: earlier than planned where the run was stopped.
    pub phases: Phases,
    /// How long after its moment the dispatcher's timer woke it, ns.
    pub timer_error: Histogram,
    /// CPU time of the lane's thread in the measured phase.
    pub cpu: Nanos,
    /// How long the lane's thread was ready in the measured phase while others had the processor.
    pub waited: Nanos,
    /// How long the measured phase lasted as this lane saw it.
    pub measured: Nanos,
    /// Hand-overs that had to wait for the next second.
    pub merged_intervals: u64,
    /// What the target leaves behind.
    pub leftover: L,
}

/// The most requests handed to workers before the runtime gets a turn to send them and to read answers.
const DISPATCHED_A_TURN: usize = 64;

/// Drives a lane to its end. Must run on a runtime that takes local tasks.
///
/// # Errors
/// Where the clock has no timer to give.
pub async fn run_lane<T: Target, C: Clock>(
    clock: C,
    settings: LaneSettings,
    target: T,
    decider: Decider,
    spans: SpanLane,
    handover: Box<dyn Handover>,
    stop: Stop,
) -> std::io::Result<LaneReport<T::Leftover>> {
    let timer = clock.timer()?;
    let lane = Rc::new(Lane {
        clock,
        nudge: tokio::sync::Notify::new(),
        broken: Cell::new(false),
        state: RefCell::new(State::new(settings, target, decider, spans, handover, stop)),
    });
    lane.dispatch(timer).await;
    let Ok(lane) = Rc::try_unwrap(lane).map(|lane| lane.state.into_inner()) else {
        unreachable!("the dispatcher ends when the last worker has ended")
    };
    Ok(lane.into_report())
}

struct Lane<T: Target, C: Clock> {
    clock: C,
    state: RefCell<State<T>>,
    /// Wakes the dispatcher where a worker has become free for a stream that waited for one, or the last one ended.
    nudge: tokio::sync::Notify,
    /// A worker has panicked: nobody may wait for it.
    broken: Cell<bool>,
}

/// Tells the lane where the task that holds it panics; the runtime alone would keep that to itself, and the lane wait for ever.
struct Canary<T: Target, C: Clock>(Rc<Lane<T, C>>);

impl<T: Target, C: Clock> Drop for Canary<T, C> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.set(true);
            self.0.nudge.notify_one();
        }
    }
}

/// What the dispatcher does next.
enum Next {
    Wait(Moment),
    Again,
    End,
}

impl<T: Target, C: Clock> Lane<T, C> {
    async fn dispatch(self: &Rc<Self>, mut timer: C::Timer) {
        let begin = self.state.borrow().settings.phases.begin;
        timer.until(begin).await;
        self.start_closed_loops();
        loop {
            if self.broken.get() {
                // Its own message has been printed where it panicked.
                std::panic::resume_unwind(Box::new("a worker of this lane panicked"));
            }
            match self.turn() {
                Next::End => return,
                Next::Again => tokio::task::yield_now().await,
                Next::Wait(until) => {
                    if self.wait(&mut timer, until).await {
                        let late = self.clock.now().since(until);
                        self.state.borrow_mut().timer_error.record(late.0);
                    }
                }
            }
        }
    }

    /// Waits for the moment or a nudge; `true` where it was the moment.
    async fn wait(&self, timer: &mut C::Timer, until: Moment) -> bool {
        let mut moment = pin!(timer.until(until));
        let mut nudged = pin!(self.nudge.notified());
        std::future::poll_fn(|context| {
            if nudged.as_mut().poll(context).is_ready() {
                return Poll::Ready(false);
            }
            moment.as_mut().poll(context).map(|()| true)
        })
        .await
    }

    fn start_closed_loops(self: &Rc<Self>) {
        let counts: Vec<usize> = self.state.borrow().streams.iter().map(StreamState::closed_workers).collect();
        for (stream, workers) in counts.into_iter().enumerate() {
            (0..workers).for_each(|_| self.spawn_worker(stream, None));
        }
    }

    fn spawn_worker(self: &Rc<Self>, stream: usize, first: Option<Ready<T::Request>>) {
        let mut state = self.state.borrow_mut();
        let worker = state.streams[stream].add_worker(first);
        state.workers += 1;
        drop(state);
        let canary = Canary(self.clone());
        tokio::task::spawn_local(async move {
            let lane = &canary.0;
            while let Some(ready) = std::future::poll_fn(|context| lane.poll_ready(stream, worker, context)).await {
                lane.perform(stream, worker, ready).await;
            }
            lane.state.borrow_mut().workers -= 1;
            lane.nudge.notify_one();
        });
    }

    /// One look at everything the dispatcher is responsible for.
    fn turn(self: &Rc<Self>) -> Next {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        state.look_after(now);
        if state.ending {
            return if state.workers == 0 { Next::End } else { Next::Wait(now.plus(TICK)) };
        }
        // Before anything is sent: a lane that never catches up would send for ever.
        if state.is_over(now) {
            state.end(now);
            return Next::Again;
        }
        // Each stream has its own share, so that one that is far behind does not keep the others waiting.
        let share = (DISPATCHED_A_TURN / state.streams.len().max(1)).max(1);
        let mut more = false;
        for stream in 0..state.streams.len() {
            for nth in 1..=share {
                let Some(assigned) = state.assign_due(stream, now) else { break };
                if let Assigned::NewWorker(ready) = assigned {
                    drop(state);
                    self.spawn_worker(stream, Some(ready));
                    state = self.state.borrow_mut();
                }
                more |= nth == share;
            }
        }
        if more {
            return Next::Again;
        }
        let next = state.next_moment(now);
        if next > now.plus(state.encoding_margin()) && state.prepare_one(|| self.clock.now()) { Next::Again } else { Next::Wait(next) }
    }

    /// The next request of a worker, or `None` where it has nothing more to do.
    fn poll_ready(&self, stream: usize, worker: usize, context: &Context<'_>) -> Poll<Option<Ready<T::Request>>> {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let own = &mut state.streams[stream];
        if let Some(ready) = own.take_assigned(worker) {
            return Poll::Ready(Some(ready));
        }
        if state.ending {
            return Poll::Ready(None);
        }
        if own.is_closed() {
            if now >= state.settings.phases.drain || state.stop.is_stopped() {
                return Poll::Ready(None);
            }
            let sequence = own.next_closed();
            return Poll::Ready(Some(Ready { sequence, intended: None, request: state.target.prepare(stream, sequence) }));
        }
        if own.is_starved() {
            // Requests are due and wait for a worker: take the next one without a detour over the dispatcher.
            let drain = state.settings.phases.drain;
            if let Some(ready) = own.take_due(now, drain, |sequence| state.target.prepare(stream, sequence)) {
                return Poll::Ready(Some(ready));
            }
            own.set_starved(false);
            self.nudge.notify_one();
        }
        own.rest(worker, context);
        Poll::Pending
    }

    /// Sends a request, waits for its end, and counts it.
    async fn perform(&self, stream: usize, worker: usize, ready: Ready<T::Request>) {
        let Ready { sequence, intended, request } = ready;
        let (call, decision, sent) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let now = self.clock.now();
            let decision = if state.streams[stream].is_forced() { state.decider.force(now) } else { state.decider.decide(now) };
            let context = context_header(state.settings.propagation, &decision);
            let call = state.target.call(stream, worker, request, context);
            let sent = self.clock.now();
            state.streams[stream].begin(worker, sent);
            (call, decision, sent)
        };
        let mut call = pin!(call);
        let answer = std::future::poll_fn(|context| {
            if let Some(outcome) = self.state.borrow_mut().streams[stream].poll_given_up(worker, context) {
                return Poll::Ready(Err(outcome));
            }
            call.as_mut().poll(context).map(Ok)
        })
        .await;
        let done = self.clock.now();
        let intended = intended.unwrap_or(sent);
        let mut state = self.state.borrow_mut();
        let finished = Finished {
            stream: stream as u16,
            phase_measured: state.settings.phases.counts(intended),
            sequence,
            intended,
            sent,
            done,
            outcome: Outcome::Ok,
            decision,
        };
        state.finish(worker, finished, answer);
    }
}
