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
        Propagation::None => return None,
        Propagation::TraceparentAlways if decision.trace_id != TraceId::INVALID => (TRACEPARENT, traceparent(decision)),
        Propagation::Traceparent if sampled => (TRACEPARENT, traceparent(decision)),
        Propagation::ClientRequestId if sampled => (CLIENT_REQUEST_ID, value(&hex::<32>(&decision.trace_id.to_bytes()))),
        _ => return None,
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
