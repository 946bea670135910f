//! A comparison for people.

use std::io::{self, Write};

use crate::experiment::compare::{Compared, Comparison, Verdict};

use super::Look;
use super::figure::Cells;
use super::layout::{INDENT, Paint, labelled, table};

/// Writes what was compared, each metric's change with its interval, and the verdict.
pub fn write_compare(out: &mut dyn Write, comparison: &Comparison, look: Look<'_>) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    let runs = |side: &crate::experiment::compare::Side| match side.runs.len() {
        1 => format!("{}  (1 run)", side.label),
        runs => format!("{}  ({runs} runs)", side.label),
    };
    out.write_all(labelled("baseline", &runs(&comparison.base)).as_bytes())?;
    out.write_all(labelled("candidate", &runs(&comparison.candidate)).as_bytes())?;
    writeln!(out)?;
    let confidence = format!("{:.0} % interval", comparison.confidence * 100.0);
    let mut rows = vec![["", "baseline", "candidate", "change", &confidence, "allowed"].map(str::to_owned).to_vec()];
    rows.extend(comparison.metrics.iter().map(row));
    let lines = table(&rows, 0);
    for (at, line) in lines.lines().enumerate() {
        match at.checked_sub(1).and_then(|at| comparison.metrics.get(at)) {
            Some(metric) => writeln!(out, "{line}  {}", verdict(metric, paint))?,
            None => writeln!(out, "{line}")?,
        }
    }
    writeln!(out)?;
    out.write_all(labelled("method", &format!("{}; the intervals of all metrics hold together", comparison.method.about())).as_bytes())?;
    for (at, note) in comparison.notes.iter().enumerate() {
        out.write_all(labelled(if at == 0 { "notes" } else { "" }, note).as_bytes())?;
    }
    let painted = paint_verdict(comparison.verdict, paint);
    writeln!(out, "{:<INDENT$}{painted}: {}", "verdict", comparison.reason)?;
    if let Some(directory) = look.directory {
        writeln!(out, "{:<INDENT$}{}", "files", directory.display())?;
    }
    Ok(())
}

fn row(metric: &Compared) -> Vec<String> {
    let Cells { base, candidate, change, interval, allowed } = Cells::of(metric);
    vec![metric.metric.to_string(), base, candidate, change, interval, allowed]
}

fn verdict(metric: &Compared, paint: Paint) -> String {
    let word = paint_verdict(metric.verdict, paint);
    match (metric.verdict, metric.more_rounds) {
        (Verdict::Undecided, Some(more)) => format!("{word}, about {more} more"),
        _ => word,
    }
}

fn paint_verdict(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Ok => paint.good(verdict.as_str()),
        Verdict::Undecided => paint.doubtful(verdict.as_str()),
        Verdict::Regression => paint.bad(verdict.as_str()),
    }
}
