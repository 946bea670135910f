//! What a request lives through: held, turned away or failed, queued, served, slowed, and let go at the right moment.
//!
//! Starts and ends are computed from moments of arrival, never from the time that something took here, so that neither the search
//! nor a late turn of the server shifts anybody's end. Only how much before its end an answer is let go is learned, from what
//! answers took to leave.

mod faults;
mod lead;
mod queue;
mod release;
mod stall;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::clock::{Clock, Moment};
use crate::units::Nanos;

use super::{Failure, Settings};
use faults::{Fate, Faults};
use queue::Queue;
use release::Releases;
use stall::Stalls;

pub(super) use lead::Lead;

/// Which side of the rows a request is on: reads begin the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// What the model has to know of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// Its side.
    pub(super) access: Access,
    /// What it asks for, where it was read.
    pub(super) asked: Option<&'a [u8]>,
    /// Spans are recorded of it.
    pub(super) traced: bool,
    /// When it came to this machine, where that is known; else it has come when it is led here.
    pub(super) came: Option<Moment>,
    /// Gets the moment when it arrives at the server: who gives it up before has not been here.
    pub(super) arrived: &'a Cell<Option<Moment>>,
}

/// What a request lived through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// It came to the server.
    pub(super) arrived: Moment,
    /// A server turned to it: before this it was queued.
    pub(super) started: Moment,
    /// Its answer was to leave.
    pub(super) ended: Moment,
    /// When it was let go, or was to be, to leave at its end; `None` where it was late for that.
    pub(super) let_go: Option<Moment>,
    /// So much of the time before its end it waited inside the slow span.
    pub(super) slow: Nanos,
    /// Why it was not served.
    pub(super) failure: Option<Failure>,
}

/// The model of one server, on any clock.
#[derive(Debug)]
pub(super) struct Model<C: Clock> {
    clock: C,
    queue: RefCell<Queue>,
    faults: RefCell<Faults>,
    when_full: Failure,
    /// Whether requests can wait at all: without it they are answered as soon as they can be.
    bare: bool,
    begun: Cell<Option<Moment>>,
    begins: Notify,
    /// When the last request came.
    last: Cell<Moment>,
    releases: Rc<Releases>,
    lead: Rc<Lead>,
}

impl<C: Clock> Model<C> {
    pub(super) fn new(settings: &Settings, clock: C) -> Self {
        let faults = Faults::new(settings);
        Self {
            clock,
            bare: faults.none() && settings.stall.is_none(),
            queue: RefCell::new(Queue::new(settings.servers, settings.max_queue, settings.stall.map(Stalls::new))),
            faults: RefCell::new(faults),
            when_full: settings.when_full,
            begun: Cell::new(None),
            begins: Notify::new(),
            last: Cell::new(Moment::from_ns(0)),
            releases: Rc::new(Releases::default()),
            lead: Rc::new(Lead::default()),
        }
    }

    /// Drives the timer, for ever. Spawn it once.
    pub(super) async fn drive(self: Rc<Self>) -> std::io::Result<()> {
        let releases = self.releases.clone();
        releases.drive(&self.clock).await
    }

    /// Whether nothing is modelled: every request is answered as soon as it can be.
    pub(super) const fn is_bare(&self) -> bool {
        self.bare
    }

    /// How much earlier than at their end answers are let go: who writes them tells it when they left.
    pub(super) const fn lead(&self) -> &Rc<Lead> {
        &self.lead
    }

    /// When queue, stalls and faults began, if they have.
    pub(super) fn begun(&self) -> Option<Moment> {
        self.begun.get()
    }

    /// Ends once they have begun.
    pub(super) async fn beginning(&self) -> Moment {
        loop {
            let begins = self.begins.notified();
            if let Some(begun) = self.begun.get() {
                return begun;
            }
            begins.await;
        }
    }

    /// Queue, stalls and faults rest until the next read.
    pub(super) fn rest(&self) {
        self.begun.set(None);
    }

    /// A read that came at this moment begins queue, stalls and faults, where they rest.
    pub(super) fn begin(&self, came: Moment) {
        if self.begun.get().is_none() {
            self.begun.set(Some(came));
            self.begins.notify_waiters();
        }
    }

    /// Leads a request that has just come through the model. `work` makes its answer; it is done as soon as possible and kept
    /// until the moment that the model says. `None` where it failed and was not done.
    pub(super) async fn visit<T>(&self, call: Call<'_>, work: impl Future<Output = T>) -> (Visit, Option<T>) {
        let noticed = self.clock.now();
        // Of what came by another connection a later one may have been led here before it: but for those that are held, the queue takes them
        // in order.
        let came = call.came.map_or(noticed, |came| came.clamp(self.last.get().min(noticed), noticed));
        self.last.set(came);
        if call.access == Access::Read {
            self.begin(came);
        }
        let origin = match self.begun.get() {
            Some(origin) if !self.bare => origin,
            _ => {
                call.arrived.set(Some(came));
                let done = work.await;
                let visit = Visit { arrived: came, started: came, ended: self.clock.now(), let_go: None, slow: Nanos::ZERO, failure: None };
                return (visit, Some(done));
            }
        };
        let fate = self.faults.borrow_mut().draw(call.asked, call.traced);
        let arrived = came.plus(fate.hold);
        if fate.hold > Nanos::ZERO {
            self.releases.at(arrived).await;
        }
        call.arrived.set(Some(arrived));
        let served = match self.admit(origin, arrived, fate) {
            Ok(served) => served,
            Err(failure) => {
                // A server that does nothing does not refuse either.
                let ended = self.queue.borrow().awake(origin, arrived);
                let let_go = self.keep(ended, self.clock.now()).await;
                return (Visit { arrived, started: ended, ended, let_go, slow: Nanos::ZERO, failure: Some(failure) }, None);
            }
        };
        let done = work.await;
        let due = served.end.plus(fate.slow);
        let finished = self.clock.now();
        let let_go = self.keep(due, finished).await;
        // Where the search takes longer than the model allows, the answer leaves when it is there.
        let ended = due.max(finished);
        (Visit { arrived, started: served.start, ended, let_go, slow: fate.slow, failure: None }, Some(done))
    }

    /// Keeps an answer that is there `now` until it has to be let go to leave at `end`; when that is, where it is not late for it.
    async fn keep(&self, end: Moment, now: Moment) -> Option<Moment> {
        let let_go = self.lead.before(end).max(now);
        if now >= end {
            return None;
        }
        if let_go > now {
            self.releases.at(let_go).await;
        }
        Some(let_go)
    }

    fn admit(&self, origin: Moment, arrived: Moment, fate: Fate) -> Result<queue::Served, Failure> {
        match fate.failure {
            Some(failure) => Err(failure),
            None => self.queue.borrow_mut().admit(origin, arrived, fate.work).ok_or(self.when_full),
        }
    }
}
