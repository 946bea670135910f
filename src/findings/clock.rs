//! The wall clock jumped while the run was on its way.

use crate::result::model::{RunDocument, Severity};

use super::Statement;
use super::statement::time;

/// A step below this is no jump: spans of two hosts are compared by their durations, and logs by the second.
const LEAST_JUMP_NS: u64 = 100_000_000;

/// A clock that is being steered may run off by 500 ppm (the most that NTP slews by); twice that is no steering.
const MOST_STEERING: f64 = 0.001;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let step = document.generator.clock_step_ns.unsigned_abs();
    let length: u64 = document.phases.iter().filter_map(|phase| phase.length_ns).sum();
    if step <= LEAST_JUMP_NS || step as f64 <= length as f64 * MOST_STEERING {
        return Vec::new();
    }
    let statement = Statement::new(
        "clock-jumped",
        Severity::Invalid,
        format!("the wall clock moved by {} against the monotonic one during the run", time(step)),
        "the machine was suspended, or its clock was set: let time synchronisation settle (`chronyc tracking`, `timedatectl`), then run again",
    );
    vec![statement.figure("clock_step_ns", document.generator.clock_step_ns)]
}
