//! A sweep for people.

use std::io::{self, Write};

use crate::experiment::sweep::{Cost, MetricChange, Sweep, ValueOutcome};
use crate::scenario::Metric;
use crate::units::Nanos;

use super::layout::{INDENT, Paint, labelled, percent, rate, table};
use super::{Look, figure};

/// Writes each metric over all values, what they cost and bring, and the recommendation.
pub fn write_sweep(out: &mut dyn Write, sweep: &Sweep, look: Look<'_>) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    writeln!(out, "{}", paint.bold(&format!("{} over {} rounds", sweep.picture.x_label, sweep.rounds)))?;
    for line in &sweep.picture.lines {
        writeln!(out)?;
        let confidence = format!("{:.0} % interval", sweep.confidence * 100.0);
        let mut rows = vec![[line.metric.as_str(), "", "change", &confidence].map(str::to_owned).to_vec()];
        for value in &sweep.values {
            if let (Ok(metric), Some(change)) = (line.metric.parse::<Metric>(), value.metrics.get(&line.metric)) {
                rows.push(row(value, &metric, change, rows.len() == 1));
            }
        }
        out.write_all(table(&rows, 0).as_bytes())?;
    }
    writeln!(out)?;
    out.write_all(table(&costs(sweep), 0).as_bytes())?;
    if sweep.values.iter().any(|value| !value.benefit.is_empty()) {
        writeln!(out)?;
        out.write_all(table(&benefits(sweep), 0).as_bytes())?;
    }
    writeln!(out)?;
    out.write_all(labelled("method", &sweep.method).as_bytes())?;
    for (at, note) in sweep.notes.iter().enumerate() {
        out.write_all(labelled(if at == 0 { "notes" } else { "" }, note).as_bytes())?;
    }
    for value in &sweep.values {
        for why in &value.distrust {
            let text = format!("{} is not to be trusted: {why}", value.label);
            out.write_all(labelled(&paint.bad("invalid"), &text).as_bytes())?;
        }
    }
    let recommended = sweep.recommended.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    out.write_all(labelled("recommended", &format!("{recommended}: {}", sweep.reason)).as_bytes())?;
    if let Some(directory) = look.directory {
        writeln!(out, "{:<INDENT$}{}", "files", directory.display())?;
    }
    Ok(())
}

fn row(value: &ValueOutcome, metric: &Metric, change: &MetricChange, first: bool) -> Vec<String> {
    let bound = if change.at_least { "≥ " } else { "" };
    let shown = change.value.or(change.value_ns.map(|ns| ns as f64)).unwrap_or(0.0);
    let mut row = vec![format!("  {}", value.label), format!("{bound}{}", figure::value(metric, shown))];
    if !first {
        row.push(figure::change(1.0 + change.change));
        row.push(match (change.low, change.high) {
            (Some(low), Some(high)) => figure::interval(1.0 + low, 1.0 + high),
            _ => "not yet".to_owned(),
        });
    }
    row
}

/// What each value costs, beside its figures; columns that nothing was seen of are left out.
fn costs(sweep: &Sweep) -> Vec<Vec<String>> {
    type Column = (&'static str, fn(&Cost) -> Option<String>);
    fn apart(cost: &Cost, sampled: bool) -> Option<String> {
        let stream = cost.streams.first()?;
        let times = if sampled { stream.service_sampled } else { stream.service_unsampled }?;
        Some(format!("{}, {}", Nanos(times.p50_ns as u64).human(), Nanos(times.p99_ns as u64).human()))
    }
    let columns: [Column; 8] = [
        ("rate", |cost| cost.streams.first().map(|stream| rate(stream.rate_per_s))),
        ("CPU a request", |cost| cost.client_cpu_ns_per_request.map(|ns| Nanos(ns as u64).human())),
        ("unsampled p50, p99", |cost| apart(cost, false)),
        ("sampled p50, p99", |cost| apart(cost, true)),
        ("client spans", |cost| cost.client_spans_per_s.map(rate)),
        ("client bytes", |cost| cost.client_bytes_per_s.map(bytes_per_s)),
        ("server spans", |cost| cost.server_spans_per_s.map(rate)),
        ("server bytes", |cost| cost.server_bytes_per_s.map(bytes_per_s)),
    ];
    let seen: Vec<Column> = columns.into_iter().filter(|(_, of)| sweep.values.iter().any(|value| of(&value.cost).is_some())).collect();
    let head = std::iter::once("cost").chain(seen.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    let row = |value: &ValueOutcome| {
        let cells = seen.iter().map(|(_, of)| of(&value.cost).unwrap_or_else(|| "-".to_owned()));
        std::iter::once(format!("  {}", value.label)).chain(cells).collect()
    };
    std::iter::once(head).chain(sweep.values.iter().map(row)).collect()
}

fn bytes_per_s(per_s: f64) -> String {
    format!("{}/s", crate::units::ByteSize(per_s.round() as u64).human())
}

/// The chances of the first stream, one column for each percentile and time.
fn benefits(sweep: &Sweep) -> Vec<Vec<String>> {
    let first = sweep.values.iter().find_map(|value| value.benefit.first()).map(|benefit| benefit.stream.clone()).unwrap_or_default();
    let of = |value: &ValueOutcome| value.benefit.iter().filter(|benefit| benefit.stream == first).cloned().collect::<Vec<_>>();
    let mut head = vec![format!("chance, {first}")];
    let columns = sweep.values.iter().map(of).find(|benefits| !benefits.is_empty()).unwrap_or_default();
    head.extend(columns.iter().map(|benefit| format!("{} x{} in {}", benefit.beyond, benefit.wanted, Nanos(benefit.within_ns))));
    let row = |value: &ValueOutcome| {
        let chances = of(value).into_iter().map(|benefit| percent(benefit.chance));
        std::iter::once(format!("  {}", value.label)).chain(chances).collect()
    };
    std::iter::once(head).chain(sweep.values.iter().map(row)).collect()
}
