//! At which load does a figure that grows with it reach its limit? Estimated from probes at many loads together.
//!
//! The figure is a mean of what single requests show: the share of them slower than the limit, the share that failed, their
//! mean time. A mean of a stretch is right on average however correlated its requests are and however short it is, which a
//! percentile of it is not: over 60 s a queue's p99 scatters by tens of percent, and more upwards than downwards. So the
//! question "where is p95 12 ms?" is put as "where are 5 % slower than 12 ms?".
//!
//! The model is local: near the edge the figure's logarithm is a straight line over the load. That is exact for the share beyond a
//! limit in M/M/1 (its response time is exponential with rate μ − λ) and the first term for whatever else is smooth; probes
//! count by their distance from the edge (Cleveland, *J. Am. Stat. Assoc.* 74 (1979) 829), so that far ones give the slope
//! where there is nothing better and bend nothing. It is fitted by quasi-likelihood with a variance in proportion to the mean
//! (Wedderburn, *Biometrika* 61 (1974) 439), whose estimating equation does not weigh a probe by its own luck, as weights
//! from its own scatter would.

use super::autocorrelation;
use super::interval::student_quantile;

/// Loads further from the edge than this part of it do not count; where the edge is known well, those nearer do not either: a straight
/// line is the more right the shorter it is, and the longer it is the better known.
const REACH: (f64, f64) = (0.1, 0.2);

/// The reach in standard errors of the edge.
const REACH_ERRORS: f64 = 5.0;

/// Steps of the fit; it doubles its digits with each, so this is far more than it takes.
const MOST_STEPS: usize = 60;

/// A slope steeper than this (ten times the figure for 1 % more load) is a cliff: no line, a bracket says where it is.
const CLIFF: f64 = 230.0;

/// Standard errors that a clear difference has.
const CLEAR: f64 = 3.0;

/// What one probe saw of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The load it was measured at, in any unit, above 0.
    pub load: f64,
    /// Sum of the single values: the number beyond a limit, or the sum of times.
    pub sum: f64,
    /// How many values there were.
    pub count: f64,
    /// Variance of `sum` about its expectation, correlation of neighbouring batches included.
    variance: f64,
    /// Variance of `variance`.
    unsure: f64,
}

impl Sample {
    /// From batches in order (seconds), each with its sum and its count; `None` where all of them are empty.
    #[must_use]
    pub fn of(load: f64, batches: &[(f64, f64)]) -> Option<Self> {
        let scatter = Scatter::of(batches)?;
        (load > 0.0).then_some(Self { load, sum: scatter.sum, count: scatter.count, variance: scatter.variance, unsure: scatter.unsure })
    }

    /// On which side of `limit` the figure clearly is, given how values clump (`dispersion`): `Some(true)` beyond it.
    #[must_use]
    pub fn clearly_beyond(&self, limit: f64, dispersion: f64) -> Option<bool> {
        let gap = self.sum - limit * self.count;
        let error = (dispersion.max(1.0) * limit * self.count).sqrt();
        (gap.abs() > CLEAR * error).then_some(gap > 0.0)
    }

    /// With the scatter of a more frequent figure of the same batches, such as the number beyond half of the limit.
    ///
    /// Rare values come in clumps: a queue that is over its limit stays there for a while. A stretch that happened to see few clumps
    /// thinks too well of itself twice, of its sum and of its scatter. How large clumps are shows in those beyond a lower
    /// limit too, of which there are more: at high limits their size hardly depends on it (Leadbetter, Lindgren & Rootzén, *Extremes
    /// and Related Properties of Random Sequences and Processes* (1983), §3.7).
    #[must_use]
    pub fn with_frequent(self, batches: &[(f64, f64)]) -> Self {
        let Some(frequent) = Scatter::of(batches).filter(|frequent| frequent.sum > 0.0) else { return self };
        let scale = self.sum / frequent.sum;
        if frequent.variance * scale <= self.variance {
            return self;
        }
        Self { variance: frequent.variance * scale, unsure: frequent.unsure * scale * scale, ..self }
    }
}

/// A sum over batches, and its variance.
struct Scatter {
    sum: f64,
    count: f64,
    variance: f64,
    unsure: f64,
}

impl Scatter {
    fn of(batches: &[(f64, f64)]) -> Option<Self> {
        let (sum, count) = batches.iter().fold((0.0, 0.0), |(sum, count), batch| (sum + batch.0, count + batch.1));
        if count <= 0.0 {
            return None;
        }
        let mean = sum / count;
        let excess: Vec<f64> = batches.iter().map(|(sum, count)| sum - mean * count).collect();
        let found = autocorrelation::variance(&excess, 0.0);
        let batches = excess.len() as f64;
        let worth = batches / found.inflation();
        // What the mean takes out of the scatter about it is put back: one independent batch.
        let left = if worth > 1.5 { worth / (worth - 1.0) } else { 3.0 };
        let variance = batches * found.long_run * left;
        let fourth = excess.iter().map(|e| e.powi(4)).sum::<f64>() / batches;
        let kurtosis = if found.single > 0.0 { (fourth / found.single.powi(2)).max(3.0) } else { 3.0 };
        Some(Self { sum, count, variance, unsure: variance * variance * (kurtosis - 1.0) / worth })
    }
}

