//! What would be left of a percentile if one place took its typical time.

use crate::stats::CONFIDENCE;
use crate::stats::weighted::quantile;

use super::attribution::Place;
use super::estimate::{Value, heaviest, mean_of};
use super::groups::Groups;
use super::subject::{Subject, Traced};

/// A percentile without one place's extra time.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WhatIf {
    /// The place that would take no more than its typical time in any request.
    pub span: String,
    /// The share of the requests at or below the percentile, 0 to 1.
    pub quantile: f64,
    /// The percentile as it is.
    pub now_ns: u64,
    /// What would be left of it; never more than it is.
    pub left_ns: u64,
    /// The 95 % confidence interval of that …
    pub low_ns: u64,
    /// … and its upper end.
    pub high_ns: u64,
}

/// `None` where nothing is traced. That others would not become slower or faster with it is assumed: it is a projection.
///
/// The interval is Woodruff's (*JASA* 47 (1952) 635): that of the share beyond the percentile, taken back to times.
pub(super) fn what_if(subject: &Subject, groups: &Groups<'_>, place: &Place, typical_ns: u64) -> Option<WhatIf> {
    let left = |one: &Traced| {
        let there: u64 = one.parts.iter().filter(|part| *part.place == *place).map(|part| part.self_ns).sum();
        one.response_ns - there.saturating_sub(typical_ns).min(one.response_ns)
    };
    let all: Vec<&Traced> = subject.traced.iter().collect();
    let mut sorted: Vec<(f64, f64)> = all.iter().map(|one| (left(one) as f64, one.weight)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let share = groups.thresholds.quantile;
    let middle = quantile(&sorted, share)?;
    let beside = Value { weight: heaviest(subject, &groups.tail), least: 0.0, most: 1.0 };
    let beyond = mean_of(&all, |one| f64::from(u8::from(left(one) as f64 > middle)), &beside, CONFIDENCE)?;
    let now_ns = groups.thresholds.above_ns;
    let at = |q: f64| quantile(&sorted, q.clamp(0.0, 1.0)).map(|ns| (ns as u64).min(now_ns));
    // The interval of the share lies about the one that was found, which steps of the sample keep off the one asked for.
    let (further, nearer) = (beyond.interval.high - beyond.value, beyond.value - beyond.interval.low);
    Some(WhatIf {
        span: place.span.clone(),
        quantile: share,
        now_ns,
        left_ns: (middle as u64).min(now_ns),
        low_ns: at(share - further)?,
        high_ns: at(share + nearer)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Above;
    use crate::tail::made::{TYPICAL_MS, place, subject, traced};

    const MS: u64 = 1_000_000;

    /// 1,000 searches, all but 20 of 10 ms, of which 5 are spent waiting; 20 of 50 to 69 ms, the first `waiting` of them because they wait
    /// longer, the others for other work. Slow ones are all traced, of the others each tenth, one in 3 s.
    fn searches(waiting: u64) -> Subject {
        let one = |at, weight, work, wait| traced(3_000 * at, weight, &[("SegCoreSearch", work), ("Delegator-waitTSafe", wait)]);
        let mut requests: Vec<Traced> = (20..118).map(|at| one(at, 10.0, 5, TYPICAL_MS - 5)).collect();
        requests.extend((0..20).map(|at| if at < waiting { one(at, 1.0, 5, 45 + at) } else { one(at, 1.0, 45 + at, 5) }));
        let all: Vec<(u64, u64)> = (0..20).map(|at| (50 + at, 1)).chain([(TYPICAL_MS, 980)]).collect();
        Subject { sample_fraction: Some(0.1), ..subject(&all, requests) }
    }

    fn without(subject: &Subject, span: &str, above: &str) -> WhatIf {
        let groups = Groups::of(subject, above.parse().unwrap()).unwrap();
        what_if(subject, &groups, &place(span), 5 * MS).unwrap()
    }

    /// Times of the histogram have three digits.
    fn about(ns: u64) -> u64 {
        (ns as f64 / MS as f64).round() as u64
    }

    #[test]
    fn without_the_one_place_that_is_slow_the_tail_is_typical() {
        let found = without(&searches(20), "Delegator-waitTSafe", "p99");
        // The tenth from above takes 60 ms, the eleventh 59.
        assert_eq!((about(found.now_ns), about(found.left_ns), found.span.as_str()), (59, TYPICAL_MS, "Delegator-waitTSafe"));
        assert!((found.quantile - 0.99).abs() < 1e-9, "{found:?}");
        assert!(found.low_ns <= found.left_ns && found.left_ns <= found.high_ns, "{found:?}");
    }

    #[test]
    fn requests_count_as_many_times_as_they_stand_for() {
        // Without the wait 10 of 1,000 are slow still: less than the 2 % that take longer than 20 ms, and 8 % of those that are traced.
        let found = without(&searches(10), "Delegator-waitTSafe", "20ms");
        assert_eq!((about(found.now_ns), about(found.left_ns)), (20, TYPICAL_MS));
        assert!((found.quantile - 0.98).abs() < 1e-9, "{}", found.quantile);
    }

    #[test]
    fn what_is_slow_elsewhere_stays_and_nothing_gets_slower() {
        // The slowest five wait for other work.
        let found = without(&searches(10), "Delegator-waitTSafe", "p99.5");
        assert_eq!((about(found.now_ns), about(found.left_ns)), (64, 64), "{found:?}");
        // Nobody waits longer than is typical there.
        let nobody = without(&searches(20), "Proxy-Search", "p99");
        assert_eq!(about(nobody.left_ns), about(nobody.now_ns));
        for found in [found, nobody] {
            assert!(found.left_ns <= found.now_ns && found.high_ns <= found.now_ns, "{found:?}");
        }
    }

    #[test]
    fn the_interval_holds_what_is_true_and_widens_where_fewer_are_traced() {
        let of = |nth: usize| {
            let one = |at, parts: &[_]| traced(3_000 * at, nth as f64, parts);
            let slow = (0..200).step_by(nth).map(|at| one(at, &[("SegCoreSearch", 10 + at), ("Delegator-waitTSafe", 50)]));
            let requests = slow.chain((200..1_000).step_by(nth).map(|at| one(at, &[("SegCoreSearch", 10)]))).collect();
            let all: Vec<(u64, u64)> = (0..200).map(|at| (60 + at, 1)).chain([(10, 800)]).collect();
            let subject = Subject { sample_fraction: Some(1.0 / nth as f64), ..subject(&all, requests) };
            what_if(&subject, &Groups::of(&subject, Above::Quantile(0.9)).unwrap(), &place("Delegator-waitTSafe"), 0).unwrap()
        };
        let (many, few) = (of(1), of(10));
        let width = |found: &WhatIf| found.high_ns - found.low_ns;
        assert!(width(&few) > 2 * width(&many), "{few:?} {many:?}");
        // Without the wait the hundredth from above takes 110 ms.
        for found in [many, few] {
            assert!((found.low_ns..=found.high_ns).contains(&(110 * MS)), "{found:?}");
        }
    }

    #[test]
    fn without_traces_nothing_is_projected() {
        let none = Subject { traced: Vec::new(), ..searches(20) };
        assert_eq!(what_if(&none, &Groups::of(&none, Above::DEFAULT).unwrap(), &place("SegCoreSearch"), 0), None);
    }
}
