//! A comparison as annotations of a GitHub workflow: lines that the runner shows beside the change.

use std::io::{self, Write};

use crate::experiment::compare::{Comparison, Verdict};

use super::junit::sentence;

/// Writes one line for each metric that is not ok: an error for a regression, a warning for what is undecided.
///
/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
pub fn write_annotations(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    for metric in &comparison.metrics {
        let (command, title) = match metric.verdict {
            Verdict::Ok => continue,
            Verdict::Regression => ("error", "tailtrace: regression"),
            Verdict::Undecided => ("warning", "tailtrace: undecided"),
        };
        writeln!(out, "::{command} title={}::{}", property(title), data(&sentence(metric)))?;
    }
    Ok(())
}

/// What would end a command's message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end one of its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
