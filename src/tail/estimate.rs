//! Where the extra time of slow requests lies: each place's weighted mean time in both groups, and its share of the excess.
//!
//! Means are Hájek's (the weighted sum over the sum of the weights: *Foundations of Statistical Inference* (1971) 236), so that
//! the rows of a group add up to its mean. The intervals of the shares are those of [`crate::stats::weighted`], over clumps.

use std::collections::BTreeMap;

use crate::stats::CONFIDENCE;
use crate::stats::weighted::{Beside, Clump, Ratio, ratio_in_clumps};

use super::attribution::Place;
use super::clumps::clumps;
use super::groups::{Groups, mean};
use super::subject::{Subject, Traced};

/// One row of an explanation, as `--json` prints it. Times are weighted means over the traced requests of a group, 0 for a
/// request without the span.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Where the time was spent.
    #[serde(flatten)]
    pub place: Place,
    /// In slow requests.
    pub tail_self_ns: u64,
    /// In typical ones.
    pub typical_self_ns: u64,
    /// Slow − typical.
    pub excess_ns: i64,
    /// Of the whole excess, 1 is all of it; below 0 where slow requests spend less there. `null` where there is no excess.
    pub share: Option<f64>,
    /// The 95 % confidence interval of the share …
    pub share_low: Option<f64>,
    /// … and its upper end.
    pub share_high: Option<f64>,
    /// In how many traces of slow requests the place occurs.
    pub traces: u64,
}

/// The heaviest weight that a slow request of this subject can have: what one may stand for that happened not to be traced.
pub(super) fn heaviest(subject: &Subject, tail: &[&Traced]) -> f64 {
    let of = |traced: &mut dyn Iterator<Item = f64>| traced.fold(1.0, f64::max);
    let slow = of(&mut tail.iter().map(|one| one.weight));
    match subject.sample_fraction.filter(|fraction| *fraction > 0.0) {
        Some(fraction) => slow.max(1.0 / fraction),
        None => slow.max(of(&mut subject.traced.iter().map(|one| one.weight))),
    }
}

/// The weighted mean response time of all traced requests, with its interval; `None` where nothing is traced.
///
/// A request that may have been missed has the heaviest weight and lies within the range of those that were seen.
#[must_use]
pub fn mean_response(subject: &Subject) -> Option<Ratio> {
    let all: Vec<&Traced> = subject.traced.iter().collect();
    let times = || all.iter().map(|one| one.response_ns as f64);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let beside = Value { weight: heaviest(subject, &all), least, most };
    mean_of(&all, |one| one.response_ns as f64, &beside, CONFIDENCE)
}

/// The weighted share of the requests that took longer than `above_ns`, with its interval; `None` where nothing is traced.
#[must_use]
pub fn share_slower(subject: &Subject, above_ns: u64) -> Option<Ratio> {
    let all: Vec<&Traced> = subject.traced.iter().collect();
    let beside = Value { weight: heaviest(subject, &all), least: 0.0, most: 1.0 };
    mean_of(&all, |one| f64::from(u8::from(one.response_ns > above_ns)), &beside, CONFIDENCE)
}

/// The weighted mean of a figure of these requests, with its interval; `None` for none.
pub(super) fn mean_of(traced: &[&Traced], value: impl Fn(&Traced) -> f64, beside: &impl Beside, confidence: f64) -> Option<Ratio> {
    let unit = |one: &&Traced| Clump { above: one.weight * value(one), below: one.weight };
    let units: Vec<Clump> = traced.iter().map(unit).collect();
    ratio_in_clumps(&units, &clumps(traced).0, beside, confidence)
}

/// A mean of values between known ends.
pub(super) struct Value {
    pub(super) weight: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Beside for Value {
    fn missed(&self, theta: f64) -> (f64, f64) {
        (self.weight * (self.most - theta), self.weight * (theta - self.least))
    }
}

/// All rows, the largest share first.
pub(super) fn rows(subject: &Subject, groups: &Groups<'_>) -> Vec<Row> {
    let mut times: BTreeMap<&Place, [Vec<f64>; 2]> = BTreeMap::new();
    for (side, group) in [&groups.tail, &groups.typical].into_iter().enumerate() {
        for (at, one) in group.iter().enumerate() {
            for part in &one.parts {
                let of_place = times.entry(&part.place).or_insert_with(|| [vec![0.0; groups.tail.len()], vec![0.0; groups.typical.len()]]);
                of_place[side][at] += part.self_ns as f64;
            }
        }
    }
    let both = Both::of(subject, groups);
    let mut rows: Vec<Row> = times.into_iter().map(|(place, [tail, typical])| both.row(place, &tail, &typical)).collect();
    rows.sort_by(|a, b| b.excess_ns.cmp(&a.excess_ns).then_with(|| a.place.cmp(&b.place)));
    rows
}

/// Both groups, and what is the same for every place.
struct Both<'a> {
    tail: &'a [&'a Traced],
    typical: &'a [&'a Traced],
    /// The clump of each slow request.
    clumps: Vec<usize>,
    typical_mean: f64,
    tail_weight: f64,
    excess: f64,
    heaviest: f64,
}

