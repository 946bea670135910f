//! How precisely one run alone knows its percentiles, from the way its seconds scatter.
//!
//! Politis and Romano's circular block bootstrap (*Exploring the Limits of Bootstrap* (1992) 263) over whole histograms: the intervals are
//! joined to a ring, blocks of neighbours are drawn again and again, and the percentile is taken of what they hold together. Says nothing of
//! what moves from one run to the next.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::autocorrelation;
use super::histogram::Histogram;
use super::log_ratio::Estimate;

/// With fewer intervals nothing is said.
pub const FEWEST_INTERVALS: usize = 8;

/// More intervals than this are joined in pairs, so that memory stays bounded.
const MOST_INTERVALS: usize = 512;

/// Enough that the standard error moves by 3 % from seed to seed.
const RESAMPLES: usize = 600;

/// The intervals of a run, in their order, kept by value and count.
#[derive(Debug, Clone, Default)]
pub struct OneRun {
    intervals: Vec<BTreeMap<u64, u64>>,
    each: usize,
    open: usize,
}

impl OneRun {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { intervals: Vec::new(), each: 1, open: 0 }
    }

    /// Appends one interval; an empty one counts too.
    pub fn push(&mut self, interval: &Histogram) {
        let counts = interval.as_hdr().iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()));
        if self.open > 0
            && let Some(last) = self.intervals.last_mut()
        {
            for (value, count) in counts {
                *last.entry(value).or_default() += count;
            }
        } else {
            self.intervals.push(counts.collect());
        }
        self.open = (self.open + 1) % self.each;
        if self.intervals.len() > MOST_INTERVALS {
            self.join();
        }
    }

    fn join(&mut self) {
        let alone = self.intervals.len() % 2 == 1;
        let mut joined: Vec<BTreeMap<u64, u64>> = Vec::with_capacity(MOST_INTERVALS / 2 + 1);
        for (at, interval) in self.intervals.drain(..).enumerate() {
            if at % 2 == 0 {
                joined.push(interval);
            } else if let Some(last) = joined.last_mut() {
                for (value, count) in interval {
                    *last.entry(value).or_default() += count;
                }
            }
        }
        self.intervals = joined;
        // How much the last one holds by now.
        let filled = if self.open == 0 { self.each } else { self.open } + if alone { 0 } else { self.each };
        self.each *= 2;
        self.open = filled % self.each;
    }

    /// How many intervals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The logarithm of quantile `q` with its standard error; `None` for fewer than [`FEWEST_INTERVALS`] or no values.
    #[must_use]
    pub fn ln_quantile(&self, q: f64, seed: u64) -> Option<Estimate> {
        let table = Table::of(&self.intervals);
        let once = vec![1_u32; self.intervals.len()];
        let whole = table.quantile(&once, q)?;
        let beyond = |interval: &BTreeMap<u64, u64>| interval.range(whole + 1..).map(|(_, count)| *count as f64).sum::<f64>();
        let memory: Vec<f64> = self.intervals.iter().map(beyond).collect();
        let length = block_length(&memory)?;
        estimate((whole as f64).ln(), self.intervals.len(), length, seed, |times| table.quantile(times, q).map(|ns| (ns as f64).ln()))
    }
}

/// The logarithm of a mean over `series` (of seconds' sums over seconds' counts) with its standard error, the same way; `None` where
/// the seconds are too few or a mean is not positive.
#[must_use]
pub fn ln_ratio_of_sums(series: &[(f64, f64)], seed: u64) -> Option<Estimate> {
    let of = |times: &[u32]| {
        let (sum, count) = series
            .iter()
            .zip(times)
            .fold((0.0, 0.0), |(sum, count), ((s, c), times)| (sum + s * f64::from(*times), count + c * f64::from(*times)));
        let ln = (sum / count).ln();
        ln.is_finite().then_some(ln)
    };
    let once = vec![1_u32; series.len()];
    let whole = of(&once)?;
    // What a second adds to the ratio beyond its part: the influence that is remembered from second to second.
    let memory: Vec<f64> = series.iter().map(|(sum, count)| sum - whole.exp() * count).collect();
    let length = block_length(&memory)?;
    estimate(whole, series.len(), length, seed, of)
}

/// Longer than the memory of the series, and at least n^(1/3) (Politis & Romano; Künsch, *Annals of Statistics* 17 (1989) 1217); a
/// quarter of the series at most.
fn block_length(series: &[f64]) -> Option<usize> {
    let n = series.len();
    if n < FEWEST_INTERVALS {
        return None;
    }
    let mean = series.iter().sum::<f64>() / n as f64;
    let memory = 2.0 * autocorrelation::variance(series, mean).inflation();
    let length = memory.max((n as f64).cbrt()).ceil() as usize;
    Some(length.clamp(1, n / 4))
}

/// Draws blocks by how many `times` each of `n` intervals is in the resample.
fn estimate(whole: f64, n: usize, length: usize, seed: u64, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<Estimate> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut times = vec![0_u32; n];
    let (mut sum, mut squares, mut drawn) = (0.0, 0.0, 0.0);
    for _ in 0..RESAMPLES {
        times.fill(0);
        let mut left = n;
        while left > 0 {
            let start = rng.random_range(0..n);
            for step in 0..length.min(left) {
                times[(start + step) % n] += 1;
            }
            left -= length.min(left);
        }
        if let Some(value) = statistic(&times) {
            let off = value - whole;
            (sum, squares, drawn) = (sum + off, squares + off * off, drawn + 1.0);
        }
    }
    if drawn < 2.0 {
        return None;
    }
    let variance = (squares - sum * sum / drawn) / (drawn - 1.0);
    // So many independent blocks were there to learn the spread from; drawing with replacement makes it n/(n − 1) too small.
    let blocks = n as f64 / length as f64;
    Some(Estimate { value: whole, standard_error: (variance.max(0.0) * blocks / (blocks - 1.0)).sqrt(), degrees: (blocks - 1.0).max(1.0) })
}

