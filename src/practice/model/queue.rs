//! Servers and those who wait for them, first come, first served.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;

use crate::clock::Moment;
use crate::units::Nanos;

use super::stall::Stalls;

/// c servers with one queue (Kiefer and Wolfowitz 1955; for one server Lindley 1952): what an arrival will live through is
/// known at once, because those before it are. No clock, no events.
#[derive(Debug)]
pub(crate) struct Queue {
    /// `None`: as many as there are requests.
    servers: Option<NonZeroU32>,
    max_waiting: Option<u32>,
    /// When each server that was ever busy is free again.
    free: BinaryHeap<Reverse<Moment>>,
    /// When those who wait will begin; earlier arrivals begin earlier.
    waiting: VecDeque<Moment>,
    stalls: Option<Stalls>,
}

/// What a request lives through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    /// A server turns to it.
    pub(crate) start: Moment,
    /// It is done.
    pub(crate) end: Moment,
}

impl Queue {
    pub(crate) const fn new(servers: Option<NonZeroU32>, max_waiting: Option<u32>, stalls: Option<Stalls>) -> Self {
        Self { servers, max_waiting, free: BinaryHeap::new(), waiting: VecDeque::new(), stalls }
    }

    /// Takes in a request that arrives not before the one before it and occupies a server for `work`. `None` where too many
    /// wait already. `origin` is where stalls are counted from.
    pub(crate) fn admit(&mut self, origin: Moment, arrival: Moment, work: Nanos) -> Option<Served> {
        while self.waiting.front().is_some_and(|start| *start <= arrival) {
            self.waiting.pop_front();
        }
        let turn = self.turn(arrival);
        let (start, end) = match self.stalls {
            Some(stalls) => stalls.serve(origin, turn, work),
            None => (turn, turn.plus(work)),
        };
        if start > arrival {
            if self.max_waiting.is_some_and(|most| self.waiting.len() >= most as usize) {
                return None;
            }
            self.waiting.push_back(start);
        }
        if let Some(servers) = self.servers {
            let all_known = self.free.len() == servers.get() as usize;
            if all_known || self.free.peek().is_some_and(|Reverse(free)| *free <= arrival) {
                self.free.pop();
            }
            self.free.push(Reverse(end));
        }
        Some(Served { start, end })
    }

    /// When servers that stall at this moment do something again; the moment itself where they do not stall.
    pub(crate) fn awake(&self, origin: Moment, at: Moment) -> Moment {
        self.stalls.map_or(at, |stalls| stalls.serve(origin, at, Nanos::ZERO).0)
    }

    /// When the next server is free for an arrival.
    fn turn(&self, arrival: Moment) -> Moment {
        match (self.servers, self.free.peek()) {
            (Some(servers), Some(Reverse(free))) if self.free.len() == servers.get() as usize => arrival.max(*free),
            _ => arrival,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::practice::ServiceTime;
    use crate::stats::queue::mmc_response_quantile;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use rand_distr::Exp1;

    const ORIGIN: Moment = Moment::from_ns(0);

    fn at(ns: u64) -> Moment {
        Moment::from_ns(ns)
    }

    fn queue(servers: Option<u32>, max_waiting: Option<u32>) -> Queue {
        Queue::new(servers.and_then(NonZeroU32::new), max_waiting, None)
    }

    #[test]
    fn two_servers_take_the_first_two_and_the_third_waits_for_the_earlier() {
        let mut queue = queue(Some(2), None);
        let mut admit = |arrival, work| {
            let served = queue.admit(ORIGIN, at(arrival), Nanos(work)).unwrap();
            (served.start.as_ns(), served.end.as_ns())
        };
        assert_eq!(admit(0, 10), (0, 10));
        assert_eq!(admit(1, 4), (1, 5));
        assert_eq!(admit(2, 7), (5, 12));
        assert_eq!(admit(3, 1), (10, 11));
        assert_eq!(admit(30, 1), (30, 31));
    }

    #[test]
    fn without_servers_nobody_waits() {
        let mut queue = queue(None, None);
        for arrival in 0..100 {
            let served = queue.admit(ORIGIN, at(arrival), Nanos(1_000)).unwrap();
            assert_eq!((served.start, served.end), (at(arrival), at(arrival + 1_000)));
        }
    }

    #[test]
    fn beyond_the_limit_arrivals_are_turned_away_until_one_begins() {
        let mut queue = queue(Some(1), Some(2));
        let admitted: Vec<bool> = [0, 1, 2, 3, 9, 10, 11].map(|arrival| queue.admit(ORIGIN, at(arrival), Nanos(10)).is_some()).into();
        // One is served from 0, two wait; the first of those begins at 10 and leaves a place.
        assert_eq!(admitted, [true, true, true, false, false, true, false]);
    }

    #[test]
    fn many_servers_take_no_memory_before_they_are_needed() {
        let mut queue = queue(Some(u32::MAX), None);
        for arrival in 0..1_000 {
            queue.admit(ORIGIN, at(arrival * 10), Nanos(5));
        }
        assert_eq!(queue.free.len(), 1);
    }

    // Arrivals at 350/s against servers of 1/(2 ms) each (for two: 700/s), in 400 stretches of as many as come in 10 s. Of those
    // in a stretch the share within the exact quantile is q in the mean, whatever hangs together inside it; over √400, the spread of the
    // shares is the standard error of their mean. Latencies are correlated over 0.15 s (relaxation time 1/(√μ−√λ)² at c = 1), so that
    // neighbouring stretches have at most 2 · 0.15 / 10 = 3 % of their variance in common, which is in the bound: of four standard
    // errors, 3.9 remain, and chance alone is beyond them once in 10,000. The seed is fixed.
    #[test]
    fn response_times_are_those_of_the_closed_forms() {
        for (servers, lambda) in [(1, 350.0), (2, 700.0)] {
            let mu = 500.0;
            let mut random = StdRng::seed_from_u64(7);
            let service = ServiceTime::Exponential(Nanos::from_millis(2));
            let mut queue = queue(Some(servers), None);
            let mut now = 0.0_f64;
            let in_a_stretch = (lambda * 10.0) as usize;
            let stretches: Vec<Vec<f64>> = std::iter::repeat_with(|| {
                let mut response = || {
                    now += random.sample::<f64, _>(Exp1) / lambda;
                    let arrival = at((now * 1e9) as u64);
                    queue.admit(ORIGIN, arrival, service.draw(&mut random)).unwrap().end.since(arrival).as_secs_f64()
                };
                std::iter::repeat_with(&mut response).take(in_a_stretch).collect()
            })
            .take(400)
            .collect();
            for q in [0.5, 0.9, 0.99] {
                let exact = mmc_response_quantile(q, servers, lambda, mu).unwrap();
                let shares: Vec<f64> = stretches
                    .iter()
                    .map(|responses| responses.iter().filter(|response| **response <= exact).count() as f64 / responses.len() as f64)
                    .collect();
                let n = shares.len() as f64;
                let mean = shares.iter().sum::<f64>() / n;
                let spread = (shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
                let bound = 4.0 * spread / n.sqrt();
                assert!((mean - q).abs() < bound, "M/M/{servers}: {mean} within p{}, not {q} ± {bound}", q * 100.0);
            }
        }
    }
}
