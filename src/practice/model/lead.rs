//! How much before its end an answer is let go, so that it leaves at its end.

use std::cell::Cell;

use crate::clock::Moment;
use crate::units::Nanos;

/// What an answer takes from being let go to being with the kernel, in the median of those before it: a wake-up, HTTP/2's framing and a
/// write, some tens of µs on cold caches. Without it all answers left so much too late.
///
/// The median is followed by steps of equal length towards each reading (Robbins and Monro 1951, with a constant step), so that one
/// answer that was stopped for milliseconds counts as any other that was late.
#[derive(Debug, Default)]
pub(crate) struct Lead(Cell<u64>);

/// A hundred answers move it by 50 µs.
const STEP_NS: u64 = 500;

/// On a machine that is busy answers take longer; one that meets a calm moment then leaves no more than this too early.
const MOST_NS: u64 = 100_000;

impl Lead {
    /// When to let an answer go that is to leave at `end`.
    pub(crate) const fn before(&self, end: Moment) -> Moment {
        end.minus(Nanos(self.0.get()))
    }

    /// An answer that was to be let go at `let_go` was with the kernel at `left`.
    pub(crate) fn learn(&self, let_go: Moment, left: Moment) {
        let lead = self.0.get();
        let longer = left.since(let_go).0 > lead;
        self.0.set(if longer { (lead + STEP_NS).min(MOST_NS) } else { lead.saturating_sub(STEP_NS) });
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const END: Moment = Moment::from_ns(1_000_000_000);

    /// What it has come to after answers that took so long.
    fn learned(takes_ns: impl IntoIterator<Item = u64>) -> u64 {
        let lead = Lead::default();
        for takes in takes_ns {
            lead.learn(END, Moment::from_ns(END.as_ns() + takes));
        }
        END.since(lead.before(END)).0
    }

    #[test]
    fn it_is_none_before_the_first_answer_and_moves_by_a_step() {
        assert_eq!((learned([]), learned([40_000]), learned([40_000, 10])), (0, 500, 0));
    }

    /// Near the median the density is f = 0.9 / 36 µs, and a step of s = 0.5 µs is drawn back by 2fs of the distance: the walk's
    /// variance there is s / 4f (deviation 2.2 µs), its memory 1 / 2fs = 40 answers. The mean of 4,000 of them holds 4,000 / 80 = 50
    /// independent ones: its deviation is 0.32 µs, and the bound six of these.
    #[test]
    fn it_is_the_median_of_what_answers_take_however_long_the_longest_took() {
        let mut random = StdRng::seed_from_u64(7);
        let mut takes = || if random.random::<f64>() < 0.1 { 8_000_000 } else { 20_000 + (random.random::<f64>() * 36_000.0) as u64 };
        let lead = Lead::default();
        let mut leads = (0..5_000).map(|_| {
            lead.learn(END, END.plus(Nanos(takes())));
            lead.0.get()
        });
        // The way there.
        leads.by_ref().take(1_000).for_each(drop);
        let mean = leads.sum::<u64>() / 4_000;
        // The median of 0.9 uniform on 20 to 56 µs and 0.1 beyond: 20 + 36 · 0.5 / 0.9.
        assert!(mean.abs_diff(40_000) < 1_900, "{mean} ns");
    }

    #[test]
    fn it_goes_no_further_than_a_tenth_of_a_millisecond() {
        assert_eq!(learned([50_000_000; 1_000]), 100_000);
    }
}
