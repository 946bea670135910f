//! What a key means that was left out: one table, which the schema, the help and the documentation read.
//!
//! Defaults of `[target]`, `[collection]`, `[trace]` and `[practice]` stand with their types in `milvus`, `trace` and
//! `practice`.

use crate::units::Nanos;

/// `load.warmup`: requests go out and are not counted, so that connections, caches and frequencies settle first.
pub const WARMUP: Nanos = Nanos::from_secs(5);
/// `load.duration`: the measured phase.
pub const DURATION: Nanos = Nanos::from_secs(30);
/// `load.drain`: how long answers may still come after the measured phase; what has not come then is unfinished.
pub const DRAIN: Nanos = Nanos::from_secs(10);
/// `load.channels`: gRPC connections a lane opens; its workers take turns on them.
pub const CHANNELS: u32 = 1;
/// `stream.timeout`: a request without an answer for so long is given up, counted as timed out, and enters the
/// percentiles as "at least so long".
pub const TIMEOUT: Nanos = Nanos::from_secs(10);
/// `stream.max_in_flight` of an open loop: when so many requests have no answer yet, the next wait, and their response time
/// includes the wait.
pub const MAX_IN_FLIGHT: u32 = 10_000;
/// `stream.top_k`: neighbours asked for by a search.
pub const TOP_K: u32 = 10;
/// `stream.batch` of an insert: rows in one request.
pub const BATCH: u32 = 100;
/// A ramp from zero has no rate to warm up with: warm-up then runs at this share of the rate that it climbs to.
pub const WARMUP_SHARE_OF_RAMP: f64 = 0.1;

/// Lanes for `load.lanes = "auto"`: one up to four cores, then a quarter of them, so that the generator leaves the machine
/// to what else runs on it.
#[must_use]
pub const fn auto_lanes(cores: u32) -> u32 {
    if cores <= 4 { 1 } else { cores / 4 }
}

/// Largest rate of a stream, a second: ten times what one machine was seen to send, so that a slip of the finger is caught.
pub const MAX_RATE_PER_S: f64 = 10_000_000.0;
/// Most lanes, workers a stream and channels a lane: beyond these, memory is the only thing that is measured.
pub const MAX_LANES: u32 = 1_024;
/// See [`MAX_LANES`].
pub const MAX_WORKERS: u32 = 1_000_000;
/// See [`MAX_LANES`].
pub const MAX_CHANNELS: u32 = 1_024;
/// Longest phase: what histograms hold, and more than anyone waits.
pub const MAX_PHASE: Nanos = Nanos::from_secs(7 * 24 * 3600);
