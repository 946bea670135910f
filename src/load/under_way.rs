//! The requests of one stream that a lane has sent and not seen the end of, in the order they were sent.
//!
//! A worker has one request on its way at a time, so each worker has one place: a list linked through these places finds the
//! oldest request, takes any of them out at once, and never holds more than there are workers. (A queue of all that was sent would
//! keep everything behind one request that hangs.)

use crate::clock::Moment;

/// No place: the end of the list.
const NONE: usize = usize::MAX;

/// See the module.
#[derive(Debug)]
pub(super) struct UnderWay {
    places: Vec<Place>,
    oldest: usize,
    latest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    older: usize,
    later: usize,
    sent: Moment,
    listed: bool,
}

impl UnderWay {
    /// Room for so many workers; more of them take memory when they are added.
    pub(super) fn for_workers(workers: usize) -> Self {
        Self { places: Vec::with_capacity(workers), oldest: NONE, latest: NONE }
    }

    /// One more worker, with nothing on its way.
    pub(super) fn add_worker(&mut self) {
        self.places.push(Place { older: NONE, later: NONE, sent: Moment::default(), listed: false });
    }

    /// The worker, which has nothing on its way, has sent a request: no earlier than all others.
    pub(super) fn sent(&mut self, worker: usize, sent: Moment) {
        self.places[worker] = Place { older: self.latest, later: NONE, sent, listed: true };
        match self.latest {
            NONE => self.oldest = worker,
            latest => self.places[latest].later = worker,
        }
        self.latest = worker;
    }

    /// The worker's request is not waited for any more; nothing where it was not before.
    pub(super) fn ended(&mut self, worker: usize) {
        let Place { older, later, listed, .. } = self.places[worker];
        if !listed {
            return;
        }
        self.places[worker].listed = false;
        match older {
            NONE => self.oldest = later,
            older => self.places[older].later = later,
        }
        match later {
            NONE => self.latest = older,
            later => self.places[later].older = older,
        }
    }

    /// The worker whose request was sent first, and when.
    pub(super) fn oldest(&self) -> Option<(usize, Moment)> {
        (self.oldest != NONE).then(|| (self.oldest, self.places[self.oldest].sent))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use proptest::prelude::*;

    fn drained(mut list: UnderWay) -> Vec<(usize, Moment)> {
        std::iter::from_fn(|| {
            let oldest = list.oldest()?;
            list.ended(oldest.0);
            Some(oldest)
        })
        .collect()
    }

    proptest! {
        #[test]
        fn it_is_a_queue_from_which_any_may_leave(steps in prop::collection::vec((0_usize..9, any::<bool>()), 0..200)) {
            let mut list = UnderWay::for_workers(4);
            (0..9).for_each(|_| list.add_worker());
            let mut queue: VecDeque<(usize, Moment)> = VecDeque::new();
            for (time, (worker, sends)) in steps.into_iter().enumerate() {
                let busy = queue.iter().any(|(other, _)| *other == worker);
                if sends && !busy {
                    let now = Moment::from_ns(time as u64);
                    list.sent(worker, now);
                    queue.push_back((worker, now));
                } else {
                    list.ended(worker);
                    queue.retain(|(other, _)| *other != worker);
                }
                prop_assert_eq!(list.oldest(), queue.front().copied());
            }
            prop_assert_eq!(drained(list), Vec::from(queue));
        }
    }

    #[test]
    fn one_that_hangs_does_not_keep_what_comes_after_it() {
        let mut list = UnderWay::for_workers(2);
        (0..2).for_each(|_| list.add_worker());
        list.sent(0, Moment::from_ns(0));
        let room = list.places.capacity();
        for time in 1..100_000 {
            list.sent(1, Moment::from_ns(time));
            list.ended(1);
        }
        assert_eq!((list.oldest(), list.places.capacity()), (Some((0, Moment::from_ns(0))), room));
    }
}
