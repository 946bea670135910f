//! The instrument's own health.

use serde::{Deserialize, Serialize};

/// How the generator itself did during the measured phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Generator {
    /// One entry a lane.
    pub lanes: Vec<Lane>,
    /// What the instrument reads for a server that answers at once; `null` where it was not measured.
    pub floor: Option<Floor>,
    /// User and system CPU of the process over requests completed.
    pub cpu_ns_per_request: Option<u64>,
    /// The most memory the process has held.
    pub peak_rss_bytes: Option<u64>,
    /// How far the wall clock moved against the monotonic one during the run.
    pub clock_step_ns: i64,
}

/// One lane.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lane {
    /// CPU time over wall time, 0 to 1.
    pub cpu_share: f64,
    /// Time it was ready to run while other work had the processor, over wall time, 0 to 1; 0 where the system does not tell.
    pub wait_share: f64,
    /// How late its timer fired.
    pub timer_error: TimerError,
    /// Seconds that it handed over together with the next one: it was too busy, or the disk too slow.
    pub merged_intervals: u64,
}

/// Timer fired − moment asked for, in ns; `null` where the lane never had to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TimerError {
    /// The median.
    pub p50_ns: Option<u64>,
    /// 99 % are at or below.
    pub p99_ns: Option<u64>,
    /// The most.
    pub max_ns: Option<u64>,
}

/// The instrument's floor: response time against a server that answers at once, at the run's rate.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Floor {
    /// The median.
    pub p50_ns: u64,
    /// 99 % are at or below.
    pub p99_ns: u64,
    /// The rate it was measured at.
    pub rate_per_s: f64,
    /// Requests behind it.
    pub count: u64,
    /// An earlier run of the series measured it, at a rate near this run's.
    pub of_series: bool,
}
