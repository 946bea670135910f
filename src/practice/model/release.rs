//! Lets those who wait go at their moment: one timer for all of them.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::clock::{Clock, Moment, Timer};

/// Waiting places, all served by one timer: a precise timer costs CPU while it waits for its last microseconds, so there is
/// one, for whoever is due next.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    waiting: RefCell<BinaryHeap<Reverse<Waiting>>>,
    entered: Cell<u64>,
    /// Who drives the timer, to be woken when somebody is due before the one it waits for.
    driver: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Waiting {
    due: Moment,
    /// Of those due at the same moment the one who came first goes first.
    entered: u64,
    place: Rc<Place>,
}

#[derive(Debug, Default)]
struct Place {
    released: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.entered).cmp(&(other.due, other.entered))
    }
}

impl Releases {
    /// Ends at `due`, not before. [`Releases::drive`] must be running.
    pub(crate) fn at(&self, due: Moment) -> impl Future<Output = ()> + use<> {
        let place = Rc::new(Place::default());
        let entered = self.entered.replace(self.entered.get() + 1);
        let first = self.waiting.borrow().peek().is_none_or(|Reverse(next)| due < next.due);
        self.waiting.borrow_mut().push(Reverse(Waiting { due, entered, place: place.clone() }));
        if first && let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
        Release(place)
    }

    /// Drives the timer, for ever.
    pub(crate) async fn drive<C: Clock>(&self, clock: &C) -> std::io::Result<()> {
        let mut timer = clock.timer()?;
        loop {
            let due = poll_fn(|context| self.next(context)).await;
            {
                let mut wait = pin!(timer.until(due));
                poll_fn(|context| self.until_due_or_changed(wait.as_mut(), due, context)).await;
            }
            self.release(clock.now());
        }
    }

    fn next(&self, context: &mut Context<'_>) -> Poll<Moment> {
        self.register(context);
        self.waiting.borrow().peek().map_or(Poll::Pending, |Reverse(next)| Poll::Ready(next.due))
    }

    fn until_due_or_changed(&self, wait: Pin<&mut impl Future<Output = ()>>, due: Moment, context: &mut Context<'_>) -> Poll<()> {
        if self.waiting.borrow().peek().is_some_and(|Reverse(next)| next.due < due) {
            return Poll::Ready(());
        }
        self.register(context);
        wait.poll(context)
    }

    fn register(&self, context: &Context<'_>) {
        let mut driver = self.driver.borrow_mut();
        match &mut *driver {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    fn release(&self, now: Moment) {
        let mut waiting = self.waiting.borrow_mut();
        while waiting.peek().is_some_and(|Reverse(next)| next.due <= now) {
            let Some(Reverse(next)) = waiting.pop() else { return };
            next.place.released.set(true);
            if let Some(waker) = next.place.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

struct Release(Rc<Place>);

impl Future for Release {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.released.get() {
            return Poll::Ready(());
        }
        *self.0.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;
    use crate::units::Nanos;

    #[test]
    fn everybody_goes_at_their_moment_whoever_came_first() {
        let gone = VirtualClock::run(|clock| async move {
            let releases = Rc::new(Releases::default());
            let driven = releases.clone();
            let driver_clock = clock.clone();
            tokio::task::spawn_local(async move { driven.drive(&driver_clock).await });
            let start = clock.now();
            let gone = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = [30, 10, 20, 10, 0]
                .into_iter()
                .enumerate()
                .map(|(who, micros)| {
                    let (releases, clock, gone) = (releases.clone(), clock.clone(), gone.clone());
                    tokio::task::spawn_local(async move {
                        releases.at(start.plus(Nanos::from_micros(micros))).await;
                        gone.borrow_mut().push((who, clock.now().since(start)));
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            gone.take()
        });
        assert_eq!(gone, [(4, 0), (1, 10), (3, 10), (2, 20), (0, 30)].map(|(who, micros)| (who, Nanos::from_micros(micros))));
    }

    #[test]
    fn one_who_comes_later_and_is_due_earlier_turns_the_timer_back() {
        let at = VirtualClock::run(|clock| async move {
            let releases = Rc::new(Releases::default());
            let (driven, driver_clock) = (releases.clone(), clock.clone());
            tokio::task::spawn_local(async move { driven.drive(&driver_clock).await });
            let start = clock.now();
            let late = tokio::task::spawn_local(releases.at(start.plus(Nanos::from_secs(10))));
            clock.timer().unwrap().until(start.plus(Nanos::from_secs(1))).await;
            releases.at(start.plus(Nanos::from_secs(2))).await;
            let early = clock.now().since(start);
            late.await.unwrap();
            (early, clock.now().since(start))
        });
        assert_eq!(at, (Nanos::from_secs(2), Nanos::from_secs(10)));
    }
}
