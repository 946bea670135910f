//! How often something happens.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, as_text, split_number};

/// Events per second, finite and not negative. Parses `500/s` and `30/m`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(f64);

const EXPECTED: &str = "a rate: a number and /s or /m, such as \"500/s\"";

impl Rate {
    /// Nothing ever happens.
    pub const ZERO: Self = Self(0.0);

    /// A rate of so many a second; `None` where that is negative, infinite or not a number.
    #[must_use]
    pub fn from_per_second(per_second: f64) -> Option<Self> {
        (per_second.is_finite() && per_second >= 0.0).then_some(Self(per_second))
    }

    /// Events a second.
    #[must_use]
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { text: text.to_owned(), expected: EXPECTED };
        let (number, unit) = split_number(text).ok_or_else(error)?;
        let per_second = match unit {
            "/s" => number,
            "/m" => number / 60.0,
            _ => return Err(error()),
        };
        Self::from_per_second(per_second).ok_or_else(error)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

as_text!(Rate, "Rate", "How often: a number and /s or /m, such as \"500/s\".", r"^[0-9][0-9_.]*\s*/(s|m)$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_minutes_are_read() {
        assert_eq!("500/s".parse::<Rate>().unwrap().per_second(), 500.0);
        assert_eq!("1_000 /s".parse::<Rate>().unwrap().per_second(), 1000.0);
        assert_eq!("90/m".parse::<Rate>().unwrap().per_second(), 1.5);
    }

    #[test]
    fn what_is_no_rate_is_refused_with_an_example() {
        for text in ["", "500", "/s", "-1/s", "NaN/s", "inf/s", "500/h", "500/ms"] {
            assert!(text.parse::<Rate>().unwrap_err().to_string().contains("\"500/s\""), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for text in ["0.1/s", "333.3333333333333/s", "10000000/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
    }
}
