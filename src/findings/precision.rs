//! Percentiles with too few samples behind them.

use crate::result::model::{RunDocument, Severity};
use crate::scenario::Percentile;

use super::Statement;

/// Percentiles that a report leads with. The p99.99 wants 37,000 independent requests, which few runs have: the table marks it, and
/// a finding in every run would be read in none.
const LEADING: [Percentile; 5] = [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99, Percentile::P99_9];

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let imprecise = document.streams.iter().filter_map(|stream| {
        // What hung requests leave open is the other rule's to say.
        let too_few = |p: &&Percentile| stream.response.is_too_few(&p.key()) && !stream.response.is_at_least(&p.key());
        let short: Vec<String> = LEADING.iter().filter(too_few).map(ToString::to_string).collect();
        if short.is_empty() {
            return None;
        }
        let worth = stream.response.effective_count.map(|worth| format!(" (worth {worth} independent ones)")).unwrap_or_default();
        let message = format!(
            "`{}`: {} requests{worth} are too few to say how far {} may be off",
            stream.name,
            stream.response.count,
            short.join(", ")
        );
        // Where even the median has no interval there is no lower one to rely on.
        let advice = if short.first().is_some_and(|lowest| *lowest == LEADING[0].to_string()) {
            "lengthen `load.duration`: how far a figure may be off shows in how it scatters over the run, and this one was too short for that"
        } else {
            "lengthen `load.duration`, or rely on lower percentiles; requests close in time meet the same queue and count as few"
        };
        let statement = Statement::new("too-few-samples", Severity::Note, message, advice).about(&stream.name);
        let statement = statement.figure("count", stream.response.count).figure("percentiles", short.join(", "));
        Some(statement.figure("effective_count", stream.response.effective_count))
    });
    imprecise.collect()
}
