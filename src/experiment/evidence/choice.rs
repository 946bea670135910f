//! Which traces are worth fetching, and what chance each had.
//!
//! The requests of each stream are divided by their response time into *strata*: the tail, the typical ones, and all others.
//! In each a random order follows from the seed, and traces are asked for from its beginning: whoever has been asked for
//! when the time is over is a simple random sample of the stratum (Cochran, *Sampling Techniques*, 1977, ch. 5). So the chance
//! is asked / all, the same for every request of the stratum, however far it came. The few that the report shows are asked for
//! in any case: a stratum of their own, with chance 1.

use std::collections::HashSet;

use crate::result::requests::{Kept, Request};
use crate::workload::{Purpose, Seed};

/// Traces of the tail that are asked for at most, a stream.
pub(super) const TAIL: usize = 1_000;
/// Typical ones.
pub(super) const TYPICAL: usize = 300;
/// All others together.
pub(super) const OTHERS: usize = 300;

/// Where a stream's strata begin and end, ns of response time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::experiment) struct Bounds {
    /// The stream.
    pub(in crate::experiment) stream: String,
    /// Typical is from here, p25 …
    pub(in crate::experiment) typical_from: u64,
    /// … to here, p75.
    pub(in crate::experiment) typical_to: u64,
    /// The tail is above, p99.
    pub(in crate::experiment) tail_above: u64,
}

/// Requests of one stratum, by their place in the list, in the order in which their traces are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stratum {
    pub(super) members: Vec<usize>,
    /// So many are asked for at most.
    pub(super) most: usize,
}

/// Divides the kept sampled requests. `shown` are the trace ids that the report shows.
pub(super) fn strata(requests: &[Request], bounds: &[Bounds], shown: &HashSet<String>, seed: u64) -> Vec<Stratum> {
    let mut certain = Stratum { members: Vec::new(), most: usize::MAX };
    let mut strata = Vec::new();
    for (place, stream) in bounds.iter().enumerate() {
        let [mut tail, mut typical, mut others] = [TAIL, TYPICAL, OTHERS].map(|most| Stratum { members: Vec::new(), most });
        for (at, request) in requests.iter().enumerate().filter(|(_, request)| request.stream == stream.stream && worth(request)) {
            let response = request.response_ns();
            if request.trace_id.as_ref().is_some_and(|id| shown.contains(id)) {
                certain.members.push(at);
            } else if response > stream.tail_above {
                tail.members.push(at);
            } else if (stream.typical_from..=stream.typical_to).contains(&response) {
                typical.members.push(at);
            } else {
                others.members.push(at);
            }
        }
        let order = Seed(seed).draws(Purpose::Evidence, place as u16);
        for mut stratum in [tail, typical, others] {
            stratum.members.sort_by_key(|at| (order.at(requests[*at].sequence), *at));
            strata.push(stratum);
        }
    }
    strata.insert(0, certain);
    strata
}

/// Sampled and kept as such, measured, and part of the response times.
fn worth(request: &Request) -> bool {
    let in_times = matches!(request.outcome.as_str(), "ok" | "timed_out" | "unfinished");
    request.sampled && request.measured && in_times && request.trace_id.is_some() && request.kept.contains(&Kept::Sampled)
}

/// All that may be asked for, in order: who is shown first, then one of each stratum in turn, so that none is left out where
/// the time is short. Pairs of stratum and member.
pub(super) fn order(strata: &[Stratum]) -> Vec<(usize, usize)> {
    let Some((certain, rest)) = strata.split_first() else { return Vec::new() };
    let mut order: Vec<_> = certain.members.iter().map(|at| (0, *at)).collect();
    let asked = |stratum: &Stratum| stratum.members.len().min(stratum.most);
    for nth in 0..rest.iter().map(asked).max().unwrap_or(0) {
        let of = |(place, stratum): (usize, &Stratum)| (nth < asked(stratum)).then(|| (place + 1, stratum.members[nth]));
        order.extend(rest.iter().enumerate().filter_map(of));
    }
    order
}

/// Gives each request the chance that its trace had of being asked for: that of those of its stratum who had their turn, `asked` of
/// each; 0 where it stands in none.
pub(super) fn set_chances(requests: &mut [Request], strata: &[Stratum], asked: &[usize]) {
    for request in requests.iter_mut() {
        request.traced_keep_probability = 0.0;
    }
    for (stratum, asked) in strata.iter().zip(asked) {
        let chance = *asked as f64 / stratum.members.len().max(1) as f64;
        stratum.members.iter().for_each(|at| requests[*at].traced_keep_probability = chance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::requests::sketch;

    fn bounds() -> Vec<Bounds> {
        vec![Bounds { stream: "readers".to_owned(), typical_from: 250, typical_to: 750, tail_above: 990 }]
    }

    #[test]
    fn each_request_stands_in_one_stratum_and_who_is_shown_in_none_of_chance() {
        let requests: Vec<_> = (0..1_000).map(|n| sketch(n, n + 1)).collect();
        let shown = [999, 500].map(|n| format!("{n:032x}")).into();
        let strata = strata(&requests, &bounds(), &shown, 7);
        let sizes: Vec<_> = strata.iter().map(|stratum| stratum.members.len()).collect();
        assert_eq!(sizes, [2, 9, 500, 489], "shown, above p99, p25 to p75, others");
        let mut all: Vec<_> = strata.iter().flat_map(|stratum| stratum.members.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_stand_for_others_is_not_asked_for() {
        let requests = [
            Request { sampled: false, ..sketch(1, 10) },
            Request { measured: false, ..sketch(2, 10) },
            Request { outcome: "UNAVAILABLE".to_owned(), ..sketch(3, 10) },
            Request { kept: vec![Kept::Outlier], ..sketch(4, 10) },
            Request { stream: "writers".to_owned(), ..sketch(5, 10) },
        ];
        assert!(strata(&requests, &bounds(), &HashSet::new(), 7).iter().all(|stratum| stratum.members.is_empty()));
    }

    #[test]
    fn every_stratum_has_its_turn_up_to_its_limit() {
        let stratum = |members: std::ops::Range<usize>, most| Stratum { members: members.collect(), most };
        let order = order(&[stratum(0..2, usize::MAX), stratum(10..14, 3), stratum(20..21, 9), stratum(30..30, 9)]);
        assert_eq!(order, [(0, 0), (0, 1), (1, 10), (2, 20), (1, 11), (1, 12)]);
    }

    /// 400 requests of a stratum, 100 asked for, over 200 seeds: how often each is among them is binomial(200, 1/4). The chance
    /// of being 6 deviations (6 · 6.1) off the mean of 50 is 2e-9 each.
    #[test]
    fn each_of_a_stratum_has_the_same_chance() {
        let requests: Vec<_> = (0..400).map(|n| sketch(n, 500)).collect();
        let mut times = vec![0_u32; 400];
        for seed in 0..200 {
            let strata = strata(&requests, &bounds(), &HashSet::new(), seed);
            strata[2].members[..100].iter().for_each(|at| times[*at] += 1);
        }
        assert!(times.iter().all(|times| (50 - 37..=50 + 37).contains(times)), "{times:?}");
    }
}
