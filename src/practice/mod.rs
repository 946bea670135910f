//! The built-in Milvus-compatible target: exact search in memory, queue model, faults, server spans.
//!
//! It is an oracle, not a database: what it takes to answer can be set to a model whose percentiles have closed forms, and its
//! moments of answering keep to that model within 0.1 ms, whatever the search itself costs. It knows no scenario and no load.

#![expect(clippy::cast_possible_wrap, reason = "counts of rows and hits, far under 2^63, as the wire carries them")]

mod error;
mod failure;
mod filter;
mod grpc;
mod model;
mod read;
mod refusal;
mod server;
mod service_time;
mod settings;
mod spans;
mod store;

pub use error::PracticeError;
pub use failure::{Failure, FailureError};
pub use server::Server;
pub use service_time::{ServiceTime, ServiceTimeError};
pub use settings::{Hold, SearchMode, Settings, SettingsError, SlowKey, SlowSpan, Stall};
