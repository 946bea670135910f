//! Are the traced slow requests like those that nobody traced? All slow ones are known by number, length, second and stream from
//! the histograms; where the traced ones are others, what is said of them is not said of the tail.
//!
//! Each check asks for the size of the difference first and for its significance second.

mod stream;

use crate::stats::weighted::{effective_count, poisson_sum};

use super::clumps::clumps;
use super::estimate::{Value, heaviest, mean_of};
use super::groups::Groups;
use super::subject::{Subject, Traced};

pub(super) use stream::by_stream;

/// A difference is not chance with this confidence, each.
const CONFIDENCE: f64 = 0.999;
/// Numbers that differ by less than this factor are alike.
const NUMBER: f64 = 1.5;
/// Means that differ by less than this share are alike.
const LATENCY: f64 = 0.2;
/// Distributions over time that differ nowhere by more than this share are alike.
const TIME: f64 = 0.25;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// How many there are: the traced ones do not stand for as many as there were, so that of this stream slow (or fast) ones are missing.
    Number,
    /// How long they took.
    Latency,
    /// When they were.
    Time,
    /// Of which of the run's streams they were.
    Stream,
}

/// The traced slow requests differ from all slow ones.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// In what.
    pub about: About,
    /// The figure of the traced ones: a number, ns, the largest distance of the two distributions, or this stream's part of all
    /// streams' slow requests.
    pub traced: f64,
    /// The figure of all; of a distance the largest that is alike.
    pub all: f64,
}

/// What differs within one stream; nothing where all requests are not known, or none is traced.
pub(super) fn differences(subject: &Subject, groups: &Groups<'_>) -> Vec<Difference> {
    if subject.all.is_none() || groups.tail.is_empty() {
        return Vec::new();
    }
    [number(subject, groups), latency(subject, groups), time(subject, groups)].into_iter().flatten().collect()
}

fn number(subject: &Subject, groups: &Groups<'_>) -> Option<Difference> {
    let (traced, all) = (groups.tail.iter().map(|one| one.weight).sum::<f64>(), groups.tail_figures.requests as f64);
    let differs = traced > all * NUMBER || traced * NUMBER < all;
    let limits = poisson_sum(by_clump(&groups.tail), heaviest(subject, &groups.tail), CONFIDENCE);
    (differs && !limits.contains(all)).then_some(Difference { about: About::Number, traced, all })
}

fn latency(subject: &Subject, groups: &Groups<'_>) -> Option<Difference> {
    let all = groups.tail_figures.all_mean_ns? as f64;
    let most = subject.all.as_ref()?.max_ns() as f64;
    let beside = Value { weight: heaviest(subject, &groups.tail), least: groups.thresholds.above_ns as f64, most };
    let found = mean_of(&groups.tail, |one| one.response_ns as f64, &beside, CONFIDENCE)?;
    let differs = (found.value / all - 1.0).abs() > LATENCY && !found.interval.contains(all);
    differs.then_some(Difference { about: About::Latency, traced: found.value, all })
}

/// The largest distance between the two distributions over time, against Kolmogorov's limit for as many values as the traced ones
/// are worth: √(−ln(α/2)/2n) (Massey, *JASA* 46 (1951) 68).
fn time(subject: &Subject, groups: &Groups<'_>) -> Option<Difference> {
    let all: u64 = subject.slow_seconds.iter().map(|(_, count)| count).sum();
    if all == 0 {
        return None;
    }
    // Both count a request where it was over.
    let mut ends: Vec<(u64, f64)> = groups.tail.iter().map(|one| (one.at_ns + one.response_ns, one.weight)).collect();
    ends.sort_by_key(|(end, _)| *end);
    let weights: f64 = ends.iter().map(|(_, weight)| weight).sum();
    let (mut seen, mut traced, mut next, mut distance) = (0, 0.0, 0, 0.0_f64);
    for (at, (_, count)) in subject.slow_seconds.iter().enumerate() {
        let until = subject.slow_seconds.get(at + 1).map_or(u64::MAX, |(start, _)| *start);
        seen += count;
        while ends.get(next).is_some_and(|(end, _)| *end < until) {
            traced += ends[next].1;
            next += 1;
        }
        distance = distance.max((seen as f64 / all as f64 - traced / weights).abs());
    }
    let limit = (-((1.0 - CONFIDENCE) / 2.0).ln() / (2.0 * effective_count(by_clump(&groups.tail)))).sqrt().max(TIME);
    (distance > limit).then_some(Difference { about: About::Time, traced: distance, all: limit })
}

