//! The summary of one histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stats::histogram::Histogram;

/// A percentile that every summary holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Percentile {
    /// The median.
    P50,
    /// 90 %.
    P90,
    /// 95 %.
    P95,
    /// 99 %.
    P99,
    /// 99.9 %.
    P99_9,
    /// 99.99 %.
    P99_99,
}

impl Percentile {
    /// All of them, ascending.
    pub const ALL: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::P99_9, Self::P99_99];

    /// The share of values at or below it, 0 to 1.
    #[must_use]
    pub const fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P99_9 => 0.999,
            Self::P99_99 => 0.9999,
        }
    }

    /// Its key in the result.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::P50 => "p50_ns",
            Self::P90 => "p90_ns",
            Self::P95 => "p95_ns",
            Self::P99 => "p99_ns",
            Self::P99_9 => "p99_9_ns",
            Self::P99_99 => "p99_99_ns",
        }
    }

    /// Its name in gates, flags and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
            Self::P99_99 => "p99.99",
        }
    }
}

/// Response, service or lateness of a stream over the measured phase, in ns. All figures are `null` where `count` is 0.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Values in it, censored ones included.
    pub count: u64,
    /// How many of them are requests that timed out or never finished, standing at the time they had waited.
    pub censored: u64,
    /// How many independent values these are worth under the autocorrelation found; `null` where that is unknown.
    pub effective_count: Option<u64>,
    /// The least.
    pub min_ns: Option<u64>,
    /// The arithmetic mean.
    pub mean_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// 90 % are at or below.
    pub p90_ns: Option<u64>,
    /// 95 % are at or below.
    pub p95_ns: Option<u64>,
    /// 99 % are at or below.
    pub p99_ns: Option<u64>,
    /// 99.9 % are at or below.
    pub p99_9_ns: Option<u64>,
    /// 99.99 % are at or below.
    pub p99_99_ns: Option<u64>,
    /// The most.
    pub max_ns: Option<u64>,
    /// Percentiles beside these that the run was asked for (by a gate), by key: `"p99_5_ns"`.
    pub more: BTreeMap<String, u64>,
    /// 95 % confidence intervals by key (`"p99_ns"`, `"mean_ns"`): low and high.
    pub intervals: BTreeMap<String, [u64; 2]>,
    /// Keys of figures that are lower bounds only: censored requests would raise them had they been waited for.
    pub at_least: Vec<String>,
    /// Keys of percentiles that the effective count is too small for: they stand there without an interval.
    pub too_few: Vec<String>,
    /// Values beyond an hour: counted here, and as one hour in the figures.
    pub overflow: u64,
}

impl Latency {
    /// The plain figures of a histogram: no censoring, no intervals.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        let mut latency = Self { count: histogram.count(), overflow: histogram.overflow(), ..Self::default() };
        if !histogram.is_empty() {
            latency.min_ns = Some(histogram.min_ns());
            latency.max_ns = Some(histogram.max_ns());
            latency.mean_ns = Some(histogram.mean_ns());
            for percentile in Percentile::ALL {
                latency.set(percentile, histogram.quantile_ns(percentile.quantile()));
            }
        }
        latency
    }

    /// A percentile's value.
    #[must_use]
    pub const fn get(&self, percentile: Percentile) -> Option<u64> {
        match percentile {
            Percentile::P50 => self.p50_ns,
            Percentile::P90 => self.p90_ns,
            Percentile::P95 => self.p95_ns,
            Percentile::P99 => self.p99_ns,
            Percentile::P99_9 => self.p99_9_ns,
            Percentile::P99_99 => self.p99_99_ns,
        }
    }

    /// Sets a percentile's value.
    pub const fn set(&mut self, percentile: Percentile, ns: u64) {
        let place = match percentile {
            Percentile::P50 => &mut self.p50_ns,
            Percentile::P90 => &mut self.p90_ns,
            Percentile::P95 => &mut self.p95_ns,
            Percentile::P99 => &mut self.p99_ns,
            Percentile::P99_9 => &mut self.p99_9_ns,
            Percentile::P99_99 => &mut self.p99_99_ns,
        };
        *place = Some(ns);
    }

    /// The figure of this key: `p99_ns`, `mean_ns`, `min_ns`, `max_ns`, or one of `more`.
    #[must_use]
    pub fn value_ns(&self, key: &str) -> Option<u64> {
        match key {
            "mean_ns" => self.mean_ns,
            "min_ns" => self.min_ns,
            "max_ns" => self.max_ns,
            _ => match Percentile::ALL.into_iter().find(|percentile| percentile.key() == key) {
                Some(percentile) => self.get(percentile),
                None => self.more.get(key).copied(),
            },
        }
    }

    /// Whether the figure of this key (`"p99_ns"`) is only a lower bound.
    #[must_use]
    pub fn is_at_least(&self, key: &str) -> bool {
        self.at_least.iter().any(|bound| bound == key)
    }

    /// Whether the percentile of this key has too few samples to be precise.
    #[must_use]
    pub fn is_too_few(&self, key: &str) -> bool {
        self.too_few.iter().any(|poor| poor == key)
    }

    /// The 95 % confidence interval of the figure of this key.
    #[must_use]
    pub fn interval(&self, key: &str) -> Option<[u64; 2]> {
        self.intervals.get(key).copied()
    }
}
