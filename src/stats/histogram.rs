//! Latencies by size: an `HdrHistogram` of nanoseconds with the definitions this tool prints.
//!
//! Owns the range (1 ns to 1 h, three significant digits), what happens beyond it (counted, kept at 1 h), and which recorded
//! value a percentile names. Recording takes no lock and allocates nothing: every bucket exists from the start (270 KB).
//!
//! # Definitions, the same as in the Java and JavaScript `HdrHistogram`
//! - Values that differ by less than 1/1000 may share a bucket; a bucket has a lowest and a highest *equivalent* value.
//! - quantile q: the highest equivalent value of the bucket that holds the value of rank ⌈q · count⌉, counted from 1. A product
//!   that lies within one rounding step (ulp) of a whole number is that number, so 0.55 · 100 is rank 55, not 56. (The
//!   Python port rounds q · count to the nearest rank instead of up: it may name the value one rank below.)
//! - max: the highest equivalent of the largest value; min: the lowest equivalent of the smallest. So min ≤ every quantile ≤ max.
//! - mean: every value counts as the middle of its bucket, which is off by at most 0.05 %.
//!
//! ```
//! use tailtrace::stats::histogram::Histogram;
//! let mut histogram = Histogram::new();
//! for ms in 1..=100 {
//!     histogram.record(ms * 1_000_000);
//! }
//! assert_eq!(histogram.quantile_ns(0.99) / 100_000, 990); // 99.0 ms, to three digits
//! ```

use hdrhistogram::Histogram as Hdr;

/// The longest time a histogram tells apart: one hour, in ns. A longer one is counted in `overflow` and kept as one hour.
pub const MAX_NS: u64 = 3_600_000_000_000;

/// Three digits: 0.1 % is far below what latencies repeat to, and a fourth would take eight times the memory.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Counts of latencies in ns, 0 to one hour. See the module for which value a percentile names.
#[derive(Clone, PartialEq)]
pub struct Histogram {
    hdr: Hdr<u64>,
    overflow: u64,
}

impl Histogram {
    /// An empty one, with every bucket it will ever need.
    #[must_use]
    pub fn new() -> Self {
        let hdr = Hdr::new_with_bounds(1, MAX_NS, SIGNIFICANT_DIGITS).expect("the bounds are constants that the crate accepts");
        Self { hdr, overflow: 0 }
    }

    /// Counts one latency. A few ns, no allocation, no lock.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    /// Counts the same latency `times` times; nothing where that is 0.
    #[inline]
    pub fn record_n(&mut self, ns: u64, times: u64) {
        if times == 0 {
            return;
        }
        let kept = if ns > MAX_NS {
            self.overflow += times;
            MAX_NS
        } else {
            ns
        };
        self.hdr.saturating_record_n(kept, times);
    }

