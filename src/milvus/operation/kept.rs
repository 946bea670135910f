//! Answers that are kept to be judged after the run: few, and every request as likely as any other.

use std::collections::BinaryHeap;

use bytes::Bytes;

use crate::workload::{Draws, Purpose, Seed};

/// Most answers of a stream that are kept: a mean recall of 500 queries is known within about one part in a hundred.
pub const MOST_KEPT: usize = 500;

/// Most ids that the kept answers of a stream may hold together, so that a large `top_k` keeps fewer answers rather than
/// hundreds of megabytes.
const MOST_IDS: usize = 1_000_000;

/// An answer that was kept: a copy, so that it holds no network buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The number of its request in the stream.
    pub sequence: u64,
    /// The encoded answer.
    pub answer: Bytes,
    rank: u64,
}

impl Ord for KeptAnswer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank).then(self.sequence.cmp(&other.sequence))
    }
}
impl PartialOrd for KeptAnswer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Keeps the answers with the lowest ranks. A request's rank is drawn from (seed, stream, sequence) alone, so the requests
/// kept are a uniform sample of all that were offered, spread over the phase, and the same sample whatever the number of
/// lanes: the lowest of all are among the lowest of each lane.
#[derive(Debug)]
pub(crate) struct Keeper {
    ranks: Draws,
    capacity: usize,
    heap: BinaryHeap<KeptAnswer>,
}

impl Keeper {
    /// For answers of up to `ids` ids each.
    pub(crate) fn new(seed: Seed, stream: u16, ids: usize) -> Self {
        let capacity = (MOST_IDS / ids.max(1)).clamp(1, MOST_KEPT);
        Self { ranks: seed.draws(Purpose::Kept, stream), capacity, heap: BinaryHeap::with_capacity(capacity) }
    }

    /// Keeps nothing.
    pub(crate) fn nothing() -> Self {
        Self { ranks: Seed(0).draws(Purpose::Kept, 0), capacity: 0, heap: BinaryHeap::new() }
    }

    /// Takes a copy of an answer where its rank is among the lowest so far: of n answers, about 500 (1 + ln(n/500)) are
    /// copied, for all the others this is one multiplication chain and a comparison.
    #[inline]
    pub(crate) fn offer(&mut self, sequence: u64, answer: &[u8]) {
        let rank = self.ranks.at(sequence);
        if self.heap.len() < self.capacity {
            self.heap.push(KeptAnswer { sequence, rank, answer: Bytes::copy_from_slice(answer) });
        } else if let Some(mut highest) = self.heap.peek_mut()
            && rank < highest.rank
        {
            *highest = KeptAnswer { sequence, rank, answer: Bytes::copy_from_slice(answer) };
        }
    }

    pub(crate) fn leave(self) -> Kept {
        Kept { capacity: self.capacity, answers: self.heap.into_vec(), written: 0 }
    }
}

/// What a lane's operation kept. Lanes' are put together with [`Kept::join`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    capacity: usize,
    answers: Vec<KeptAnswer>,
    written: u64,
}

impl Kept {
    /// Of an operation that writes, and keeps no answer.
    pub(crate) fn of_writes(written: u64) -> Self {
        Self { written, ..Self::default() }
    }

    /// How many rows of the stream have an id, sent or not, those of earlier runs of the series included.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Puts the answers of another lane of the same stream in; what is too many goes.
    pub fn join(&mut self, other: Self) {
        self.capacity = self.capacity.max(other.capacity);
        self.written = self.written.max(other.written);
        self.answers.extend(other.answers);
        self.answers.sort_unstable();
        self.answers.truncate(self.capacity);
    }

    /// The answers, in no order.
    #[must_use]
    pub fn answers(&self) -> &[KeptAnswer] {
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_by(lanes: u64, requests: u64) -> Vec<u64> {
        let mut all = Kept::default();
        for lane in 0..lanes {
            let mut keeper = Keeper::new(Seed(5), 2, 10);
            for sequence in (lane..requests).step_by(lanes as usize) {
                keeper.offer(sequence, &sequence.to_le_bytes());
            }
            all.join(keeper.leave());
        }
        assert!(all.answers.iter().all(|kept| *kept.answer == kept.sequence.to_le_bytes()));
        let mut sequences: Vec<_> = all.answers.iter().map(|kept| kept.sequence).collect();
        sequences.sort_unstable();
        sequences
    }

    #[test]
    fn the_same_requests_are_kept_for_any_number_of_lanes() {
        for requests in [3, 500, 501, 20_000] {
            let one = kept_by(1, requests);
            assert_eq!(one.len() as u64, requests.min(500));
            for lanes in [2, 7] {
                assert_eq!(kept_by(lanes, requests), one, "{lanes} lanes, {requests} requests");
            }
        }
    }

    #[test]
    fn what_is_kept_is_spread_over_all_requests() {
        // 500 of 20,000 over ten tenths: 50 each with a standard deviation of sqrt(500 · 0.1 · 0.9) = 6.7; five of them.
        let mut tenths = [0_i32; 10];
        for sequence in kept_by(3, 20_000) {
            tenths[(sequence / 2_000) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| count.abs_diff(50) < 34), "{tenths:?}");
    }

    #[test]
    fn large_answers_are_kept_in_smaller_number() {
        assert_eq!(Keeper::new(Seed(0), 0, 16_384).capacity, 61);
        assert_eq!(Keeper::new(Seed(0), 0, usize::MAX).capacity, 1);
        let mut nothing = Keeper::nothing();
        nothing.offer(1, b"x");
        assert!(nothing.leave().answers().is_empty());
    }
}
