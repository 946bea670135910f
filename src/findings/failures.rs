//! Requests that failed, streams of which nothing came, and runs in which nothing was due.

use crate::result::model::{Loop, RunDocument, Severity, Stream};

use super::Statement;
use super::statement::percent;

/// From this share on it is worth a word.
const WORTH_A_WORD: f64 = 0.01;

/// From this share on the percentiles are those of the survivors, and fewer answers made less work for the target.
const MANY: f64 = 0.1;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    // Of a run that was stopped that is no wonder.
    if document.measured_nothing() && !document.partial {
        return vec![nothing_measured(&document.streams)];
    }
    document.streams.iter().filter_map(|stream| of_stream(stream, document.partial)).collect()
}

/// Not one request of any stream was due: there are no figures.
fn nothing_measured(streams: &[Stream]) -> Statement {
    let (message, advice) = if streams.iter().any(|stream| stream.load_loop == Loop::Closed) {
        (
            "no worker sent a request in the measured phase: nothing was measured",
            "see that the target answers the warm-up at all and that there are no more lanes (`load.lanes`) than cores; else take fewer \
             `workers`, or lengthen `load.duration`",
        )
    } else {
        ("no request was due in the measured phase: nothing was measured", "raise the rate or lengthen `load.duration`")
    };
    Statement::new("nothing-measured", Severity::Invalid, message.to_owned(), advice)
}

fn of_stream(stream: &Stream, partial: bool) -> Option<Statement> {
    if stream.scheduled == 0 {
        if partial {
            return None;
        }
        let message = format!("no request of `{}` was due in the measured phase", stream.name);
        let advice = "raise its rate or lengthen `load.duration`";
        return Some(Statement::new("nothing-scheduled", Severity::Suspect, message, advice).about(&stream.name));
    }
    // Of a run that was stopped none may have had the time.
    if stream.ok == 0 && (stream.failed + stream.timed_out > 0 || !partial) {
        return Some(nothing_succeeded(stream));
    }
    let share = stream.failed as f64 / stream.scheduled as f64;
    let severity = match share {
        MANY.. => Severity::Suspect,
        WORTH_A_WORD.. => Severity::Note,
        _ => return None,
    };
    let message = format!(
        "{} of {} requests of `{}` failed ({}), {}",
        stream.failed,
        stream.scheduled,
        stream.name,
        percent(share),
        most_of_them(stream)
    );
    let advice = "see the target's log for the cause; response percentiles are of the requests that were ok, failures have their own under `failures`";
    let statement = Statement::new("requests-failed", severity, message, advice).about(&stream.name);
    Some(statement.figure("failed", stream.failed).figure("share", share))
}

fn nothing_succeeded(stream: &Stream) -> Statement {
    let (failed, timed_out, unfinished) = (stream.failed, stream.timed_out, stream.unfinished);
    let message = format!(
        "not one of {} requests of `{}` succeeded: {failed} failed, {timed_out} timed out and {unfinished} had no answer when the drain \
         ended, {}",
        stream.scheduled,
        stream.name,
        most_of_them(stream)
    );
    let advice = "see that the target answers at all, and its log for the cause; `tailtrace check` shows what is sent where";
    let statement = Statement::new("nothing-succeeded", Severity::Suspect, message, advice).about(&stream.name);
    statement.figure("failed", failed).figure("timed_out", timed_out)
}

/// `most of them with UNAVAILABLE (3, "gone")`.
fn most_of_them(stream: &Stream) -> String {
    let unanswered = [("timed_out".to_owned(), stream.timed_out), ("unfinished".to_owned(), stream.unfinished)];
    let kinds = stream.errors.clone().into_iter().chain(unanswered);
    let (worst, count) = kinds.max_by_key(|(_, count)| *count).unwrap_or_default();
    let reason = stream.failures.iter().find(|failures| failures.status == worst).and_then(|failures| failures.sample.clone());
    let said = reason.map(|reason| format!(", \"{reason}\"")).unwrap_or_default();
    format!("most of them with {worst} ({count}{said})")
}
