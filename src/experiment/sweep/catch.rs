//! What a sample fraction is to catch: `p99.9 x5 in 10m`.

use std::fmt;
use std::str::FromStr;

use crate::scenario::{Percentile, Statistic};
use crate::stats::interval::binomial_cdf;
use crate::units::Nanos;

/// So many traced requests beyond a percentile, within so much time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Catch {
    /// The percentile.
    pub percentile: Percentile,
    /// Traced requests that are wanted beyond it.
    pub requests: u64,
    /// The time.
    pub within: Nanos,
}

/// A text that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what to catch; write a percentile, how many traced requests beyond it, and the time: \"p99.9 x5 in 10m\"")]
pub struct CatchError(String);

impl Default for Catch {
    /// Five traces of the slowest in a thousand within ten minutes: enough to see whether they wait for the same.
    fn default() -> Self {
        Self { percentile: Percentile::P99_9, requests: 5, within: Nanos::from_secs(600) }
    }
}

impl Catch {
    /// Requests beyond the percentile at so many a second, and the chance that at least [`Catch::requests`] of them are traced where each is
    /// with chance `fraction`: a binomial count.
    #[must_use]
    pub fn chance(&self, rate_per_s: f64, fraction: f64) -> (u64, f64) {
        let beyond = (rate_per_s * self.within.as_secs_f64() * (1.0 - self.percentile.quantile()) + 1e-6).floor().max(0.0) as u64;
        let fewer = match self.requests.checked_sub(1) {
            None => 0.0,
            Some(_) if beyond < self.requests || fraction <= 0.0 => 1.0,
            Some(fewer) => binomial_cdf(fewer, beyond, fraction),
        };
        (beyond, 1.0 - fewer)
    }
}

impl FromStr for Catch {
    type Err = CatchError;

    fn from_str(text: &str) -> Result<Self, CatchError> {
        let wrong = || CatchError(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let [percentile, times, "in", within @ ..] = &words[..] else { return Err(wrong()) };
        let Ok(Statistic::Percentile(percentile)) = percentile.parse() else { return Err(wrong()) };
        let requests: u64 =
            times.strip_prefix(['x', '×']).and_then(|times| times.parse().ok()).filter(|times| *times > 0).ok_or_else(wrong)?;
        let within: Nanos = within.concat().parse().map_err(|_| wrong())?;
        if within == Nanos::ZERO || percentile.quantile() >= 1.0 {
            return Err(wrong());
        }
        Ok(Self { percentile, requests, within })
    }
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x{} in {}", Statistic::Percentile(self.percentile), self.requests, self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_caught_is_read_and_shown_again() {
        for text in ["p99.9 x5 in 10m", "p99 x1 in 30s"] {
            assert_eq!(text.parse::<Catch>().unwrap().to_string(), text);
        }
        assert_eq!(Catch::default().to_string(), "p99.9 x5 in 10m");
        for text in ["", "p99.9", "p99.9 5 in 10m", "p99.9 x0 in 10m", "p100 x1 in 1s", "p99 x1 in 0s", "max x1 in 1s", "p99 x1 on 1s"] {
            assert!(text.parse::<Catch>().unwrap_err().to_string().contains("\"p99.9 x5 in 10m\""), "{text}");
        }
    }

    #[test]
    fn the_chance_is_binomial() {
        // 500/s for 10 minutes are 300,000 requests, 300 of them beyond p99.9.
        let (beyond, chance) = Catch::default().chance(500.0, 0.01);
        // P(X ≥ 5) for X binomial(300, 0.01), summed term by term: 1 − Σ C(300,k) 0.01^k 0.99^(300−k), k = 0 … 4.
        let mut term = 0.99_f64.powi(300);
        let mut fewer = term;
        for k in 0..4 {
            term *= f64::from(300 - k) / f64::from(k + 1) * 0.01 / 0.99;
            fewer += term;
        }
        assert_eq!(beyond, 300);
        assert!((chance - (1.0 - fewer)).abs() < 1e-9 && (0.15..0.22).contains(&chance), "{chance}");
        assert_eq!(Catch::default().chance(500.0, 0.0).1, 0.0);
        assert_eq!(Catch::default().chance(500.0, 1.0).1, 1.0);
        assert_eq!(Catch::default().chance(5.0, 1.0), (3, 0.0), "three requests hold no five");
    }
}
