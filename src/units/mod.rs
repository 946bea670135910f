//! Quantities with their units: durations, rates, fractions and sizes, as they are written in scenarios, flags and results.
//!
//! Owns parsing and display, and nothing else: no clock, no arithmetic beyond what a unit means. What is displayed parses
//! back to the same value. How an error is displayed with its causes stands here too, because every room needs it.
//!
//! ```
//! use tailtrace::units::{Nanos, Rate};
//! assert_eq!("1.5ms".parse::<Nanos>().unwrap(), Nanos(1_500_000));
//! assert_eq!(Nanos(1_500_000).to_string(), "1500us");
//! assert_eq!("30/m".parse::<Rate>().unwrap().per_second(), 0.5);
//! ```

mod causes;
mod count;
mod fraction;
mod nanos;
mod rate;
mod size;

pub use causes::{Causes, LineOfJson};
pub use count::count;
pub use fraction::Fraction;
pub use nanos::Nanos;
pub use rate::Rate;
pub use size::ByteSize;

/// A text that is not the quantity it should be: says what was read, and what would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnitError {
    /// What was read.
    pub text: String,
    /// What a right one looks like, with an example.
    pub expected: &'static str,
}

/// Splits `12.5ms` into the number and what follows it; `None` where no number stands in front or it is not finite.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || *c == '_' || (*at == 0 && (*c == '+' || *c == '-'))))
        .map_or(text.len(), |(at, _)| at);
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

/// A number and its unit as a whole count of the smallest unit, to the nearest; what would vanish in rounding is refused.
fn parse_whole(text: &str, unit_length: impl Fn(&str) -> Option<u64>, expected: &'static str) -> Result<u64, UnitError> {
    let error = || UnitError { text: text.to_owned(), expected };
    let (number, unit) = split_number(text).ok_or_else(error)?;
    let count = (number * unit_length(unit).ok_or_else(error)? as f64).round();
    if !(0.0..=u64::MAX as f64).contains(&count) || (count == 0.0 && number != 0.0) {
        return Err(error());
    }
    Ok(count as u64)
}

/// Serde by `Display` and `FromStr`, and the JSON Schema of such a string with its example.
macro_rules! as_text {
    ($type:ty, $name:literal, $about:literal, $pattern:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // A visitor of its own, so that a value of another type is told what would have been right.
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(EXPECTED)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $about, "pattern": $pattern })
            }
        }
    };
}
use as_text;
