//! A search for capacity for people: the answer, the latency curve, and what slow requests waited for on both sides of the edge.

use std::io::{self, Write};

use crate::experiment::capacity::{Capacity, Estimated, Point, ProbeRow, Purpose, Scaling, Verdict};

use super::Look;
use super::layout::{INDENT, Paint, labelled, labelled_all, rate, table, time};

/// Writes what a search for capacity found.
pub fn write_capacity(out: &mut dyn Write, found: &Capacity, look: Look<'_>) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    writeln!(out, "{}", paint.bold(&format!("{}: capacity of `{}`", found.scenario, found.stream)))?;
    for (at, slo) in found.slos.iter().enumerate() {
        writeln!(out, "{:<INDENT$}{slo}", if at == 0 { "slo" } else { "" })?;
    }
    writeln!(out)?;
    out.write_all(table(&curve(&found.probes), 0).as_bytes())?;
    let failures = found.probes.iter().filter(|row| row.passed != Some(true));
    for (at, row) in failures.enumerate() {
        let text = format!("at {}: {}", rate(row.rate_per_s), row.why);
        out.write_all(labelled(if at == 0 { "not passed" } else { "" }, &text).as_bytes())?;
    }
    writeln!(out)?;
    out.write_all(labelled("answer", &answer(found, paint)).as_bytes())?;
    if let Some(confirmed) = found.confirmed_per_s {
        out.write_all(labelled("confirmed", &format!("{} in a longer run", rate(confirmed))).as_bytes())?;
    }
    if let Some(failing) = found.first_failing_per_s {
        out.write_all(labelled("failing", &rate(failing)).as_bytes())?;
    }
    if !found.reason.is_empty() {
        out.write_all(labelled("reason", &found.reason).as_bytes())?;
    }
    if let Some(beside) = &found.explained {
        for (label, side) in [("below", &beside.passing), ("beyond", &beside.failing)] {
            out.write_all(labelled(label, &format!("at {}: {}", rate(side.rate_per_s), side.sentence)).as_bytes())?;
        }
    }
    trouble_and_files(out, &found.trouble, look)
}

fn answer(found: &Capacity, paint: Paint) -> String {
    let interval = match (found.low_per_s, found.high_per_s) {
        (Some(low), Some(high)) => format!(" ({:.0} % interval {} to {})", found.confidence * 100.0, rate(low), rate(high)),
        (None, Some(high)) => format!(" ({:.0} % interval up to {}, its lower end not known)", found.confidence * 100.0, rate(high)),
        _ => String::new(),
    };
    let known = found.rate_per_s.map(rate).unwrap_or_default();
    match found.verdict {
        Verdict::Found => format!("{}{interval}", paint.good(&known)),
        Verdict::AboveMax => format!("{} or more: the highest rate that was allowed still meets every SLO", paint.good(&known)),
        Verdict::BelowMin => paint.bad("none: the lowest rate does not meet the SLOs"),
        Verdict::NotJudged => match found.low_per_s {
            Some(low) => format!("{}; the SLOs are known to be met up to {}", paint.doubtful("not judged"), rate(low)),
            None => paint.doubtful("not judged"),
        },
    }
}

/// Every probe, by rate.
fn curve(probes: &[ProbeRow]) -> Vec<Vec<String>> {
    let mut rows = vec![["asked", "achieved", "p50", "p90", "p95", "p99", "p99.9", "for", ""].map(str::to_owned).to_vec()];
    let mut sorted: Vec<&ProbeRow> = probes.iter().collect();
    sorted.sort_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s));
    rows.extend(sorted.into_iter().map(|row| {
        let verdict = match row.passed {
            Some(true) if row.purpose == Purpose::Confirm => "confirmed",
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not judged",
        };
        let response = &row.response;
        let times = [response.p50_ns, response.p90_ns, response.p95_ns, response.p99_ns, response.p99_9_ns].map(time);
        let mut cells = vec![rate(row.rate_per_s), rate(row.achieved_per_s)];
        cells.extend(times);
        cells.extend([format!("{:.0} s", row.length_ns as f64 / 1e9), verdict.to_owned()]);
        cells
    }));
    rows
}

/// A label, a figure of the law, and how it prints.
type Shown<'a> = (&'a str, &'a Option<Estimated>, &'a dyn Fn(f64) -> String);

/// Writes how throughput scales with workers.
pub fn write_scaling(out: &mut dyn Write, found: &Scaling, look: Look<'_>) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    writeln!(out, "{}", paint.bold(&format!("{}: how `{}` scales", found.scenario, found.stream)))?;
    writeln!(out)?;
    let mut rows = vec![["workers", "throughput", "p50", "p99", ""].map(str::to_owned).to_vec()];
    let mut sorted: Vec<&Point> = found.points.iter().collect();
    sorted.sort_by_key(|point| point.workers);
    for point in sorted {
        let (p50, p99) = (time(point.response.p50_ns), time(point.response.p99_ns));
        let counts = if point.why.is_empty() { "" } else { "does not count" };
        rows.push(vec![point.workers.to_string(), rate(point.achieved_per_s), p50, p99, counts.to_owned()]);
    }
    out.write_all(table(&rows, 0).as_bytes())?;
    writeln!(out)?;
    let lines: [Shown<'_>; 5] = [
        ("one worker", &found.lambda_per_s, &rate),
        ("contention", &found.sigma, &|value| format!("{value:.4}")),
        ("coherency", &found.kappa, &|value| format!("{value:.6}")),
        ("peak at", &found.peak_workers, &|value| format!("{value:.0} workers")),
        ("peak", &found.peak_per_s, &rate),
    ];
    for (label, figure, shown) in lines {
        if let Some(figure) = figure {
            let end = |end: Option<f64>| end.map_or_else(|| "no end".to_owned(), shown);
            let interval = format!("({:.0} % interval {} to {})", found.confidence * 100.0, end(figure.low), end(figure.high));
            out.write_all(labelled(label, &format!("{} {interval}", shown(figure.value))).as_bytes())?;
        }
    }
    out.write_all(labelled("reason", &found.reason).as_bytes())?;
    trouble_and_files(out, &found.trouble, look)
}

fn trouble_and_files(out: &mut dyn Write, trouble: &[String], look: Look<'_>) -> io::Result<()> {
    out.write_all(labelled_all("trouble", trouble).as_bytes())?;
    if let Some(directory) = look.directory {
        writeln!(out, "{:<INDENT$}{}", "files", directory.display())?;
    }
    Ok(())
}
