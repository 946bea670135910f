//! Intervals from unequally weighted samples that come in clumps: of a mean, of a share, of a ratio of totals.
//!
//! Some requests stand for one request, some for a hundred, and slow ones come together. Two things break the usual
//! intervals there. The few heavy ones decide, and a handful of them is far from normal. Worse, a heavy one that happened
//! not to be drawn leaves no sign in the sample at all: no resampling of what was seen can bring it back. Over bursts a
//! normal interval of a share covers 30 to 95 % where it says 95, and so does a bootstrap.
//!
//! So: a ratio θ = ΣA/ΣB over clumps is held against its estimating equation, U(θ) = Σ(A − θB), whose positive and negative
//! parts are each a weighted sum of Poisson counts. Such a sum has gamma limits, whose upper one adds the heaviest unit that
//! may have been missed (Fay & Feuer, "Confidence intervals for directly standardized rates", *Statistics in Medicine* 16
//! (1997) 791). The limits of the two parts make those of their difference by recovered variances (MOVER: Zou & Donner,
//! *Statistics in Medicine* 27 (2008) 1693), and θ is in the interval where the limits of U(θ) enclose 0.

use super::interval::{Interval, normal_quantile};

/// What one clump adds to the two totals of a ratio, weights included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clump {
    /// To the total above the line.
    pub above: f64,
    /// To the total below the line; not negative.
    pub below: f64,
}

/// What limits a ratio beside the clumps that were seen.
pub trait Beside {
    /// The most that one unit that may have been missed would add to U(θ), and the most that one would take from it. Both
    /// are weights times values; a negative one counts as none.
    fn missed(&self, theta: f64) -> (f64, f64);

    /// Variance of U(θ) from figures that were themselves estimated; normal.
    fn variance(&self, theta: f64) -> f64 {
        let _ = theta;
        0.0
    }
}

/// A ratio of totals and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// ΣA/ΣB.
    pub value: f64,
    /// Where it may lie.
    pub interval: Interval,
}

impl Ratio {
    /// With an interval that holds both.
    #[must_use]
    fn with(self, other: Self) -> Self {
        let (low, high) = (self.interval.low.min(other.interval.low), self.interval.high.max(other.interval.high));
        Self { interval: Interval { low, high }, ..self }
    }
}

/// ΣA/ΣB of single units with its interval at `confidence`, never narrower than that of the clumps they come in: `clump_of` says
/// which, counted from 0. `None` where nothing is below the line.
///
/// Neither is enough: units of one clump are alike, so that singly they promise too much; and two or three clumps agree by chance.
#[must_use]
pub fn ratio_in_clumps(units: &[Clump], clump_of: &[usize], beside: &impl Beside, confidence: f64) -> Option<Ratio> {
    let mut clumps = vec![Clump::default(); clump_of.iter().max().map_or(0, |last| last + 1)];
    for (unit, clump) in units.iter().zip(clump_of) {
        clumps[*clump].above += unit.above;
        clumps[*clump].below += unit.below;
    }
    Some(ratio(&clumps, beside, confidence)?.with(ratio(units, beside, confidence)?))
}

/// ΣA/ΣB with its interval at `confidence` (0 to 1, exclusive); `None` where nothing is below the line.
#[must_use]
pub fn ratio(clumps: &[Clump], beside: &impl Beside, confidence: f64) -> Option<Ratio> {
    let (above, below) = clumps.iter().fold((0.0, 0.0), |(above, below), clump| (above + clump.above, below + clump.below));
    if !(below > 0.0 && below.is_finite() && f64::is_finite(above)) {
        return None;
    }
    let value = above / below;
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let scale = (clumps.iter().map(|clump| clump.above.abs()).sum::<f64>() / below).max(1e-3);
    let low = furthest(value, -scale, |theta| limits(clumps, beside, theta, z).0 <= 0.0);
    let high = furthest(value, scale, |theta| limits(clumps, beside, theta, z).1 >= 0.0);
    Some(Ratio { value, interval: Interval { low, high } })
}

