//! Files of the run directory that lack something.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let lost = &document.output.lost;
    if lost.is_empty() {
        return Vec::new();
    }
    let message = format!("not everything could be written: {}", lost.join("; "));
    let advice = "free space on the disk or choose another place (`--out`); the figures in `run.json` are whole";
    vec![Statement::new("output-incomplete", Severity::Note, message, advice).figure("lost", lost.clone())]
}
