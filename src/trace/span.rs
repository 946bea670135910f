//! From a finished request to the span of the client, with the measured timestamps: duration = service time, exactly.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for
//! [gRPC](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/) and
//! [databases](https://opentelemetry.io/docs/specs/semconv/database/database-spans/); what only tailtrace knows stands under
//! `tailtrace.`. Runs on the exporter's thread, for sampled requests only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::clock::{Anchor, Moment};

use super::{Finished, StreamIdentity};

/// The service that every operation belongs to.
const RPC_SERVICE: &str = "milvus.proto.milvus.MilvusService";

/// Why a span is there that no sampler chose.
const OUTLIER: &str = "outlier";

/// What the spans of one run have in common, and where its moments stand on the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// The run's id, as in `run.json`.
    pub run_id: String,
    /// The host name or address of the target, without a port.
    pub server_address: String,
    /// The target's port.
    pub server_port: u16,
    /// The streams in the scenario's order: [`Finished::stream`] counts in it.
    pub streams: Vec<StreamIdentity>,
}

/// Builds the spans of one run.
#[derive(Debug)]
pub(super) struct SpanBuilder {
    anchor: Anchor,
    scope: InstrumentationScope,
    streams: Vec<Template>,
}

/// The attribute of a client span that says whether its request was due in the measured phase.
pub const MEASURED: &str = "tailtrace.measured";

/// What all spans of one stream share: texts are counted references, so that a span copies none of them.
#[derive(Debug)]
struct Template {
    name: String,
    attributes: Vec<KeyValue>,
}

fn shared(text: &str) -> Value {
    Value::String(Arc::<str>::from(text).into())
}

impl SpanBuilder {
    pub(super) fn new(identity: &RunIdentity, anchor: Anchor) -> Self {
        let streams = identity.streams.iter().map(|stream| Template::new(identity, stream)).collect();
        Self { anchor, scope: scope(), streams }
    }

    /// The span of a finished request.
    pub(super) fn build(&self, finished: &Finished) -> SpanData {
        let template = &self.streams[usize::from(finished.stream)];
        let decision = &finished.decision;
        let mut attributes = Vec::with_capacity(template.attributes.len() + 9);
        attributes.extend_from_slice(&template.attributes);
        attributes.push(KeyValue::new("rpc.grpc.status_code", i64::from(finished.outcome.grpc_code())));
        attributes.push(KeyValue::new("tailtrace.sequence", finished.sequence.cast_signed()));
        attributes.push(KeyValue::new("tailtrace.response_ns", finished.response().0.cast_signed()));
        attributes.push(KeyValue::new("tailtrace.lateness_ns", finished.lateness().0.cast_signed()));
        attributes.push(KeyValue::new(MEASURED, finished.phase_measured));
        // An unsampled request comes here after the fact, for it was slow: no chance had brought it here, and its trace holds no
        // span of the server.
        let (chance, why) = decision.sampled.map_or((0.0, OUTLIER), |why| (decision.inclusion_probability, why.as_str()));
        attributes.push(KeyValue::new("tailtrace.inclusion_probability", chance));
        attributes.push(KeyValue::new("tailtrace.sampled_by", why));
        let status = if finished.outcome.is_ok() {
            Status::Unset
        } else {
            let key = finished.outcome.to_string();
            attributes.push(KeyValue::new("error.type", key.clone()));
            Status::error(key)
        };
        SpanData {
            span_context: local_context(decision.trace_id, decision.span_id),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Client,
            name: template.name.clone().into(),
            start_time: wall_time(&self.anchor, finished.sent),
            end_time: wall_time(&self.anchor, finished.done),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

impl Template {
    fn new(identity: &RunIdentity, stream: &StreamIdentity) -> Self {
        let attributes = vec![
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", RPC_SERVICE),
            KeyValue::new("rpc.method", shared(&stream.operation)),
            KeyValue::new("server.address", shared(&identity.server_address)),
            KeyValue::new("server.port", i64::from(identity.server_port)),
            KeyValue::new("db.system.name", "milvus"),
            KeyValue::new("db.collection.name", shared(&stream.collection)),
            KeyValue::new("db.operation.name", shared(&stream.db_operation)),
            KeyValue::new("tailtrace.run_id", shared(&identity.run_id)),
            KeyValue::new("tailtrace.stream", shared(&stream.name)),
        ];
        Self { name: format!("{RPC_SERVICE}/{}", stream.operation), attributes }
    }
}

/// Who made the spans.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("tailtrace").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// The context of a span made and recorded here.
pub(super) fn local_context(trace_id: TraceId, span_id: SpanId) -> SpanContext {
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE)
}

/// A moment as the SDK wants it.
pub(super) fn wall_time(anchor: &Anchor, moment: Moment) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(anchor.unix_ns(moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Decision, Outcome, Why};

    fn identity() -> RunIdentity {
        let stream = |name: &str, operation: &str, db: &str| StreamIdentity {
            name: name.into(),
            operation: operation.into(),
            db_operation: db.into(),
            collection: "tailtrace".into(),
        };
        RunIdentity {
            run_id: "run-1".into(),
            server_address: "milvus.example".into(),
            server_port: 19530,
            streams: vec![stream("readers", "Search", "search"), stream("writers", "Insert", "insert")],
        }
    }

    fn finished(stream: u16, outcome: Outcome) -> Finished {
        let decision = Decision {
            trace_id: TraceId::from_bytes([7; 16]),
            span_id: SpanId::from_bytes([9; 8]),
            sampled: Some(Why::Ratio),
            inclusion_probability: 0.25,
            at: Moment::from_ns(10_000),
        };
        let [intended, sent, done] = [9_000, 10_001, 1_010_008].map(Moment::from_ns);
        Finished { stream, phase_measured: true, sequence: 42, intended, sent, done, outcome, decision }
    }

    fn build(finished: &Finished) -> SpanData {
        SpanBuilder::new(&identity(), Anchor::at(Moment::from_ns(10_000), 1_700_000_000_000_000_001)).build(finished)
    }

    fn attribute(span: &SpanData, key: &str) -> Option<String> {
        let found: Vec<_> = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key).collect();
        assert!(found.len() <= 1, "{key} stands there {} times", found.len());
        found.first().map(|attribute| attribute.value.to_string())
    }

    #[test]
    fn the_span_is_exactly_as_long_as_the_service_time() {
        let finished = finished(0, Outcome::Ok);
        let span = build(&finished);
        assert_eq!(span.end_time.duration_since(span.start_time).unwrap(), finished.service().as_duration());
        assert_eq!(span.start_time, SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_002));
    }

