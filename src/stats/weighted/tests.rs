use rand::RngExt as _;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::*;
use crate::stats::simulate;

/// A mean or a share: one request may have been missed that stands for `weight`, with a value from `least` to `most`.
struct Mean {
    weight: f64,
    least: f64,
    most: f64,
}

impl Beside for Mean {
    fn missed(&self, theta: f64) -> (f64, f64) {
        (self.weight * (self.most - theta), self.weight * (theta - self.least))
    }
}

#[test]
fn equal_weights_have_the_exact_poisson_limits() {
    // Garwood's: χ² quantiles with 2n and 2n + 2 degrees of freedom, halved.
    for n in [1_u32, 2, 5, 10, 100] {
        let found = poisson_sum((0..n).map(|_| 1.0), 1.0, 0.95);
        let exact = |degrees: f64, p: f64| ChiSquared::new(degrees).unwrap().inverse_cdf(p) / 2.0;
        let (low, high) = (exact(2.0 * f64::from(n), 0.025), exact(2.0 * f64::from(n) + 2.0, 0.975));
        assert!(
            (found.low - low).abs() < 0.03 * f64::from(n).sqrt() && (found.high / high - 1.0).abs() < 0.01,
            "{n}: {found:?}, {low}, {high}"
        );
    }
    // Nothing seen: up to 3.69 may have been expected, the "rule of three" with two sides.
    let none = poisson_sum([], 1.0, 0.95);
    assert!(none.low == 0.0 && (none.high - 3.69).abs() < 0.04, "{none:?}");
    assert_eq!(poisson_sum([], 0.0, 0.95), Interval { low: 0.0, high: 0.0 });
}

#[test]
fn scale_changes_nothing_but_the_scale() {
    let one = poisson_sum([1.0, 4.0, 100.0], 100.0, 0.95);
    let thousand = poisson_sum([1e3, 4e3, 1e5], 1e5, 0.95);
    assert!((thousand.low / one.low - 1e3).abs() < 1e-6 && (thousand.high / one.high - 1e3).abs() < 1e-6);
}

#[test]
fn ten_of_ten_are_not_all() {
    // Ten of ten drawn: the exact lower limit of such a share is 0.025^(1/10) = 0.69 for ten draws from a fixed number; here the
    // number is random too, which makes it 0.73 ("none of the others was seen": 3.69 against 10).
    let all: Vec<Clump> = (0..10).map(|_| Clump { above: 1.0, below: 1.0 }).collect();
    let found = ratio(&all, &Mean { weight: 1.0, least: 0.0, most: 1.0 }, 0.95).unwrap();
    assert_eq!(found.value, 1.0);
    assert!((0.65..0.78).contains(&found.interval.low) && found.interval.high >= 1.0, "{found:?}");
}

#[test]
fn many_equal_ones_have_the_normal_interval() {
    let mut rng = simulate::rng(3);
    let values = simulate::ar1(0.0, 20_000, &mut rng);
    let clumps: Vec<Clump> = values.iter().map(|value| Clump { above: 10.0 + value, below: 1.0 }).collect();
    let found = ratio(&clumps, &Mean { weight: 1.0, least: 5.0, most: 15.0 }, 0.95).unwrap();
    // 1.96/√20,000; the unit that may have been missed and the rounding add under 3 %.
    let half = 0.01386;
    assert!(((found.value - found.interval.low) / half - 1.0).abs() < 0.04, "{found:?}");
    assert!(((found.interval.high - found.value) / half - 1.0).abs() < 0.04, "{found:?}");
}

#[test]
fn nothing_below_the_line_has_no_ratio_and_nothing_above_it_is_zero() {
    let beside = Mean { weight: 1.0, least: 0.0, most: 1.0 };
    assert_eq!(ratio(&[], &beside, 0.95), None);
    assert_eq!(ratio(&[Clump { above: 1.0, below: 0.0 }], &beside, 0.95), None);
    let none = ratio(&[Clump { above: 0.0, below: 1.0 }; 20], &beside, 0.95).unwrap();
    assert!(none.value == 0.0 && none.interval.low.abs() < 1e-4 && (0.1..0.25).contains(&none.interval.high), "{none:?}");
}

#[test]
fn a_heavy_one_that_was_not_drawn_is_allowed_for_where_a_normal_interval_is_sure() {
    // One request in fifty is slow for another reason; each is drawn with chance 0.02 and stands for fifty; some fifteen of 750 are
    // drawn. In 74 % of such samples none of the others is: there a normal interval is a point at 1.
    let mut rng = simulate::rng(9);
    let (mut covered, mut normal) = (0, 0);
    for _ in 0..1_000 {
        let drawn = (0..750).filter(|_| rng.random::<f64>() < 0.02).count().max(1);
        let clumps: Vec<Clump> =
            (0..drawn).map(|_| Clump { above: if rng.random::<f64>() < 0.02 { 0.0 } else { 50.0 }, below: 50.0 }).collect();
        let found = ratio(&clumps, &Mean { weight: 50.0, least: 0.0, most: 1.0 }, 0.95).unwrap();
        covered += u32::from(found.interval.contains(0.98));
        let deviation = (clumps.iter().map(|c| (c.above - found.value * c.below).powi(2)).sum::<f64>()).sqrt() / (50.0 * drawn as f64);
        normal += u32::from((found.value - 0.98).abs() <= 1.96 * deviation);
    }
    // 95 % of 1,000 scatters by 0.7 %: four of these. The normal one covers where at least one was drawn.
    assert!(covered >= 922 && normal < 400, "{covered} and {normal}");
}

#[test]
fn weights_are_worth_what_kish_says() {
    assert_eq!(effective_count([2.0; 8]), 8.0);
    assert_eq!(effective_count([]), 0.0);
    // Ten of weight 1 beside one of weight 100: 110²/10,010.
    let found = effective_count([1.0; 10].into_iter().chain([100.0]));
    assert!((found - 12_100.0 / 10_010.0).abs() < 1e-12, "{found}");
}

#[test]
fn a_weighted_quantile_counts_weights_not_values() {
    let sorted = [(1.0, 98.0), (2.0, 1.0), (3.0, 1.0)];
    assert_eq!([0.5, 0.98, 0.985, 0.99, 0.995, 1.0].map(|q| quantile(&sorted, q).unwrap()), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    assert_eq!(quantile(&[], 0.5), None);
}
