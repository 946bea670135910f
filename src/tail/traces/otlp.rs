//! OTLP/JSON, as OpenTelemetry's file exporter and tailtrace's own collector write it.
//!
//! Format: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>. Read more loosely than it is specified: ids in
//! base64, numbers in or out of quotes, kinds by number or name, the older names of the lists.

use serde::{Deserialize, Serialize};

use super::text::{Text, Ticks, or_default};
use super::{DocumentError, Span, SpanKind, Trace, UNKNOWN_SERVICE, ids};

/// The spans of one process.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    resource: Resource<'a>,
    #[serde(
        borrow,
        default,
        rename = "scopeSpans",
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        deserialize_with = "or_default"
    )]
    scopes: Vec<ScopeSpans<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Debug, Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spans: Vec<OtlpSpan<'a>>,
}

#[derive(Debug, Deserialize)]
struct OtlpSpan<'a> {
    #[serde(borrow, rename = "traceId", alias = "trace_id")]
    trace_id: Text<'a>,
    #[serde(borrow, rename = "spanId", alias = "span_id")]
    span_id: Text<'a>,
    #[serde(borrow, default, rename = "parentSpanId", alias = "parent_span_id")]
    parent: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(default, rename = "startTimeUnixNano", alias = "start_time_unix_nano")]
    start: Ticks,
    #[serde(default, rename = "endTimeUnixNano", alias = "end_time_unix_nano")]
    end: Ticks,
    #[serde(borrow, default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Debug, Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow, default)]
    key: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    value: AnyValue<'a>,
}

/// One of these is set.
#[derive(Debug, Default, Deserialize)]
struct AnyValue<'a> {
    #[serde(borrow, default, rename = "stringValue", alias = "string_value")]
    string: Option<Text<'a>>,
    #[serde(
        borrow,
        default,
        rename = "boolValue",
        alias = "bool_value",
        alias = "intValue",
        alias = "int_value",
        alias = "doubleValue",
        alias = "double_value",
        alias = "bytesValue",
        alias = "bytes_value"
    )]
    scalar: Option<Text<'a>>,
    #[serde(default, rename = "arrayValue", alias = "array_value", alias = "kvlistValue", alias = "kvlist_value")]
    structure: Option<serde_json::Value>,
}

impl AnyValue<'_> {
    /// Lists and maps as their JSON.
    fn into_text(self) -> String {
        match (self.string.or(self.scalar), self.structure) {
            (Some(text), _) => text.0.into_owned(),
            (None, Some(structure)) => structure.to_string(),
            (None, None) => String::new(),
        }
    }
}

impl ResourceSpans<'_> {
    /// Hands on every span with its trace's id, where that is wanted.
    pub(super) fn spans(
        self,
        wanted: &dyn Fn(&str) -> bool,
        out: &mut dyn FnMut(&str, Span) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let service = self.resource.attributes.into_iter().find(|attribute| attribute.key.0 == "service.name");
        let service = service.map(|attribute| attribute.value.into_text()).filter(|name| !name.is_empty());
        let service = service.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
        for mut span in self.scopes.into_iter().flat_map(|scope| scope.spans) {
            let Text(text) = std::mem::take(&mut span.trace_id);
            let trace_id = ids::trace_id(&text)?;
            if wanted(&trace_id) {
                out(&trace_id, span.into_span(&service)?)?;
            }
        }
        Ok(())
    }
}

impl OtlpSpan<'_> {
    fn into_span(self, service: &str) -> Result<Span, DocumentError> {
        Ok(Span {
            id: ids::span_id(&self.span_id.0)?.into_owned(),
            parent: ids::parent_id(&self.parent.0)?.map(Into::into),
            service: service.to_owned(),
            name: self.name.0.into_owned(),
            kind: kind(&self.kind.0),
            start_ns: self.start.0,
            duration_ns: self.end.0.saturating_sub(self.start.0),
            attributes: self.attributes.into_iter().map(|attribute| (attribute.key.0.into_owned(), attribute.value.into_text())).collect(),
        })
    }
}

/// By number, as OTLP/JSON has it, or by name, as protobuf JSON and Jaeger's tag have it.
pub(super) fn kind(text: &str) -> SpanKind {
    match text {
        "1" | "SPAN_KIND_INTERNAL" | "internal" => SpanKind::Internal,
        "2" | "SPAN_KIND_SERVER" | "server" => SpanKind::Server,
        "3" | "SPAN_KIND_CLIENT" | "client" => SpanKind::Client,
        "4" | "SPAN_KIND_PRODUCER" | "producer" => SpanKind::Producer,
        "5" | "SPAN_KIND_CONSUMER" | "consumer" => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

const fn number(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Unspecified => 0,
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// What the writer writes: the least that a reader of OTLP/JSON needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    resource_spans: Vec<WrittenResource<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenResource<'a> {
    resource: WrittenAttributes<'a>,
    scope_spans: [WrittenScope<'a>; 1],
}

#[derive(Serialize)]
struct WrittenAttributes<'a> {
    attributes: Vec<WrittenAttribute<'a>>,
}

#[derive(Serialize)]
struct WrittenScope<'a> {
    spans: Vec<WrittenSpan<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSpan<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    parent_span_id: &'a str,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<WrittenAttribute<'a>>,
}

#[derive(Serialize)]
struct WrittenAttribute<'a> {
    key: &'a str,
    value: WrittenValue<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenValue<'a> {
    string_value: &'a str,
}

const fn attribute<'a>(key: &'a str, value: &'a str) -> WrittenAttribute<'a> {
    WrittenAttribute { key, value: WrittenValue { string_value: value } }
}

/// One trace as one line of `spans.jsonl`, its line end included. All attributes become strings; what is read back is the same
/// trace.
///
/// # Panics
/// Never: texts and numbers have a JSON form.
#[must_use]
pub fn write_otlp_line(trace: &Trace) -> String {
    let mut resource_spans: Vec<WrittenResource<'_>> = Vec::new();
    // Neighbours of one service share a resource; others begin a new one, so that the order is kept.
    for neighbours in trace.spans.chunk_by(|a, b| a.service == b.service) {
        let spans = neighbours.iter().map(|span| WrittenSpan {
            trace_id: &trace.id,
            span_id: &span.id,
            parent_span_id: span.parent.as_deref().unwrap_or_default(),
            name: &span.name,
            kind: number(span.kind),
            start_time_unix_nano: span.start_ns.to_string(),
            end_time_unix_nano: span.start_ns.saturating_add(span.duration_ns).to_string(),
            attributes: span.attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        });
        resource_spans.push(WrittenResource {
            resource: WrittenAttributes { attributes: vec![attribute("service.name", &neighbours[0].service)] },
            scope_spans: [WrittenScope { spans: spans.collect() }],
        });
    }
    let mut line = serde_json::to_string(&Written { resource_spans }).expect("texts and numbers have a JSON form");
    line.push('\n');
    line
}
