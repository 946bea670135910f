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
        let message = format!("{} of {} spans could not be delivered to the collector{to}", trace.failed, trace.ended);
        let advice = "see that the collector is up and takes OTLP over gRPC (port 4317 as a rule), and that nothing between refuses it";
        let statement = Statement::new("spans-failed", Severity::Note, message, advice);
        found.push(statement.figure("failed", trace.failed).figure("ended", trace.ended));
    }
    found
}