/// The limits of U(θ).
fn limits(clumps: &[Clump], beside: &impl Beside, theta: f64, z: f64) -> (f64, f64) {
    let (mut up, mut down) = (Sum::default(), Sum::default());
    for clump in clumps {
        let part = clump.above - theta * clump.below;
        if part > 0.0 { up.add(part) } else { down.add(-part) }
    }
    let (missed_up, missed_down) = beside.missed(theta);
    let ((up_low, up_high), (down_low, down_high)) = (up.limits(missed_up, z), down.limits(missed_down, z));
    let variance = z * z * beside.variance(theta);
    let middle = up.total - down.total;
    let low = middle - ((up.total - up_low).powi(2) + (down_high - down.total).powi(2) + variance).sqrt();
    let high = middle + ((up_high - up.total).powi(2) + (down.total - down_low).powi(2) + variance).sqrt();
    (low, high)
}

/// The furthest θ from `inside`, in the direction of `step`, that still belongs; found to a ten-thousandth of the way.
fn furthest(inside: f64, step: f64, belongs: impl Fn(f64) -> bool) -> f64 {
    /// Steps grow by half: these reach 10^10 times the first.
    const MOST_STEPS: u32 = 60;
    let (mut last, mut step) = (inside, step * 0.05);
    for _ in 0..MOST_STEPS {
        let next = last + step;
        if !belongs(next) {
            let (mut inside, mut outside) = (last, next);
            for _ in 0..14 {
                let middle = f64::midpoint(inside, outside);
                if belongs(middle) { inside = middle } else { outside = middle }
            }
            return inside;
        }
        (last, step) = (next, step * 1.5);
    }
    last
}

/// The limits of the expectation of a sum of weighted Poisson counts: `weights`, one for each that was counted, and the
/// heaviest that may have been missed. Fay & Feuer's.
#[must_use]
pub fn poisson_sum(weights: impl IntoIterator<Item = f64>, heaviest_missed: f64, confidence: f64) -> Interval {
    let mut sum = Sum::default();
    weights.into_iter().for_each(|weight| sum.add(weight));
    let (low, high) = sum.limits(heaviest_missed, normal_quantile(f64::midpoint(1.0, confidence)));
    Interval { low, high }
}

/// How many equally weighted values these are worth for a mean: (Σw)²/Σw²; 0 for none.
///
/// Kish, *Survey Sampling* (1965), §11.7.
#[must_use]
pub fn effective_count(weights: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, squares) = weights.into_iter().fold((0.0, 0.0), |(sum, squares), weight| (sum + weight, squares + weight * weight));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// The value at quantile `q` (0 to 1) of weighted `sorted` (value, weight): the least that has a share of at least q at or
/// below it; `None` for none.
#[must_use]
pub fn quantile(sorted: &[(f64, f64)], q: f64) -> Option<f64> {
    let wanted = q * sorted.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    for (value, weight) in sorted {
        sum += weight;
        // 0.99 · 100 requests is 99, whatever the product's rounding.
        if sum >= wanted * (1.0 - 1e-12) {
            return Some(*value);
        }
    }
    sorted.last().map(|(value, _)| *value)
}

/// A sum of positive contributions and of their squares.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    squares: f64,
}

impl Sum {
    fn add(&mut self, part: f64) {
        self.total += part;
        self.squares += part * part;
    }

    fn limits(mut self, missed: f64, z: f64) -> (f64, f64) {
        let low = if self.total > 0.0 { self.gamma(-z) } else { 0.0 };
        if missed > 0.0 {
            self.add(missed);
        }
        (low, if self.total > 0.0 { self.gamma(z) } else { 0.0 })
    }

    /// The point `z` normal deviations out of the gamma law with this mean and variance.
    ///
    /// Wilson & Hilferty, *PNAS* 17 (1931) 684: its cube root is normal. Shapes here are at least 1, where that is right to 1 %
    /// of the upper points, and to 3 % of the mean below them.
    fn gamma(self, z: f64) -> f64 {
        let ninth = self.squares / (9.0 * self.total * self.total);
        self.total * (1.0 - ninth + z * ninth.sqrt()).max(0.0).powi(3)
    }
}

#[cfg(test)]
mod tests;
