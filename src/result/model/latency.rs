//! The summary of one histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::Percentile;
use crate::stats::histogram::Histogram;

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
    /// 95 % confidence intervals by key (`"p99_ns"`): low and high; a high end that censored requests leave open is `null`.
    pub intervals: BTreeMap<String, (u64, Option<u64>)>,
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
            for percentile in Percentile::SUMMARY {
                latency.set(percentile, histogram.quantile_ns(percentile.quantile()));
            }
        }
        latency
    }

    /// A percentile's value.
    #[must_use]
    pub fn get(&self, percentile: Percentile) -> Option<u64> {
        self.value_ns(&percentile.key())
    }

    /// Sets a percentile's value; one that not every summary holds stands in `more`.
    pub fn set(&mut self, percentile: Percentile, ns: u64) {
        let key = percentile.key();
        let place = match key.as_str() {
            "p50_ns" => &mut self.p50_ns,
            "p90_ns" => &mut self.p90_ns,
            "p95_ns" => &mut self.p95_ns,
            "p99_ns" => &mut self.p99_ns,
            "p99_9_ns" => &mut self.p99_9_ns,
            "p99_99_ns" => &mut self.p99_99_ns,
            _ => {
                self.more.insert(key, ns);
                return;
            }
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
            "p50_ns" => self.p50_ns,
            "p90_ns" => self.p90_ns,
            "p95_ns" => self.p95_ns,
            "p99_ns" => self.p99_ns,
            "p99_9_ns" => self.p99_9_ns,
            "p99_99_ns" => self.p99_99_ns,
            _ => self.more.get(key).copied(),
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

    /// The 95 % confidence interval of the figure of this key; a high end that censored requests leave open is `None`.
    #[must_use]
    pub fn interval(&self, key: &str) -> Option<(u64, Option<u64>)> {
        self.intervals.get(key).copied()
    }
}
