//! A length of time in whole nanoseconds.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, as_text, parse_whole};

/// A length of time in ns, 0 to about 584 years. Parses `20ms`, `1.5s`, `50us` (or `50µs`), `10m`, `1h`, `250ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

const EXPECTED: &str = "a time: a number and ns, us, ms, s, m or h, such as \"20ms\"";

/// Name and length in ns, longest first; `ns` last, so that every value has a unit that fits.
const UNITS: [(&str, u64); 6] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// So many microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// The same length in seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The same length for the standard library.
    #[must_use]
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }

    /// For people: three significant digits and the unit that suits, `1.23 ms`. Not for reading back.
    #[must_use]
    pub fn human(self) -> String {
        let seconds = self.as_secs_f64();
        let (value, unit) = match self.0 {
            0..1_000 => return format!("{} ns", self.0),
            1_000..999_500 => (seconds * 1e6, "µs"),
            999_500..999_500_000 => (seconds * 1e3, "ms"),
            999_500_000..120_000_000_000 => (seconds, "s"),
            120_000_000_000..7_200_000_000_000 => (seconds / 60.0, "min"),
            _ => (seconds / 3600.0, "h"),
        };
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.decimals$} {unit}")
    }
}

impl FromStr for Nanos {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let length_of = |unit: &str| {
            let unit = if unit == "µs" || unit == "μs" { "us" } else { unit };
            UNITS.iter().find(|(name, _)| *name == unit).map(|(_, length)| *length)
        };
        parse_whole(text, length_of, EXPECTED).map(Self)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (name, length) in UNITS {
            if self.0.is_multiple_of(length) {
                return write!(f, "{}{name}", self.0 / length);
            }
        }
        unreachable!("every whole number of ns is a multiple of 1 ns")
    }
}

as_text!(
    Nanos,
    "Duration",
    "A time: a number and its unit (ns, us or µs, ms, s, m, h), such as \"20ms\".",
    r"^[0-9][0-9_.]*\s*(ns|us|µs|μs|ms|s|m|h)$"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_of_the_word_list_is_read() {
        for (text, nanos) in [
            ("250ns", 250),
            ("50us", 50_000),
            ("50µs", 50_000),
            ("20 ms", 20_000_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for text in ["", "20", "ms", "-1ms", "NaNs", "infs", "20 msec", "1e400s", "0.1ns", "99999999999h"] {
            let error = text.parse::<Nanos>().unwrap_err().to_string();
            assert!(error.contains("such as \"20ms\""), "{text}: {error}");
        }
    }

    #[test]
    fn people_see_three_digits() {
        for (nanos, text) in [(999, "999 ns"), (1_234, "1.23 µs"), (99_960, "100 µs"), (12_340_000, "12.3 ms"), (999_600_000, "1.00 s")] {
            assert_eq!(Nanos(nanos).human(), text);
        }
    }

    proptest! {
        // f64 holds 53 bits: beyond 2^53 ns (104 days) a value in ns is rounded when it is read.
        #[test]
        fn what_is_shown_reads_back_the_same(nanos in 0_u64..(1 << 53)) {
            prop_assert_eq!(Nanos(nanos).to_string().parse(), Ok(Nanos(nanos)));
        }
    }
}
