//! JSON's scalars as text: a writer of protobuf JSON is free to put numbers into quotes, or not.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A string as it is, a number or a boolean as it prints. `null` is empty. Borrowed from the document where nothing was escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("a string, a number or a boolean")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

/// A count of time units: a whole number, in quotes or not. Below zero, which only a damaged clock gives, is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ticks(pub(super) u64);

impl<'de> Deserialize<'de> for Ticks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(from)?.0;
        if text.is_empty() {
            return Ok(Self(0));
        }
        if let Ok(whole) = text.parse() {
            return Ok(Self(whole));
        }
        match text.parse::<f64>() {
            // A float, as JavaScript may write it, to the nearest unit; the cast saturates at both ends.
            Ok(number) if number.is_finite() => Ok(Self(number.round() as u64)),
            _ => Err(D::Error::custom(format_args!("`{text}` is no time"))),
        }
    }
}

/// A field that is missing or `null`, as Go writes an empty list, is its type's default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A field that is there, if only as `null`: `Some`.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<Option<T>, D::Error> {
    or_default(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_text_whether_in_quotes_or_not() {
        for (json, text) in
            [(r#""a""#, "a"), (r#""a\nb""#, "a\nb"), ("7", "7"), ("-7", "-7"), ("0.01", "0.01"), ("true", "true"), ("null", "")]
        {
            assert_eq!(serde_json::from_str::<Text<'_>>(json).unwrap().0, text);
        }
        assert!(serde_json::from_str::<Text<'_>>("[1]").is_err());
    }

    #[test]
    fn times_come_as_numbers_strings_and_floats() {
        for (json, ticks) in [
            ("\"1544712660000000001\"", 1_544_712_660_000_000_001),
            ("1544712660000000001", 1_544_712_660_000_000_001),
            ("1.5e3", 1_500),
            ("-4", 0),
            ("null", 0),
        ] {
            assert_eq!(serde_json::from_str::<Ticks>(json).unwrap(), Ticks(ticks), "{json}");
        }
        for json in ["\"soon\"", "\"NaN\"", "{}"] {
            assert!(serde_json::from_str::<Ticks>(json).is_err(), "{json}");
        }
    }
}
