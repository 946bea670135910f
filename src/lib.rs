//! Load generator and latency benchmark for Milvus that traces a sampled fraction of its own requests.
//!
//! The modules stand in one ordered list; each may import only from those above it, and `tests/layering.rs` holds them to
//! it. `docs/architecture.md` draws the house, `docs/method.md` says why its numbers can be trusted.

// The order is the law of the house, not the alphabet.

pub mod units;
pub mod clock;
pub mod stats;
pub mod wire;
pub mod trace;
pub mod workload;
pub mod load;
pub mod milvus;
pub mod practice;
pub mod scenario;
pub mod result;
pub mod findings;
pub mod tail;
pub mod experiment;
pub mod report;
pub mod cli;