impl<'a> Both<'a> {
    fn of(subject: &Subject, groups: &'a Groups<'a>) -> Self {
        let (tail, typical) = (groups.tail.as_slice(), groups.typical.as_slice());
        let typical_mean = mean(typical).unwrap_or_default();
        // One unseen request stands for no more than all that there are.
        let most = if subject.all.is_some() { groups.tail_figures.requests.max(1) as f64 } else { f64::INFINITY };
        Self {
            tail,
            typical,
            clumps: clumps(tail).0,
            typical_mean,
            tail_weight: tail.iter().map(|one| one.weight).sum(),
            excess: mean(tail).unwrap_or_default() - typical_mean,
            heaviest: heaviest(subject, tail).min(most),
        }
    }

    fn row(&self, place: &Place, tail: &[f64], typical: &[f64]) -> Row {
        let (tail_mean, typical_mean) = (weighted_mean(self.tail, tail), weighted_mean(self.typical, typical));
        let share = self.share(tail, typical, typical_mean);
        // The excess of the row as it stands there: rows add up to the rounding of each.
        let (tail_self_ns, typical_self_ns) = (tail_mean.round() as u64, typical_mean.round() as u64);
        Row {
            place: place.clone(),
            tail_self_ns,
            typical_self_ns,
            excess_ns: tail_self_ns.cast_signed() - typical_self_ns.cast_signed(),
            share: share.map(|share| share.value),
            share_low: share.map(|share| share.interval.low),
            share_high: share.map(|share| share.interval.high),
            traces: tail.iter().filter(|ns| **ns > 0.0).count() as u64,
        }
    }

    /// The place's share of the excess: the ratio of what slow requests spend there beyond typical ones to what they take beyond
    /// them.
    fn share(&self, tail: &[f64], typical: &[f64], typical_self: f64) -> Option<Ratio> {
        if self.typical.is_empty() || self.excess <= 0.0 {
            return None;
        }
        let unit = |(one, self_ns): (&&Traced, &f64)| Clump {
            above: one.weight * (self_ns - typical_self),
            below: one.weight * (one.response_ns as f64 - self.typical_mean),
        };
        let units: Vec<Clump> = self.tail.iter().zip(tail).map(unit).collect();
        let mut beside = Share { missed: self.heaviest * self.excess, scale: 0.0, own: 0.0, both: 0.0, whole: 0.0 };
        let mut weights = 0.0;
        for (one, self_ns) in self.typical.iter().zip(typical) {
            let (own, whole) = (one.weight * (self_ns - typical_self), one.weight * (one.response_ns as f64 - self.typical_mean));
            beside.own += own * own;
            beside.both += own * whole;
            beside.whole += whole * whole;
            weights += one.weight;
        }
        beside.scale = (self.tail_weight / weights).powi(2);
        ratio_in_clumps(&units, &self.clumps, &beside, CONFIDENCE)
    }
}

fn weighted_mean(group: &[&Traced], values: &[f64]) -> f64 {
    let (sum, weights) = group.iter().zip(values).fold((0.0, 0.0), |(sum, all), (one, value)| (sum + one.weight * value, all + one.weight));
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// What limits a share beside the clumps: a slow request that was not traced, and typical ones that are few.
struct Share {
    /// Heaviest weight × mean excess: all of it in this place, or none.
    missed: f64,
    /// (Weight of the tail / weight of the typical requests)².
    scale: f64,
    /// Σ of squares and products of the weighted deviations of typical requests: in the place …
    own: f64,
    /// … in the place and as a whole …
    both: f64,
    /// … and as a whole.
    whole: f64,
}

impl Beside for Share {
    fn missed(&self, theta: f64) -> (f64, f64) {
        (self.missed * (1.0 - theta), self.missed * theta)
    }

    fn variance(&self, theta: f64) -> f64 {
        self.scale * (self.own - 2.0 * theta * self.both + theta * theta * self.whole).max(0.0)
    }
}
