use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Exp1};

use super::repeats::Repeat;
use super::verdict::{ALPHA, Case, Verdict, judge};
use crate::trace::{Outcome, TraceId};

const MS: u64 = 1_000_000;

fn repeat(service_ns: u64, outcome: Outcome) -> Repeat {
    Repeat { sequence: 0, service_ns, outcome, trace_id: TraceId::INVALID }
}

fn ok(times: impl IntoIterator<Item = u64>) -> Vec<Repeat> {
    times.into_iter().map(|ns| repeat(ns, Outcome::Ok)).collect()
}

/// Ten requests, ten repeats each; typical ones take 2 ms and more, one in fifty is slowed by 40 ms; those slow by nature take 40 ms
/// more each time.
struct World {
    random: rand::rngs::StdRng,
}

impl World {
    fn time(&mut self, by_nature: bool) -> u64 {
        let noise: f64 = Exp1.sample(&mut self.random);
        let unlucky = self.random.random::<f64>() < 0.02;
        2 * MS + (noise * MS as f64) as u64 + 40 * MS * (u64::from(by_nature) + u64::from(unlucky))
    }

    fn repeats(&mut self, requests: usize, by_nature: bool) -> Vec<Repeat> {
        ok((0..10 * requests).map(|_| self.time(by_nature)).collect::<Vec<_>>())
    }
}

/// 200 replays of five requests of each kind. A wrong verdict among ten requests comes with a chance of 5 % at most for each kind, so at
/// most 20 + 4 · √(200 · 0.05 · 0.95) = 32 replays hold one, but for one seed in 30,000. Undecided are those of whose ten repeats three
/// or more were met by bad luck of 2 % (about one in a thousand).
#[test]
fn both_kinds_are_told_apart_and_the_error_rate_is_kept() {
    let mut world = World { random: rand::rngs::StdRng::seed_from_u64(5) };
    let (mut wrong, mut undecided) = ([0, 0], 0);
    for _ in 0..200 {
        let typical = world.repeats(10, false);
        let kinds = [true, false].map(|kind| (0..5).map(|_| (kind, world.repeats(1, kind))).collect::<Vec<_>>()).concat();
        let cases: Vec<Case<'_>> = kinds.iter().map(|(_, repeats)| Case { repeats, typical: &typical, margin_ns: 10 * MS }).collect();
        let judged = judge(&cases);
        let named = |verdict, kind: bool| kinds.iter().zip(&judged).any(|((is, _), judged)| *is == kind && judged.verdict == verdict);
        wrong[0] += u32::from(named(Verdict::ByNature, false));
        wrong[1] += u32::from(named(Verdict::ByCircumstance, true));
        undecided += judged.iter().filter(|judged| judged.verdict == Verdict::Undecided).count();
    }
    assert!(wrong.iter().all(|wrong| *wrong <= 32), "{wrong:?}");
    assert!(undecided <= 20, "{undecided} of 2,000");
}

/// A request whose extra time is exactly the margin is as likely above the moved typical ones as below: nothing may be said but by
/// chance. With 300 replays of ten such requests, at most 15 + 4 · √(300 · 0.05 · 0.95) = 30 hold a verdict of one kind.
#[test]
fn as_much_as_the_margin_is_undecided() {
    let mut world = World { random: rand::rngs::StdRng::seed_from_u64(6) };
    let mut named = [0, 0];
    for _ in 0..300 {
        let typical = world.repeats(10, false);
        let requests: Vec<_> = (0..10).map(|_| ok((0..10).map(|_| world.time(false) + 10 * MS).collect::<Vec<_>>())).collect();
        let cases: Vec<Case<'_>> = requests.iter().map(|repeats| Case { repeats, typical: &typical, margin_ns: 10 * MS }).collect();
        let judged = judge(&cases);
        for (count, verdict) in named.iter_mut().zip([Verdict::ByNature, Verdict::ByCircumstance]) {
            *count += u32::from(judged.iter().any(|judged| judged.verdict == verdict));
        }
    }
    assert!(named.iter().all(|named| *named <= 30), "{named:?}");
}

#[test]
fn where_everything_is_slow_now_nobody_is_slow_by_nature() {
    let slow = |count: usize| ok((0..count as u64).map(|n| 42 * MS + n * 1_000));
    let (typical, own) = (slow(100), slow(10));
    let judged = judge(&[Case { repeats: &own, typical: &typical, margin_ns: 10 * MS }]);
    assert_eq!(judged[0].verdict, Verdict::ByCircumstance, "{judged:?}");
}

#[test]
fn a_failed_repeat_tells_nothing_and_one_that_timed_out_is_slow() {
    let typical = ok((0..50).map(|n| 2 * MS + n));
    let case = |outcome| {
        let repeats: Vec<Repeat> = (0..10).map(|_| repeat(1_000, outcome)).collect();
        judge(&[Case { repeats: &repeats, typical: &typical, margin_ns: MS }])[0]
    };
    assert_eq!(case(Outcome::TimedOut).verdict, Verdict::ByNature);
    for outcome in [Outcome::Grpc(14), Outcome::Milvus(8), Outcome::Unfinished] {
        let judged = case(outcome);
        assert_eq!((judged.verdict, judged.p_nature, judged.p_circumstance), (Verdict::Undecided, 1.0, 1.0), "a fast failure is not fast");
    }
}

#[test]
fn more_requests_need_more_evidence() {
    let typical = ok((0..4).map(|n| 2 * MS + n));
    let own = ok((0..4).map(|n| 42 * MS + n));
    let case = Case { repeats: &own, typical: &typical, margin_ns: 10 * MS };
    // 1 / C(8, 4) = 1/70 for one request; four of them together need 1/80.
    let judged = |count| judge(&vec![case.clone(); count])[0].verdict;
    const { assert!(1.0 / 70.0 <= ALPHA && 4.0 / 70.0 > ALPHA) };
    assert_eq!((judged(1), judged(4)), (Verdict::ByNature, Verdict::Undecided));
}
