//! Did the requests leave as the arrival process says?
//!
//! Owns the goodness of fit of send times: Lancet's first self-check (Kogias, Mallon & Bugnion, "Lancet: A self-correcting
//! Latency Measuring Tool", USENIX ATC '19, §4), with one change. Lancet tests gaps for exactness, and a test of a million
//! gaps rejects 10 µs of jitter (p = 1e-18 at 10,000/s) that no server can feel. Here an effect must be large before its
//! significance is asked for, and displacements that cannot matter ([`tolerance_ns`]) are none.
//!
//! Two effects are looked at, because each alone can be fooled:
//! - *displaced*: the share of requests sent further from their planned place than the tolerance, against the median lateness
//!   of all. Finds a generator that lags, drifts or waits for answers; says nothing of a plan that was wrong itself.
//! - *gap distance*: how far the law of the gaps between sends is from that of the process, as the largest difference of the two
//!   distribution functions (Kolmogorov's distance) that a shift of the tolerance does not explain. Finds bursts, and a wrong plan.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::gamma_lr;

use super::ALPHA_EACH;
use super::interval::student_p_value;

/// How the due times of an open loop scatter around its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// Independent of each other, as requests of many users are: gaps are exponential. The default.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        })
    }
}

/// More than this share of requests displaced is off the plan. A stalled second in twenty moves as many.
pub const DISPLACED_LIMIT: f64 = 0.05;

/// A larger distance between the laws of the gaps is off the plan. Sending in pairs has a distance of 0.5, exponential gaps instead of
/// equal ones 0.39, a rate that is 10 % wrong 0.04.
pub const GAP_DISTANCE_LIMIT: f64 = 0.1;

/// What the wake-up of a sleeping thread scatters by in ns; no gap shorter than this is told from another.
const LEAST_TOLERANCE_NS: f64 = 50_000.0;

/// Fewer gaps than this say too little: `off_plan` is then false and the p-value 1.
pub const FEWEST_GAPS: usize = 100;

/// How far a request of a stream with so long a mean gap may stand from its place and not count as displaced: half the gap, and at
/// least 50 µs. In ns.
#[must_use]
pub fn tolerance_ns(mean_gap_ns: f64) -> f64 {
    (mean_gap_ns / 2.0).max(LEAST_TOLERANCE_NS)
}

/// Neighbouring requests of one stream, as one lane or all of them sent them.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The mean gap between neighbours of this window that the plan asks for, in ns: `every` over the stream's rate at the time.
    pub mean_gap_ns: f64,
    /// (intended start, sent) of each, in ns of one clock, neighbours in the order of their intended starts. Two at least.
    pub pairs: &'a [(u64, u64)],
}

/// Requests that are put into one window at least, where all of a stream's send times were kept.
const FEWEST_IN_A_WINDOW: f64 = 20.0;

/// Cuts send times, sorted by intended start and counted in ns from the begin of the measured phase, into windows.
///
/// `kept_ns`: only requests of the first so many ns of each second were kept; a window is then such a part. Where whole
/// seconds were kept, a window spans as many as hold twenty requests. `mean_gap_ns` is the plan's mean gap at a time.
pub fn windows(sends: &[(u64, u64)], kept_ns: u64, mean_gap_ns: impl Fn(u64) -> f64) -> Vec<Window<'_>> {
    const SECOND: u64 = 1_000_000_000;
    let mut windows = Vec::new();
    let mut rest = sends;
    while let Some((first, _)) = rest.first() {
        let mean_gap_ns = mean_gap_ns(*first);
        let seconds = if kept_ns < SECOND { 1 } else { (FEWEST_IN_A_WINDOW * mean_gap_ns / SECOND as f64).ceil().max(1.0) as u64 };
        let end = (first / SECOND + seconds) * SECOND;
        let (pairs, after) = rest.split_at(rest.partition_point(|(intended, _)| *intended < end));
        windows.push(Window { mean_gap_ns, pairs });
        rest = after;
    }
    windows
}

/// What the check found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrivalCheck {
    /// How many gaps it looked at.
    pub samples: usize,
    /// Share of displaced requests, 0 to 1; its limit is [`DISPLACED_LIMIT`].
    pub displaced: f64,
    /// Distance of the gaps' law from the process's, 0 to 1; its limit is [`GAP_DISTANCE_LIMIT`].
    pub gap_distance: f64,
    /// The larger of the two, each over its limit: above 1 is worth a word.
    pub effect_size: f64,
    /// The smaller p-value of the two: the chance of so large an effect if the truth were within the limits.
    pub p_value: f64,
    /// Whether an effect is above its limit and not by chance.
    pub off_plan: bool,
}

