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

use super::{Finished, StreamIdentity, Why};

/// The service that every operation belongs to.
const RPC_SERVICE: &str = "milvus.proto.milvus.MilvusService";

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
        attributes.push(KeyValue::new("tailtrace.measured", finished.phase_measured));
        attributes.push(KeyValue::new("tailtrace.inclusion_probability", decision.inclusion_probability));
        if let Some(why) = decision.sampled.map(Why::as_str) {
            attributes.push(KeyValue::new("tailtrace.sampled_by", why));
        }
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
