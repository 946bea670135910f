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
    /// Requests beyond the percentile at so many a second, as expected, and the chance that at least [`Catch::requests`] of them are traced:
    /// each request is both with chance `fraction` × (1 − percentile), so their number is binomial over all requests.
    #[must_use]
    pub fn chance(&self, rate_per_s: f64, fraction: f64) -> (f64, f64) {
        let all = (rate_per_s * self.within.as_secs_f64()).round().max(0.0);
        let beyond = 1.0 - self.percentile.quantile();
        let fewer = match self.requests.checked_sub(1) {
            None => 0.0,
            Some(_) if all < self.requests as f64 || fraction <= 0.0 => 1.0,
            Some(fewer) => binomial_cdf(fewer, all as u64, fraction * beyond),
        };
        (all * beyond, 1.0 - fewer)
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
        // P(X ≥ 5) for X binomial(300,000, 0.00001), summed term by term: 1 − Σ C(n,k) p^k (1−p)^(n−k), k = 0 … 4.
        let (n, p) = (300_000, 1e-5_f64);
        let mut term = (1.0 - p).powi(n);
        let mut fewer = term;
        for k in 0..4 {
            term *= f64::from(n - k) / f64::from(k + 1) * p / (1.0 - p);
            fewer += term;
        }
        assert!((beyond - 300.0).abs() < 1e-6, "{beyond}");
        assert!((chance - (1.0 - fewer)).abs() < 1e-9 && (0.15..0.22).contains(&chance), "{chance}");
        assert_eq!(Catch::default().chance(500.0, 0.0).1, 0.0);
        assert!(Catch::default().chance(500.0, 1.0).1 > 0.999_999);
        // 0.9 requests are expected beyond p99.9 of 900; one at least is there with chance 1 − 0.999^900.
        let short = Catch { requests: 1, within: Nanos::from_secs(6), ..Catch::default() };
        let (beyond, chance) = short.chance(150.0, 1.0);
        assert!((beyond - 0.9).abs() < 1e-9 && (chance - (1.0 - 0.999_f64.powi(900))).abs() < 1e-9, "{beyond} {chance}");
        assert_eq!(short.chance(0.01, 1.0).1, 0.0, "no request holds none");
    }
}
