//! Whether a lane's oldest unanswered request is overdue, in fixed memory however many are under way.

use crate::clock::Moment;
use crate::units::Nanos;

/// A bucket is at most this part of the limit: a request counts as overdue at most two buckets late, a 64th of the limit.
const PARTS: u64 = 128;
/// Buckets that are kept: more than the window ever holds, and a power of two.
const RING: usize = 512;

/// Counts unanswered requests by when they were sent, in buckets; those that have left the window are overdue. Constant time a call,
/// but for the buckets that time has passed since the last one. A bucket is a power of two ns long, so that a moment's is found
/// without a division: this is done for every request.
#[derive(Debug)]
pub(super) struct Overdue {
    /// A bucket is 2^shift ns long.
    shift: u32,
    /// So many whole buckets are no shorter than the limit.
    window: u64,
    /// The number of the bucket that contains the present.
    present: u64,
    unanswered: [u32; RING],
    /// Unanswered requests that have left the window.
    left: u64,
}

impl Overdue {
    /// Nothing is under way yet. A request is overdue beyond `limit`.
    pub(super) fn new(limit: Nanos) -> Self {
        let shift = (limit.0 / PARTS).max(1).ilog2();
        // At most twice as many as there are parts, for a bucket is longer than half a part; fewer where a part is below 1 ns.
        let window = limit.0.div_ceil(1 << shift);
        Self { shift, window, present: 0, unanswered: [0; RING], left: 0 }
    }

    /// Whether any request under way is older than the limit.
    #[inline]
    pub(super) fn any(&mut self, now: Moment) -> bool {
        self.advance(now);
        self.left > 0
    }

    /// A request was sent.
    #[inline]
    pub(super) fn sent(&mut self, now: Moment) {
        self.advance(now);
        self.unanswered[Self::place(self.present)] += 1;
    }

    /// The request sent at this moment has ended; whether it was overdue.
    #[inline]
    pub(super) fn ended(&mut self, sent: Moment, now: Moment) -> bool {
        self.advance(now);
        let bucket = sent.as_ns() >> self.shift;
        if bucket + self.window < self.present {
            self.left = self.left.saturating_sub(1);
            return true;
        }
        let count = &mut self.unanswered[Self::place(bucket)];
        *count = count.saturating_sub(1);
        false
    }

    /// Moves the window up to now: what leaves it is overdue.
    #[inline]
    fn advance(&mut self, now: Moment) {
        let to = now.as_ns() >> self.shift;
        if to > self.present {
            self.leave(to);
        }
    }

    fn leave(&mut self, to: u64) {
        // After a pause longer than the window each bucket is emptied once, no more.
        let steps = (to - self.present).min(self.window + 1);
        for step in 1..=steps {
            if let Some(leaves) = (self.present + step).checked_sub(self.window + 1) {
                self.left += u64::from(std::mem::take(&mut self.unanswered[Self::place(leaves)]));
            }
        }
        self.present = to;
    }

    const fn place(bucket: u64) -> usize {
        bucket as usize % RING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Nanos = Nanos(64_000);

    /// The window must fit into the ring, whatever the limit.
    #[test]
    fn a_request_stays_in_its_bucket_while_it_is_not_overdue() {
        for limit in [1, 2, 127, 128, 129, 255, 256, 1_000_000, (1 << 40) - 1, 1 << 40] {
            let mut overdue = Overdue::new(Nanos(limit));
            assert!(overdue.window < RING as u64 && overdue.window << overdue.shift >= limit, "{overdue:?}");
            let sent = Moment::from_ns(3 * limit);
            overdue.sent(sent);
            assert!(!overdue.ended(sent, sent.plus(Nanos(limit))), "{limit}");
            overdue.sent(sent.plus(Nanos(limit)));
            assert!(overdue.any(sent.plus(Nanos(limit + 3 + limit + limit / 64))), "{limit}");
        }
    }

    #[test]
    fn a_request_is_overdue_within_a_64th_of_the_limit_after_it() {
        for offset in [0, 1, 500, 999] {
            let mut overdue = Overdue::new(LIMIT);
            let sent = Moment::from_ns(1_000_000 + offset);
            overdue.sent(sent);
            assert!(!overdue.any(sent.plus(LIMIT)));
            assert!(overdue.any(sent.plus(Nanos(LIMIT.0 + LIMIT.0 / 64))));
            assert!(overdue.ended(sent, sent.plus(Nanos(2 * LIMIT.0))));
            assert!(!overdue.any(sent.plus(Nanos(3 * LIMIT.0))));
        }
    }

    proptest! {
        /// Against a plain list of what is under way.
        #[test]
        fn it_agrees_with_a_list_of_the_requests(steps in proptest::collection::vec((0_u64..40_000, any::<bool>(), any::<usize>()), 1..200)) {
            let (mut overdue, mut list, mut now) = (Overdue::new(LIMIT), Vec::new(), Moment::from_ns(0));
            for (wait, send, which) in steps {
                now = now.plus(Nanos(wait));
                if send || list.is_empty() {
                    overdue.sent(now);
                    list.push(now);
                } else {
                    let sent = list.swap_remove(which % list.len());
                    let age = now.since(sent).0;
                    let was = overdue.ended(sent, now);
                    prop_assert!(was || age < LIMIT.0 + LIMIT.0 / 64);
                    prop_assert!(!was || age > LIMIT.0);
                }
                let oldest = list.iter().map(|sent| now.since(*sent).0).max().unwrap_or(0);
                let any = overdue.any(now);
                prop_assert!(any || oldest < LIMIT.0 + LIMIT.0 / 64, "missed one of {oldest}");
                prop_assert!(!any || oldest > LIMIT.0, "{oldest} taken for overdue");
            }
        }
    }
}
