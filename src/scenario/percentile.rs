//! A percentile by its number: what metrics, results and tables call it.

use std::fmt;

/// A percentile, above 0 and up to 100. Shown as `p99.9`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percentile(f64);

impl Percentile {
    /// The median.
    pub const P50: Self = Self(50.0);
    /// 90 %.
    pub const P90: Self = Self(90.0);
    /// 95 %.
    pub const P95: Self = Self(95.0);
    /// 99 %.
    pub const P99: Self = Self(99.0);
    /// 99.9 %.
    pub const P99_9: Self = Self(99.9);
    /// 99.99 %.
    pub const P99_99: Self = Self(99.99);

    /// Those that every summary of a histogram holds, ascending.
    pub const SUMMARY: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::P99_9, Self::P99_99];

    /// `None` where it is not above 0 and up to 100.
    #[must_use]
    pub fn new(percent: f64) -> Option<Self> {
        (percent > 0.0 && percent <= 100.0).then_some(Self(percent))
    }

    /// The share of values at or below it, 0 to 1.
    #[must_use]
    pub fn quantile(self) -> f64 {
        self.0 / 100.0
    }

    /// Its key in results: `p99_9_ns`.
    #[must_use]
    pub fn key(self) -> String {
        format!("p{}_ns", self.0.to_string().replace('.', "_"))
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_name_themselves_and_their_key() {
        let names = Percentile::SUMMARY.map(|percentile| (percentile.to_string(), percentile.key()));
        let expected =
            [("p50", "p50_ns"), ("p90", "p90_ns"), ("p95", "p95_ns"), ("p99", "p99_ns"), ("p99.9", "p99_9_ns"), ("p99.99", "p99_99_ns")];
        assert_eq!(names, expected.map(|(name, key)| (name.to_owned(), key.to_owned())));
        assert_eq!(Percentile::new(99.5).unwrap().key(), "p99_5_ns");
        assert!([0.0, -1.0, 100.1, f64::NAN].into_iter().all(|percent| Percentile::new(percent).is_none()));
    }

    #[test]
    fn a_quantile_names_the_rank_that_its_percentile_means() {
        // 99.9 / 100 is not 0.999 in binary: the rank is the same all the same, for every count that a thousandth divides.
        use crate::stats::histogram::Histogram;
        for thousands in (1..100_000).step_by(7) {
            assert_eq!(Histogram::rank(Percentile::P99_9.quantile(), thousands * 1000), thousands * 999);
        }
    }
}
