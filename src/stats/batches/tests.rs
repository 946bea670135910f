use rand::rngs::StdRng;

use super::*;
use crate::stats::{interval, queue, simulate};

/// Seconds of a queue's responses, by arrival, after a warm-up of 10 s.
fn queue_run(seconds: usize, arrivals_per_s: f64, services_per_s: f64, rng: &mut StdRng) -> (Histogram, Batches) {
    let requests = simulate::mmc(1, arrivals_per_s, services_per_s, (arrivals_per_s * (seconds as f64 + 12.0) * 1.2) as usize, rng);
    let mut each = vec![Histogram::new(); seconds];
    let mut all = Histogram::new();
    for (arrival, response) in requests {
        if arrival >= 10.0 && arrival < 10.0 + seconds as f64 {
            let ns = (response * 1e9) as u64;
            each[(arrival - 10.0) as usize].record(ns);
            all.record(ns);
        }
    }
    let mut batches = Batches::new();
    for second in &each {
        batches.push(second);
    }
    (all, batches)
}

#[test]
fn buckets_are_in_order_and_three_percent_wide() {
    let mut last = 0;
    let mut ns = 1_u64;
    while ns < histogram::MAX_NS {
        assert!(bucket_of(ns) >= last, "{ns}");
        assert!(bucket_of(ns + ns / 16 + 1) > bucket_of(ns), "{ns}");
        last = bucket_of(ns);
        ns += ns / 50 + 1;
    }
    assert_eq!(bucket_of(u64::MAX), bucket_of(2 * histogram::MAX_NS));
}

#[test]
fn independent_samples_are_worth_nearly_what_they_are() {
    let mut rng = simulate::rng(11);
    let mut batches = Batches::new();
    for _ in 0..200 {
        let mut second = Histogram::new();
        for _ in 0..500 {
            second.record((simulate::uniform(&mut rng) * 1e6) as u64);
        }
        batches.push(&second);
    }
    // 200 batches know a variance to √(2/200) = 10 %; noise of the autocovariances that are summed adds as much; four deviations
    // down, and never up, since the count is cut at what there is.
    let effective = batches.effective_count(0.5);
    assert!((45_000.0..=100_000.0).contains(&effective), "{effective}");
}

#[test]
fn a_busy_queue_is_worth_far_less_than_its_requests() {
    let (all, batches) = queue_run(120, 350.0, 500.0, &mut simulate::rng(5));
    // Responses of M/M/1 at ρ = 0.7 stay alike over some 2/(1 − √ρ)² ≈ 75 requests.
    let effective = batches.effective_count(0.5);
    assert!(effective < all.count() as f64 / 10.0, "{effective} of {}", all.count());
    assert!(effective > all.count() as f64 / 1000.0, "{effective} of {}", all.count());
}

#[test]
fn intervals_of_a_busy_queue_cover_the_truth_as_often_as_they_say() {
    const RUNS: u32 = 200;
    let mut rng = simulate::rng(2024);
    let mut covered = [0_u32; 3];
    let mut given = [0_u32; 3];
    let mut naive = 0;
    for _ in 0..RUNS {
        let (all, batches) = queue_run(60, 350.0, 500.0, &mut rng);
        for (at, q) in [0.5, 0.9, 0.99].into_iter().enumerate() {
            let truth = (queue::mm1_response_quantile(q, 350.0, 500.0).unwrap() * 1e9) as u64;
            if let Some((low, high)) = interval::quantile_ns(&all, q, batches.effective_count(q), CONFIDENCE) {
                given[at] += 1;
                covered[at] += u32::from((low..=high).contains(&truth));
            }
            if q == 0.5 {
                let (low, high) = interval::quantile_ns(&all, q, all.count() as f64, CONFIDENCE).unwrap();
                naive += u32::from((low..=high).contains(&truth));
            }
        }
    }
    for at in 0..3 {
        // 95 % of 200 runs scatters by 1.5 %: four deviations below.
        assert!(f64::from(covered[at]) >= 0.89 * f64::from(given[at]), "{covered:?} of {given:?}");
    }
    assert!(naive < RUNS / 2, "as if independent, the interval covers {naive} of {RUNS}: no test of anything");
}

#[test]
fn few_or_no_seconds_are_worth_nothing() {
    let mut batches = Batches::new();
    assert_eq!(batches.effective_count(0.5), 0.0);
    let mut second = Histogram::new();
    second.record_n(1000, 100);
    for _ in 0..FEWEST_BATCHES - 1 {
        batches.push(&second);
    }
    assert_eq!(batches.effective_count(0.5), 0.0);
    batches.push(&second);
    assert_eq!(batches.effective_count(0.5), 500.0, "all alike: exact");
}

#[test]
fn a_long_run_keeps_every_request_in_bounded_memory() {
    let mut rng = simulate::rng(3);
    let mut batches = Batches::default();
    for second in 0..3600 {
        let mut histogram = Histogram::new();
        for _ in 0..20 {
            histogram.record(1000 + second + (simulate::uniform(&mut rng) * 1000.0) as u64);
        }
        batches.push(&histogram);
    }
    assert!(batches.batches.len() <= MOST_BATCHES);
    assert_eq!(batches.seconds_each(), 8);
    assert_eq!(batches.batches.iter().map(|batch| batch.count).sum::<u64>(), 72_000);
    assert_eq!(batches.batches.iter().map(|batch| batch.count_from(0)).sum::<u64>(), 72_000);
    let medians = batches.timed_medians_ns();
    assert!(medians[0].1 < medians[medians.len() - 1].1);
}

#[test]
fn a_second_of_a_stall_or_of_the_drain_has_no_median() {
    let mut batches = Batches::new();
    for answers in [100, 0, 100, 9, 100, 20] {
        let mut second = Histogram::new();
        second.record_n(1000 + answers, answers);
        batches.push(&second);
    }
    // 329 in six seconds: under 5.5 of them are too few.
    assert_eq!(batches.timed_medians_ns(), [(0, 1100.0), (2, 1100.0), (3, 1009.0), (4, 1100.0), (5, 1020.0)]);
    assert!(Batches::default().timed_medians_ns().is_empty());
}
