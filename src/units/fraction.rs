//! A part of a whole.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, split_number};

/// A number from 0 to 1. Parses `0.01` and `1%`; in TOML and JSON a bare number is right too, and is what is written.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Fraction(f64);

const EXPECTED: &str = "a fraction from 0 to 1, such as 0.01 or \"1%\"";

impl Fraction {
    /// Nothing of it.
    pub const ZERO: Self = Self(0.0);
    /// All of it.
    pub const ONE: Self = Self(1.0);

    /// `None` where the value is not from 0 to 1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number, 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// As the percentage that was typed, `0.1%`: the shortest that parses back to it, or the nearest where none does.
    #[must_use]
    pub fn exact_percent(self) -> String {
        // 0.0007 · 100 is 0.06999…: the first rounding that leads back is the one that was typed.
        let rounded = (0..17).map(|decimals| format!("{:.decimals$}", self.0 * 100.0));
        let mut exact = rounded.filter(|text| text.parse().is_ok_and(|percent: f64| percent / 100.0 == self.0));
        format!("{}%", exact.next().unwrap_or_else(|| (self.0 * 100.0).to_string()))
    }

    /// For people: as a percentage, `1 %`, `0.123 %`.
    #[must_use]
    pub fn percent(self) -> String {
        let percent = self.0 * 100.0;
        let decimals = if percent == 0.0 || percent >= 9.995 { 1 } else { 3 };
        let text = format!("{percent:.decimals$}");
        format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Fraction {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { text: text.to_owned(), expected: EXPECTED };
        let value = match split_number(text) {
            Some((number, "")) => number,
            Some((number, "%")) => number / 100.0,
            _ => return Err(error()),
        };
        Self::new(value).ok_or_else(error)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl serde::Serialize for Fraction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Fraction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Fraction;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Fraction, E> {
                Fraction::new(value).ok_or_else(|| E::custom(UnitError { text: value.to_string(), expected: EXPECTED }))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Fraction, E> {
                self.visit_f64(value as f64)
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Fraction, E> {
                self.visit_f64(value as f64)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Fraction, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Fraction {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fraction".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A fraction from 0 to 1, such as 0.01, or a percentage such as \"1%\".",
            "oneOf": [{ "type": "number", "minimum": 0, "maximum": 1 }, { "type": "string", "pattern": r"^[0-9][0-9_.]*\s*%?$" }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_percentages_are_read() {
        for (text, value) in [("0", 0.0), ("1", 1.0), ("0.01", 0.01), ("1%", 0.01), ("100 %", 1.0)] {
            assert_eq!(text.parse(), Ok(Fraction(value)), "{text}");
        }
        assert_eq!(serde_json::from_str::<Vec<Fraction>>("[0, 1, 0.5, \"5%\"]").unwrap(), [0.0, 1.0, 0.5, 0.05].map(Fraction));
    }

    #[test]
    fn what_is_beyond_the_whole_is_refused() {
        for text in ["", "-0.1", "1.01", "101%", "NaN", "inf", "half"] {
            assert!(text.parse::<Fraction>().unwrap_err().to_string().contains("from 0 to 1"), "{text}");
        }
        assert!(serde_json::from_str::<Fraction>("2").unwrap_err().to_string().contains("from 0 to 1"));
    }

    #[test]
    fn an_exact_percentage_is_what_was_typed() {
        for text in ["0%", "0.1%", "0.07%", "12.5%", "99.99%", "100%", "0.000001%"] {
            assert_eq!(text.parse::<Fraction>().unwrap().exact_percent(), text);
        }
    }

    #[test]
    fn people_see_percent() {
        for (value, text) in [(0.0, "0 %"), (0.01, "1 %"), (0.001_23, "0.123 %"), (0.5, "50 %"), (1.0, "100 %")] {
            assert_eq!(Fraction(value).percent(), text);
        }
    }
}
