//! Sampled tracing: the decision, W3C ids and headers, span building, OTLP export with exact accounting, the collector.
//!
//! A request travels through it in this order: a lane's [`Decider`] decides before it is sent, [`context_header`] gives what
//! travels with it, and once it is [`Finished`] the lane hands it to its [`SpanLane`]. Everything that costs anything
//! (building the span, encoding, sending, retrying) happens on a thread that is no lane.
//!
//! Two equations hold in every result, whatever the collector does: decided = sampled + unsampled, and
//! ended = exported + dropped + failed.

mod accounting;
mod decision;
mod lane;
mod propagation;
mod request;
mod settings;

pub use accounting::{Accounting, SampledSink};
pub use decision::{Decider, Decision, Decisions, Why};
pub use lane::SpanLane;
pub use opentelemetry::trace::{SpanId, TraceId};
pub use propagation::{ContextHeader, ParentContext, Propagation, context_header, parse_traceparent};
pub use request::{Finished, Outcome, StreamIdentity};
pub use settings::{Endpoint, Settings};
