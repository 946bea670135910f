//! From rows to a verdict: one place, many, none, or too little to say.

use super::above::Above;
use super::attribution::Place;
use super::estimate::Row;
use super::groups::Groups;
use super::subject::Subject;

/// With fewer traced slow requests nothing is said: of ten that all waited in one place, a quarter of the tail may still have waited
/// elsewhere (the lower limit of its share is 0.73); with fewer it is soon half.
pub const FEWEST_TRACED: u64 = 10;

/// A place is named that holds at least this share of the excess: more than all others together, with a margin. The parts of a request
/// that is slow as a whole grow together, and the largest of them is often half of it; nobody should go and mend that one.
pub const NAMED_SHARE: f64 = 0.6;

/// And only where its share is at least this much by the lower end of its interval.
pub const NAMED_AT_LEAST: f64 = 0.4;

/// An excess under this share of the typical mean is not worth a search.
pub const MATERIAL_SHARE: f64 = 0.1;

/// An excess under this part of the spread of typical requests (p75 − p25) is what any distribution has at its end: p99 of evenly spread
/// values lies one such spread above their mean.
pub const MATERIAL_SPREAD: f64 = 0.5;

/// An excess under so many spreads of the instrument's floor (p99 − p50, for a server that answers at once) may be the instrument's and its
/// machine's own: the mean beyond p99 lies some of these out, and a run is longer than the measurement of the floor.
pub const FLOOR_SPREADS: f64 = 5.0;

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// One place holds most of it.
    Single,
    /// No place holds most of it.
    Spread,
    /// There is no tail to speak of.
    None,
    /// Too few slow requests are traced.
    TooFew,
}

/// Why there is no tail to speak of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Immaterial {
    /// No request is in it.
    Empty,
    /// Most requests are in it.
    Most,
    /// Small against what requests take.
    Small,
    /// Within what typical requests vary.
    Spread,
    /// Within what the instrument itself varies.
    Floor(u64),
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) named: Option<Place>,
    pub(super) immaterial: Option<Immaterial>,
}

pub(super) fn judge(subject: &Subject, groups: &Groups<'_>, above: Above, rows: &[Row]) -> Judged {
    let by_quantile = matches!(above, Above::Quantile(_));
    let of = |verdict, named, immaterial| Judged { verdict, named, immaterial };
    // That there is no tail is known from all requests, however few are traced. That none lies above a percentile says that there are too
    // few of them.
    if let Some(why) = immaterial(subject, groups).filter(|why| *why != Immaterial::Empty || !by_quantile) {
        return of(Verdict::None, None, Some(why));
    }
    if groups.tail_figures.traced < FEWEST_TRACED || groups.typical_figures.traced == 0 {
        return of(Verdict::TooFew, None, None);
    }
    let most = |row: &&Row| row.share.is_some_and(|share| share >= NAMED_SHARE) && row.share_low.is_some_and(|low| low >= NAMED_AT_LEAST);
    match rows.first().filter(most) {
        Some(row) => of(Verdict::Single, Some(row.place.clone()), None),
        None => of(Verdict::Spread, None, None),
    }
}

fn immaterial(subject: &Subject, groups: &Groups<'_>) -> Option<Immaterial> {
    if groups.tail_figures.requests == 0 {
        return Some(Immaterial::Empty);
    }
    if groups.thresholds.is_mostly_tail() && !subject.repeats {
        return Some(Immaterial::Most);
    }
    let mean = |group: &super::Group| group.all_mean_ns.or(group.mean_ns).map(|ns| ns as f64);
    let (tail, typical) = (mean(&groups.tail_figures)?, mean(&groups.typical_figures)?);
    let excess = tail - typical;
    let spread = (groups.thresholds.typical_to_ns - groups.thresholds.typical_from_ns) as f64;
    let floor = subject.floor_spread_ns.filter(|floor| excess < FLOOR_SPREADS * *floor as f64);
    if excess < MATERIAL_SHARE * typical {
        Some(Immaterial::Small)
    } else if excess < MATERIAL_SPREAD * spread {
        Some(Immaterial::Spread)
    } else {
        floor.map(Immaterial::Floor)
    }
}
