//! Spans that did not reach the collector.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let trace = &document.trace;
    let mut found = Vec::new();
    if trace.dropped > 0 {
        let message = format!("{} of {} spans found the queue to the exporter full and were dropped", trace.dropped, trace.ended);
        let advice =
            "lower `trace.sample_fraction`, or give the collector more room: latencies are not touched, some slow requests have no trace";
        let statement = Statement::new("spans-dropped", Severity::Note, message, advice);
        found.push(statement.figure("dropped", trace.dropped).figure("ended", trace.ended));
    }
    if trace.failed > 0 {
        let to = trace.endpoint.as_deref().map(|endpoint| format!(" {endpoint}")).unwrap_or_default();
        let why = trace.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let message = format!("{} of {} spans could not be delivered to the collector{to}{why}", trace.failed, trace.ended);
        let advice = "see that the collector is up and takes OTLP over gRPC (port 4317 as a rule); `tailtrace doctor` with the same scenario \
                      tries every step of the way";
        let statement = Statement::new("spans-failed", Severity::Note, message, advice);
        found.push(statement.figure("failed", trace.failed).figure("ended", trace.ended));
    }
    if let Some(spans) = trace.client_only.filter(|spans| spans.failed > 0) {
        let message = format!("{} of {} outliers' spans, made after the run, could not be delivered", spans.failed, spans.made);
        let advice = "see that the collector was still up when the run was over; the outliers stand in `requests.jsonl` all the same";
        let statement = Statement::new("outlier-spans-failed", Severity::Note, message, advice);
        found.push(statement.figure("failed", spans.failed).figure("made", spans.made));
    }
    if let Some(forward) = trace.forward.as_ref().filter(|forward| forward.dropped + forward.failed > 0) {
        let (lost, why) = (forward.dropped + forward.failed, forward.why.as_deref());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let message = format!("{lost} of {} spans were not forwarded to {}{why}", forward.taken, forward.endpoint);
        let advice =
            "see that the endpoint is up and takes OTLP over gRPC (port 4317 as a rule); `spans.jsonl` holds the spans all the same";
        let statement = Statement::new("spans-not-forwarded", Severity::Note, message, advice);
        found.push(statement.figure("dropped", forward.dropped).figure("failed", forward.failed));
    }
    found
}
