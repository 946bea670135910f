//! Jaeger's JSON, as `GET /api/traces` answers and as its UI saves it. Times and lengths are µs.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::otlp::kind;
use super::text::{Text, Ticks, or_default};
use super::{DocumentError, Span, SpanKind, UNKNOWN_SERVICE, ids};

/// Jaeger's tag for a span's part in a call.
const KIND: &str = "span.kind";

/// One trace of an answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct JaegerTrace<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) spans: Vec<JaegerSpan<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) processes: HashMap<String, Process<'a>>,
}

/// Who made spans.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Process<'a> {
    #[serde(borrow, default, rename = "serviceName")]
    service: Text<'a>,
}

/// One span of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct JaegerSpan<'a> {
    #[serde(borrow, rename = "traceID")]
    trace_id: Text<'a>,
    #[serde(borrow, rename = "spanID")]
    span_id: Text<'a>,
    /// Only of old writers: references say the same.
    #[serde(borrow, default, rename = "parentSpanID")]
    parent: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    references: Vec<Reference<'a>>,
    #[serde(borrow, default, rename = "operationName")]
    name: Text<'a>,
    #[serde(default, rename = "startTime")]
    start: Ticks,
    #[serde(default)]
    duration: Ticks,
    #[serde(borrow, default, deserialize_with = "or_default")]
    tags: Vec<Tag<'a>>,
    #[serde(borrow, default, rename = "processID")]
    process_id: Text<'a>,
    /// Where the span carries it itself, as in Jaeger's archive.
    #[serde(borrow, default, deserialize_with = "or_default")]
    process: Option<Process<'a>>,
}

#[derive(Debug, Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default, rename = "refType")]
    kind: Text<'a>,
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Text<'a>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    key: Text<'a>,
    #[serde(borrow, default)]
    value: Text<'a>,
}

impl JaegerTrace<'_> {
    /// Hands on every span with its trace's id, where that is wanted.
    pub(super) fn spans(
        self,
        wanted: &dyn Fn(&str) -> bool,
        out: &mut dyn FnMut(&str, Span) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        for mut span in self.spans {
            let Text(text) = std::mem::take(&mut span.trace_id);
            let trace_id = ids::trace_id(&text)?;
            if wanted(&trace_id) {
                let service = span.service(&self.processes);
                out(&trace_id, span.into_span(&trace_id, service)?)?;
            }
        }
        Ok(())
    }
}

impl JaegerSpan<'_> {
    fn service(&self, processes: &HashMap<String, Process<'_>>) -> String {
        let process = self.process.as_ref().or_else(|| processes.get(self.process_id.0.as_ref()));
        let name = process.map(|process| process.service.0.as_ref()).filter(|name| !name.is_empty());
        name.unwrap_or(UNKNOWN_SERVICE).to_owned()
    }

    /// The parent is the first span of the same trace that this one is a child of. What it only follows from did not wait for it.
    fn parent(&self, trace_id: &str) -> Result<Option<String>, DocumentError> {
        for reference in self.references.iter().filter(|reference| reference.kind.0 == "CHILD_OF") {
            let same = reference.trace_id.0.is_empty() || ids::trace_id(&reference.trace_id.0).is_ok_and(|id| id == trace_id);
            if same && let Some(parent) = ids::parent_id(&reference.span_id.0)? {
                return Ok(Some(parent.into_owned()));
            }
        }
        Ok(ids::parent_id(&self.parent.0)?.map(Into::into))
    }

    fn into_span(self, trace_id: &str, service: String) -> Result<Span, DocumentError> {
        let parent = self.parent(trace_id)?;
        let start_ns = self.start.0.saturating_mul(1_000);
        let mut span = Span {
            id: ids::span_id(&self.span_id.0)?.into_owned(),
            parent,
            service,
            name: self.name.0.into_owned(),
            kind: SpanKind::Unspecified,
            start_ns,
            duration_ns: self.duration.0.saturating_mul(1_000).min(u64::MAX - start_ns),
            attributes: BTreeMap::new(),
        };
        for tag in self.tags {
            if tag.key.0 == KIND {
                span.kind = kind(&tag.value.0);
            } else {
                span.attributes.insert(tag.key.0.into_owned(), tag.value.0.into_owned());
            }
        }
        Ok(span)
    }
}