/// Checks the send times of one stream.
///
/// `every`: which part of the stream's arrivals a window holds, as "every n-th" (1 where it holds all of them; lanes times
/// shards where each window is one lane's): the gaps of every n-th Poisson arrival are Erlang distributed.
#[must_use]
pub fn check(process: Process, every: u32, windows: &[Window<'_>]) -> ArrivalCheck {
    let samples = windows.iter().map(|w| w.pairs.len().saturating_sub(1)).sum();
    if samples < FEWEST_GAPS {
        return ArrivalCheck { samples, displaced: 0.0, gap_distance: 0.0, effect_size: 0.0, p_value: 1.0, off_plan: false };
    }
    let (displaced, displaced_p) = displacement(windows);
    let (gap_distance, gap_p) = distance_of_gaps(process, every.max(1), windows, samples);
    let over = |effect: f64, limit: f64, p: f64| effect > limit && p <= ALPHA_EACH;
    ArrivalCheck {
        samples,
        displaced,
        gap_distance,
        effect_size: (displaced / DISPLACED_LIMIT).max(gap_distance / GAP_DISTANCE_LIMIT),
        p_value: displaced_p.min(gap_p),
        off_plan: over(displaced, DISPLACED_LIMIT, displaced_p) || over(gap_distance, GAP_DISTANCE_LIMIT, gap_p),
    }
}

/// Share of displaced requests, and the one-sided p-value of "it is at most the limit".
///
/// Displacements come in clusters (a stall moves hundreds), so windows are the units, not requests: Student's t over their
/// shares. Their right-skewed law makes the test err on the quiet side.
fn displacement(windows: &[Window<'_>]) -> (f64, f64) {
    let mut lateness: Vec<f64> = windows.iter().flat_map(|w| w.pairs).map(|(intended, sent)| *sent as f64 - *intended as f64).collect();
    let middle = lateness.len() / 2;
    let usual = *lateness.select_nth_unstable_by(middle, f64::total_cmp).1;
    let shares: Vec<(f64, f64)> = windows
        .iter()
        .filter(|w| !w.pairs.is_empty())
        .map(|w| {
            let far = |(intended, sent): &&(u64, u64)| (*sent as f64 - *intended as f64 - usual).abs() > tolerance_ns(w.mean_gap_ns);
            (w.pairs.iter().filter(far).count() as f64, w.pairs.len() as f64)
        })
        .collect();
    let (far, all) = shares.iter().fold((0.0, 0.0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
    let share = far / all;
    let n = shares.len() as f64;
    if n < 2.0 || share <= DISPLACED_LIMIT {
        return (share, 1.0);
    }
    let spread = shares.iter().map(|(far, all)| (far / all - share).powi(2)).sum::<f64>() / (n - 1.0);
    // Windows that happen to be equal are not certain: at least the scatter of drawing one window at the limit.
    let least = DISPLACED_LIMIT * (1.0 - DISPLACED_LIMIT) * n / all;
    let t = (share - DISPLACED_LIMIT) / (spread.max(least) / n).sqrt();
    (share, student_p_value(t, n - 1.0) / 2.0)
}

/// Largest difference of the distribution functions of sent gaps and the process that a shift by the tolerance does not explain, and
/// the chance of as much by the Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant (*Ann. Probab.* 18 (1990) 1269).
///
/// Gaps are in units of the planned mean gap, so that windows of different rates (stages) can be put together.
fn distance_of_gaps(process: Process, every: u32, windows: &[Window<'_>], samples: usize) -> (f64, f64) {
    let mut gaps: Vec<f64> = Vec::with_capacity(samples);
    let mut tolerance = 0.0_f64;
    let mut sends: Vec<u64> = Vec::new();
    for window in windows.iter().filter(|w| w.pairs.len() > 1) {
        sends.clear();
        sends.extend(window.pairs.iter().map(|(_, sent)| *sent));
        sends.sort_unstable();
        gaps.extend(sends.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / window.mean_gap_ns));
        tolerance = tolerance.max(tolerance_ns(window.mean_gap_ns) / window.mean_gap_ns);
    }
    gaps.sort_unstable_by(f64::total_cmp);
    let n = gaps.len() as f64;
    // At a gap x: the sample's share rises from below to upto. Too many short ones: more than the law allows up to x + tolerance;
    // too few: less than the law has up to x − tolerance.
    let distance = gaps.iter().enumerate().fold(0.0_f64, |largest, (at, gap)| {
        let (below, upto) = (at as f64 / n, (at + 1) as f64 / n);
        let (short, long) = (upto - law(process, every, gap + tolerance).1, law(process, every, gap - tolerance).0 - below);
        largest.max(short).max(long)
    });
    let beyond = (distance - GAP_DISTANCE_LIMIT).max(0.0);
    (distance, (2.0 * (-2.0 * n * beyond * beyond).exp()).min(1.0))
}

/// P(gap < x) and P(gap ≤ x) for gaps of mean 1.
fn law(process: Process, every: u32, x: f64) -> (f64, f64) {
    match process {
        // A step at 1; the clock's whole nanoseconds make it a slope of no width that matters.
        Process::Constant => (f64::from(u8::from(x > 1.0)), f64::from(u8::from(x >= 1.0))),
        Process::Poisson if x <= 0.0 => (0.0, 0.0),
        Process::Poisson => {
            let shape = f64::from(every);
            let upto = if every == 1 { -(-x).exp_m1() } else { gamma_lr(shape, shape * x) };
            (upto, upto)
        }
    }
}

#[cfg(test)]
mod tests;
