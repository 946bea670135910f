//! How many spans of an export that went well the collector refused nevertheless (OTLP calls this partial success).
//!
//! `opentelemetry-otlp` reports an export as a whole and tells its log alone about the refused ones. So the exporter's thread
//! listens to that log: one event, on this thread only. All other events are refused where they are made, by their level or
//! for good at their first call, so that no lane pays for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber, dispatcher};

/// What `opentelemetry-otlp` calls the event; a test holds it to that.
const EVENT: &str = "TonicTracesClient.PartialSuccess";
const FIELD: &str = "rejected_spans";

/// Listens on the thread that made it, until it is dropped.
pub(super) struct Rejected {
    count: Arc<AtomicU64>,
    _listening: dispatcher::DefaultGuard,
}

impl Rejected {
    pub(super) fn listen() -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let listening = dispatcher::set_default(&Dispatch::new(Ear(count.clone())));
        Self { count, _listening: listening }
    }

    /// How many were refused since the last call.
    pub(super) fn take(&self) -> u64 {
        self.count.swap(0, Ordering::AcqRel)
    }
}

struct Ear(Arc<AtomicU64>);

impl Subscriber for Ear {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name() == EVENT
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        if self.enabled(event.metadata()) {
            event.record(&mut Count(&self.0));
        }
    }

    // Spans of the log are never enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn current_span(&self) -> Current {
        Current::none()
    }
}

struct Count<'a>(&'a AtomicU64);

impl Visit for Count<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == FIELD {
            self.0.fetch_add(u64::try_from(value).unwrap_or(0), Ordering::AcqRel);
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
