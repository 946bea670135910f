//! Searches that were fast because they found little.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

/// An index that misses more than a fifth of the neighbours is rarely what was meant.
const LOW: f64 = 0.8;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let low = document.streams.iter().filter_map(|stream| {
        let recall = stream.recall.filter(|recall| recall.queries > 0 && recall.mean < LOW)?;
        let message = format!("`{}` found {:.3} of the true nearest {} only ({} queries)", stream.name, recall.mean, recall.at, recall.queries);
        let advice = "compare its latency only with others of like recall; raise the index's or the search's effort (`efConstruction`, `ef`, `nprobe`), \
                      and see that the metric is the collection's";
        let statement = Statement::new("low-recall", Severity::Note, message, advice).about(&stream.name);
        Some(statement.figure("recall", recall.mean).figure("queries", recall.queries))
    });
    low.collect()
}