/// Where the figure reaches its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// The load.
    pub at: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// Change of the figure's logarithm for a load larger by its whole self: 13 means 13 % more for 1 % more load.
    pub slope: f64,
    /// Variance of the figure's sum over its expectation: 1 for independent requests counted, more the longer a queue remembers.
    pub dispersion: f64,
    /// The same of the samples' own batches, before what they differ by from each other.
    pub within: f64,
    /// Standard error of the logarithm of the figure at `at`.
    pub error: f64,
}

/// The fitted line: ln figure = height + slope · (load/center − 1).
#[derive(Debug, Clone, Copy)]
struct Line {
    center: f64,
    height: f64,
    slope: f64,
    /// Covariance of height and slope.
    covariance: [f64; 3],
    dispersion: f64,
    within: f64,
    degrees: f64,
}

/// What samples say of the edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimate {
    /// Where it is.
    At(Crossing),
    /// The figure jumps: a bracket says more than a line.
    Cliff,
    /// Nothing yet: fewer than two loads near it, or a slope that may be chance.
    Unknown,
}

/// The load at which the figure is `limit` (above 0), with an interval of `confidence`, looked for from `start` on.
///
/// The interval holds the loads whose figure does not differ from the limit (Fieller, *J. R. Stat. Soc. B* 16 (1954) 175). Probes that scatter by more than their own batches explain widen it by the Birge
/// ratio (*Phys. Rev.* 40 (1932) 207): machines drift between probes.
#[must_use]
pub fn estimate(samples: &[Sample], limit: f64, start: f64, confidence: f64) -> Estimate {
    let (least, most) = REACH;
    let first = match from(samples, limit, start, most) {
        Ok(line) => line,
        Err(estimate) => return estimate,
    };
    let Some(wide) = first.crossing(limit, most, confidence) else { return Estimate::Unknown };
    let reach = (REACH_ERRORS * wide.error / wide.slope).clamp(least, most);
    let narrow = from(samples, limit, wide.at, reach).ok().and_then(|line| line.crossing(limit, reach, confidence));
    // Where a shorter line is not known any better than a longer one it is no gain.
    Estimate::At(narrow.filter(|narrow| narrow.high - narrow.low < 2.0 * (wide.high - wide.low)).unwrap_or(wide))
}

/// The line about the edge, found step by step: what is near the edge is known only when the edge is.
fn from(samples: &[Sample], limit: f64, start: f64, reach: f64) -> Result<Line, Estimate> {
    let mut center = start;
    let mut line = fit(samples, center, reach)?;
    for _ in 0..20 {
        let Some(at) = line.reaches(limit) else { break };
        let next = at.clamp(center * 0.8, center * 1.25);
        let settled = (next / center - 1.0).abs() < 1e-6;
        center = next;
        line = fit(samples, center, reach)?;
        if settled {
            break;
        }
    }
    Ok(line)
}

fn fit(samples: &[Sample], center: f64, reach: f64) -> Result<Line, Estimate> {
    let near: Vec<(f64, &Sample)> =
        samples.iter().map(|s| (nearness((s.load / center - 1.0) / reach), s)).filter(|(k, _)| *k > 0.0).collect();
    let loads = near.iter().map(|(_, s)| s.load);
    if loads.clone().fold(f64::INFINITY, f64::min) >= loads.fold(0.0, f64::max) {
        return Err(Estimate::Unknown);
    }
    let (sum, count) = near.iter().fold((0.0, 0.0), |(sum, count), (k, s)| (sum + k * s.sum, count + k * s.count));
    if sum <= 0.0 {
        return Err(Estimate::Unknown);
    }
    let (mut height, mut slope) = ((sum / count).ln(), 5.0);
    for _ in 0..MOST_STEPS {
        let (mut score, mut information) = ([0.0; 2], [0.0; 3]);
        for (k, sample) in &near {
            let u = sample.load / center - 1.0;
            let expected = (height + slope * u).min(50.0).exp() * sample.count;
            let (rest, weight) = (k * (sample.sum - expected), k * expected);
            score = [score[0] + rest, score[1] + rest * u];
            information = [information[0] + weight, information[1] + weight * u, information[2] + weight * u * u];
        }
        let [a, b, c] = information;
        let determinant = a * c - b * b;
        if !(determinant > 0.0 && determinant.is_finite()) {
            return Err(Estimate::Unknown);
        }
        let step = [(c * score[0] - b * score[1]) / determinant, (a * score[1] - b * score[0]) / determinant];
        // Newton's step overshoots far from the solution: no further than a factor e at a load a tenth off.
        let short = (1.0 / (step[0].abs() + 0.1 * step[1].abs()).max(1e-300)).min(1.0);
        height += short * step[0];
        slope += short * step[1];
        if slope.abs() > CLIFF {
            return Err(Estimate::Cliff);
        }
        if step[0].abs() + step[1].abs() < 1e-10 {
            break;
        }
    }
    Ok(spread(&near, center, height, slope))
}

