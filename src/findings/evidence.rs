//! Traces that a Jaeger no longer has, or did not give.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let Some(evidence) = &document.trace.evidence else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(why) = &evidence.why {
        let message = format!("traces were fetched from {} only in part ({} kept): {why}", evidence.jaeger, evidence.kept);
        let advice = "see that `trace.jaeger` is the URL of Jaeger's web page and that it is up; figures and latencies are not touched";
        found.push(Statement::new("traces-not-fetched", Severity::Note, message, advice).figure("kept", evidence.kept));
    }
    if evidence.missing > 0 {
        let message = format!("{} of {} traces that were asked for are not in {}", evidence.missing, evidence.asked, evidence.jaeger);
        let advice = "a Jaeger that keeps traces in memory forgets the oldest (`--memory.max-traces`): raise that, lower `trace.sample_fraction`, \
                      or send spans to the built-in collector, which forwards them (`trace.forward`)";
        let statement = Statement::new("traces-missing", Severity::Note, message, advice);
        found.push(statement.figure("missing", evidence.missing).figure("asked", evidence.asked));
    }
    found
}
