//! A clock that moves only when nothing else can: whole runs in milliseconds, the same every time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Clock, Moment, Timer};

/// A clock for tests and simulations. Inside [`VirtualClock::run`] it jumps to the next moment that somebody waits for as
/// soon as every task waits.
///
/// ```
/// use tailtrace::clock::{Clock, Timer, VirtualClock};
/// use tailtrace::units::Nanos;
/// let hours = VirtualClock::run(|clock| async move {
///     let due = clock.now().plus(Nanos::from_secs(7200));
///     clock.timer().unwrap().until(due).await;
///     assert_eq!(clock.now(), due);
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    now: Moment,
    next_id: u64,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    due: Moment,
    id: u64,
    waker: Waker,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.id) == (other.due, other.id)
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
        (self.due, self.id).cmp(&(other.due, other.id))
    }
}

impl VirtualClock {
    /// Runs a future (and the local tasks that it spawns) on a new virtual clock that begins at one second, to its end.
    ///
    /// # Panics
    /// Where every task waits for something that is not this clock: that would be a test which never ends.
    pub fn run<F, T>(make: impl FnOnce(Self) -> F) -> T
    where
        F: Future<Output = T>,
    {
        let clock = Self::default();
        clock.locked(|state| state.now = Moment::from_ns(1_000_000_000));
        let turned = clock.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || turned.advance())
            .build()
            .expect("a runtime without drivers needs nothing of the system");
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(make(clock)))
    }

    /// Jumps to the next moment that is waited for, and wakes all who wait for it.
    fn advance(&self) {
        let woken = self.locked(|state| {
            let Some(Reverse(first)) = state.waiting.peek() else { return Vec::new() };
            state.now = state.now.max(first.due);
            let mut woken = Vec::new();
            while let Some(Reverse(next)) = state.waiting.peek()
                && next.due <= state.now
            {
                woken.extend(state.waiting.pop().map(|Reverse(waiting)| waiting.waker));
            }
            woken
        });
        assert!(!woken.is_empty(), "every task waits, and none of them for the virtual clock");
        woken.into_iter().for_each(Waker::wake);
    }

    fn locked<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for VirtualClock {
    type Timer = VirtualTimer;

    fn now(&self) -> Moment {
        self.locked(|state| state.now)
    }

    fn timer(&self) -> io::Result<VirtualTimer> {
        Ok(VirtualTimer { clock: self.clone() })
    }
}

/// A timer of a [`VirtualClock`]: hits its moment exactly.
#[derive(Debug, Clone)]
pub struct VirtualTimer {
    clock: VirtualClock,
}

impl Timer for VirtualTimer {
    fn until(&mut self, due: Moment) -> impl Future<Output = ()> {
        Until { clock: self.clock.clone(), due }
    }
}

struct Until {
    clock: VirtualClock,
    due: Moment,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.clock.locked(|state| {
            if state.now >= self.due {
                return Poll::Ready(());
            }
            // A future that was polled for another reason waits once more; the older entry wakes for nothing, which costs
            // a turn and changes no moment.
            state.next_id += 1;
            let id = state.next_id;
            state.waiting.push(Reverse(Waiting { due: self.due, id, waker: context.waker().clone() }));
            Poll::Pending
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn tasks_wake_in_the_order_of_their_moments() {
        let order = VirtualClock::run(|clock| async move {
            let order = Rc::new(RefCell::new(Vec::new()));
            let start = clock.now();
            let tasks: Vec<_> = [30, 10, 20]
                .map(|millis| {
                    let (clock, order) = (clock.clone(), order.clone());
                    tokio::task::spawn_local(async move {
                        clock.timer().unwrap().until(start.plus(Nanos::from_millis(millis))).await;
                        order.borrow_mut().push((millis, clock.now().since(start)));
                    })
                })
                .into_iter()
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            order.take()
        });
        assert_eq!(order, [10, 20, 30].map(|millis| (millis, Nanos::from_millis(millis))));
    }

    #[test]
    #[should_panic(expected = "none of them for the virtual clock")]
    fn a_test_that_would_never_end_says_so() {
        VirtualClock::run(|_| std::future::pending::<()>());
    }
}
