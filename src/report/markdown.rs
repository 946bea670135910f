//! A comparison as Markdown: for the summary of a CI job, or a comment on a change.

use std::io::{self, Write};

use crate::experiment::compare::{Compared, Comparison, Verdict};

use super::text::Cells;

/// Writes a heading with the verdict, a table of metrics, and what is to be known about them.
pub fn write_markdown(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "### {} tailtrace: {}\n", mark(comparison.verdict), comparison.verdict.as_str())?;
    writeln!(out, "{}\n", escaped(&capital(&comparison.reason)))?;
    let confidence = comparison.confidence * 100.0;
    writeln!(out, "| metric | baseline | candidate | change | {confidence:.0} % interval | allowed | verdict |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")?;
    for metric in &comparison.metrics {
        writeln!(out, "{}", row(metric))?;
    }
    writeln!(out)?;
    let side = |side: &crate::experiment::compare::Side| format!("{} ({} runs)", escaped(&side.label), side.runs.len());
    writeln!(out, "Baseline: {}. Candidate: {}.", side(&comparison.base), side(&comparison.candidate))?;
    writeln!(out, "Method: {}; the intervals of all metrics hold together.", comparison.method.about())?;
    for note in &comparison.notes {
        writeln!(out, "\n> {}", escaped(note))?;
    }
    Ok(())
}

fn row(metric: &Compared) -> String {
    let Cells { base, candidate, change, interval, allowed } = Cells::of(metric);
    let more = metric.more_rounds.map(|more| format!(", about {more} more rounds")).unwrap_or_default();
    let (mark, verdict) = (mark(metric.verdict), metric.verdict.as_str());
    format!("| `{}` | {base} | {candidate} | {change} | {interval} | {allowed} | {mark} {verdict}{more} |", metric.metric)
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "✅",
        Verdict::Undecided => "❔",
        Verdict::Regression => "❌",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(".".chars()).collect()).unwrap_or_default()
}

/// A server's words, or a path's, form no table, link or tag.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '*' | '_' | '`' | '\\' | '#' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}
