//! The tail of the response times is partly the generator's own lateness.

use crate::result::model::{RunDocument, Severity};

use super::Statement;
use super::statement::time;

/// Above this share of it, lateness makes a tail that is taken for the target's.
const LATENESS_SHARE: f64 = 0.1;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    // What a repeat of a replay waits for its turn is no part of its time.
    let late = document.streams.iter().filter(|stream| !stream.repeats).filter_map(|stream| {
        let (lateness, response) = (stream.lateness.p99_ns?, stream.response.p99_ns?);
        if lateness as f64 <= response as f64 * LATENESS_SHARE {
            return None;
        }
        let message = format!(
            "one in a hundred of `{}`'s requests left {} late or more, over a tenth of its p99 response time of {}",
            stream.name,
            time(lateness),
            time(response)
        );
        let advice = "read service time beside response time; a quieter machine or more lanes (`load.lanes`) send on time, and where \
                      `max_in_flight` was reached the lateness is the target's backlog: lower the rate";
        let statement = Statement::new("lateness-in-tail", Severity::Suspect, message, advice).about(&stream.name);
        Some(statement.figure("lateness_p99_ns", lateness).figure("response_p99_ns", response))
    });
    late.collect()
}
