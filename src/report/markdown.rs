//! A comparison as Markdown: for the summary of a CI job, or a comment on a change.

use std::io::{self, Write};

use crate::experiment::compare::{Compared, Comparison, Method, Side, Verdict};

use super::text::Cells;

/// Writes a heading with the verdict, a table of metrics, and what is to be known about them.
pub fn write_markdown(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "### {} tailtrace: {}\n", mark(comparison.verdict), comparison.verdict.as_str())?;
    writeln!(out, "{}\n", escaped(&capital(&comparison.reason)))?;
    let confidence = comparison.confidence * 100.0;
    writeln!(out, "| metric | baseline | candidate | change | {confidence:.0} % interval | allowed | verdict |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")?;
    for metric in &comparison.metrics {
        writeln!(out, "{}", row(metric, comparison.method))?;
    }
    writeln!(out)?;
    let side = |side: &Side| match side.runs.len() {
        1 => format!("{} (1 run)", escaped(&side.label)),
        runs => format!("{} ({runs} runs)", escaped(&side.label)),
    };
    writeln!(out, "Baseline: {}. Candidate: {}.", side(&comparison.base), side(&comparison.candidate))?;
    writeln!(out, "Method: {}; the intervals of all metrics hold together.", comparison.method.about())?;
    for note in &comparison.notes {
        writeln!(out, "\n> {}", escaped(note))?;
    }
    Ok(())
}

fn row(metric: &Compared, method: Method) -> String {
    let Cells { base, candidate, change, interval, allowed } = Cells::of(metric);
    let more = metric.more_rounds.map(|more| format!(", about {more} more {}", method.unit(more))).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::compare::Figures;

    #[test]
    fn a_row_counts_what_more_it_would_take_in_what_was_compared() {
        let metric = |more_rounds| Compared {
            metric: "readers.response.p99".parse().unwrap(),
            verdict: Verdict::Undecided,
            ratio: 1.0,
            low: 0.9,
            high: 1.1,
            rounds: 4,
            tolerance: 0.05,
            base: 1e6,
            candidate: 1e6,
            at_least: false,
            more_rounds,
            bound_of: None,
            figures: Figures::default(),
        };
        for (method, more, end) in [
            (Method::Rounds, Some(1), "undecided, about 1 more round |"),
            (Method::Rounds, Some(2), "undecided, about 2 more rounds |"),
            (Method::Runs, Some(1), "undecided, about 1 more run a side |"),
            (Method::Seconds, Some(2), "undecided, about 2 more runs a side |"),
            (Method::Rounds, None, "undecided |"),
        ] {
            let row = row(&metric(more), method);
            assert!(row.ends_with(end), "{row}");
        }
    }
}
