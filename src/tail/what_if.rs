//! What would be left of a percentile if one place took its typical time.

use crate::stats::CONFIDENCE;
use crate::stats::weighted::quantile;

use super::attribution::Place;
use super::estimate::{Value, heaviest, mean_of};
use super::groups::Groups;
use super::subject::{Subject, Traced};

/// A percentile without one place's extra time.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WhatIf {
    /// The place that would take no more than its typical time in any request.
    pub span: String,
    /// The share of the requests at or below the percentile, 0 to 1.
    pub quantile: f64,
    /// The percentile as it is.
    pub now_ns: u64,
    /// What would be left of it; never more than it is.
    pub left_ns: u64,
    /// The 95 % confidence interval of that …
    pub low_ns: u64,
    /// … and its upper end.
    pub high_ns: u64,
}

/// `None` where nothing is traced. That others would not become slower or faster with it is assumed: it is a projection.
///
/// The interval is Woodruff's (*JASA* 47 (1952) 635): that of the share beyond the percentile, taken back to times.
pub(super) fn what_if(subject: &Subject, groups: &Groups<'_>, place: &Place, typical_ns: u64) -> Option<WhatIf> {
    let left = |one: &Traced| {
        let there: u64 = one.parts.iter().filter(|part| *part.place == *place).map(|part| part.self_ns).sum();
        one.response_ns - there.saturating_sub(typical_ns).min(one.response_ns)
    };
    let all: Vec<&Traced> = subject.traced.iter().collect();
    let mut sorted: Vec<(f64, f64)> = all.iter().map(|one| (left(one) as f64, one.weight)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let share = groups.thresholds.quantile;
    let middle = quantile(&sorted, share)?;
    let beside = Value { weight: heaviest(subject, &groups.tail), least: 0.0, most: 1.0 };
    let beyond = mean_of(&all, |one| f64::from(u8::from(left(one) as f64 > middle)), &beside, CONFIDENCE)?;
    let now_ns = groups.thresholds.above_ns;
    let at = |q: f64| quantile(&sorted, q.clamp(0.0, 1.0)).map(|ns| (ns as u64).min(now_ns));
    // The interval of the share lies about the one that was found, which steps of the sample keep off the one asked for.
    let (further, nearer) = (beyond.interval.high - beyond.value, beyond.value - beyond.interval.low);
    Some(WhatIf {
        span: place.span.clone(),
        quantile: share,
        now_ns,
        left_ns: (middle as u64).min(now_ns),
        low_ns: at(share - further)?,
        high_ns: at(share + nearer)?,
    })
}
