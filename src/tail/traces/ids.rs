//! Ids as everybody writes them: hex as OTLP/JSON and Jaeger do (which may drop leading zeros), base64 as plain protobuf JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::DocumentError;

/// Takes base64 with and without its padding.
const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LAX);

/// A trace id as 32 lower-case hex digits.
pub(super) fn trace_id(text: &str) -> Result<Cow<'_, str>, DocumentError> {
    match normal(text, 32) {
        Normal::Id(id) => Ok(id),
        Normal::Empty | Normal::Wrong => Err(DocumentError::Id { what: "trace id", text: shown(text), bytes: 16 }),
    }
}

/// A span id as 16 lower-case hex digits.
pub(super) fn span_id(text: &str) -> Result<Cow<'_, str>, DocumentError> {
    match normal(text, 16) {
        Normal::Id(id) => Ok(id),
        Normal::Empty | Normal::Wrong => Err(DocumentError::Id { what: "span id", text: shown(text), bytes: 8 }),
    }
}

/// A parent's id as 16 lower-case hex digits; an empty one and all zeros mean that there is no parent.
pub(super) fn parent_id(text: &str) -> Result<Option<Cow<'_, str>>, DocumentError> {
    match normal(text, 16) {
        Normal::Id(id) => Ok(Some(id)),
        Normal::Empty => Ok(None),
        Normal::Wrong => Err(DocumentError::Id { what: "span id", text: shown(text), bytes: 8 }),
    }
}

/// An id in its one form.
enum Normal<'a> {
    Id(Cow<'a, str>),
    /// Nothing, or zeros only: no id by W3C's trace context.
    Empty,
    Wrong,
}

fn normal(text: &str, digits: usize) -> Normal<'_> {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = if text.len() == digits && text.bytes().all(is_lower_hex) {
        Cow::Borrowed(text)
    } else if text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.trim_start_matches('0').len() <= digits {
        Cow::Owned(format!("{:0>digits$}", text.trim_start_matches('0').to_ascii_lowercase()))
    } else {
        match STANDARD.decode(text) {
            Ok(bytes) if bytes.len() * 2 == digits => Cow::Owned(hex(&bytes)),
            _ => return Normal::Wrong,
        }
    };
    if id.bytes().all(|byte| byte == b'0') { Normal::Empty } else { Normal::Id(id) }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The beginning of what may be anything, for a message.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if text.chars().count() > MOST {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form_whoever_wrote_it() {
        for text in
            ["5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C", "W47/95gDgQPSabYzgT/GDA==", "W47/95gDgQPSabYzgT/GDA"]
        {
            assert_eq!(trace_id(text).unwrap(), "5b8efff798038103d269b633813fc60c", "{text}");
        }
        for text in ["eee19b7ec3c1b174", "EEE19B7EC3C1B174", "7uGbfsPBsXQ="] {
            assert_eq!(span_id(text).unwrap(), "eee19b7ec3c1b174", "{text}");
        }
        assert_eq!(span_id("1f").unwrap(), "000000000000001f", "Jaeger drops leading zeros");
        assert_eq!(trace_id("eee19b7ec3c1b174").unwrap(), "0000000000000000eee19b7ec3c1b174", "64 bits, as B3 has them");
        assert_eq!(span_id("00000000000000000000eee19b7ec3c1b174").unwrap(), "eee19b7ec3c1b174", "zeros in front are none of it");
    }

    #[test]
    fn what_is_no_id_is_told_and_no_parent_is_none() {
        assert_eq!(trace_id("not-an-id").unwrap_err().to_string(), "`not-an-id` is no trace id: expected 16 bytes in hex, or in base64");
        for text in ["", "0", "0000000000000000", "AAAAAAAAAAA="] {
            assert!(parent_id(text).unwrap().is_none(), "{text}");
            assert!(span_id(text).is_err(), "{text}");
        }
        assert!(parent_id("11112222333344445").is_err(), "17 digits");
        let long = "x".repeat(10_000);
        assert!(span_id(&long).unwrap_err().to_string().len() < 200);
    }
}
