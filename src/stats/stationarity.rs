//! Did the measured phase stand still? Level shifts and trends over its per-second figures.
//!
//! Lancet's second self-check (Kogias, Mallon & Bugnion, USENIX ATC '19, §4) asks a unit-root test; here the question is put as
//! its user would: did the level change, by how much, and could memory of the series alone explain it? Figures are
//! compared as logarithms, so that sizes are ratios. Noise is the long-run variance of what the best-fitting step or line
//! leaves ([`super::autocorrelation`]), so a queue's slow swings are not taken for news. Intended for medians of seconds
//! ([`super::batches::Batches::timed_medians_ns`]): a mean would turn one stalled second into a new level.

use super::ALPHA_EACH;
use super::autocorrelation;
use super::interval::student_p_value;

/// A level that changes by more than this share is worth a word: the same load on shared machines drifts by as much in minutes.
pub const LEVEL_SHIFT_LIMIT: f64 = 0.20;

/// A trend that adds up to more than this share over the phase is worth a word.
pub const TREND_LIMIT: f64 = 0.20;

/// Fewer figures than this cannot tell a step from noise.
pub const FEWEST_FIGURES: usize = 10;

/// A step is looked for with at least this many figures on each side, and at least a tenth of all.
const FEWEST_ON_A_SIDE: usize = 4;

/// Residuals below this are the histogram's buckets, not noise; their correlation means nothing.
const RESOLUTION: f64 = 0.000_5;

/// The step that fits a series best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelShift {
    /// Index of the first figure on the new level.
    pub at: usize,
    /// Geometric means before and after, in the unit of the figures.
    pub before: f64,
    /// See `before`.
    pub after: f64,
    /// `after`/`before` − 1.
    pub change: f64,
    /// The chance of such a step where there is none, over all places it may stand.
    pub p_value: f64,
    /// Whether the change is over [`LEVEL_SHIFT_LIMIT`] (up, or the same ratio down) and not by chance.
    pub shifted: bool,
}

/// The line that fits a series best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// What it adds up to from the first figure to the last: ratio − 1.
    pub change: f64,
    /// The chance of such a slope where there is none.
    pub p_value: f64,
    /// Whether the change is over [`TREND_LIMIT`] and not by chance.
    pub trending: bool,
}

/// The noise of `residuals` after `fitted` parameters: its long-run variance and the degrees of freedom that it was estimated with.
///
/// A fit takes the slow swings out of its residuals, and a short series shows little of its memory, so the sample says too
/// little twice. Therefore the memory is the larger of two: that of the autocovariances as they are, and that of a first-order
/// autoregression whose correlation is corrected for its known bias, −(k + (k + 2)φ)/n with k fitted parameters (Kendall,
/// *Biometrika* 41 (1954) 403, for k = 1), and put one standard error higher (√((1 − φ²)/n)). The independent values that n correlated
/// ones are worth, less the fitted ones, are the degrees of freedom. `None` where nothing is left.
fn noise(residuals: &[f64], fitted: f64) -> Option<(f64, f64)> {
    let n = residuals.len() as f64;
    let variance = autocorrelation::variance(residuals, 0.0);
    if variance.single < RESOLUTION * RESOLUTION {
        return Some((RESOLUTION * RESOLUTION, n - fitted));
    }
    let neighbours = residuals.iter().zip(&residuals[1..]).map(|(a, b)| a * b).sum::<f64>();
    let seen = (neighbours / (n * variance.single)).clamp(0.0, 1.0);
    let unbiased = (seen + (fitted + (fitted + 2.0) * seen) / n).min(1.0);
    let memory = unbiased + ((1.0 - unbiased * unbiased) / n).sqrt();
    if memory >= 1.0 {
        return None;
    }
    let inflation = variance.inflation().max((1.0 + memory) / (1.0 - memory));
    let worth = n / inflation;
    let degrees = worth - fitted;
    (degrees >= 1.0).then(|| (variance.single * inflation * worth / degrees, degrees))
}

/// The best-fitting step of positive `figures`; `None` for fewer than [`FEWEST_FIGURES`] or where one is not positive.
///
/// Bai, "Least squares estimation of a shift in linear processes", *J. Time Series Analysis* 15 (1994) 453, for the place;
/// its t statistic with long-run noise, times the number of places (Bonferroni), for the chance.
#[must_use]
pub fn level_shift(figures: &[f64]) -> Option<LevelShift> {
    let logs = logarithms(figures)?;
    let n = logs.len();
    let side = FEWEST_ON_A_SIDE.max(n / 10);
    let total: f64 = logs.iter().sum();
    let mut sum = 0.0;
    let mut best = (0.0, side, 0.0, 0.0);
    for (at, log) in logs.iter().enumerate() {
        if at >= side && at <= n - side {
            let (left, right) = (at as f64, (n - at) as f64);
            let (before, after) = (sum / left, (total - sum) / right);
            let gain = (after - before).powi(2) * left * right / n as f64;
            if gain >= best.0 {
                best = (gain, at, before, after);
            }
        }
        sum += log;
    }
    let (_, at, before, after) = best;
    let residuals: Vec<f64> = logs.iter().enumerate().map(|(i, log)| log - if i < at { before } else { after }).collect();
    let places = (n - 2 * side + 1) as f64;
    let p_value = noise(&residuals, 3.0).map_or(1.0, |(variance, degrees)| {
        let error = (variance * (1.0 / at as f64 + 1.0 / (n - at) as f64)).sqrt();
        (student_p_value((after - before) / error, degrees) * places).min(1.0)
    });
    let shifted = (after - before).abs() > LEVEL_SHIFT_LIMIT.ln_1p() && p_value <= ALPHA_EACH;
    Some(LevelShift { at, before: before.exp(), after: after.exp(), change: (after - before).exp_m1(), p_value, shifted })
}

/// The least-squares line through the logarithms of positive `figures`; `None` as for [`level_shift`].
///
/// Its slope's error comes from the long-run variance of the residuals: Hamilton, *Time Series Analysis* (1994), §16.1.
#[must_use]
pub fn trend(figures: &[f64]) -> Option<Trend> {
    let logs = logarithms(figures)?;
    let n = logs.len() as f64;
    let (middle, mean) = ((n - 1.0) / 2.0, logs.iter().sum::<f64>() / n);
    let spread = n * (n * n - 1.0) / 12.0;
    let slope = logs.iter().enumerate().map(|(i, log)| (i as f64 - middle) * (log - mean)).sum::<f64>() / spread;
    let residuals: Vec<f64> = logs.iter().enumerate().map(|(i, log)| log - mean - slope * (i as f64 - middle)).collect();
    let p_value = noise(&residuals, 2.0).map_or(1.0, |(variance, degrees)| student_p_value(slope / (variance / spread).sqrt(), degrees));
    let change = slope * (n - 1.0);
    let trending = change.abs() > TREND_LIMIT.ln_1p() && p_value <= ALPHA_EACH;
    Some(Trend { change: change.exp_m1(), p_value, trending })
}

fn logarithms(figures: &[f64]) -> Option<Vec<f64>> {
    let usable = figures.len() >= FEWEST_FIGURES && figures.iter().all(|figure| *figure > 0.0 && figure.is_finite());
    usable.then(|| figures.iter().map(|figure| figure.ln()).collect())
}

#[cfg(test)]
mod tests;
