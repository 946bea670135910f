//! Where the tail begins.

use std::fmt;
use std::str::FromStr;

use crate::units::Nanos;

/// The tail: requests that took longer than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Above {
    /// Than this quantile of all requests, over 0 and under 1.
    Quantile(f64),
    /// Than this time.
    Time(Nanos),
}

impl Above {
    /// p99, where nothing else is asked for.
    pub const DEFAULT: Self = Self::Quantile(0.99);
}

impl Default for Above {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Above {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // 0.999 · 100 is 99.9 only to twelve digits.
            Self::Quantile(quantile) => write!(f, "p{}", (quantile * 1e12).round() / 1e10),
            Self::Time(time) => time.fmt(f),
        }
    }
}

/// A text that names no beginning of a tail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a percentile over p50 and under p100, such as p99 or p99.9, nor a time, such as 50ms")]
pub struct AboveError {
    text: String,
}

impl FromStr for Above {
    type Err = AboveError;

    fn from_str(text: &str) -> Result<Self, AboveError> {
        let wrong = || AboveError { text: text.to_owned() };
        if let Some(percent) = text.strip_prefix('p') {
            // Rounded to the twelfth digit: 99.9/100 is not 0.999 otherwise.
            let quantile = (percent.parse::<f64>().map_err(|_| wrong())? * 1e10).round() / 1e12;
            // At or below the median the "tail" would be most of the requests, the typical ones among them.
            return if quantile > 0.5 && quantile < 1.0 { Ok(Self::Quantile(quantile)) } else { Err(wrong()) };
        }
        text.parse().map(Self::Time).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_times_are_read_and_written_alike() {
        for text in ["p99", "p99.9", "p90", "p99.99", "50ms", "1500us"] {
            assert_eq!(text.parse::<Above>().unwrap().to_string(), text);
        }
        assert_eq!("p99.9".parse(), Ok(Above::Quantile(0.999)));
        assert_eq!(Above::DEFAULT.to_string(), "p99");
    }

    #[test]
    fn what_is_no_tail_is_refused_with_examples() {
        for text in ["", "p", "p100", "p50", "p0", "p-1", "pNaN", "99", "fast", "-5ms"] {
            let error = text.parse::<Above>().unwrap_err().to_string();
            assert!(error.contains("p99.9") && error.contains("50ms"), "{text}: {error}");
        }
    }
}
