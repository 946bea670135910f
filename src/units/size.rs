//! A number of bytes.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, as_text, parse_whole};

/// A size in bytes. Parses `64MiB`, `512KiB`, `1GiB`, `100B`; powers of 1,024 only, so that no reader has to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

const EXPECTED: &str = "a size: a number and B, KiB, MiB or GiB, such as \"4MiB\"";
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// For people: three significant digits, `1.25 MiB`. Not for reading back.
    #[must_use]
    pub fn human(self) -> String {
        let (name, size) = UNITS.iter().find(|(_, size)| self.0 >= *size).unwrap_or(&UNITS[3]);
        let value = self.0 as f64 / *size as f64;
        let decimals = if *size == 1 || value >= 99.95 { 0 } else { 1 + usize::from(value < 9.995) };
        format!("{value:.decimals$} {name}")
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let size_of = |unit: &str| UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
        parse_whole(text, size_of, EXPECTED).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, size) = UNITS.iter().find(|(_, size)| self.0.is_multiple_of(*size) && self.0 >= *size).unwrap_or(&UNITS[3]);
        write!(f, "{}{name}", self.0 / size)
    }
}

as_text!(ByteSize, "ByteSize", "A size: a number and B, KiB, MiB or GiB, such as \"4MiB\".", r"^[0-9][0-9_.]*\s*(B|KiB|MiB|GiB)$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_shown_again() {
        for text in ["0B", "100B", "512KiB", "64MiB", "1GiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bare_number_or_an_unclear_unit_is_refused() {
        for text in ["64", "64MB", "-1B", "lots"] {
            assert!(text.parse::<ByteSize>().unwrap_err().to_string().contains("\"4MiB\""), "{text}");
        }
    }
}
