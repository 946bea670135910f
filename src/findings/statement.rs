//! A finding in the making.

use std::collections::BTreeMap;

use crate::result::model::{Finding, Severity};
use crate::units::Nanos;

/// What a rule says: code, severity, sentence, next step, and the figures behind it.
#[derive(Debug)]
pub(super) struct Statement(Finding);

impl Statement {
    pub(super) fn new(code: &str, severity: Severity, message: String, advice: impl Into<String>) -> Self {
        let code = code.to_owned();
        Self(Finding { code, severity, message, advice: advice.into(), stream: None, figures: BTreeMap::new() })
    }

    /// Names the stream it is about.
    pub(super) fn about(mut self, stream: &str) -> Self {
        self.0.stream = Some(stream.to_owned());
        self
    }

    /// Adds a figure; its unit is in its key, as everywhere in the result.
    pub(super) fn figure(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.figures.insert(key.to_owned(), value.into());
        self
    }
}

impl From<Statement> for Finding {
    fn from(statement: Statement) -> Self {
        statement.0
    }
}

/// A time for a sentence.
pub(super) fn time(ns: u64) -> String {
    Nanos(ns).human()
}

/// A share for a sentence: `12.3 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
