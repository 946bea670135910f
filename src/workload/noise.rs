//! Normal noise at the price of reading it: windows of one table.

use super::seed::{Draws, Purpose, Seed};

/// Where a window may begin. With two windows, a rotation and a cluster, a million rows hold a pair of equal ones with
/// a chance of about 1 in 20,000.
const OFFSETS: usize = 1 << 16;

/// A table of standard normal numbers, shared by all vectors of a seed.
///
/// A vector's noise is `cos θ · w1 + sin θ · w2` of two windows of the table at drawn offsets, θ drawn between 30° and 60°:
/// again normal with variance 1, for two loads and two multiplications an element and no random number drawn for it.
///
/// The numbers are sums of twelve 16-bit uniforms (Irwin-Hall, n = 12: variance 1, excess kurtosis −0.1, none beyond ±6),
/// integers until the last step: no logarithm or cosine whose last bit differs between machines.
#[derive(Debug)]
pub(super) struct Noise {
    table: Vec<f32>,
    largest_window: f64,
}

/// Which noise a vector gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows<'a> {
    pub(super) first: &'a [f32],
    pub(super) second: &'a [f32],
    pub(super) weights: (f32, f32),
}

impl Noise {
    pub(super) fn new(seed: Seed, dim: usize) -> Self {
        let draws = seed.draws(Purpose::Noise, 0);
        let table: Vec<f32> = (0..(OFFSETS + dim) as u64).map(|n| normal(draws, n)).collect();
        let square = |value: f32| f64::from(value).powi(2);
        let mut sum: f64 = table[..dim].iter().copied().map(square).sum();
        let mut largest = sum;
        for (leaving, entering) in table.iter().zip(&table[dim..]) {
            sum += square(*entering) - square(*leaving);
            largest = largest.max(sum);
        }
        Self { table, largest_window: largest.sqrt() }
    }

    /// No noise is longer than this: cos θ + sin θ is at most √2, and no window is longer than the longest. The thousandth
    /// more covers rounding.
    pub(super) fn largest_norm(&self) -> f64 {
        self.largest_window * std::f64::consts::SQRT_2 * 1.001
    }

    /// The noise that the low 48 bits of `drawn` stand for.
    #[inline]
    pub(super) fn windows(&self, dim: usize, drawn: u64) -> Windows<'_> {
        let first = (drawn & 0xFFFF) as usize;
        let second = (drawn >> 16 & 0xFFFF) as usize;
        // t = tan(θ/2) from tan 15° to tan 30°; the half-angle formulas give cosine and sine exactly alike everywhere.
        let t = 0.267_949_2 + 0.309_401_1 * ((drawn >> 32 & 0xFFFF) as f32 / 65_536.0);
        let scale = 1.0 / (1.0 + t * t);
        Windows {
            first: &self.table[first..first + dim],
            second: &self.table[second..second + dim],
            weights: ((1.0 - t * t) * scale, 2.0 * t * scale),
        }
    }
}

/// The `n`-th standard normal number of these draws.
pub(super) fn normal(draws: Draws, n: u64) -> f32 {
    let mut sum = 0;
    for word in 0..3 {
        let bits = draws.at(n * 3 + word);
        sum += (0..4).map(|part| (bits >> (16 * part) & 0xFFFF).cast_signed()).sum::<i64>();
    }
    // The mean of one is 65535/2, its variance (2^32 − 1)/12.
    (sum - 6 * 65_535) as f32 / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_standard_normal() {
        let noise = Noise::new(Seed(5), 64);
        let n = noise.table.len() as f64;
        let moment = |power: i32| noise.table.iter().map(|value| f64::from(*value).powi(power)).sum::<f64>() / n;
        // Standard deviations of the moments of n normal numbers: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n). Five of each.
        // The fourth moment of a sum of twelve uniforms is 3 − 0.1.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 2.9, 96.0)] {
            let limit = 5.0 * f64::sqrt(variance / n);
            assert!((moment(power) - expected).abs() < limit, "moment {power} is {}", moment(power));
        }
        assert!(noise.table.iter().all(|value| value.abs() <= 6.0));
    }

    #[test]
    fn a_rotation_keeps_the_variance_and_both_windows_matter() {
        let noise = Noise::new(Seed(5), 8);
        for third in [0_u64, 1, 30_000, 0xFFFF] {
            let (cos, sin) = noise.windows(8, third << 32).weights;
            assert!((f64::from(cos).powi(2) + f64::from(sin).powi(2) - 1.0).abs() < 1e-6);
            assert!(cos >= 0.499 && sin >= 0.499, "{cos} {sin}");
        }
    }

    #[test]
    fn no_window_is_longer_than_the_longest() {
        let (dim, noise) = (16, Noise::new(Seed(9), 16));
        let norm = |window: &[f32]| window.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let longest = noise.table.windows(dim).map(norm).fold(0.0, f64::max);
        assert!((longest - noise.largest_window).abs() < 1e-6, "{longest} {}", noise.largest_window);
        assert!(noise.largest_norm() > longest * std::f64::consts::SQRT_2);
    }
}
