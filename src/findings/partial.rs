//! The run did not end as planned.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    if !document.partial {
        return Vec::new();
    }
    vec![Statement::new(
        "run-partial",
        Severity::Invalid,
        "the run was stopped before its measured phase was over".to_owned(),
        "what was measured is kept for reading; run it again to the end for figures to rely on",
    )]
}