/// The weights of each clump together.
fn by_clump(tail: &[&Traced]) -> Vec<f64> {
    let (of, count) = clumps(tail);
    let mut weights = vec![0.0; count];
    of.into_iter().zip(tail).for_each(|(clump, one)| weights[clump] += one.weight);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Above;
    use crate::tail::made::{TYPICAL_MS, subject, traced};

    const SECOND: u64 = 1_000_000_000;

    /// 10,000 searches, 100 of them slow, 50 ms each and one a second; `slow` lists those that are traced: when (s), how long (ms), and
    /// for how many each stands.
    fn searches(slow: &[(u64, u64, f64)]) -> Subject {
        let requests = slow.iter().map(|(at, ms, weight)| traced(at * 1_000, *weight, &[("Proxy-Search", *ms)]));
        let mut subject = subject(&[(TYPICAL_MS, 9_900), (50, 100)], requests.collect());
        subject.sample_fraction = slow.first().map(|(_, _, weight)| 1.0 / weight);
        subject.slow_seconds = (0..100).map(|second| (second * SECOND, 1)).collect();
        subject
    }

    fn found(subject: &Subject) -> Vec<Difference> {
        differences(subject, &Groups::of(subject, Above::Time(crate::units::Nanos::from_millis(20))).unwrap())
    }

    fn abouts(subject: &Subject) -> Vec<About> {
        found(subject).into_iter().map(|difference| difference.about).collect()
    }

    #[test]
    fn a_fifth_of_all_slow_ones_taken_at_random_is_like_them() {
        let fifth: Vec<_> = (0..20).map(|n| (5 * n, 50, 5.0)).collect();
        assert_eq!(found(&searches(&fifth)), []);
    }

    #[test]
    fn traces_that_stand_for_a_fifth_of_the_slow_ones_are_not_all_there() {
        let lost: Vec<_> = (0..20).map(|n| (5 * n, 50, 1.0)).collect();
        assert_eq!(found(&searches(&lost)), [Difference { about: About::Number, traced: 20.0, all: 100.0 }]);
    }

    #[test]
    fn slow_ones_that_took_longer_than_all_slow_ones_are_others() {
        let longer: Vec<_> = (0..20).map(|n| (5 * n, 80, 5.0)).collect();
        let mut subject = searches(&longer);
        // Some of those that nobody traced took as long, so that 80 ms is possible.
        subject.all.as_mut().unwrap().record_n(90_000_000, 2);
        assert_eq!(abouts(&subject), [About::Latency]);
    }

    #[test]
    fn slow_ones_of_the_first_fifth_of_the_run_are_not_those_of_all_of_it() {
        let early: Vec<_> = (0..20).map(|n| (n, 50, 5.0)).collect();
        let found = found(&searches(&early));
        assert_eq!(found.iter().map(|difference| difference.about).collect::<Vec<_>>(), [About::Time]);
        // By 20 s all of the traced ones were over, and 20 or 21 of 100.
        assert!((found[0].traced - 0.8).abs() < 0.011, "{found:?}");
    }

    #[test]
    fn what_two_traces_can_show_by_chance_is_no_difference() {
        // Both at the beginning, and both longer than the mean: nothing that two could prove.
        let mut subject = searches(&[(0, 70, 50.0), (2, 70, 50.0)]);
        subject.all.as_mut().unwrap().record_n(90_000_000, 2);
        assert_eq!(found(&subject), []);
    }

    #[test]
    fn nothing_is_held_against_what_is_not_known() {
        // As many as would be too many, were it known how many there are.
        let of_others: Vec<_> = (0..20).map(|n| (5 * n, 50, 5.0)).collect();
        assert_eq!(found(&Subject { all: None, ..searches(&of_others) }), []);
        assert_eq!(found(&searches(&[])), []);
    }
}
