//! Seconds that a lane could not hand over in time.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let merged: u64 = document.generator.lanes.iter().map(|lane| lane.merged_intervals).sum();
    if merged == 0 {
        return Vec::new();
    }
    let message = format!("seconds that a lane handed over together with the next one: {merged}");
    let advice = "no request is lost, but the per-second figures and `latency.hlog` are coarser there: give the generator a core to spare for what \
                  is not a lane";
    vec![Statement::new("intervals-merged", Severity::Note, message, advice).figure("merged_intervals", merged)]
}
