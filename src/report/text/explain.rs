//! An explanation for people: the sentence first, then the table that it rests on.

use std::io::{self, Write};

use crate::tail::{Explained, Explanation, Oddities, Row, Verdict};
use crate::units::Nanos;

use super::layout::{INDENT, Paint, count, labelled, labelled_all, plural, table, time};
use super::waterfall::{WaterfallLook, write_waterfall};

/// How an explanation looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExplainLook {
    /// With ANSI colours: for a terminal whose owner has not said no.
    pub colours: bool,
    /// Only what fits at the end of a run: the sentence and the largest rows.
    pub short: bool,
}

/// Rows that are shown; the others are added up. `--json` has all.
const ROWS: usize = 10;
/// At the end of a run.
const ROWS_SHORT: usize = 5;
/// Rows whose share of the excess is smaller, on both sides of 0, are added up too.
const WORTH_A_ROW: f64 = 0.005;

/// Writes it, stream by stream.
pub fn write_explanation(out: &mut dyn Write, explanation: &Explanation, look: ExplainLook) -> io::Result<()> {
    write_explained(out, &explanation.streams.iter().collect::<Vec<_>>(), look)
}

/// Writes these streams' parts of an explanation.
pub(super) fn write_explained(out: &mut dyn Write, streams: &[&Explained], look: ExplainLook) -> io::Result<()> {
    for (at, explained) in streams.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        write_one(out, explained, look)?;
    }
    Ok(())
}

fn write_one(out: &mut dyn Write, explained: &Explained, look: ExplainLook) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    writeln!(out, "{}  {}", paint.bold(&explained.name), heading(explained))?;
    out.write_all(labelled("  why slow", &explained.sentence).as_bytes())?;
    if let Some(advice) = &explained.advice {
        out.write_all(labelled("  try", advice).as_bytes())?;
    }
    if let Some(what_if) = explained.what_if_sentence() {
        out.write_all(labelled("  what if", &what_if).as_bytes())?;
    }
    // Without a traced slow request the rows are of typical ones alone; of a tail that is none the end of a run has nothing to show.
    if explained.tail.traced > 0 && (!look.short || !matches!(explained.verdict, Verdict::None | Verdict::TooFew)) {
        out.write_all(table(&rows(explained, if look.short { ROWS_SHORT } else { ROWS }), 2).as_bytes())?;
    }
    out.write_all(labelled_all("  note", &explained.notes).as_bytes())?;
    if look.short {
        return Ok(());
    }
    if let Some(odd) = oddities(explained.oddities) {
        out.write_all(labelled("  mended", &odd).as_bytes())?;
    }
    if let Some(slowest) = &explained.waterfalls.slowest {
        writeln!(out)?;
        write_waterfall(out, slowest, explained.waterfalls.typical.as_ref(), WaterfallLook::default())?;
        writeln!(out, "{:<INDENT$}slowest {}", "  traces", slowest.trace_id)?;
        if let Some(typical) = &explained.waterfalls.typical {
            writeln!(out, "{:<INDENT$}typical {}", "", typical.trace_id)?;
        }
    }
    Ok(())
}

/// `search, 12 of 60 requests above 42.3 ms traced, against 301 typical ones`.
fn heading(explained: &Explained) -> String {
    let (tail, typical) = (&explained.tail, &explained.typical);
    let above = tail.above_ns.map(|ns| format!(" above {}", Nanos(ns).human())).unwrap_or_default();
    let range = match (typical.from_ns, typical.to_ns) {
        (Some(from), Some(to)) => format!(" of {} to {}", Nanos(from).human(), Nanos(to).human()),
        _ => String::new(),
    };
    format!(
        "{}: {} of {}{above} traced, against {} typical ones{range}",
        explained.operation,
        count(tail.traced),
        plural(tail.requests, "request"),
        count(typical.traced)
    )
}

fn rows(explained: &Explained, most: usize) -> Vec<Vec<String>> {
    let mut lines = vec![["where", "slow", "typical", "excess", "share", "95 % interval", "traces"].map(str::to_owned).to_vec()];
    let worth = |row: &&Row| row.share.is_none_or(|share| share.abs() >= WORTH_A_ROW);
    let shown: Vec<&Row> = explained.rows.iter().filter(worth).take(most).collect();
    lines.extend(shown.iter().map(|row| line(row)));
    let rest: Vec<&Row> = explained.rows.iter().filter(|row| !shown.iter().any(|shown| shown.place == row.place)).collect();
    let sum = |of: &[&Row]| {
        of.iter().fold((0, 0, 0.0), |(slow, typical, share), row| {
            (slow + row.tail_self_ns, typical + row.typical_self_ns, share + row.share.unwrap_or_default())
        })
    };
    let total = |name: String, (slow, typical, share): (u64, u64, f64)| {
        let shared = explained.rows.iter().any(|row| row.share.is_some());
        vec![
            name,
            time(Some(slow)),
            time(Some(typical)),
            signed(slow.cast_signed() - typical.cast_signed()),
            if shared { percent(share) } else { "-".to_owned() },
        ]
    };
    if !rest.is_empty() {
        lines.push(total(plural(rest.len() as u64, "other place"), sum(&rest)));
    }
    lines.push(total("response time".to_owned(), sum(&explained.rows.iter().collect::<Vec<_>>())));
    lines
}

fn line(row: &Row) -> Vec<String> {
    let interval = match (row.share_low, row.share_high) {
        (Some(low), Some(high)) => format!("{} to {}", percent(low), percent(high)),
        _ => "-".to_owned(),
    };
    vec![
        format!("{} {}", row.place.service, row.place.span),
        time(Some(row.tail_self_ns)),
        time(Some(row.typical_self_ns)),
        signed(row.excess_ns),
        row.share.map_or_else(|| "-".to_owned(), percent),
        interval,
        count(row.traces),
    ]
}

fn percent(share: f64) -> String {
    // Plus nothing: −0 prints as 0.
    format!("{:.0} %", (share * 100.0).round() + 0.0)
}

fn signed(ns: i64) -> String {
    let size = Nanos(ns.unsigned_abs()).human();
    if ns < 0 { format!("-{size}") } else { size }
}

/// What was odd about the traces; `None` where nothing was.
fn oddities(odd: Oddities) -> Option<String> {
    let kinds = [
        (odd.several_roots, "further root"),
        (odd.missing_parents, "span without its parent"),
        (odd.early_children, "span that began before its parent"),
        (odd.late_children, "span that ended after its parent"),
        (odd.asynchronous, "span that nobody waited for"),
        (odd.skewed, "subtree stamped by another clock"),
        (odd.misplaced, "span beside the one that ran it"),
        (odd.repeated, "span that came twice"),
    ];
    let parts: Vec<String> =
        kinds.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} × {what}", count(*number))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
