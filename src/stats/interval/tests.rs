use super::*;
use crate::stats::simulate;

fn close(a: f64, b: f64, relative: f64) {
    assert!((a - b).abs() <= relative * b.abs().max(1e-300), "{a} is not {b}");
}

/// The plain sum of the definition, with its coefficients as exact integers.
fn cdf_by_definition(k: u64, n: u64, p: f64) -> f64 {
    let mut choose = 1_u128;
    (0..=k)
        .map(|i| {
            if i > 0 {
                choose = choose * u128::from(n - i + 1) / u128::from(i);
            }
            choose as f64 * p.powi(i as i32) * (1.0 - p).powi((n - i) as i32)
        })
        .sum()
}

#[test]
fn the_binomial_law_is_its_definition() {
    for (n, p) in [(1, 0.5), (10, 0.1), (60, 0.99), (100, 0.3)] {
        for k in 0..=n {
            let (found, exact) = (binomial_cdf(k, n, p), cdf_by_definition(k, n, p));
            assert!((found - exact).abs() < 1e-9, "{k} of {n} at {p}: {found} is not {exact}");
        }
    }
    assert_eq!((binomial_cdf(3, 10, 0.0), binomial_cdf(3, 10, 1.0), binomial_cdf(10, 10, 1.0)), (1.0, 0.0, 1.0));
}

#[test]
fn a_million_draws_are_as_normal_as_the_limit_theorem_says() {
    // Berry–Esseen: |F − Φ| ≤ 0.48 · (1 − 2p(1 − p))/√(np(1 − p)), 0.005 here; with the half-step correction far less.
    let (n, p) = (1_000_000, 0.01);
    let sd = (n as f64 * p * (1.0 - p)).sqrt();
    for z in [-3.0, -1.0, 0.0, 1.0, 3.0] {
        let k = (n as f64 * p + z * sd).round();
        let normal = Normal::standard().cdf((k + 0.5 - n as f64 * p) / sd);
        assert!((binomial_cdf(k as u64, n, p) - normal).abs() < 0.002, "{z}");
    }
}

#[test]
fn the_score_interval_is_that_of_the_textbooks() {
    // 8 of 20 (scipy, method "wilson"): 0.2188 to 0.6134.
    let found = wilson_share(0.4, 20.0, 0.95);
    close(found.low, 0.218_806_53, 1e-7);
    close(found.high, 0.613_418_50, 1e-7);
    assert!(found.contains(0.4));
    assert_eq!(wilson_share(0.0, 0.0, 0.95), Interval { low: 0.0, high: 1.0 });
}

#[test]
fn a_sampler_keeps_what_the_binomial_law_allows() {
    for (n, p, confidence) in [(1000, 0.01, 0.999), (1_000_000, 0.1, 0.999), (50, 0.5, 0.95)] {
        let (low, high) = binomial_counts(n, p, confidence);
        let tail = (1.0 - confidence) / 2.0;
        assert!(low == 0 || binomial_cdf(low - 1, n, p) <= tail * 1.0001, "{low}");
        assert!(binomial_cdf(low, n, p) > tail * 0.9999, "{low} is the tightest");
        assert!(1.0 - binomial_cdf(high, n, p) <= tail * 1.0001 && 1.0 - binomial_cdf(high - 1, n, p) > tail * 0.9999, "{high}");
    }
    assert_eq!((binomial_counts(10, 0.0, 0.999), binomial_counts(10, 1.0, 0.999)), ((0, 0), (10, 10)));
}

#[test]
fn too_few_samples_cannot_bound_a_percentile() {
    for (q, fewest) in [(0.5, 6), (0.99, 368), (0.999, 3688), (0.9999, 36_887)] {
        assert_eq!(quantile_ranks(q, fewest - 1, 1e9, 0.95), None, "{q}");
        let (low, high) = quantile_ranks(q, fewest, 1e9, 0.95).unwrap_or_else(|| panic!("{fewest} for {q}"));
        assert!(1 <= low && low < high && high <= fewest);
    }
    assert_eq!(quantile_ranks(0.0, 100, 100.0, 0.95), None);
    assert_eq!(quantile_ranks(1.0, 100, 100.0, 0.95), None);
    assert_eq!(quantile_ranks(0.5, 0, 0.0, 0.95), None);
}

#[test]
fn fewer_effective_samples_make_a_wider_interval_at_the_same_places() {
    // Table of order-statistic intervals: the median of 100 lies between ranks 40 and 61 at 95 %.
    assert_eq!(quantile_ranks(0.5, 100, 100.0, 0.95), Some((40, 61)));
    assert_eq!(quantile_ranks(0.5, 100_000, 100.0, 0.95), Some((39_001, 61_000)));
    let (wide, narrow) = (quantile_ranks(0.99, 100_000, 1000.0, 0.95).unwrap(), quantile_ranks(0.99, 100_000, 1e5, 0.95).unwrap());
    assert!(wide.0 < narrow.0 && narrow.1 < wide.1);
}

#[test]
fn percentile_intervals_of_independent_samples_cover_as_often_as_they_say() {
    const RUNS: u32 = 1000;
    let mut rng = simulate::rng(42);
    let mut covered = 0;
    for _ in 0..RUNS {
        let mut histogram = Histogram::new();
        for _ in 0..1000 {
            histogram.record((simulate::uniform(&mut rng) * 1e6) as u64);
        }
        let (low, high) = quantile_ns(&histogram, 0.9, 1000.0, 0.95).unwrap();
        covered += u32::from(low <= 900_000 && 900_000 <= high);
    }
    // At least 95 %, a little more since ranks are whole numbers (96 %); 1,000 runs scatter by 0.7 %: four deviations.
    assert!((922..=990).contains(&covered), "{covered}");
}

#[test]
fn students_interval_is_his_table() {
    // t(0.975) for 1, 4 and 29 degrees: 12.706, 2.776, 2.045.
    for (degrees, t) in [(1.0, 12.706_205), (4.0, 2.776_445), (29.0, 2.045_230)] {
        close(student_quantile(0.975, degrees), t, 1e-6);
        close(student_p_value(t, degrees), 0.05, 1e-5);
    }
}
