//! A collection that this run made and could not drop.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let Some(why) = &document.target.not_dropped else { return Vec::new() };
    let uri = &document.target.uri;
    let name = document.plan.pointer("/collection/name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let message = format!("collection `{name}`, which this run made, could not be dropped and is still at {uri}: {why}");
    let advice = format!(
        "drop it when the target is in reach again, in Python `MilvusClient(\"{uri}\").drop_collection(\"{name}\")`: it holds memory there, and \
         runs with this `collection.name` are refused until then; the figures in `run.json` are whole"
    );
    vec![Statement::new("collection-not-dropped", Severity::Note, message, advice).figure("collection", name)]
}
