//! Spans of the practice target: they join the caller's trace and are shaped like a server's. They go out as the client's do,
//! under a service name of their own, and do not count in the run's accounting.
//!
//! ```
//! use tailtrace::clock::Moment;
//! use tailtrace::trace::{Ids, ServerSpan, parse_traceparent};
//! let mut ids = Ids::seeded(1);
//! let caller = parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
//! let (start, end) = (Moment::from_ns(0), Moment::from_ns(500_000));
//! let server = ServerSpan::server(&mut ids, caller, "milvus.proto.milvus.MilvusService/Search", start, end);
//! let inner = server.child(&mut ids, "Proxy-Search", start, end).with("nq", "1");
//! assert_eq!(inner.parent, server.span_id);
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::clock::{Anchor, Moment};
use crate::units::Nanos;

use super::pump::{Pump, Source};
use super::span::{local_context, scope, wall_time};
use super::{Destination, Ids, ParentContext, TraceError};

/// The service name under which Milvus's own standalone server appears in Jaeger.
pub const STANDALONE: &str = "standalone";

/// Spans that wait for the exporter's thread at most; beyond, they are dropped and counted. About 6 MB.
const WAITING: usize = 32_768;

/// A span of the server side, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpan {
    /// The caller's trace.
    pub trace_id: TraceId,
    /// This span.
    pub span_id: SpanId,
    /// The span it is part of.
    pub parent: SpanId,
    /// Whether it answers a call from outside (its parent is the caller's span), rather than being part of one.
    pub answers_call: bool,
    /// Its name.
    pub name: Cow<'static, str>,
    /// When it began.
    pub start: Moment,
    /// When it ended; not before `start`.
    pub end: Moment,
    /// Further facts.
    pub attributes: Vec<(&'static str, Cow<'static, str>)>,
    /// What went wrong, if anything.
    pub error: Option<Cow<'static, str>>,
}

impl ServerSpan {
    /// The span that answers a caller.
    #[must_use]
    pub fn server(ids: &mut Ids, caller: ParentContext, name: impl Into<Cow<'static, str>>, start: Moment, end: Moment) -> Self {
        Self {
            trace_id: caller.trace_id,
            span_id: ids.span_id(),
            parent: caller.span_id,
            answers_call: true,
            name: name.into(),
            start,
            end,
            attributes: Vec::new(),
            error: None,
        }
    }

    /// A part of this span. Its times are taken as they are: real children can outlive their parents.
    #[must_use]
    pub fn child(&self, ids: &mut Ids, name: impl Into<Cow<'static, str>>, start: Moment, end: Moment) -> Self {
        let parent = ParentContext { trace_id: self.trace_id, span_id: self.span_id, sampled: true };
        Self { answers_call: false, ..Self::server(ids, parent, name, start, end) }
    }

    /// The same with another attribute.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }

    /// The same with an error.
    #[must_use]
    pub fn failed(mut self, error: impl Into<Cow<'static, str>>) -> Self {
        self.error = Some(error.into());
        self
    }
}

/// Where the server's threads put their spans. Cheap to clone; never blocks.
#[derive(Debug, Clone)]
pub struct ServerSpans {
    way: SyncSender<ServerSpan>,
    dropped: Arc<AtomicU64>,
}

impl ServerSpans {
    /// Hands a span on; where too many wait it is dropped and counted.
    pub fn end(&self, span: ServerSpan) {
        if self.way.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The exporter of the server's spans.
#[derive(Debug)]
pub struct ServerSpanExporter {
    pump: Pump,
    dropped: Arc<AtomicU64>,
}

impl ServerSpanExporter {
    /// Starts its thread; connects to nothing yet.
    pub fn start(destination: &Destination, anchor: Anchor) -> Result<(Self, ServerSpans), TraceError> {
        let (way, waiting) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let source = Server { waiting, anchor, scope: scope() };
        let pump = Pump::start("tailtrace-server-spans", source, Some(destination))?;
        Ok((Self { pump, dropped: dropped.clone() }, ServerSpans { way, dropped }))
    }

    /// Sends what is left within the limit and ends the thread. Returns how many spans were exported and how many were dropped
    /// because too many waited.
    pub fn finish(self, limit: Nanos) -> (u64, u64) {
        let counts = self.pump.counts.clone();
        self.pump.finish(limit);
        let (exported, dropped) = counts.read();
        (exported, dropped + self.dropped.load(Ordering::Relaxed))
    }
}

struct Server {
    waiting: Receiver<ServerSpan>,
    anchor: Anchor,
    scope: InstrumentationScope,
}

impl Source for Server {
    type Item = ServerSpan;

    fn drain(&mut self, queue: &mut VecDeque<ServerSpan>, limit: usize) -> u64 {
        let mut dropped = 0;
        for span in self.waiting.try_iter().take(WAITING) {
            if queue.len() < limit {
                queue.push_back(span);
            } else {
                dropped += 1;
            }
        }
        dropped
    }

    fn build(&self, span: &ServerSpan) -> SpanData {
        SpanData {
            span_context: local_context(span.trace_id, span.span_id),
            parent_span_id: span.parent,
            parent_span_is_remote: span.answers_call,
            span_kind: if span.answers_call { SpanKind::Server } else { SpanKind::Internal },
            name: span.name.clone(),
            start_time: wall_time(&self.anchor, span.start),
            end_time: wall_time(&self.anchor, span.end),
            attributes: span.attributes.iter().map(|(key, value)| KeyValue::new(*key, value.clone())).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: span.error.clone().map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
