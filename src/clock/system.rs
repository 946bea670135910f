//! The machine's own clock, and a timer that hits its moment within microseconds.

use std::io;

use crate::units::Nanos;

use super::{Clock, Moment, Timer};

/// The present moment on the machine's monotonic clock.
#[must_use]
pub fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Moment::from_ns(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

/// Blocks the calling thread for about so long: for threads that look after others, never for a lane.
pub fn pause(length: Nanos) {
    #[expect(clippy::disallowed_methods, reason = "the one place that blocks a thread")]
    std::thread::sleep(length.as_duration());
}

/// How a timer spends the time until its moment comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Sleeps on the kernel's timer until shortly before, then yields to the runtime until the moment comes, so that
    /// answers go on being read. The default.
    #[default]
    Auto,
    /// Sleeps on the kernel's timer to the end: least CPU, and the kernel's wake-up (about 50 µs) is added to lateness.
    Sleep,
    /// Never sleeps: yields to the runtime all the time. Least lateness, one core busy all the time.
    Poll,
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock {
    /// How its timers wait.
    pub wait: Wait,
}

impl Clock for SystemClock {
    type Timer = SystemTimer;

    fn now(&self) -> Moment {
        now()
    }

    fn timer(&self) -> io::Result<SystemTimer> {
        Ok(SystemTimer { wait: self.wait, kernel: KernelTimer::new()? })
    }
}

/// How long before its moment a timer stops sleeping and begins to yield: what a kernel's wake-up takes on a busy virtual
/// machine (a timerfd alone is 45 to 61 µs late in the median).
const AWAKE_BEFORE: Nanos = Nanos::from_micros(60);

/// A timer of the machine's clock; see [`Wait`] for how it waits.
#[derive(Debug)]
pub struct SystemTimer {
    wait: Wait,
    kernel: KernelTimer,
}

impl Timer for SystemTimer {
    async fn until(&mut self, due: Moment) {
        let sleep_to = match self.wait {
            Wait::Auto => Some(due.minus(AWAKE_BEFORE)),
            Wait::Sleep => Some(due),
            Wait::Poll => None,
        };
        if let Some(sleep_to) = sleep_to
            && sleep_to > now()
        {
            self.kernel.sleep_until(sleep_to).await;
        }
        while now() < due {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct KernelTimer {
    descriptor: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl KernelTimer {
    fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(unsafe_code, reason = "tokio's only way to wait for a timerfd; the proof stands below")]
        // SAFETY: `register` asks that the descriptor stays open and is not replaced while it is registered. It is owned by
        // the `OwnedFd` inside, which nothing takes out or closes before the `AsyncFd` deregisters it in its own drop.
        let descriptor = unsafe { tokio::io::unix::AsyncFd::register_with_interest(descriptor, tokio::io::Interest::READABLE)? };
        Ok(Self { descriptor })
    }

    /// Sleeps to the moment, in the kernel. Where the timer cannot be set (it always can: the time is not negative) the
    /// caller's loop goes on yielding.
    async fn sleep_until(&mut self, due: Moment) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let at = Timespec { tv_sec: (due.as_ns() / 1_000_000_000).cast_signed(), tv_nsec: (due.as_ns() % 1_000_000_000).cast_signed() };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        if timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::ABSTIME, &spec).is_err() {
            return;
        }
        loop {
            let Ok(mut ready) = self.descriptor.readable().await else { return };
            let mut expirations = [0_u8; 8];
            // A wait that was dropped may leave readiness of an older setting behind: then there is nothing to read yet.
            let read = rustix::io::read(self.descriptor.get_ref(), &mut expirations);
            ready.clear_ready();
            if read != Err(rustix::io::Errno::AGAIN) {
                return;
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct KernelTimer;

#[cfg(not(target_os = "linux"))]
impl KernelTimer {
    #[allow(clippy::unnecessary_wraps, reason = "the same signature as where a timer is a descriptor")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Tokio's timer ticks at 1 ms and may be a tick late: sleep to two ticks before, the caller yields for the rest.
    async fn sleep_until(&mut self, due: Moment) {
        let ahead = due.since(now()).0.saturating_sub(2_000_000);
        if ahead > 0 {
            #[allow(clippy::disallowed_methods, reason = "the only timer there is without timerfd")]
            tokio::time::sleep(std::time::Duration::from_nanos(ahead)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_runtime<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn no_way_of_waiting_ends_before_its_moment() {
        in_runtime(async {
            for wait in [Wait::Auto, Wait::Sleep, Wait::Poll] {
                let clock = SystemClock { wait };
                let mut timer = clock.timer().unwrap();
                for ahead in [0, 10, 100, 3_000] {
                    let due = clock.now().plus(Nanos::from_micros(ahead));
                    timer.until(due).await;
                    assert!(clock.now() >= due, "{wait:?} {ahead} us");
                }
            }
        });
    }

    #[test]
    fn a_wait_that_was_dropped_does_not_end_the_next_one_early() {
        in_runtime(async {
            let clock = SystemClock { wait: Wait::Sleep };
            let mut timer = clock.timer().unwrap();
            let soon = clock.now().plus(Nanos::from_micros(300));
            let mut dropped = Box::pin(timer.until(soon));
            std::future::poll_fn(|context| {
                assert!(dropped.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            drop(dropped);
            while now() < soon.plus(Nanos::from_micros(300)) {}
            let due = clock.now().plus(Nanos::from_millis(3));
            timer.until(due).await;
            assert!(clock.now() >= due);
        });
    }

    #[test]
    fn waiting_yields_so_that_other_tasks_go_on() {
        in_runtime(async {
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async {
                    let turns = std::rc::Rc::new(std::cell::Cell::new(0_u64));
                    let counted = turns.clone();
                    tokio::task::spawn_local(async move {
                        loop {
                            counted.set(counted.get() + 1);
                            tokio::task::yield_now().await;
                        }
                    });
                    let clock = SystemClock { wait: Wait::Poll };
                    clock.timer().unwrap().until(now().plus(Nanos::from_millis(2))).await;
                    assert!(turns.get() > 10, "the other task had {} turns in 2 ms", turns.get());
                })
                .await;
        });
    }
}
