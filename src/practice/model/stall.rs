//! Stretches of time in which no server does anything.

use crate::clock::Moment;
use crate::practice::Stall;
use crate::units::Nanos;

/// Stalls on their way through time: exact, without a clock of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stalls {
    /// From the origin to the first stall.
    first: u64,
    length: u64,
    /// From one beginning to the next; `None` where there is one stall only.
    every: Option<u64>,
}

impl Stalls {
    /// As set; see [`Stall::first`] for what is left out.
    pub(crate) fn new(stall: Stall) -> Self {
        let first = stall.first.or(stall.every).unwrap_or(Nanos::ZERO);
        Self { first: first.0, length: stall.length.0, every: stall.every.map(|every| every.0) }
    }

    /// When a server that turns to a request at `start` begins with it, and when `work` is done, stalls left out. The origin is
    /// where `first` is counted from; nothing stalls before it.
    pub(crate) fn serve(&self, origin: Moment, start: Moment, work: Nanos) -> (Moment, Moment) {
        if start < origin {
            return (start, start.plus(work));
        }
        let start = self.out_of_stall(start.since(origin).0);
        let end = self.moment_of(self.worked(start) + work.0).max(start);
        (origin.plus(Nanos(start)), origin.plus(Nanos(end)))
    }

    /// The end of the stall that holds `at`, or `at` itself.
    fn out_of_stall(&self, at: u64) -> u64 {
        let Some(since_first) = at.checked_sub(self.first) else { return at };
        let within = self.every.map_or(since_first, |every| since_first % every);
        if within < self.length { at + self.length - within } else { at }
    }

    /// How much of the time from the origin to `at` servers have worked.
    fn worked(&self, at: u64) -> u64 {
        let Some(since_first) = at.checked_sub(self.first) else { return at };
        let (stalls, within) = self.every.map_or((0, since_first), |every| (since_first / every, since_first % every));
        at - stalls * self.length - within.min(self.length)
    }

    /// The first moment by which servers have worked so long.
    fn moment_of(&self, worked: u64) -> u64 {
        let Some(beyond) = worked.checked_sub(self.first + 1) else { return worked };
        // A stall begins each time servers have worked `every - length` more; work that ends just as one begins is done.
        let stalls = self.every.map_or(1, |every| beyond / (every - self.length) + 1);
        worked + stalls * self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stalls(first: u64, length: u64, every: Option<u64>) -> Stalls {
        Stalls { first, length, every }
    }

    fn served(stalls: Stalls, start: u64, work: u64) -> (u64, u64) {
        let origin = Moment::from_ns(1_000);
        let (begins, ends) = stalls.serve(origin, origin.plus(Nanos(start)), Nanos(work));
        (begins.since(origin).0, ends.since(origin).0)
    }

    #[test]
    fn work_pauses_while_servers_stall() {
        let stalls = stalls(40, 10, Some(100));
        for (start, work, begins, ends) in [
            (0, 30, 0, 30),
            (0, 40, 0, 40),  // done as the stall begins
            (0, 41, 0, 51),  // a rest of 1 after it
            (40, 5, 50, 55), // begins when the stall ends
            (45, 0, 50, 50), // even what takes no time waits
            (49, 1, 50, 51),
            (50, 90, 50, 140),
            (50, 91, 50, 151),
            (0, 400, 0, 440), // stalls at 40, 140, 240, 340; done at 440 exactly, as the next begins
        ] {
            assert_eq!(served(stalls, start, work), (begins, ends), "from {start} for {work}");
        }
    }

    #[test]
    fn a_single_stall_comes_once() {
        let stalls = stalls(40, 10, None);
        assert_eq!(served(stalls, 45, 0), (50, 50));
        assert_eq!(served(stalls, 30, 1_000), (30, 1_040));
        assert_eq!(served(stalls, 145, 5), (145, 150));
    }

    #[test]
    fn what_is_left_out_follows_from_the_rest() {
        let every = Some(Nanos(100));
        assert_eq!(Stalls::new(Stall { every, length: Nanos(10), first: None }).first, 100);
        assert_eq!(Stalls::new(Stall { every: None, length: Nanos(10), first: None }).first, 0);
        assert_eq!(Stalls::new(Stall { every, length: Nanos(10), first: Some(Nanos(7)) }).first, 7);
    }

    proptest! {
        // The oracle walks through time one unit at a time.
        #[test]
        fn the_closed_form_is_what_walking_through_time_gives(
            first in 0_u64..30, length in 1_u64..10, gap in proptest::option::of(1_u64..20), start in 0_u64..100, work in 0_u64..60,
        ) {
            let every = gap.map(|gap| length + gap);
            let stalled = |at: u64| at >= first && every.map_or(at - first, |every| (at - first) % every) < length;
            let mut at = start;
            while stalled(at) {
                at += 1;
            }
            let begins = at;
            let mut left = work;
            while left > 0 {
                left -= u64::from(!stalled(at));
                at += 1;
            }
            prop_assert_eq!(served(stalls(first, length, every), start, work), (begins, at));
        }
    }
}
