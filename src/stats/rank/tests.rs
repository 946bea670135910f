use super::*;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// The definition: every choice of the sample's places is looked at.
fn by_all_choices(sample: &[u64], others: &[u64]) -> (f64, f64) {
    let all: Vec<u64> = sample.iter().chain(others).copied().collect();
    let rank = |value: u64| {
        let (below, equal) = (all.iter().filter(|other| **other < value).count(), all.iter().filter(|other| **other == value).count());
        2 * below + equal + 1
    };
    let seen: usize = sample.iter().map(|value| rank(*value)).sum();
    let (mut choices, mut larger, mut smaller) = (0, 0, 0);
    for chosen in 0_u32..1 << all.len() {
        if chosen.count_ones() as usize == sample.len() {
            let sum: usize = all.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, value)| rank(*value)).sum();
            choices += 1;
            larger += u32::from(sum >= seen);
            smaller += u32::from(sum <= seen);
        }
    }
    (f64::from(larger) / f64::from(choices), f64::from(smaller) / f64::from(choices))
}

#[test]
fn chances_are_those_of_counting_every_choice() {
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    for case in 0..60 {
        // Few different values, so that there are ties of every kind; in every third case none.
        let most = if case % 3 == 0 { 1_000_000 } else { 5 };
        let draw = |random: &mut rand::rngs::StdRng, count| (0..count).map(|_| random.random_range(0..most)).collect::<Vec<u64>>();
        let sizes = (random.random_range(1..5), random.random_range(1..8));
        let (sample, others) = (draw(&mut random, sizes.0), draw(&mut random, sizes.1));
        let found = rank_sum(&sample, &others).unwrap();
        let (larger, smaller) = by_all_choices(&sample, &others);
        assert!(found.exact && (found.larger - larger).abs() < 1e-12 && (found.smaller - smaller).abs() < 1e-12, "{sample:?} {others:?}");
    }
}

/// R 4.3: `wilcox.test(c(1.1,2.2,3.3), c(0.5,0.7,0.9,1.0,1.2), alternative="greater", exact=TRUE)$p.value` is 2/56: of the 56 choices of
/// three ranks of eight, {5, 7, 8} and {6, 7, 8} have a sum of at least 20.
#[test]
fn a_textbook_case_is_two_of_fifty_six() {
    let found = rank_sum(&[11, 22, 33], &[5, 7, 9, 10, 12]).unwrap();
    assert!((found.larger - 2.0 / 56.0).abs() < 1e-15, "{found:?}");
}

#[test]
fn the_largest_of_all_have_the_least_chance_there_is() {
    for (sample, others) in [(1, 1), (3, 30), (5, 5), (10, 100), (12, 240)] {
        let high: Vec<u64> = (1_000..1_000 + sample).collect();
        let low: Vec<u64> = (0..others).collect();
        let found = rank_sum(&high, &low).unwrap();
        let least = least_chance(sample, others);
        assert!(found.exact && (found.larger / least - 1.0).abs() < 1e-9, "{found:?}, {least}");
        assert!((found.smaller - 1.0).abs() < 1e-12);
        assert!((rank_sum(&low, &high).unwrap().smaller / least - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_fewest_values_that_can_decide_are_found() {
    // 1/C(4, 2) = 1/6 and 1/C(6, 3) = 1/20 against one other group; 1/C(22, 2) = 1/231 against ten.
    assert_eq!(fewest_to_decide(1, 0.05), Some(3));
    assert_eq!(fewest_to_decide(1, 0.049), Some(4));
    assert_eq!(fewest_to_decide(10, 0.05 / 10.0), Some(2));
    assert_eq!(fewest_to_decide(1, -1.0), None);
}

#[test]
fn all_values_equal_tell_nothing() {
    for count in [5, 3_000] {
        let found = rank_sum(&vec![7; count], &vec![7; count]).unwrap();
        assert_eq!((found.larger, found.smaller), (1.0, 1.0));
    }
    assert_eq!(rank_sum(&[], &[1]), None);
    assert_eq!(rank_sum(&[1], &[]), None);
}

/// At 40 against 160 values the approximation's error is far under a hundredth where anything is decided (its next term is of order
/// 1/(12 · 40) of the density).
#[test]
fn the_approximation_agrees_with_the_exact_chances_where_both_can_be_had() {
    let mut random = rand::rngs::StdRng::seed_from_u64(2);
    for shift in [0_u64, 20, 40, 60] {
        let sample: Vec<u64> = (0..40).map(|_| random.random_range(0..200) + shift).collect();
        let others: Vec<u64> = (0..160).map(|_| random.random_range(0..200)).collect();
        let mut values: Vec<(u64, bool)> = sample.iter().map(|value| (*value, true)).collect();
        values.extend(others.iter().map(|value| (*value, false)));
        values.sort_unstable();
        let ranks = doubled_mid_ranks(&values);
        let seen = values.iter().zip(&ranks).filter(|((_, own), _)| *own).map(|(_, rank)| *rank).sum();
        // 200 ranks, sums up to 2 · 40 · 180: more steps than are taken outside of this test.
        let found = approximate(&ranks, 40, seen);
        let drawn = by_shuffling(&values, 40, seen, &ranks);
        assert!((found.larger - drawn).abs() < 0.01, "shift {shift}: {found:?}, {drawn}");
    }
}

/// The chance of a sum at least so large, from 40,000 random assignments: its standard error is √(p(1−p)/40,000) ≤ 0.0025.
fn by_shuffling(values: &[(u64, bool)], size: usize, seen: usize, ranks: &[usize]) -> f64 {
    assert_eq!(values.len(), ranks.len());
    let mut random = rand::rngs::StdRng::seed_from_u64(3);
    let mut order = ranks.to_vec();
    let hits = (0..40_000)
        .filter(|_| {
            let (chosen, _) = order.partial_shuffle(&mut random, size);
            chosen.iter().sum::<usize>() >= seen
        })
        .count();
    hits as f64 / 40_000.0
}
