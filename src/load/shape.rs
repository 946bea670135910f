//! How a stream's requests are spread over time.

use crate::stats::arrivals::Process;
use crate::units::{Nanos, Rate};

/// One stream of requests as the lanes need it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamLoad {
    /// Closed or open loop.
    pub shape: Shape,
    /// How long a request may take before it counts as timed out.
    pub timeout: Nanos,
    /// Every request is traced, whatever the sampler says.
    pub forced: bool,
}

impl StreamLoad {
    /// The most requests that it has unanswered at a time, over all lanes.
    #[must_use]
    pub const fn most_in_flight(&self) -> usize {
        match self.shape {
            Shape::Closed { workers } => workers,
            Shape::Open { max_in_flight, .. } => max_in_flight,
        }
    }
}

/// The two ways to make load.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// `workers` over all lanes, each sends its next request when the last one ended.
    Closed {
        /// Over all lanes, at least 1.
        workers: usize,
    },
    /// Requests are due at times that do not depend on the answers.
    Open {
        /// How due times scatter around the rate.
        arrivals: Process,
        /// The rate of the warm-up.
        warmup: Rate,
        /// The measured phase, in order; their lengths add up to it.
        stages: Vec<Stage>,
        /// The most requests unanswered at a time over all lanes, at least 1; more of them wait, and their wait counts.
        max_in_flight: usize,
    },
}

/// A stretch of the measured phase in which the rate moves linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// The rate at its begin.
    pub from: Rate,
    /// The rate at its end; the same as `from` where it stays.
    pub to: Rate,
    /// How long it lasts.
    pub length: Nanos,
}

impl Stage {
    /// A stage in which the rate stays.
    #[must_use]
    pub const fn steady(rate: Rate, length: Nanos) -> Self {
        Self { from: rate, to: rate, length }
    }

    /// The rate, a second, so long after its begin.
    #[must_use]
    pub fn rate_at(&self, into: Nanos) -> f64 {
        let along = into.0 as f64 / self.length.0.max(1) as f64;
        (self.to.per_second() - self.from.per_second()).mul_add(along, self.from.per_second())
    }

    /// Requests that fall into it: the integral of its rate.
    #[must_use]
    pub fn requests(&self) -> f64 {
        f64::midpoint(self.from.per_second(), self.to.per_second()) * self.length.as_secs_f64()
    }
}

/// Which part of a run a machine and a lane take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// This machine's number, from 0.
    pub shard: u64,
    /// How many machines there are.
    pub shards: u64,
    /// This lane's number on its machine, from 0.
    pub lane: u64,
    /// How many lanes each machine has.
    pub lanes: u64,
}

impl Part {
    /// The only lane of the only machine.
    pub const WHOLE: Self = Self { shard: 0, shards: 1, lane: 0, lanes: 1 };

    /// Does this part send request number `sequence`? Machine s of S takes n ≡ s (mod S), of these lane i of L every
    /// L-th, so that every request is sent once whatever their numbers.
    #[must_use]
    pub const fn takes(&self, sequence: u64) -> bool {
        sequence % self.shards == self.shard && (sequence / self.shards) % self.lanes == self.lane
    }

    /// The part's `count`-th request, from 0: the closed loop's way through its numbers.
    #[must_use]
    pub const fn nth(&self, count: u64) -> u64 {
        (count * self.lanes + self.lane) * self.shards + self.shard
    }

    /// This part's share of `whole` things that are split evenly; over all parts the shares add up to `whole`.
    #[must_use]
    pub const fn share(&self, whole: usize) -> usize {
        let parts = (self.shards * self.lanes) as usize;
        let index = (self.lane * self.shards + self.shard) as usize;
        whole / parts + (index < whole % parts) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(shards: u64, lanes: u64) -> impl Iterator<Item = Part> {
        (0..shards).flat_map(move |shard| (0..lanes).map(move |lane| Part { shard, shards, lane, lanes }))
    }

    proptest! {
        #[test]
        fn every_request_has_one_part_that_takes_it(sequence in 0_u64..u64::from(u32::MAX), shards in 1_u64..9, lanes in 1_u64..9) {
            prop_assert_eq!(parts(shards, lanes).filter(|part| part.takes(sequence)).count(), 1);
        }

        #[test]
        fn a_parts_own_count_leads_through_what_it_takes(count in 0_u64..1_000_000, shards in 1_u64..9, lanes in 1_u64..9) {
            for part in parts(shards, lanes) {
                let sequence = part.nth(count);
                prop_assert!(part.takes(sequence));
                prop_assert!((sequence + 1..part.nth(count + 1)).all(|between| !part.takes(between)));
            }
        }

        #[test]
        fn shares_add_up_and_differ_by_one_at_most(whole in 0_usize..100_000, shards in 1_u64..9, lanes in 1_u64..9) {
            let shares: Vec<_> = parts(shards, lanes).map(|part| part.share(whole)).collect();
            prop_assert_eq!(shares.iter().sum::<usize>(), whole);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
