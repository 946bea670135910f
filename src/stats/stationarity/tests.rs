use super::*;
use crate::stats::simulate;

/// Per-second medians (s) of M/M/1 at 350/s of 500/s.
fn queue_medians(seconds: usize, rng: &mut rand::rngs::StdRng) -> Vec<f64> {
    let mut each: Vec<Vec<f64>> = vec![Vec::new(); seconds];
    for (arrival, response) in simulate::mmc(1, 350.0, 500.0, (seconds + 10) * 350, rng) {
        if arrival >= 5.0 && ((arrival - 5.0) as usize) < seconds {
            each[(arrival - 5.0) as usize].push(response);
        }
    }
    each.iter_mut()
        .filter(|second| !second.is_empty())
        .map(|second| {
            let middle = second.len() / 2;
            *second.select_nth_unstable_by(middle, f64::total_cmp).1
        })
        .collect()
}

fn alarms(runs: usize, mut figures: impl FnMut() -> Vec<f64>) -> (usize, usize) {
    (0..runs).map(|_| figures()).fold((0, 0), |(shifts, trends), figures| {
        (shifts + usize::from(level_shift(&figures).unwrap().shifted), trends + usize::from(trend(&figures).unwrap().trending))
    })
}

// ALPHA_OVER_ALL allows 3 alarms in 3,000 sound runs, and by Poisson's law chance makes more than 9 of them one time in a thousand.
// Errors computed as if seconds were independent give 43 and 22 for φ 0.7 over 30 s.
const RUNS: usize = 3000;
const MOST_ALARMS: usize = 9;

#[test]
fn memory_alone_is_hardly_ever_taken_for_news() {
    let mut rng = simulate::rng(1);
    for (phi, n) in [(0.0, 15), (0.0, 60), (0.5, 30), (0.7, 30), (0.7, 60), (0.7, 300)] {
        let (shifts, trends) = alarms(RUNS, || simulate::ar1(phi, n, &mut rng).into_iter().map(|x| (0.3 * x).exp()).collect());
        assert!(shifts + trends <= MOST_ALARMS, "φ {phi}, {n} seconds: {shifts} shifts, {trends} trends");
    }
}

#[test]
fn a_busy_queue_that_stands_still_is_not_accused() {
    let mut rng = simulate::rng(2);
    for (seconds, runs) in [(15, 600), (30, 600), (60, 300), (300, 30)] {
        // At most 1.5 expected in 1,530 runs; four would be a chance of 2 %.
        let (shifts, trends) = alarms(runs, || queue_medians(seconds, &mut rng));
        assert!(shifts + trends <= 3, "{seconds} seconds: {shifts} shifts, {trends} trends");
    }
}

/// How many of 200 series with a factor of `step` laid over noise of `sd` are found: by the step test where it is sudden, by the line where not.
fn found(n: usize, phi: f64, sd: f64, step: f64) -> (usize, usize) {
    let mut rng = simulate::rng(3);
    let noise = |rng: &mut rand::rngs::StdRng| simulate::ar1(phi, n, rng).into_iter().enumerate();
    let mut counts = (0, 0);
    for _ in 0..200 {
        let sudden: Vec<f64> = noise(&mut rng).map(|(i, x)| (sd * x).exp() * if i >= n / 2 { step } else { 1.0 }).collect();
        let slow: Vec<f64> = noise(&mut rng).map(|(i, x)| (sd * x).exp() * step.powf(i as f64 / n as f64)).collect();
        counts.0 += usize::from(level_shift(&sudden).unwrap().shifted);
        counts.1 += usize::from(trend(&slow).unwrap().trending);
    }
    counts
}

#[test]
fn a_new_level_or_a_climb_is_found() {
    // What a method so shy still must see; nearly all of these, both ways up and down.
    for (n, phi, sd, step) in
        [(60, 0.0, 0.05, 1.4), (60, 0.0, 0.05, 1.0 / 1.4), (60, 0.0, 0.1, 1.6), (300, 0.5, 0.1, 1.4), (30, 0.0, 0.05, 2.0)]
    {
        let (sudden, slow) = found(n, phi, sd, step);
        assert!(sudden >= 190 && slow >= 170, "{n} seconds, φ {phi}, noise {sd}, × {step}: {sudden} and {slow} of 200");
    }
}

#[test]
fn a_change_within_the_limit_is_none_however_certain() {
    for step in [1.15, 1.0 / 1.15] {
        let (sudden, slow) = found(300, 0.0, 0.01, step);
        assert_eq!((sudden, slow), (0, 0));
    }
}

#[test]
fn the_step_is_found_where_it_stands_and_with_its_size() {
    let figures: Vec<f64> = (0..40).map(|i| if i < 13 { 2e6 } else { 3e6 }).collect();
    let shift = level_shift(&figures).unwrap();
    assert_eq!(shift.at, 13);
    assert!((shift.before - 2e6).abs() < 1.0 && (shift.after - 3e6).abs() < 1.0 && (shift.change - 0.5).abs() < 1e-9);
    assert!(shift.shifted && shift.p_value < 1e-9);
}

#[test]
fn one_stalled_second_is_no_new_level() {
    let mut rng = simulate::rng(4);
    let mut figures: Vec<f64> = (0..30).map(|_| 1e6 * (1.0 + 0.05 * simulate::uniform(&mut rng))).collect();
    figures[12] = 5e8;
    assert!(!level_shift(&figures).unwrap().shifted);
    assert!(!trend(&figures).unwrap().trending);
}

#[test]
fn constant_figures_stand_still_and_few_or_wrong_ones_say_nothing() {
    let still = level_shift(&[5.0; 20]).unwrap();
    assert!(!still.shifted && still.change.abs() < 1e-12);
    assert!(!trend(&[5.0; 20]).unwrap().trending);
    assert_eq!(level_shift(&[5.0; FEWEST_FIGURES - 1]), None);
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut figures = vec![5.0; 20];
        figures[3] = wrong;
        assert_eq!((level_shift(&figures), trend(&figures)), (None, None));
    }
}
