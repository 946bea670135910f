//! A sampler that did not keep the share it was asked for.

use crate::result::model::{RunDocument, Severity};
use crate::stats::interval::binomial_counts;

use super::Statement;
use super::statement::percent;

/// One sound run in a million is outside.
const CONFIDENCE: f64 = 0.999_999;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let trace = &document.trace;
    // What a burst or a caller forced was never left to the ratio.
    let by_chance = trace.decided.saturating_sub(trace.sampled_by.burst + trace.sampled_by.forced);
    let (low, high) = binomial_counts(by_chance, trace.sample_fraction, CONFIDENCE);
    let kept = trace.sampled_by.ratio;
    if (low..=high).contains(&kept) {
        return Vec::new();
    }
    let message =
        format!("{kept} of {by_chance} requests were sampled where a fraction of {} keeps {low} to {high}", percent(trace.sample_fraction));
    let advice =
        "weigh traced requests by the share that was kept, and report this with the run directory: the sampler or its ids are at fault";
    let statement = Statement::new("sampling-off", Severity::Note, message, advice);
    vec![statement.figure("sampled", kept).figure("low", low).figure("high", high)]
}
