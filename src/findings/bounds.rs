//! Percentiles that are lower bounds only.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let bounded = document.streams.iter().filter(|stream| !stream.response.at_least.is_empty()).map(|stream| {
        let keys: Vec<String> = stream.response.at_least.iter().map(|key| name(key)).collect();
        let message = format!(
            "`{}`: {} {} at least so much: {} of {} requests were not waited for to their end",
            stream.name,
            keys.join(", "),
            if keys.len() == 1 { "is" } else { "are" },
            stream.response.censored,
            stream.response.count
        );
        let advice = "a longer `timeout` and `load.drain` would show the true values; gates on these figures fail";
        let statement = Statement::new("lower-bounds", Severity::Note, message, advice).about(&stream.name);
        statement.figure("censored", stream.response.censored).figure("at_least", stream.response.at_least.clone())
    });
    bounded.collect()
}

/// `p99_9_ns` as people write it: `p99.9`.
fn name(key: &str) -> String {
    key.strip_suffix("_ns").unwrap_or(key).replace('_', ".")
}
