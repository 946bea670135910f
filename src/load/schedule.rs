//! When requests are due: the arrival process, as a series that depends on the seed and the stream alone.

use rand_distr::Distribution;

use crate::stats::arrivals::Process;
use crate::units::Nanos;

use super::shape::{Part, Shape, Stage};

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the stream, from 0 with the first request of the warm-up.
    pub sequence: u64,
    /// Its intended start, counted from the begin of the warm-up.
    pub due: Nanos,
}

/// The arrivals of an open-loop stream over warm-up and measured phase, in order.
///
/// Both phases begin their own count: the first constant arrival of the measured phase is due at its very begin, so that
/// each phase holds exactly the integral of its rate (rounded up), whatever the warm-up was. For Poisson arrivals a unit
/// exponential is added up and taken back through the inverse of the cumulative rate (time rescaling; Çinlar 1975,
/// section 4.7), which gives the same series however the stages are cut.
///
/// Every part walks the whole series and keeps its own: a few ns for each arrival of the others.
#[derive(Debug, Clone)]
pub struct Schedule {
    phases: [Curve; 2],
    phase: usize,
    sequence: u64,
    /// Arrivals (constant) or unit time (Poisson) gone by in the phase.
    passed: f64,
    process: Process,
    random: rand_pcg::Pcg64Mcg,
    part: Part,
}

impl Schedule {
    /// The arrivals that `part` takes of a stream; `None` for a closed loop, which has no schedule.
    #[must_use]
    pub fn new(shape: &Shape, warmup: Nanos, seed: u64, part: Part) -> Option<Self> {
        let Shape::Open { arrivals, warmup: warmup_rate, stages, .. } = shape else { return None };
        let phases = [Curve::new(Nanos::ZERO, &[Stage::steady(*warmup_rate, warmup)]), Curve::new(warmup, stages)];
        let mut schedule = Self {
            phases,
            phase: 0,
            sequence: 0,
            passed: 0.0,
            process: *arrivals,
            random: <rand_pcg::Pcg64Mcg as rand::SeedableRng>::seed_from_u64(seed),
            part,
        };
        schedule.enter(0);
        Some(schedule)
    }

    fn enter(&mut self, phase: usize) {
        self.phase = phase;
        self.passed = match self.process {
            Process::Constant => 0.0,
            Process::Poisson => self.gap(),
        };
    }

    fn gap(&mut self) -> f64 {
        match self.process {
            Process::Constant => 1.0,
            Process::Poisson => rand_distr::Exp1.sample(&mut self.random),
        }
    }

    /// The next arrival of the whole stream.
    fn next_of_all(&mut self) -> Option<Arrival> {
        loop {
            let Some(due) = self.phases[self.phase].inverse(self.passed) else {
                if self.phase + 1 == self.phases.len() {
                    return None;
                }
                self.enter(self.phase + 1);
                continue;
            };
            let arrival = Arrival { sequence: self.sequence, due };
            self.sequence += 1;
            self.passed += self.gap();
            return Some(arrival);
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let arrival = self.next_of_all()?;
            if self.part.takes(arrival.sequence) {
                return Some(arrival);
            }
        }
    }
}

/// A piecewise linear rate over one phase, with its cumulative count.
#[derive(Debug, Clone)]
struct Curve {
    pieces: Vec<Piece>,
    /// The piece that the last look-up ended in; look-ups only go forward.
    at: usize,
}

#[derive(Debug, Clone)]
struct Piece {
    stage: Stage,
    begins: Nanos,
    /// Requests due before it.
    before: f64,
}

impl Curve {
    fn new(begins: Nanos, stages: &[Stage]) -> Self {
        let (mut begins, mut before) = (begins, 0.0);
        let pieces = stages
            .iter()
            .map(|stage| {
                let piece = Piece { stage: *stage, begins, before };
                begins = Nanos(begins.0 + stage.length.0);
                before += stage.requests();
                piece
            })
            .collect();
        Self { pieces, at: 0 }
    }

    /// When so many requests have gone by; `None` where the phase ends before. `count` must not fall from call to call.
    fn inverse(&mut self, count: f64) -> Option<Nanos> {
        while let Some(piece) = self.pieces.get(self.at) {
            if let Some(offset) = piece.inverse(count - piece.before) {
                return Some(Nanos(piece.begins.0 + offset));
            }
            self.at += 1;
        }
        None
    }
}

