//! The two groups that are held against each other: slow requests and typical ones.

use crate::stats::histogram::Histogram;
use crate::stats::weighted;

use super::above::Above;
use super::subject::{Subject, Traced};

/// Typical requests lie from this quantile …
pub const TYPICAL_FROM: f64 = 0.25;
/// … to this one.
pub const TYPICAL_TO: f64 = 0.75;

/// Where the groups begin and end, ns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// The tail: requests that took longer.
    pub above_ns: u64,
    /// Typical requests took at least so long …
    pub typical_from_ns: u64,
    /// … and at most so long.
    pub typical_to_ns: u64,
    /// The median.
    pub median_ns: u64,
    /// The share of the requests that are not in the tail.
    pub quantile: f64,
}

impl Thresholds {
    /// Those of a subject: from all its requests where they are known, else from the traced ones by their weights; `None`
    /// where there is no request.
    #[must_use]
    pub fn of(subject: &Subject, above: Above) -> Option<Self> {
        match subject.all.as_ref().filter(|all| !all.is_empty()) {
            Some(all) => Some(Self::of_all(all, above)),
            None => Self::of_traced(&subject.traced, above),
        }
    }

    /// Those of a histogram that is not empty.
    #[must_use]
    pub fn of_all(all: &Histogram, above: Above) -> Self {
        let above_ns = match above {
            Above::Quantile(quantile) => all.quantile_ns(quantile),
            Above::Time(time) => time.0,
        };
        let slow = all.count_above(above_ns) as f64;
        Self {
            above_ns,
            typical_from_ns: all.lowest_equivalent_ns(all.quantile_ns(TYPICAL_FROM)),
            typical_to_ns: all.quantile_ns(TYPICAL_TO),
            median_ns: all.quantile_ns(0.5),
            quantile: 1.0 - slow / all.count() as f64,
        }
    }

    fn of_traced(traced: &[Traced], above: Above) -> Option<Self> {
        let mut sorted: Vec<(f64, f64)> = traced.iter().map(|one| (one.response_ns as f64, one.weight)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |q| weighted::quantile(&sorted, q).map(|ns| ns as u64);
        let above_ns = match above {
            Above::Quantile(quantile) => at(quantile)?,
            Above::Time(time) => time.0,
        };
        let total: f64 = traced.iter().map(|one| one.weight).sum();
        let slow: f64 = traced.iter().filter(|one| one.response_ns > above_ns).map(|one| one.weight).sum();
        Some(Self {
            above_ns,
            typical_from_ns: at(TYPICAL_FROM)?,
            typical_to_ns: at(TYPICAL_TO)?,
            median_ns: at(0.5)?,
            quantile: 1.0 - slow / total,
        })
    }

    /// Whether the tail would hold most of the requests: there is nothing typical to hold it against then.
    #[must_use]
    pub const fn is_mostly_tail(&self) -> bool {
        self.quantile < 0.5
    }

    /// Whether a request of this length is in the tail.
    #[must_use]
    pub const fn is_tail(&self, response_ns: u64) -> bool {
        response_ns > self.above_ns
    }

    /// Whether a request of this length is a typical one. Where the tail begins within the typical ones, it is of the tail.
    #[must_use]
    pub const fn is_typical(&self, response_ns: u64) -> bool {
        response_ns >= self.typical_from_ns && response_ns <= self.typical_to_ns && !self.is_tail(response_ns)
    }
}

/// One group's figures, as `--json` prints them.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Group {
    /// Of the tail: requests are in it that took longer than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above_ns: Option<u64>,
    /// Of the typical requests: the shortest that one takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<u64>,
    /// Of the typical requests: the longest that one takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<u64>,
    /// All requests of the group, traced or not.
    pub requests: u64,
    /// The traced ones.
    pub traced: u64,
    /// How many equally weighted requests the traced ones are worth.
    pub effective: f64,
    /// The weighted mean over the traced ones, which the rows add up to; `null` where none is traced.
    pub mean_ns: Option<u64>,
    /// The mean over all requests of the group; `null` where there is none.
    pub all_mean_ns: Option<u64>,
}

