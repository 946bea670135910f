//! The sampler against the SDK's own rule, the binomial law and simulated bursts.

use super::*;
use proptest::prelude::*;

fn fraction(value: f64) -> Fraction {
    Fraction::new(value).unwrap()
}

/// The SDK's rule written down again: the low 63 bits of the id's second half (shifted) below fraction × 2^63.
fn rule(fraction: f64, trace_id: TraceId) -> bool {
    let low = u64::from_be_bytes(trace_id.to_bytes()[8..].try_into().unwrap()) >> 1;
    fraction >= 1.0 || low < (fraction * 2_f64.powi(63)) as u64
}

#[test]
fn the_sampled_share_is_binomial_and_uses_only_the_trace_id() {
    let decisions = 1_000_000_u64;
    for p in [0.001, 0.01, 0.1, 0.5] {
        let mut decider = Decider::new(fraction(p)).with_ids(Ids::seeded(7));
        for n in 0..decisions {
            let decision = decider.decide(Moment::from_ns(n));
            assert_eq!(decision.sampled == Some(Why::Ratio), rule(p, decision.trace_id));
            assert_eq!(decision.inclusion_probability, p);
        }
        let counts = decider.counts();
        assert_eq!(counts.decided, decisions);
        // Normal approximation of the binomial 99.9 % interval: n p (1 - p) is at least 999 here.
        let (mean, deviation) = (decisions as f64 * p, (decisions as f64 * p * (1.0 - p)).sqrt());
        assert!((counts.sampled() as f64 - mean).abs() < 3.29 * deviation, "{p}: {counts:?}");
    }
}

#[test]
fn none_and_all_are_exact() {
    let (mut none, mut all) = (Decider::new(Fraction::ZERO), Decider::new(Fraction::ONE));
    for n in 0..10_000 {
        assert_eq!(none.decide(Moment::from_ns(n)), Decision { at: Moment::from_ns(n), ..Decision::UNSAMPLED });
        let decision = all.decide(Moment::from_ns(n));
        assert!(decision.is_sampled() && decision.trace_id != TraceId::INVALID && decision.span_id != SpanId::INVALID);
    }
    assert_eq!((none.counts().decided, none.counts().sampled()), (10_000, 0));
    assert_eq!((all.counts().decided, all.counts().sampled_ratio), (10_000, 10_000));
}

#[test]
fn a_header_on_every_request_means_an_id_for_every_request() {
    let settings = Settings { propagation: Propagation::TraceparentAlways, ..Settings::default() };
    let decision = Decider::of(&settings).decide(Moment::from_ns(1));
    assert!(!decision.is_sampled() && decision.trace_id != TraceId::INVALID && decision.span_id != SpanId::INVALID);
}

#[test]
fn a_forced_request_is_traced_at_fraction_zero() {
    let mut decider = Decider::new(Fraction::ZERO);
    let decision = decider.force(Moment::from_ns(1));
    assert_eq!((decision.sampled, decision.inclusion_probability), (Some(Why::Forced), 1.0));
    assert_eq!((decider.counts().decided, decider.counts().sampled_forced), (1, 1));
}

fn bursting(ratio: f64, burst: f64) -> Decider {
    let burst = Burst { above: Nanos::from_millis(50), lasting: Nanos::from_millis(20), fraction: fraction(burst) };
    Decider::of(&Settings { sample_fraction: fraction(ratio), burst: Some(burst), ..Settings::default() })
}

fn at(millis: u64) -> Moment {
    Moment::from_ns(millis * 1_000_000)
}

#[test]
fn a_burst_begins_with_an_overdue_request_and_ends_after_its_answer() {
    let mut decider = bursting(0.0, 1.0);
    let slow = decider.decide(at(1_000));
    let mut sampled = |millis: u64, answer: bool| {
        let decision = decider.decide(at(millis));
        if answer {
            decider.ended(&decision, at(millis));
        }
        decision.sampled
    };
    assert_eq!(slow.sampled, None);
    assert_eq!(sampled(1_049, true), None);
    assert_eq!(sampled(1_051, true), Some(Why::Burst));
    assert_eq!(sampled(1_099, true), Some(Why::Burst));
    decider.ended(&slow, at(1_100));
    let mut sampled = |millis: u64| {
        let decision = decider.decide(at(millis));
        decider.ended(&decision, at(millis));
        decision
    };
    assert_eq!(sampled(1_119).sampled, Some(Why::Burst));
    assert_eq!(sampled(1_120), Decision { at: at(1_120), ..Decision::UNSAMPLED });
    assert_eq!(decider.counts().sampled_burst, 3);
}

#[test]
fn an_answer_in_time_begins_no_burst() {
    let mut decider = bursting(0.0, 1.0);
    for n in 0..10_000 {
        let decision = decider.decide(at(n));
        assert_eq!(decision.sampled, None);
        decider.ended(&decision, at(n + 49));
    }
}

#[test]
fn in_a_burst_the_two_chances_are_independent_and_the_probability_says_so() {
    let (ratio, burst, decisions) = (0.1, 0.3, 200_000_u64);
    let mut decider = bursting(ratio, burst).with_ids(Ids::seeded(3));
    decider.decide(at(0));
    for n in 0..decisions {
        let decision = decider.decide(at(100 + n));
        assert!((decision.inclusion_probability - 0.37).abs() < 1e-12);
    }
    let counts = decider.counts();
    // 99.9 % of a normal law lies within 3.29 deviations; the first request of the lane is outside of the burst.
    for (count, p) in [(counts.sampled_ratio, ratio), (counts.sampled(), 0.37)] {
        let (mean, deviation) = (decisions as f64 * p, (decisions as f64 * p * (1.0 - p)).sqrt());
        assert!((count as f64 - mean).abs() < 3.29 * deviation + 1.0, "{counts:?}");
    }
}

proptest! {
    #[test]
    fn the_sdk_and_the_rule_agree_bit_by_bit(p in 0.0_f64..=1.0, id in any::<u128>()) {
        let trace_id = TraceId::from_bytes(id.to_be_bytes());
        prop_assert_eq!(Decider::new(fraction(p)).ratio_takes(trace_id), rule(p, trace_id));
    }

    #[test]
    fn the_sdk_and_the_rule_agree_at_the_very_edge(p in 0.0_f64..1.0, step in -2_i64..=2) {
        let bound = (p * 2_f64.powi(63)) as u64;
        let low = bound.saturating_add_signed(step).min((1 << 63) - 1);
        let trace_id = TraceId::from_bytes((1_u128 << 64 | u128::from(low) << 1).to_be_bytes());
        prop_assert_eq!(Decider::new(fraction(p)).ratio_takes(trace_id), rule(p, trace_id));
    }
}