impl Piece {
    /// ns from the piece's begin until `count` requests have gone by, `None` where that is at its end or later.
    fn inverse(&self, count: f64) -> Option<u64> {
        let (from, to) = (self.stage.from.per_second(), self.stage.to.per_second());
        let seconds = self.stage.length.as_secs_f64();
        let slope = (to - from) / seconds;
        // count = from t + slope t²/2, in the form whose denominator cannot cancel.
        let under_root = from.mul_add(from, 2.0 * slope * count);
        let count = count.max(0.0);
        let time = if count == 0.0 && from > 0.0 { 0.0 } else { 2.0 * count / (from + under_root.max(0.0).sqrt()) };
        // A rate that rises from 0 has its first arrival where the count has just begun: at the piece's begin.
        let time = if time.is_nan() && to > 0.0 { 0.0 } else { time };
        let offset = (time * 1e9).round();
        (under_root >= 0.0 && offset < self.stage.length.0 as f64).then_some(offset as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;
    use proptest::prelude::*;

    fn rate(per_second: f64) -> Rate {
        Rate::from_per_second(per_second).unwrap()
    }

    fn open(arrivals: Process, warmup: f64, stages: &[(f64, f64, u64)]) -> Shape {
        let stages = stages
            .iter()
            .map(|(from, to, seconds)| Stage { from: rate(*from), to: rate(*to), length: Nanos::from_secs(*seconds) })
            .collect();
        Shape::Open { arrivals, warmup: rate(warmup), stages, max_in_flight: 1 }
    }

    fn whole(shape: &Shape, warmup_secs: u64, seed: u64) -> Vec<Arrival> {
        Schedule::new(shape, Nanos::from_secs(warmup_secs), seed, Part::WHOLE).unwrap().collect()
    }

    #[test]
    fn a_constant_rate_gives_exactly_its_integral_evenly_spaced() {
        let arrivals = whole(&open(Process::Constant, 333.0, &[(1_000.0, 1_000.0, 10)]), 2, 1);
        let (warmup, measured): (Vec<Arrival>, Vec<Arrival>) = arrivals.iter().partition(|arrival| arrival.due < Nanos::from_secs(2));
        assert_eq!(warmup.len(), 666);
        assert_eq!(measured.len(), 10_000);
        for (index, arrival) in measured.iter().enumerate() {
            assert_eq!(arrival.due, Nanos(2_000_000_000 + 1_000_000 * index as u64));
        }
    }

    #[test]
    fn steps_and_ramps_give_exactly_their_integral() {
        // 100/s for 10 s, then up to 500/s within 10 s (3,000), 500/s for 4 s (2,000), down to nothing within 2 s (500),
        // nothing for 3 s, up from nothing to 200/s within 5 s (500).
        let stages = [(100.0, 100.0, 10), (100.0, 500.0, 10), (500.0, 500.0, 4), (500.0, 0.0, 2), (0.0, 0.0, 3), (0.0, 200.0, 5)];
        let arrivals = whole(&open(Process::Constant, 0.0, &stages), 5, 1);
        let mut begins = 5;
        for ((_, _, seconds), expected) in stages.iter().zip([1_000, 3_000, 2_000, 500, 0, 500]) {
            let inside = |arrival: &&Arrival| (Nanos::from_secs(begins)..Nanos::from_secs(begins + seconds)).contains(&arrival.due);
            assert_eq!(arrivals.iter().filter(inside).count(), expected, "stage that begins at {begins} s");
            begins += seconds;
        }
        assert_eq!(arrivals.len(), 7_000);
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.due));
    }

    #[test]
    fn a_ramp_has_its_requests_where_the_integral_puts_them() {
        // Λ(t) = 20 t² for a ramp from 0 to 400/s in 10 s: request n is due at sqrt(n / 20) s.
        for arrival in whole(&open(Process::Constant, 0.0, &[(0.0, 400.0, 10)]), 0, 1) {
            let expected = (arrival.sequence as f64 / 20.0).sqrt() * 1e9;
            assert!((arrival.due.0 as f64 - expected).abs() <= 1.0, "{arrival:?}");
        }
    }

    #[test]
    fn poisson_counts_have_mean_and_variance_of_the_poisson_law() {
        // 4,000 windows of 50 ms, 20 arrivals each on average: the mean of the counts scatters by sqrt(20 / 4,000) = 0.071,
        // their variance by sqrt((20 + 2·20²) / 4,000) = 0.453. Five deviations either way.
        let arrivals = whole(&open(Process::Poisson, 0.0, &[(400.0, 400.0, 200)]), 0, 7);
        let mut counts = vec![0.0_f64; 4_000];
        for arrival in &arrivals {
            counts[(arrival.due.0 / 50_000_000) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 4_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 3_999.0;
        assert!((mean - 20.0).abs() < 5.0 * 0.071, "mean {mean}");
        assert!((variance - 20.0).abs() < 5.0 * 0.453, "variance {variance}");
    }

    #[test]
    fn poisson_arrivals_follow_a_ramp() {
        // A ramp from 0 to 2,000/s in 10 s holds 2,500 in its first half and 7,500 in its second; a count scatters by its
        // root (50, 86.6). Five deviations.
        let arrivals = whole(&open(Process::Poisson, 0.0, &[(0.0, 2_000.0, 10)]), 0, 11);
        let early = arrivals.iter().filter(|arrival| arrival.due < Nanos::from_secs(5)).count() as f64;
        let late = arrivals.len() as f64 - early;
        assert!((early - 2_500.0).abs() < 250.0, "{early}");
        assert!((late - 7_500.0).abs() < 433.0, "{late}");
    }

    #[test]
    fn another_seed_gives_other_arrivals_and_the_same_seed_the_same() {
        let shape = open(Process::Poisson, 50.0, &[(100.0, 100.0, 5)]);
        assert_eq!(whole(&shape, 1, 3), whole(&shape, 1, 3));
        assert_ne!(whole(&shape, 1, 3), whole(&shape, 1, 4));
    }

    proptest! {
        #[test]
        fn no_arrival_is_lost_doubled_or_moved_between_lanes(
            seed: u64, lanes in prop::sample::select(vec![1_u64, 2, 7]), shards in 1_u64..4,
            poisson: bool, from in 0.0..900.0_f64, to in 1.0..900.0_f64,
        ) {
            let process = if poisson { Process::Poisson } else { Process::Constant };
            let shape = open(process, 40.0, &[(from, to, 2), (to, to, 1)]);
            let expected = whole(&shape, 1, seed);
            let mut together: Vec<_> = (0..shards)
                .flat_map(|shard| (0..lanes).map(move |lane| Part { shard, shards, lane, lanes }))
                .flat_map(|part| Schedule::new(&shape, Nanos::from_secs(1), seed, part).unwrap())
                .collect();
            together.sort_by_key(|arrival| arrival.sequence);
            prop_assert_eq!(together, expected);
        }
    }
}