/// Values in ascending order, and for each interval how many of its requests are at or below each.
struct Table {
    values: Vec<u64>,
    below: Vec<Vec<u32>>,
}

impl Table {
    fn of(intervals: &[BTreeMap<u64, u64>]) -> Self {
        let mut values: Vec<u64> = intervals.iter().flat_map(|interval| interval.keys().copied()).collect();
        values.sort_unstable();
        values.dedup();
        let below = |interval: &BTreeMap<u64, u64>| {
            let mut sum = 0_u32;
            let up_to = |value: &u64| {
                sum = sum.saturating_add(interval.get(value).map_or(0, |count| u32::try_from(*count).unwrap_or(u32::MAX)));
                sum
            };
            values.iter().map(up_to).collect()
        };
        let below = intervals.iter().map(below).collect();
        Self { values, below }
    }

    fn quantile(&self, times: &[u32], q: f64) -> Option<u64> {
        let up_to = |at: usize| self.below.iter().zip(times).map(|(below, times)| u64::from(below[at]) * u64::from(*times)).sum::<u64>();
        let last = self.values.len().checked_sub(1)?;
        let count = up_to(last);
        if count == 0 {
            return None;
        }
        let rank = Histogram::rank(q, count);
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = usize::midpoint(low, high);
            if up_to(middle) >= rank { high = middle } else { low = middle + 1 }
        }
        Some(self.values[low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::simulate;
    use rand_distr::{Distribution, StandardNormal};

    /// Seconds of lognormal latencies (median 1 ms), whose level wanders with the memory `phi`.
    fn run(seconds: usize, phi: f64, wander: f64, rng: &mut StdRng) -> OneRun {
        let mut all = OneRun::new();
        for level in simulate::ar1(phi, seconds, rng) {
            let mut second = Histogram::new();
            for _ in 0..50 {
                let z: f64 = StandardNormal.sample(rng);
                second.record((1e6 * (wander * level + 0.5 * z).exp()) as u64);
            }
            all.push(&second);
        }
        all
    }

    #[test]
    fn a_median_is_known_as_precisely_as_repeated_runs_scatter() {
        for (phi, wander) in [(0.0, 0.0), (0.6, 0.2)] {
            let mut rng = simulate::rng(5);
            let found: Vec<Estimate> = (0..60).map(|seed| run(60, phi, wander, &mut rng).ln_quantile(0.5, seed).unwrap()).collect();
            let medians: Vec<f64> = found.iter().map(|found| found.value).collect();
            let mean = medians.iter().sum::<f64>() / 60.0;
            let truth = (medians.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 59.0).sqrt();
            let told = found.iter().map(|found| found.standard_error).sum::<f64>() / 60.0;
            // A deviation from 60 runs is known to 9 %; blocks lose some of a memory's tail. Three deviations, and that.
            assert!((0.65..1.35).contains(&(told / truth)), "{told} is not {truth} with a memory of {phi}");
        }
    }

    #[test]
    fn the_quantile_of_the_whole_is_that_of_the_histogram() {
        let mut rng = simulate::rng(6);
        let mut all = OneRun::new();
        let mut sum = Histogram::new();
        for _ in 0..12 {
            let mut second = Histogram::new();
            (0..200).for_each(|_| second.record((1e6 * simulate::uniform(&mut rng)) as u64 + 1));
            sum.add(&second);
            all.push(&second);
        }
        for q in [0.5, 0.9, 0.99] {
            assert_eq!(all.ln_quantile(q, 1).unwrap().value, (sum.quantile_ns(q) as f64).ln());
        }
    }

    #[test]
    fn long_runs_are_joined_and_nothing_is_lost() {
        let mut all = OneRun::new();
        let mut second = Histogram::new();
        second.record_n(1000, 3);
        for _ in 0..1500 {
            all.push(&second);
        }
        assert!(all.len() <= MOST_INTERVALS && !all.is_empty());
        assert_eq!(all.intervals.iter().flat_map(BTreeMap::values).sum::<u64>(), 4500);
        assert!(all.intervals[..all.len() - 1].iter().all(|interval| interval[&1000] == all.intervals[0][&1000]));
        assert_eq!(all.ln_quantile(0.5, 1).unwrap().standard_error, 0.0);
    }

    #[test]
    fn too_few_seconds_and_empty_ones_say_nothing() {
        let mut short = OneRun::new();
        assert_eq!(short.ln_quantile(0.5, 1), None);
        let mut second = Histogram::new();
        second.record(5);
        (0..FEWEST_INTERVALS - 1).for_each(|_| short.push(&second));
        assert_eq!(short.ln_quantile(0.5, 1), None);
        short.push(&second);
        assert!(short.ln_quantile(0.5, 1).is_some());
        assert_eq!(ln_ratio_of_sums(&[(0.0, 1.0); 20], 1), None);
    }

    #[test]
    fn a_rate_is_known_as_the_mean_of_its_seconds() {
        let mut rng = simulate::rng(7);
        let seconds: Vec<(f64, f64)> = simulate::ar1(0.0, 400, &mut rng).into_iter().map(|z| (100.0 + 10.0 * z, 1.0)).collect();
        let found = ln_ratio_of_sums(&seconds, 3).unwrap();
        // 10 % of a second's rate, over √400 seconds: half a percent, known to 3 % by the resamples and 4 % by the sample.
        assert!((found.standard_error / 0.005 - 1.0).abs() < 0.25, "{found:?}");
        assert!((found.value.exp() / 100.0 - 1.0).abs() < 0.02);
    }
}
