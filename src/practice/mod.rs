//! The built-in Milvus-compatible target: exact search in memory, queue model, faults, server spans.
//!
//! It is an oracle, not a database: what it takes to answer can be set to a model whose percentiles have closed forms, and its
//! moments of answering keep to that model within 0.1 ms, whatever the search itself costs. It knows no scenario and no load.

mod failure;
mod filter;
mod model;
mod read;
mod refusal;
mod store;
mod service_time;
mod settings;

pub use failure::{Failure, FailureError};
pub use service_time::{ServiceTime, ServiceTimeError};
pub use settings::{Hold, SearchMode, Settings, SettingsError, SlowSpan, Stall};
