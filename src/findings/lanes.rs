//! Lanes without time to spare under a closed loop, whose lateness is nought by definition.

use crate::result::model::{Loop, RunDocument, Severity};

use super::Statement;
use super::bottleneck::BUSY_LANE;
use super::statement::percent;

/// A polling lane takes its whole core whatever it does: its share says nothing.
pub(super) fn polls(document: &RunDocument) -> bool {
    document.plan.pointer("/load/wait").and_then(serde_json::Value::as_str) == Some("poll")
}

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let busiest = document.generator.lanes.iter().map(|lane| lane.cpu_share).fold(0.0, f64::max);
    if busiest < BUSY_LANE || polls(document) {
        return Vec::new();
    }
    let closed = document.streams.iter().filter(|stream| stream.load_loop == Loop::Closed && stream.scheduled > 0);
    closed
        .map(|stream| {
            let message = format!(
                "a lane used {} of its core, so answers to `{}` waited in the generator to be read, and its workers set the pace",
                percent(busiest),
                stream.name
            );
            let advice =
                "use more lanes (`load.lanes`) and a core for each, or fewer `workers`, until a lane has a tenth of its core to spare";
            // Not even one answer, good or bad: whether there is a target behind that pace cannot be told.
            let severity = if stream.ok + stream.failed == 0 { Severity::Invalid } else { Severity::Suspect };
            let statement = Statement::new("lanes-busy", severity, message, advice).about(&stream.name);
            statement.figure("busiest_lane_cpu_share", busiest)
        })
        .collect()
}
