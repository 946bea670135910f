//! How many bytes an export takes as protobuf, added up from the spans as they are: the exporter of `opentelemetry-otlp` encodes for
//! itself and tells nobody, and to make its message a second time would cost as much as the first. Field numbers and types are those of
//! [OTLP](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto).

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use prost::encoding::encoded_len_varint;

/// Bytes of a span's fields of fixed length: trace id, span id, kind, both times, and the flags, whose field number takes two.
const FIXED: usize = (2 + 16) + (2 + 8) + 2 + (1 + 8) + (1 + 8) + (2 + 4);

/// Exports of one resource.
#[derive(Debug)]
pub(super) struct Encoded {
    /// Bytes of what names the resource.
    resource: usize,
}

impl Encoded {
    pub(super) fn of(resource: &Resource) -> Self {
        let ResourceAttributesWithSchema { attributes, schema_url } = resource.into();
        let resource = opentelemetry_proto::tonic::resource::v1::Resource { attributes: attributes.0, ..Default::default() };
        let named = ResourceSpans { resource: Some(resource), scope_spans: Vec::new(), schema_url: schema_url.unwrap_or_default() };
        Self { resource: named.encoded_len() }
    }

    /// Bytes of the `ExportTraceServiceRequest` that carries these spans, before compression. All are of one instrumentation scope.
    pub(super) fn request(&self, spans: &[SpanData]) -> usize {
        let scope = spans.first().map_or(0, |first| {
            let scope = &first.instrumentation_scope;
            let schema_url = scope.schema_url().unwrap_or_default().to_owned();
            ScopeSpans { scope: Some((scope, None).into()), spans: Vec::new(), schema_url }.encoded_len()
        });
        let spans: usize = spans.iter().map(|span| message(span_bytes(span))).sum();
        message(self.resource + message(scope + spans))
    }
}

/// A field of a one-byte key and so many bytes.
fn message(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

/// A text, which is left out where it is empty.
fn text(text: &str) -> usize {
    if text.is_empty() { 0 } else { message(text.len()) }
}

fn span_bytes(span: &SpanData) -> usize {
    let plain = span.events.is_empty() && span.links.is_empty() && span.events.dropped_count + span.links.dropped_count == 0;
    if !plain || span.dropped_attributes_count > 0 {
        return Span::from(span.clone()).encoded_len();
    }
    let parent = if span.parent_span_id == SpanId::INVALID { 0 } else { 2 + 8 };
    let attributes: usize = span.attributes.iter().map(|pair| message(attribute(pair))).sum();
    let status = match &span.status {
        Status::Unset => 0,
        Status::Ok => 2,
        Status::Error { description } => 2 + text(description),
    };
    FIXED + parent + text(&span.span_context.trace_state().header()) + text(&span.name) + attributes + message(status)
}

fn attribute(pair: &KeyValue) -> usize {
    let value = match &pair.value {
        Value::Bool(_) => 2,
        Value::I64(number) => 1 + encoded_len_varint(number.cast_unsigned()),
        Value::F64(_) => 1 + 8,
        Value::String(value) => message(value.as_str().len()),
        other => AnyValue::from(other.clone()).encoded_len(),
    };
    text(pair.key.as_str()) + message(value)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Event;
    use opentelemetry::{Array, StringValue};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;

    use super::*;
    use crate::clock::{Anchor, Moment};
    use crate::trace::span::SpanBuilder;
    use crate::trace::{Decider, Finished, Ids, Outcome, RunIdentity, StreamIdentity};
    use crate::units::Fraction;

    /// What `opentelemetry-otlp` sends.
    fn sent(spans: Vec<SpanData>, resource: &Resource) -> usize {
        ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans, &resource.into()) }.encoded_len()
    }

    fn spans() -> Vec<SpanData> {
        let stream = |name: &str| StreamIdentity {
            name: name.to_owned(),
            operation: "Search".to_owned(),
            db_operation: "search".to_owned(),
            collection: "tailtrace".to_owned(),
        };
        let identity = RunIdentity {
            run_id: "run-1".to_owned(),
            server_address: "localhost".to_owned(),
            server_port: 19530,
            streams: vec![stream("readers"), stream("")],
        };
        let builder = SpanBuilder::new(&identity, Anchor::take());
        let mut decider = Decider::new(Fraction::ONE).with_ids(Ids::seeded(1));
        let finished = |sequence: u64| {
            let [intended, sent, done] = [10, 20, 1_020].map(|ns| Moment::from_ns(sequence % 1_000_000 + ns));
            let outcome = [Outcome::Ok, Outcome::TimedOut, Outcome::Grpc(14), Outcome::Milvus(100)][(sequence % 4) as usize];
            let (stream, decision) = ((sequence % 2) as u16, decider.decide(intended));
            Finished { stream, phase_measured: sequence < 9, sequence, intended, sent, done, outcome, decision }
        };
        (0..20).chain([127, 128, u64::from(u32::MAX), u64::MAX]).map(finished).map(|finished| builder.build(&finished)).collect()
    }

    #[test]
    fn every_export_has_the_length_that_prost_gives_it() {
        let named = Resource::builder_empty().with_service_name("tailtrace").with_attribute(KeyValue::new("host.id", 7)).build();
        let with_schema =
            Resource::builder_empty().with_schema_url([KeyValue::new("a", "b")], "https://opentelemetry.io/schemas/1").build();
        for resource in [Resource::builder_empty().build(), named, with_schema] {
            for count in [1, 2, 24] {
                let spans = spans()[..count].to_vec();
                assert_eq!(Encoded::of(&resource).request(&spans), sent(spans, &resource), "{count} spans");
            }
        }
    }

    #[test]
    fn what_no_span_of_tailtrace_has_is_counted_too() {
        let mut strange = spans()[0].clone();
        strange.parent_span_id = SpanId::from_bytes([1; 8]);
        strange.status = Status::Ok;
        strange.attributes.push(KeyValue::new("names", Value::Array(Array::String(vec![StringValue::from("a"); 200]))));
        let mut eventful = strange.clone();
        eventful.events.events.push(Event::with_name("answered"));
        eventful.dropped_attributes_count = 300;
        let resource = Resource::builder_empty().build();
        for span in [strange, eventful] {
            assert_eq!(Encoded::of(&resource).request(std::slice::from_ref(&span)), sent(vec![span], &resource));
        }
    }
}
