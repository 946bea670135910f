//! Whether a lane's oldest unanswered request is overdue, in fixed memory however many are under way.

use crate::clock::Moment;
use crate::units::Nanos;

/// Buckets that the limit is divided into: a request counts as overdue at most a 64th of the limit late.
const BUCKETS: usize = 64;

/// Counts unanswered requests by when they were sent, in buckets of a 64th of the limit; those that have left the window are
/// overdue. Constant time a call, but for the buckets that time has passed since the last one.
#[derive(Debug)]
pub(super) struct Overdue {
    width: u64,
    /// The number of the bucket that contains the present.
    present: u64,
    unanswered: [u32; BUCKETS + 1],
    /// Unanswered requests that have left the window.
    left: u64,
}

impl Overdue {
    /// Nothing is under way yet. A request is overdue beyond `limit`.
    pub(super) fn new(limit: Nanos) -> Self {
        Self { width: (limit.0 / BUCKETS as u64).max(1), present: 0, unanswered: [0; BUCKETS + 1], left: 0 }
    }

    /// Whether any request under way is older than the limit.
    pub(super) fn any(&mut self, now: Moment) -> bool {
        self.advance(now);
        self.left > 0
    }

    /// A request was sent.
    pub(super) fn sent(&mut self, now: Moment) {
        self.advance(now);
        self.unanswered[Self::place(self.present)] += 1;
    }

    /// The request sent at this moment has ended; whether it was overdue.
    pub(super) fn ended(&mut self, sent: Moment, now: Moment) -> bool {
        self.advance(now);
        let bucket = sent.as_ns() / self.width;
        if bucket + (BUCKETS as u64) < self.present {
            self.left = self.left.saturating_sub(1);
            return true;
        }
        let count = &mut self.unanswered[Self::place(bucket)];
        *count = count.saturating_sub(1);
        false
    }

    /// Moves the window up to now: what leaves it is overdue.
    fn advance(&mut self, now: Moment) {
        let to = now.as_ns() / self.width;
        // After a pause longer than the window each bucket is emptied once, no more.
        let steps = to.saturating_sub(self.present).min(self.unanswered.len() as u64);
        for step in 1..=steps {
            let place = Self::place(to - steps + step);
            self.left += u64::from(std::mem::take(&mut self.unanswered[place]));
        }
        self.present = self.present.max(to);
    }

    const fn place(bucket: u64) -> usize {
        (bucket % (BUCKETS as u64 + 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Nanos = Nanos(64_000);

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
