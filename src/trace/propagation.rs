//! What travels with a request so that the server joins its trace: W3C `traceparent`, or Milvus's own request id.
//!
//! Milvus samples with a parent-based sampler, so the flag in the header decides for it; `docs/method.md` says which mode
//! suits which Milvus.

use http::{HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceId};

use super::Decision;

/// What travels with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Propagation {
    /// W3C `traceparent` on sampled requests: Milvus traces those whatever its own fraction, and decides about the others
    /// itself. The default.
    #[default]
    Traceparent,
    /// W3C `traceparent` on every request: the flag of unsampled ones keeps Milvus from tracing them.
    TraceparentAlways,
    /// The metadata `client_request_id` on sampled requests, which newer Milvus (2.6) takes as the trace id and leaves the
    /// decision to its own `trace.sampleFraction`; older ones take the request as sampled.
    ClientRequestId,
    /// Nothing: the client's spans stand alone.
    None,
}

impl std::fmt::Display for Propagation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Traceparent => "traceparent",
            Self::TraceparentAlways => "traceparent-always",
            Self::ClientRequestId => "client-request-id",
            Self::None => "none",
        })
    }
}

/// A header to send with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextHeader {
    /// Its name, static.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Milvus 2.6 reads this name and, for clients such as pymilvus, `client-request-id` too; older ones know only this one.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client_request_id");

/// The header that this decision sends, if any. One small allocation, and only where there is a header.
#[must_use]
pub fn context_header(propagation: Propagation, decision: &Decision) -> Option<ContextHeader> {
    let sampled = decision.is_sampled();
    let (name, value) = match propagation {
        Propagation::TraceparentAlways if decision.trace_id != TraceId::INVALID => (TRACEPARENT, traceparent(decision)),
        Propagation::Traceparent if sampled => (TRACEPARENT, traceparent(decision)),
        Propagation::ClientRequestId if sampled => (CLIENT_REQUEST_ID, value(&hex::<32>(&decision.trace_id.to_bytes()))),
        Propagation::None | Propagation::Traceparent | Propagation::TraceparentAlways | Propagation::ClientRequestId => return None,
    };
    Some(ContextHeader { name, value })
}

/// Version, trace id, parent id and flags, as [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)
/// writes them.
fn traceparent(decision: &Decision) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    text[3..35].copy_from_slice(&hex::<32>(&decision.trace_id.to_bytes()));
    text[36..52].copy_from_slice(&hex::<16>(&decision.span_id.to_bytes()));
    text[54] = if decision.is_sampled() { b'1' } else { b'0' };
    value(&text)
}

fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("hexadecimal digits and hyphens are visible ASCII")
}

/// Lower-case hexadecimal digits of `bytes`; `DIGITS` is twice their number.
fn hex<const DIGITS: usize>(bytes: &[u8]) -> [u8; DIGITS] {
    const DIGIT: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; DIGITS];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGIT[usize::from(byte >> 4)];
        pair[1] = DIGIT[usize::from(byte & 15)];
    }
    text
}

/// The caller's side of a trace, as read from its `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub span_id: SpanId,
    /// Whether the caller recorded its part.
    pub sampled: bool,
}

/// Reads a `traceparent`; `None` where it is not a valid one, which a receiver must treat as if there were none.
///
/// ```
/// use tailtrace::trace::parse_traceparent;
/// let parent = parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert!(parent.sampled);
/// assert_eq!(parent.span_id.to_string(), "b7ad6b7169203331");
/// ```
#[must_use]
pub fn parse_traceparent(text: &[u8]) -> Option<ParentContext> {
    let hyphens = text.len() >= 55 && text[2] == b'-' && text[35] == b'-' && text[52] == b'-';
    // Version 00 is exactly this long; a later one may add parts behind another hyphen; ff is forbidden.
    let [version] = bytes::<1>(text.get(0..2)?)?;
    let length = if version == 0 { text.len() == 55 } else { text.len() == 55 || text.get(55) == Some(&b'-') };
    if !hyphens || !length || version == 0xff {
        return None;
    }
    let trace_id = TraceId::from_bytes(bytes(&text[3..35])?);
    let span_id = SpanId::from_bytes(bytes(&text[36..52])?);
    let [flags] = bytes::<1>(&text[53..55])?;
    (trace_id != TraceId::INVALID && span_id != SpanId::INVALID).then_some(ParentContext { trace_id, span_id, sampled: flags & 1 == 1 })
}

/// The bytes that lower-case hexadecimal digits stand for; upper-case ones are forbidden by the specification.
fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::trace::Why;
    use proptest::prelude::*;

    fn decision(sampled: Option<Why>) -> Decision {
        Decision {
            trace_id: TraceId::from_bytes(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()),
            span_id: SpanId::from_bytes(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()),
            sampled,
            inclusion_probability: 0.5,
            at: Moment::from_ns(0),
        }
    }

    fn sent(propagation: Propagation, decision: &Decision) -> Option<(String, String)> {
        context_header(propagation, decision).map(|header| (header.name.to_string(), header.value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn each_mode_sends_exactly_its_header() {
        let (sampled, unsampled) = (decision(Some(Why::Ratio)), decision(None));
        let header = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        let flag_1 = header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01");
        let flag_0 = header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00");
        let request_id = header("client_request_id", "0af7651916cd43dd8448eb211c80319c");
        for (mode, on_sampled, on_unsampled) in [
            (Propagation::Traceparent, flag_1.clone(), None),
            (Propagation::TraceparentAlways, flag_1, flag_0),
            (Propagation::ClientRequestId, request_id, None),
            (Propagation::None, None, None),
        ] {
            assert_eq!(sent(mode, &sampled), on_sampled, "{mode:?}");
            assert_eq!(sent(mode, &unsampled), on_unsampled, "{mode:?}");
            assert_eq!(sent(mode, &Decision::UNSAMPLED), None, "{mode:?}: an invalid id must never be sent");
        }
    }

    #[test]
    fn the_modes_have_the_names_of_the_scenario() {
        for (mode, name) in [
            (Propagation::Traceparent, "traceparent"),
            (Propagation::TraceparentAlways, "traceparent-always"),
            (Propagation::ClientRequestId, "client-request-id"),
            (Propagation::None, "none"),
        ] {
            assert_eq!(serde_json::to_value(mode).unwrap(), name);
        }
    }

    /// The examples and the rules of the specification's section on traceparent.
    #[test]
    fn what_the_specification_forbids_is_no_parent() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        ] {
            assert_eq!(parse_traceparent(text.as_bytes()), None, "{text}");
        }
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like",
        ] {
            assert!(parse_traceparent(text.as_bytes()).is_some_and(|parent| parent.sampled), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_back(trace in 1_u128.., span in 1_u64.., sampled: bool) {
            let (trace_id, span_id) = (TraceId::from_bytes(trace.to_be_bytes()), SpanId::from_bytes(span.to_be_bytes()));
            let decision = Decision { trace_id, span_id, sampled: sampled.then_some(Why::Ratio), ..Decision::UNSAMPLED };
            let header = context_header(Propagation::TraceparentAlways, &decision).unwrap();
            prop_assert_eq!(parse_traceparent(header.value.as_bytes()), Some(ParentContext { trace_id, span_id, sampled }));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_traceparent(&bytes);
        }
    }
}