/// The line with its errors: those of an estimating equation, bread and meat (Huber 1967; Wedderburn's variance).
fn spread(near: &[(f64, &Sample)], center: f64, height: f64, slope: f64) -> Line {
    let (mut bread, mut meat) = ([0.0; 3], [0.0; 3]);
    let (mut variance, mut sums, mut unsure, mut misfit, mut probes) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (k, sample) in near {
        let u = sample.load / center - 1.0;
        let expected = (height + slope * u).exp() * sample.count;
        for (matrix, weight) in [(&mut bread, k * expected), (&mut meat, k * k * expected)] {
            *matrix = [matrix[0] + weight, matrix[1] + weight * u, matrix[2] + weight * u * u];
        }
        variance += k * sample.variance;
        sums += k * sample.sum;
        unsure += k * k * sample.unsure;
        misfit += k * (sample.sum - expected).powi(2) / expected;
        probes += k;
    }
    let within = (variance / sums).max(f64::MIN_POSITIVE);
    let between = if probes > 2.0 { misfit / (probes - 2.0) } else { 0.0 };
    let dispersion = within.max(between);
    // Satterthwaite: a variance that is itself known to so much is worth so many degrees of freedom.
    let degrees = if unsure > 0.0 { (2.0 * variance * variance / unsure).max(1.0) } else { f64::from(u16::MAX) };
    let [a, b, c] = bread;
    let determinant = a * c - b * b;
    let inverse = [c / determinant, -b / determinant, a / determinant];
    let product = |x: [f64; 3], y: [f64; 3]| {
        // Both symmetric; the product of three symmetric ones taken from the outside is symmetric again.
        [[x[0] * y[0] + x[1] * y[1], x[0] * y[1] + x[1] * y[2]], [x[1] * y[0] + x[2] * y[1], x[1] * y[1] + x[2] * y[2]]]
    };
    let half = product(inverse, meat);
    let covariance = [
        half[0][0] * inverse[0] + half[0][1] * inverse[1],
        half[0][0] * inverse[1] + half[0][1] * inverse[2],
        half[1][0] * inverse[1] + half[1][1] * inverse[2],
    ];
    Line { center, height, slope, covariance: covariance.map(|v| v * dispersion), dispersion, within, degrees }
}

/// 1 at the edge, falling to 0 where `part` of the reach is the whole: Cleveland's tricube.
fn nearness(part: f64) -> f64 {
    let part = part.abs();
    if part < 1.0 { (1.0 - part.powi(3)).powi(3) } else { 0.0 }
}

impl Line {
    fn reaches(&self, limit: f64) -> Option<f64> {
        (self.slope > 0.0).then(|| self.center * (1.0 + (limit.ln() - self.height) / self.slope)).filter(|at| at.is_finite())
    }

    /// `None` where the edge is out of the line's reach, or its interval would have no end.
    fn crossing(&self, limit: f64, reach: f64, confidence: f64) -> Option<Crossing> {
        let at = self.reaches(limit).filter(|at| (at / self.center - 1.0).abs() < reach)?;
        let t2 = student_quantile(f64::midpoint(1.0, confidence), self.degrees).powi(2);
        let [v00, v01, v11] = self.covariance;
        // |height − ln limit + slope·u| ≤ t · its error, a quadratic in u.
        let gap = self.height - limit.ln();
        let (a, b, c) = (self.slope * self.slope - t2 * v11, gap * self.slope - t2 * v01, gap * gap - t2 * v00);
        let root = (b * b - a * c).max(0.0).sqrt();
        let u = at / self.center - 1.0;
        let error = (v00 + 2.0 * v01 * u + v11 * u * u).max(0.0).sqrt();
        // The logarithm of a mean that is right on average is too low by half of its variance: so far the edge would come out too high.
        let at = at - self.center * error * error / (2.0 * self.slope);
        let end = |root: f64| self.center * (1.0 + (-b + root) / a);
        if a <= 0.0 {
            return None; // the slope may as well be zero
        }
        let (low, high) = (end(-root).max(0.0), end(root));
        Some(Crossing { at: at.clamp(low, high), low, high, slope: self.slope, dispersion: self.dispersion, within: self.within, error })
    }
}

#[cfg(test)]
mod tests;
