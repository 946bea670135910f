//! The phases of a run on a clock, and when it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::{Moment, now, pause};
use crate::units::Nanos;

/// When warm-up, measured phase and drain begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    /// The warm-up begins.
    pub begin: Moment,
    /// The warm-up ends, the measured phase begins.
    pub measure: Moment,
    /// The measured phase ends, nothing new is due.
    pub drain: Moment,
    /// Who is not answered by now is unfinished.
    pub end: Moment,
    /// How long the drain may take.
    drain_limit: Nanos,
}

impl Phases {
    /// Phases of the given lengths in a row.
    #[must_use]
    pub const fn new(begin: Moment, warmup: Nanos, duration: Nanos, drain_limit: Nanos) -> Self {
        let measure = begin.plus(warmup);
        let drain = measure.plus(duration);
        Self { begin, measure, drain, end: drain.plus(drain_limit), drain_limit }
    }

    /// Does a request with this intended start count?
    #[must_use]
    pub fn counts(&self, intended: Moment) -> bool {
        (self.measure..self.drain).contains(&intended)
    }

    /// The same run, stopped early: nothing new is due from `now` on.
    #[must_use]
    pub fn stopped_at(self, now: Moment) -> Self {
        let drain = self.drain.min(now);
        Self { drain, end: self.end.min(now.plus(self.drain_limit)), ..self }
    }
}

/// So long somebody who pauses may take to see that he is told to stop.
const LOOK: Nanos = Nanos::from_millis(20);

/// Tells all lanes to stop early. Lanes look at it every few ms.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nothing new is sent from now on; what is on its way is waited for, as long as the drain may take.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Was it told to stop?
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits so long, or until it is told to stop.
    pub fn pause(&self, length: Nanos) {
        let end = now().plus(length);
        while !self.is_stopped() && now() < end {
            pause(end.since(now()).min(LOOK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn phases() -> Phases {
        Phases::new(Moment::from_ns(SECOND), Nanos::from_secs(2), Nanos::from_secs(10), Nanos::from_secs(3))
    }

    #[test]
    fn only_what_was_meant_for_the_measured_phase_counts() {
        let phases = phases();
        for (at, counts) in [(1, false), (2, false), (3, true), (12, true), (13, false)] {
            assert_eq!(phases.counts(Moment::from_ns(at * SECOND)), counts, "{at} s");
        }
        assert!(!phases.counts(Moment::from_ns(3 * SECOND - 1)));
    }

    #[test]
    fn a_stopped_run_keeps_its_drain() {
        let stopped = phases().stopped_at(Moment::from_ns(7 * SECOND));
        assert_eq!((stopped.drain, stopped.end), (Moment::from_ns(7 * SECOND), Moment::from_ns(10 * SECOND)));
        assert_eq!(phases().stopped_at(Moment::from_ns(14 * SECOND)), phases(), "in the drain nothing changes");
    }

    /// Would last for days otherwise.
    #[test]
    fn who_is_told_to_stop_pauses_no_longer() {
        let days = Nanos::from_secs(1_000_000);
        let stop = Stop::default();
        stop.pause(Nanos::from_millis(1));
        let paused = std::thread::spawn({
            let stop = stop.clone();
            move || stop.pause(days)
        });
        stop.stop();
        paused.join().unwrap();
        stop.pause(days);
    }
}