    #[test]
    fn a_search_carries_the_conventions_and_what_only_the_run_knows() {
        let span = build(&finished(0, Outcome::Ok));
        assert_eq!(span.name, "milvus.proto.milvus.MilvusService/Search");
        assert_eq!((span.span_kind.clone(), span.status.clone()), (SpanKind::Client, Status::Unset));
        assert_eq!((span.parent_span_id, span.span_context.is_sampled()), (SpanId::INVALID, true));
        assert_eq!(span.span_context.trace_id(), TraceId::from_bytes([7; 16]));
        assert_eq!(span.span_context.span_id(), SpanId::from_bytes([9; 8]));
        for (key, value) in [
            ("rpc.system", "grpc"),
            ("rpc.service", "milvus.proto.milvus.MilvusService"),
            ("rpc.method", "Search"),
            ("rpc.grpc.status_code", "0"),
            ("server.address", "milvus.example"),
            ("server.port", "19530"),
            ("db.system.name", "milvus"),
            ("db.collection.name", "tailtrace"),
            ("db.operation.name", "search"),
            ("tailtrace.run_id", "run-1"),
            ("tailtrace.stream", "readers"),
            ("tailtrace.sequence", "42"),
            ("tailtrace.response_ns", "1001008"),
            ("tailtrace.lateness_ns", "1001"),
            ("tailtrace.measured", "true"),
            ("tailtrace.inclusion_probability", "0.25"),
            ("tailtrace.sampled_by", "ratio"),
        ] {
            assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(span.attributes.len(), 17, "every attribute is in the list above");
    }

    #[test]
    fn each_stream_has_its_own_method() {
        let span = build(&finished(1, Outcome::Ok));
        assert_eq!(span.name, "milvus.proto.milvus.MilvusService/Insert");
        assert_eq!(attribute(&span, "tailtrace.stream").as_deref(), Some("writers"));
    }

    #[test]
    fn what_failed_is_an_error_under_its_key() {
        for (outcome, code, key) in [
            (Outcome::Grpc(14), "14", "UNAVAILABLE"),
            (Outcome::Milvus(100), "0", "milvus:100"),
            (Outcome::TimedOut, "4", "timed_out"),
            (Outcome::Unfinished, "1", "unfinished"),
        ] {
            let span = build(&finished(0, outcome));
            assert_eq!(span.status, Status::error(key));
            assert_eq!(attribute(&span, "rpc.grpc.status_code").as_deref(), Some(code));
            assert_eq!(attribute(&span, "error.type").as_deref(), Some(key));
        }
    }
}
