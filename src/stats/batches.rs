//! What each second of a run held, kept small: enough to know what its percentiles are worth and whether it stood still.
//!
//! Owns the method of batch means (Law & Kelton, *Simulation Modeling and Analysis*, 3rd ed., §9.5.3; for quantiles through the
//! share of values beyond: Heidelberger & Lewis, *Operations Research* 32 (1984) 185). Memory is bounded: latencies are
//! kept in buckets 3 % wide, and from [`MOST_BATCHES`] seconds on neighbours are joined. So a run of an hour takes no more
//! than one of ten minutes, and batches grow as long runs allow.

use super::autocorrelation;
use super::histogram::Histogram;
use super::interval::{normal_quantile, student_quantile};
use super::{CONFIDENCE, histogram};

/// More batches than this are joined in pairs.
pub const MOST_BATCHES: usize = 512;

/// Fewer batches than this say nothing about correlation: the effective count is then 0, and no interval is given.
pub const FEWEST_BATCHES: usize = 5;

/// A batch with a smaller part of the mean batch's count has no median worth the name: a drain's last second, a stall.
const LEAST_FILL: f64 = 0.1;

/// Buckets per doubling of the latency, as a power of two: 2^5 make them 3 % wide.
const BUCKET_BITS: u32 = 5;

#[derive(Debug, Clone, Default)]
struct Batch {
    seconds: u32,
    /// Sum over its seconds of median times count, in ns.
    weighted_median: f64,
    count: u64,
    /// Coarse bucket and count, by bucket.
    buckets: Vec<(u16, u32)>,
}

impl Batch {
    fn of(second: &Histogram) -> Self {
        let mut buckets: Vec<(u16, u32)> = Vec::new();
        for step in second.as_hdr().iter_recorded() {
            let (bucket, count) = (bucket_of(step.value_iterated_to()), u32::try_from(step.count_at_value()).unwrap_or(u32::MAX));
            match buckets.last_mut() {
                Some(last) if last.0 == bucket => last.1 = last.1.saturating_add(count),
                _ => buckets.push((bucket, count)),
            }
        }
        let count = second.count();
        Self { seconds: 1, weighted_median: second.quantile_ns(0.5) as f64 * count as f64, count, buckets }
    }

    fn join(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.weighted_median += other.weighted_median;
        self.count += other.count;
        self.buckets.extend_from_slice(&other.buckets);
        self.buckets.sort_unstable_by_key(|(bucket, _)| *bucket);
        self.buckets.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(later.1);
            }
            same
        });
    }

    fn count_from(&self, bucket: u16) -> u64 {
        self.buckets.iter().filter(|(at, _)| *at >= bucket).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// Exact below 2^6, then 2^5 buckets a doubling; monotone.
fn bucket_of(ns: u64) -> u16 {
    let ns = ns.min(2 * histogram::MAX_NS);
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(BUCKET_BITS + 1);
    ((u64::from(shift) << BUCKET_BITS) + (ns >> shift)) as u16
}

/// The seconds of a measured phase, in their order.
#[derive(Debug, Clone)]
pub struct Batches {
    batches: Vec<Batch>,
    seconds_each: u32,
}

impl Batches {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { batches: Vec::new(), seconds_each: 1 }
    }

    /// Appends one second; an empty one counts too. Takes tens of µs: not for the measuring path.
    pub fn push(&mut self, second: &Histogram) {
        let new = Batch::of(second);
        match self.batches.last_mut() {
            Some(last) if last.seconds < self.seconds_each => last.join(&new),
            _ => self.batches.push(new),
        }
        if self.batches.len() > MOST_BATCHES {
            self.seconds_each *= 2;
            let mut joined: Vec<Batch> = Vec::with_capacity(MOST_BATCHES);
            for batch in self.batches.drain(..) {
                match joined.last_mut() {
                    Some(last) if last.seconds < self.seconds_each => last.join(&batch),
                    _ => joined.push(batch),
                }
            }
            self.batches = joined;
        }
    }

    /// How many seconds one batch spans: 1 for runs up to [`MOST_BATCHES`] seconds.
    #[must_use]
    pub const fn seconds_each(&self) -> u32 {
        self.seconds_each
    }

    /// Median latency of each batch in ns and in order, as (seconds before it, median): what [`super::stationarity`] looks at. (The mean
    /// would let one stalled second look like a new level.) Batches that hold less than a tenth of the usual count are left out.
    #[must_use]
    pub fn timed_medians_ns(&self) -> Vec<(u64, f64)> {
        let count = self.batches.iter().map(|batch| batch.count).sum::<u64>() as f64;
        let least = (LEAST_FILL * count / self.batches.len().max(1) as f64).max(1.0);
        let mut seconds = 0;
        let timed = self.batches.iter().map(|batch| {
            let before = seconds;
            seconds += u64::from(batch.seconds);
            (before, batch)
        });
        let filled = timed.filter(|(_, batch)| batch.count as f64 >= least);
        filled.map(|(before, batch)| (before, batch.weighted_median / batch.count as f64)).collect()
    }

    /// How many independent samples all of them are worth when quantile `q` is estimated, from 0 to their number.
    ///
    /// The share of values beyond the quantile, second by second, has a long-run variance; independent samples would have
    /// p(1 − p)/n. What few batches leave uncertain about that variance is paid for by Student's quantile over the normal one.
    /// 0 for fewer than [`FEWEST_BATCHES`] batches.
    #[must_use]
    pub fn effective_count(&self, q: f64) -> f64 {
        let all = self.batches.iter().map(|batch| batch.count).sum::<u64>() as f64;
        if self.batches.len() < FEWEST_BATCHES || all == 0.0 {
            return 0.0;
        }
        let threshold = self.threshold(q, all);
        let beyond = self.batches.iter().map(|batch| batch.count_from(threshold)).sum::<u64>() as f64 / all;
        let independent = all * beyond * (1.0 - beyond);
        if independent == 0.0 {
            return all; // one value only: any sample of it is exact
        }
        let excess: Vec<f64> = self.batches.iter().map(|batch| batch.count_from(threshold) as f64 - beyond * batch.count as f64).collect();
        let variance = autocorrelation::variance(&excess, 0.0);
        let batches = excess.len() as f64;
        let effective = (all * independent / (batches * variance.long_run).max(f64::MIN_POSITIVE)).min(all);
        let degrees = (batches / variance.inflation() - 1.0).max(1.0);
        let tail = f64::midpoint(1.0, CONFIDENCE);
        effective * (normal_quantile(tail) / student_quantile(tail, degrees)).powi(2)
    }

    /// The bucket from which on the share of values comes nearest to 1 − q, not counting "all of them" where there is a choice.
    fn threshold(&self, q: f64, all: f64) -> u16 {
        let mut total = vec![0_u64; usize::from(bucket_of(u64::MAX)) + 1];
        for (bucket, count) in self.batches.iter().flat_map(|batch| &batch.buckets) {
            total[usize::from(*bucket)] += u64::from(*count);
        }
        let (mut from_here, mut best, mut filled) = (all, (f64::INFINITY, 0), 0);
        for (bucket, count) in total.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let distance = (from_here / all - (1.0 - q)).abs();
            filled += 1;
            if filled == 2 || distance < best.0 {
                best = (distance, bucket as u16);
            }
            from_here -= count as f64;
        }
        best.1
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
