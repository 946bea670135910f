//! One JSON document of traces, whichever format it has: that is found out by its keys.

use serde::Deserialize;

use super::jaeger::{JaegerSpan, JaegerTrace, Process};
use super::otlp::ResourceSpans;
use super::text::{or_default, present};
use super::{DocumentError, Span};

/// Each format's keys side by side; those of the other formats are missing.
#[derive(Debug, Deserialize)]
pub(super) struct Document<'a> {
    /// OTLP/JSON; `batches` is what Grafana Tempo calls the same list.
    #[serde(borrow, default, rename = "resourceSpans", alias = "resource_spans", alias = "batches", deserialize_with = "present")]
    otlp: Option<Vec<ResourceSpans<'a>>>,
    /// An answer of Jaeger's API.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<Vec<JaegerTrace<'a>>>,
    /// A single trace of Jaeger's.
    #[serde(borrow, default, deserialize_with = "present")]
    spans: Option<Vec<JaegerSpan<'a>>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    processes: std::collections::HashMap<String, Process<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Whether any format's key is in it.
    pub(super) fn is_of_traces(&self) -> bool {
        self.otlp.is_some() || self.data.is_some() || self.spans.is_some()
    }

    /// Hands on every span of wanted traces, with its trace's id.
    pub(super) fn spans(
        self,
        wanted: &dyn Fn(&str) -> bool,
        out: &mut dyn FnMut(&str, Span) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        for resource in self.otlp.into_iter().flatten() {
            resource.spans(wanted, out)?;
        }
        let single = self.spans.map(|spans| JaegerTrace { spans, processes: self.processes });
        for trace in self.data.into_iter().flatten().chain(single) {
            trace.spans(wanted, out)?;
        }
        Ok(())
    }
}

/// How a file of traces begins, so that other files are not read to their end: a JSON object with one of the formats' keys
/// near its beginning, or a Jaeger answer without any trace.
pub(super) fn begins_like_traces(beginning: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [br#""resourceSpans""#, br#""resource_spans""#, br#""batches""#, br#""traceID""#, br#""scopeSpans""#];
    let text = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning).trim_ascii_start();
    let bare: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(12).collect();
    text.starts_with(b"{")
        && (KEYS.iter().any(|key| text.windows(key.len()).any(|window| window == *key))
            || bare.starts_with(br#"{"data":["#)
            || bare.starts_with(br#"{"data":null"#))
}

/// What Windows' editors put in front of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