    /// How many latencies were longer than an hour; they are in `count` and stand at one hour.
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// How many latencies were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.hdr.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hdr.is_empty()
    }

    /// Adds every latency of `other`, without loss.
    pub fn add(&mut self, other: &Self) {
        self.add_hdr(&other.hdr, other.overflow);
    }

    /// Adds what was read from an interval log, which may have other bounds; `overflow` says how many of it were over an hour.
    /// Values beyond an hour are kept as one hour and counted as overflow.
    pub fn add_hdr(&mut self, other: &Hdr<u64>, overflow: u64) {
        self.overflow += overflow;
        // A merge is exact where the buckets are the same, which they are for every log this tool wrote.
        if self.hdr.add(other).is_err() {
            for step in other.iter_recorded() {
                self.record_n(other.lowest_equivalent(step.value_iterated_to()), step.count_at_value());
            }
        }
    }

    /// These values without some of them: what remains when `part`, every value of which is in here, is taken out.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let mut rest = self.clone();
        // The crate refuses to subtract more than there is; a part of the whole never is.
        let _ = rest.hdr.subtract(&part.hdr);
        rest.overflow = rest.overflow.saturating_sub(part.overflow);
        rest
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        // Not the crate's `clear`: that one keeps the extremes of what it forgot.
        self.hdr.reset();
        self.overflow = 0;
    }

    /// The rank, counted from 1, that quantile `q` names among `count` values; 0 where there are none.
    ///
    /// ⌈q · count⌉ as the Java implementation computes it: <https://hdrhistogram.github.io/HdrHistogram/>.
    #[must_use]
    pub fn rank(q: f64, count: u64) -> u64 {
        let product = q.clamp(0.0, 1.0) * count as f64;
        (product.next_down().ceil() as u64).max(1).min(count)
    }

    /// The value that quantile `q` (0 to 1; beyond is cut) names, in ns; 0 where nothing was recorded. For q = 0 it is `min_ns`.
    #[must_use]
    pub fn quantile_ns(&self, q: f64) -> u64 {
        if q <= 0.0 { self.min_ns() } else { self.value_at_rank(Self::rank(q, self.count())) }
    }

    /// The highest equivalent of the `rank`-th smallest value (from 1; cut to 1..=count) in ns; 0 where nothing was recorded.
    #[must_use]
    pub fn value_at_rank(&self, rank: u64) -> u64 {
        let count = self.count();
        // Half a rank below the whole number: the crate rounds up to exactly `rank`, whatever the product's rounding.
        self.hdr.value_at_quantile((rank.clamp(1, count.max(1)) as f64 - 0.5) / count.max(1) as f64)
    }

    /// How many values lie above the bucket of `ns`.
    #[must_use]
    pub fn count_above(&self, ns: u64) -> u64 {
        self.hdr.iter_recorded().filter(|step| step.value_iterated_to() > self.hdr.highest_equivalent(ns)).map(|s| s.count_at_value()).sum()
    }

    /// How many values lie in the buckets above that of `over_ns` up to that of `to_ns`, and their mean from the buckets' middles;
    /// no mean where there are none.
    #[must_use]
    pub fn part(&self, over_ns: u64, to_ns: u64) -> (u64, Option<u64>) {
        let (over, to) = (self.hdr.highest_equivalent(over_ns), self.hdr.highest_equivalent(to_ns.min(MAX_NS)));
        let inside = self.hdr.iter_recorded().filter(|step| step.value_iterated_to() > over && step.value_iterated_to() <= to);
        let (count, sum) = inside.fold((0, 0.0), |(count, sum), step| {
            let here = step.count_at_value();
            (count + here, sum + here as f64 * self.hdr.median_equivalent(step.value_iterated_to()) as f64)
        });
        (count, (count > 0).then(|| (sum / count as f64).round() as u64))
    }

    /// The least value that shares the bucket of `ns`.
    #[must_use]
    pub fn lowest_equivalent_ns(&self, ns: u64) -> u64 {
        self.hdr.lowest_equivalent(ns)
    }

    /// Lowest equivalent of the smallest value in ns; 0 where nothing was recorded.
    #[must_use]
    pub fn min_ns(&self) -> u64 {
        self.hdr.min()
    }

    /// Highest equivalent of the largest value in ns; 0 where nothing was recorded.
    #[must_use]
    pub fn max_ns(&self) -> u64 {
        self.hdr.max()
    }

    /// Mean of the buckets' middles in ns, to the nearest; 0 where nothing was recorded.
    #[must_use]
    pub fn mean_ns(&self) -> u64 {
        self.hdr.mean().round() as u64
    }

    /// The crate's histogram, for writing logs.
    #[must_use]
    pub const fn as_hdr(&self) -> &Hdr<u64> {
        &self.hdr
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Histogram {
    /// Without the 33,792 counters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("min_ns", &self.min_ns())
            .field("p50_ns", &self.quantile_ns(0.5))
            .field("max_ns", &self.max_ns())
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_one_is_all_zero() {
        let empty = Histogram::new();
        assert_eq!((empty.count(), empty.min_ns(), empty.max_ns(), empty.mean_ns(), empty.quantile_ns(0.99)), (0, 0, 0, 0, 0));
    }

    #[test]
    fn what_is_beyond_an_hour_is_counted_and_kept_at_an_hour() {
        let mut histogram = Histogram::new();
        for ns in [MAX_NS, MAX_NS + 1, 4 * MAX_NS, u64::MAX] {
            histogram.record(ns);
        }
        assert_eq!((histogram.count(), histogram.overflow()), (4, 3));
        assert!(histogram.max_ns() >= MAX_NS && histogram.max_ns() < MAX_NS + MAX_NS / 1000);
        histogram.clear();
        assert_eq!((histogram.count(), histogram.overflow(), histogram.max_ns()), (0, 0, 0));
    }

    #[test]
    fn a_cleared_one_remembers_no_extremes() {
        let mut histogram = Histogram::new();
        histogram.record(1);
        histogram.record(MAX_NS);
        histogram.clear();
        histogram.record(500);
        assert_eq!((histogram.min_ns(), histogram.max_ns()), (500, 500));
    }

    #[test]
    fn a_rank_that_rounding_pushed_over_a_whole_number_is_that_number() {
        // 0.55 · 100 is 55.00000000000001 in f64; ⌈·⌉ alone would name the 56th value.
        for (q, count, rank) in [(0.55, 100, 55), (0.99, 100, 99), (0.999, 1000, 999), (0.9999, 10_000, 9999), (0.07, 100, 7)] {
            assert_eq!(Histogram::rank(q, count), rank, "{q} of {count}");
        }
        assert_eq!(Histogram::rank(0.99, 101), 100);
        assert_eq!((Histogram::rank(0.0, 5), Histogram::rank(2.0, 5), Histogram::rank(0.5, 0)), (1, 5, 0));
    }

    #[test]
    fn values_below_2048_ns_are_exact_and_so_is_every_percentile_of_them() {
        let mut histogram = Histogram::new();
        for ns in (1..=2000).rev() {
            histogram.record(ns);
        }
        for (q, ns) in [(0.0, 1), (0.0001, 1), (0.5, 1000), (0.9, 1800), (0.99, 1980), (0.999, 1998), (1.0, 2000)] {
            assert_eq!(histogram.quantile_ns(q), ns, "{q}");
        }
        assert_eq!(histogram.mean_ns(), 1001, "1000.5 to the nearest");
        assert_eq!((histogram.count_above(1900), histogram.count_above(2000)), (100, 0));
        assert_eq!(
            [histogram.part(1900, u64::MAX), histogram.part(0, 2), histogram.part(2000, 3000)],
            [(100, Some(1951)), (2, Some(2)), (0, None)]
        );
    }

    #[test]
    fn a_log_with_other_bounds_is_added_by_value() {
        let mut wide = Hdr::<u64>::new_with_bounds(1, 40 * MAX_NS, 3).unwrap();
        wide.record(20 * MAX_NS).unwrap();
        wide.record_n(1000, 7).unwrap();
        let mut histogram = Histogram::new();
        histogram.add_hdr(&wide, 0);
        assert_eq!((histogram.count(), histogram.overflow(), histogram.quantile_ns(0.5)), (8, 1, 1000));
    }

    proptest! {
        #[test]
        fn every_percentile_is_the_sorted_value_to_three_digits(
            mut values in proptest::collection::vec(1_u64..MAX_NS, 1..300), q in 0.0_f64..1.0
        ) {
            let mut histogram = Histogram::new();
            for ns in &values {
                histogram.record(*ns);
            }
            values.sort_unstable();
            let truth = values[Histogram::rank(q, values.len() as u64) as usize - 1];
            let told = histogram.quantile_ns(q);
            prop_assert!(q == 0.0 || told >= truth);
            prop_assert!(told.abs_diff(truth) as f64 <= truth as f64 / 1000.0);
            prop_assert!(histogram.min_ns() <= told && told <= histogram.max_ns());
        }

        #[test]
        fn adding_is_recording_both(
            a in proptest::collection::vec(0_u64..2 * MAX_NS, 0..50), b in proptest::collection::vec(0_u64..2 * MAX_NS, 0..50)
        ) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::new();
                for ns in values {
                    histogram.record(*ns);
                }
                histogram
            };
            let mut sum = of(&a);
            sum.add(&of(&b));
            let both = of(&[a, b].concat());
            prop_assert_eq!(sum.overflow(), both.overflow());
            prop_assert!(sum.as_hdr() == both.as_hdr());
        }
    }
}
