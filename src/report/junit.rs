//! A comparison as JUnit XML: one test a metric, so that a CI system lists what got worse.

use std::io::{self, Write};

use crate::experiment::compare::{Compared, Comparison, Verdict};

use super::text::Cells;

/// Writes one suite. A regression is a failed test; what is undecided is an error, for it passes nothing.
pub fn write_junit(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let of = |verdict| comparison.metrics.iter().filter(|metric| metric.verdict == verdict).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\"",
        comparison.metrics.len(),
        of(Verdict::Regression),
        of(Verdict::Undecided)
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites {counts}>")?;
    writeln!(out, "  <testsuite name=\"tailtrace compare\" {counts}>")?;
    for metric in &comparison.metrics {
        case(out, metric)?;
    }
    let said: Vec<String> = std::iter::once(comparison.reason.clone()).chain(comparison.notes.iter().cloned()).collect();
    writeln!(out, "    <system-out>{}</system-out>", escaped(&said.join("\n")))?;
    writeln!(out, "  </testsuite>")?;
    writeln!(out, "</testsuites>")
}

fn case(out: &mut dyn Write, metric: &Compared) -> io::Result<()> {
    let name = escaped(&metric.metric.to_string());
    let (tag, kind) = match metric.verdict {
        Verdict::Ok => return writeln!(out, "    <testcase classname=\"tailtrace.compare\" name=\"{name}\"/>"),
        Verdict::Regression => ("failure", "regression"),
        Verdict::Undecided => ("error", "undecided"),
    };
    let message = escaped(&sentence(metric));
    writeln!(out, "    <testcase classname=\"tailtrace.compare\" name=\"{name}\">")?;
    writeln!(out, "      <{tag} type=\"{kind}\" message=\"{message}\">{message}</{tag}>")?;
    writeln!(out, "    </testcase>")
}

/// One metric's comparison in one sentence.
pub(super) fn sentence(metric: &Compared) -> String {
    let Cells { base, candidate, change, interval, allowed } = Cells::of(metric);
    format!("{}: {base} to {candidate}, {change} ({interval}), where {allowed} is allowed", metric.metric)
}

/// Text for XML: what it reserves is written as entities, and control characters, which it has no way to hold, are left out.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '"' => plain.push_str("&quot;"),
            '\'' => plain.push_str("&apos;"),
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}