impl Group {
    /// The group of these traced requests; `all` is the number and the mean of all its requests, where they are known.
    pub(super) fn of(traced: &[&Traced], all: Option<(u64, Option<u64>)>) -> Self {
        let weights = || traced.iter().map(|one| one.weight);
        let mean_ns = mean(traced).map(|ns| ns.round() as u64);
        // The log of a run that was killed ends before its last requests.
        let (requests, all_mean_ns) = all.map_or((traced.len() as u64, mean_ns), |(all, mean)| (all.max(traced.len() as u64), mean));
        let effective = weighted::effective_count(weights());
        Self { requests, traced: traced.len() as u64, effective, mean_ns, all_mean_ns, ..Self::default() }
    }
}

/// The weighted mean of the response times, ns.
pub(super) fn mean(traced: &[&Traced]) -> Option<f64> {
    let (sum, weights) = traced.iter().fold((0.0, 0.0), |(sum, all), one| (sum + one.weight * one.response_ns as f64, all + one.weight));
    (weights > 0.0).then(|| sum / weights)
}

/// A subject's requests, sorted into the groups.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    pub(super) thresholds: Thresholds,
    pub(super) tail: Vec<&'a Traced>,
    pub(super) typical: Vec<&'a Traced>,
    pub(super) tail_figures: Group,
    pub(super) typical_figures: Group,
}

impl<'a> Groups<'a> {
    /// `None` where there is no request at all.
    pub(super) fn of(subject: &'a Subject, above: Above) -> Option<Self> {
        let thresholds = Thresholds::of(subject, above)?;
        let tail: Vec<&Traced> = subject.traced.iter().filter(|one| thresholds.is_tail(one.response_ns)).collect();
        let typical: Vec<&Traced> = subject.traced.iter().filter(|one| thresholds.is_typical(one.response_ns)).collect();
        let Thresholds { above_ns, typical_from_ns, typical_to_ns, .. } = thresholds;
        let all = subject.all.as_ref().filter(|all| !all.is_empty());
        let tail_figures = Group { above_ns: Some(above_ns), ..Group::of(&tail, all.map(|all| all.part(above_ns, u64::MAX))) };
        let typical_figures = Group {
            from_ns: Some(typical_from_ns),
            to_ns: Some(typical_to_ns.min(above_ns).max(typical_from_ns)),
            ..Group::of(&typical, all.map(|all| all.part(typical_from_ns.saturating_sub(1), typical_to_ns.min(above_ns))))
        };
        Some(Self { thresholds, tail, typical, tail_figures, typical_figures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted as the histogram counts: 980 of 1,000 that take 10 ms do not take longer than 10 ms.
    #[test]
    fn most_requests_are_in_a_tail_that_begins_below_them() {
        let subject = crate::tail::made::subject(&[(10, 980), (100, 20)], Vec::new());
        let mostly = |ms| Thresholds::of(&subject, Above::Time(crate::units::Nanos::from_millis(ms))).unwrap().is_mostly_tail();
        assert_eq!([9, 10, 11, 100, 200].map(mostly), [true, false, false, false, false]);
    }

    /// Of a run that was killed the last second is in no interval, and its requests are in the file of requests.
    #[test]
    fn a_group_is_no_smaller_than_its_traced_requests() {
        let one = Traced {
            trace_id: String::new(),
            sequence: None,
            at_ns: 0,
            response_ns: 5,
            weight: 1.0,
            why: None,
            joined: true,
            parts: Vec::new(),
        };
        let requests = |all| Group::of(&[&one, &one, &one], Some((all, None))).requests;
        assert_eq!((requests(2), requests(9)), (3, 9));
    }
}
