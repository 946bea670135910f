use super::*;
use crate::stats::simulate;
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Poisson};

/// Seconds of a figure whose share beyond the limit is e^(rate): so many values a second of which so many are beyond.
fn seconds(load: f64, share: f64, seconds: usize, clump: f64, rng: &mut StdRng) -> Vec<(f64, f64)> {
    let clumps = Poisson::new(load * share / clump).unwrap();
    (0..seconds).map(|_| (clump * clumps.sample(rng), load)).collect()
}

/// In the shape of M/M/1: 5 % at 750, e^(0.012 (load − 750)).
fn share(load: f64) -> f64 {
    0.05 * (0.012 * (load - 750.0)).exp()
}

fn samples(clump: f64, rng: &mut StdRng) -> Vec<Sample> {
    [(650.0, 10), (770.0, 30), (730.0, 30), (765.0, 30), (720.0, 60)]
        .map(|(load, length)| Sample::of(load, &seconds(load, share(load), length, clump, rng)).unwrap())
        .into()
}

fn crossing(samples: &[Sample], limit: f64, start: f64) -> Crossing {
    match estimate(samples, limit, start, 0.95) {
        Estimate::At(crossing) => crossing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn figures_without_scatter_give_the_edge_to_all_digits() {
    let exact: Vec<Sample> = [690.0, 720.0, 740.0, 790.0].map(|load| Sample::of(load, &[(load * share(load), load); 30]).unwrap()).into();
    for start in [700.0, 750.0, 800.0] {
        let found = crossing(&exact, 0.05, start);
        assert!((found.at - 750.0).abs() < 1e-6, "{found:?}");
        assert!((found.slope - 9.0).abs() < 1e-4, "0.012 · 750: {found:?}");
    }
}

#[test]
fn intervals_cover_the_edge_whether_values_come_alone_or_in_clumps() {
    for clump in [1.0, 20.0] {
        const RUNS: usize = 400;
        let mut rng = simulate::rng(11);
        let estimates = (0..RUNS).map(|_| estimate(&samples(clump, &mut rng), 0.05, 740.0, 0.95));
        let found: Vec<Crossing> = estimates.filter_map(|found| if let Estimate::At(found) = found { Some(found) } else { None }).collect();
        assert!(found.len() >= 380, "clumps of {clump}: a slope that may be chance in {} of {RUNS}", RUNS - found.len());
        let covered = found.iter().filter(|found| (found.low..=found.high).contains(&750.0)).count();
        // 95 % of 400 scatters by 1.1 %: 90 % is 4.6 deviations off.
        assert!(covered * 10 >= found.len() * 9, "clumps of {clump}: {covered} of {}", found.len());
        let bias = found.iter().map(|found| found.at / 750.0 - 1.0).sum::<f64>() / found.len() as f64;
        // In clumps of 20 the count of some 6,000 scatters by √(20 · 6,000) = 6 % and the edge by 0.6 %, the mean of 400 by 0.03 %; the
        // square of that scatter leaves as much again.
        assert!(bias.abs() < 0.002, "clumps of {clump}: {bias}");
        let dispersion = found.iter().map(|found| found.dispersion).sum::<f64>() / found.len() as f64;
        // At least that of the clumps; the larger of two estimates is more on average.
        assert!((0.8..2.2).contains(&(dispersion / clump)), "clumps of {clump}: {dispersion}");
    }
}

#[test]
fn probes_that_differ_by_more_than_their_seconds_explain_widen_the_interval() {
    let mut rng = simulate::rng(5);
    let calm = samples(1.0, &mut rng);
    // Every other probe on a machine that is slower.
    let drifting: Vec<Sample> =
        calm.iter().enumerate().map(|(at, sample)| Sample { sum: sample.sum * if at % 2 == 0 { 1.15 } else { 0.9 }, ..*sample }).collect();
    let width = |found: Crossing| found.high - found.low;
    let (calm, drifting) = (crossing(&calm, 0.05, 750.0), crossing(&drifting, 0.05, 750.0));
    assert!(width(drifting) > 1.5 * width(calm), "{calm:?}, {drifting:?}");
}

#[test]
fn a_stretch_that_saw_few_clumps_takes_its_scatter_from_what_is_more_frequent() {
    let rare = [(0.0, 100.0), (1.0, 100.0), (0.0, 100.0), (1.0, 100.0), (0.0, 100.0), (2.0, 100.0)];
    let frequent = [(0.0, 100.0), (30.0, 100.0), (0.0, 100.0), (25.0, 100.0), (0.0, 100.0), (40.0, 100.0)];
    let (alone, with) = (Sample::of(1.0, &rare).unwrap(), Sample::of(1.0, &rare).unwrap().with_frequent(&frequent));
    assert!(with.variance > 3.0 * alone.variance, "{alone:?}, {with:?}");
    assert_eq!((with.sum, with.count), (4.0, 600.0));
    assert_eq!(alone.with_frequent(&rare), alone);
}

#[test]
fn what_samples_do_not_show_is_not_made_up() {
    let flat = |load| Sample::of(load, &[(5.0, 100.0), (6.0, 100.0), (4.0, 100.0)]).unwrap();
    assert_eq!(estimate(&[], 0.05, 1.0, 0.95), Estimate::Unknown);
    assert_eq!(estimate(&[flat(100.0)], 0.05, 100.0, 0.95), Estimate::Unknown);
    assert_eq!(estimate(&[flat(100.0), flat(110.0)], 0.05, 100.0, 0.95), Estimate::Unknown, "no slope");
    assert_eq!(estimate(&[flat(1.0), flat(100.0)], 0.05, 10.0, 0.95), Estimate::Unknown, "nothing near");
    assert_eq!(Sample::of(1.0, &[]), None);
    assert_eq!(Sample::of(0.0, &[(1.0, 1.0)]), None);
}

#[test]
fn a_figure_that_jumps_is_a_cliff() {
    let at = |load, share: f64| Sample::of(load, &[(share * 100.0, 100.0); 10]).unwrap();
    assert_eq!(estimate(&[at(99.0, 0.0), at(100.0, 0.0), at(101.0, 1.0)], 0.05, 100.0, 0.95), Estimate::Cliff);
}
