//! Requests that failed, or were given up.

use crate::result::model::{RunDocument, Severity, Stream};

use super::Statement;
use super::statement::percent;

/// From this share on it is worth a word.
const WORTH_A_WORD: f64 = 0.01;

/// From this share on the percentiles are those of the survivors, and fewer answers made less work for the target.
const MANY: f64 = 0.1;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    document.streams.iter().filter_map(of_stream).collect()
}

fn of_stream(stream: &Stream) -> Option<Statement> {
    if stream.scheduled == 0 {
        let message = format!("no request of `{}` was due in the measured phase", stream.name);
        let advice = "raise its rate or lengthen `load.duration`";
        return Some(Statement::new("nothing-scheduled", Severity::Suspect, message, advice).about(&stream.name));
    }
    let not_ok = stream.failed + stream.timed_out;
    let share = not_ok as f64 / stream.scheduled as f64;
    let (code, severity) = match share {
        _ if stream.ok == 0 && not_ok > 0 => ("nothing-succeeded", Severity::Suspect),
        MANY.. => ("requests-failed", Severity::Suspect),
        WORTH_A_WORD.. => ("requests-failed", Severity::Note),
        _ => return None,
    };
    let timed_out = ("timed_out".to_owned(), stream.timed_out);
    let kinds = stream.errors.clone().into_iter().chain([timed_out]);
    let (worst, count) = kinds.max_by_key(|(_, count)| *count).unwrap_or_default();
    let reason = stream.failures.iter().find(|failures| failures.status == worst).and_then(|failures| failures.sample.clone());
    let said = reason.map(|reason| format!(", \"{reason}\"")).unwrap_or_default();
    let message = format!(
        "{not_ok} of {} requests of `{}` failed or timed out ({}), most of them with {worst} ({count}{said})",
        stream.scheduled,
        stream.name,
        percent(share)
    );
    let advice = if worst == "timed_out" {
        "see what the target was busy with, lower the rate, or allow more `timeout`; percentiles hold the time these requests had waited"
    } else {
        "see the target's log for the cause; response percentiles are of the requests that were ok, failures have their own under `failures`"
    };
    let statement = Statement::new(code, severity, message, advice).about(&stream.name);
    Some(statement.figure("failed", stream.failed).figure("timed_out", stream.timed_out).figure("share", share))
}
