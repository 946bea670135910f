//! Requests that had no answer, or were never sent, when the drain ended.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let unfinished = document.streams.iter().filter(|stream| stream.unfinished > 0).map(|stream| {
        let message = format!(
            "{} of {} requests of `{}` had no answer when the drain ended: they stand in the percentiles at the time they had waited",
            stream.unfinished, stream.scheduled, stream.name
        );
        let advice = "the target fell behind: lower the rate, or lengthen `load.drain` to see how long it needs";
        let statement = Statement::new("unfinished-requests", Severity::Suspect, message, advice).about(&stream.name);
        statement.figure("unfinished", stream.unfinished).figure("scheduled", stream.scheduled)
    });
    unfinished.collect()
}
