//! So many requests timed out that the percentiles people rely on are lower bounds.

use crate::result::model::{RunDocument, Severity};

use super::Statement;
use super::statement::percent;

/// From this share on even the p99, which most gates and objectives speak of, is a lower bound.
const SHARE: f64 = 0.01;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let timed_out = document.streams.iter().filter_map(|stream| {
        let share = stream.timed_out as f64 / stream.scheduled.max(1) as f64;
        // Where nothing ended ok at all the rule of failures speaks.
        if share < SHARE || stream.ok == 0 {
            return None;
        }
        let message = format!(
            "{} of {} requests of `{}` timed out ({}): percentiles from there up hold the time they had waited, not the time they took",
            stream.timed_out,
            stream.scheduled,
            stream.name,
            percent(share)
        );
        let advice = "see what the target was busy with, lower the rate, or allow a longer `timeout` to see how long they take";
        let statement = Statement::new("requests-timed-out", Severity::Suspect, message, advice).about(&stream.name);
        Some(statement.figure("timed_out", stream.timed_out).figure("share", share))
    });
    timed_out.collect()
}
