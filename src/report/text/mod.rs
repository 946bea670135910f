//! The summary of a run for people: what was asked and achieved, response time first, then how far it can be trusted.

mod capacity;
mod compare;
mod doctor;
mod explain;
mod figure;
mod layout;
mod replay;
mod stream;
mod sweep;
mod waterfall;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use crate::result::WallTime;
use crate::result::model::{Caught, Finding, Gate, Generator, Phase, PhaseName, RunDocument, Severity, Trace, Trust};
use crate::units::{ByteSize, Fraction, Nanos};

pub use capacity::{write_capacity, write_scaling};
pub use compare::write_compare;
pub use doctor::{write_diagnosis, write_link};
pub use explain::{ExplainLook, write_explanation};
pub(super) use figure::Cells;
use layout::{INDENT, Paint, WIDTH, count, labelled, percent, plural, time, wrap};
pub use replay::write_replay;
pub use sweep::write_sweep;
pub use waterfall::{WaterfallLook, write_waterfall};

/// How the summary looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// With ANSI colours: for a terminal whose owner has not said no.
    pub colours: bool,
    /// Where the run's files are, to be told at the end.
    pub directory: Option<&'a Path>,
}

/// Writes the summary.
pub fn write_text(out: &mut dyn Write, run: &RunDocument, look: Look<'_>) -> io::Result<()> {
    let paint = Paint { on: look.colours };
    out.write_all(heading(run, paint).as_bytes())?;
    for stream in &run.streams {
        writeln!(out)?;
        stream::write(out, stream, paint)?;
    }
    writeln!(out)?;
    out.write_all(traces(run).as_bytes())?;
    out.write_all(generator(&run.generator, run).as_bytes())?;
    for (at, gate) in run.gates.iter().enumerate() {
        let label = if at == 0 { "gates" } else { "" };
        writeln!(out, "{label:<INDENT$}{}", gate_line(gate, paint))?;
    }
    out.write_all(findings(run.findings.iter(), paint).as_bytes())?;
    for lost in &run.output.lost {
        out.write_all(labelled("not written", lost).as_bytes())?;
    }
    writeln!(out, "{:<INDENT$}{}", "trust", trust_line(run, paint))?;
    if let Some(directory) = look.directory {
        writeln!(out, "{:<INDENT$}{}", "files", directory.display())?;
    }
    Ok(())
}

fn heading(run: &RunDocument, paint: Paint) -> String {
    let mut text = format!("{:<INDENT$}{}\n", paint_label(run, paint), [run.id.as_str(), &to_the_second(run.started)].join("  "));
    let version = run.target.version.as_deref().map(|version| format!(", {version}")).unwrap_or_default();
    let place = if run.target.in_process { ", in this process" } else { "" };
    text.push_str(&labelled("target", &format!("{}{version}{place}", run.target.uri)));
    let length = |name| run.phases.iter().find(|phase: &&Phase| phase.name == name).and_then(|phase| phase.length_ns);
    if let Some(measured) = length(PhaseName::Measure) {
        let warm_up =
            length(PhaseName::WarmUp).filter(|ns| *ns > 0).map(|ns| format!(" after {} of warm-up", Nanos(ns).human())).unwrap_or_default();
        text.push_str(&labelled("measured", &format!("{}{warm_up}, seed {}", Nanos(measured).human(), run.seed)));
    }
    if run.partial {
        let what = "the run did not end as planned; what follows is what had been written by then";
        text.push_str(&labelled("partial", what));
    }
    text
}

fn to_the_second(time: WallTime) -> String {
    WallTime::from_unix_ns(time.unix_ns() - time.unix_ns() % 1_000_000_000).to_string()
}

/// The scenario's name takes the label's place; a longer one takes more of the line.
fn paint_label(run: &RunDocument, paint: Paint) -> String {
    let name = if run.scenario.is_empty() { "run" } else { &run.scenario };
    paint.bold(&format!("{name:<width$}", width = if name.chars().count() < INDENT { INDENT } else { name.chars().count() + 2 }))
}

fn traces(run: &RunDocument) -> String {
    let trace = &run.trace;
    if trace.sample_fraction == 0.0 && trace.sampled == 0 {
        return labelled("traces", "none: `trace.sample_fraction` is 0");
    }
    let fraction = Fraction::new(trace.sample_fraction).unwrap_or_default().percent();
    let why = counted(&[("in bursts", trace.sampled_by.burst), ("forced", trace.sampled_by.forced)]);
    let lost = counted(&[("dropped", trace.dropped), ("failed", trace.failed)]);
    let to = trace.endpoint.as_deref().map(|endpoint| format!(" to {endpoint}")).unwrap_or_default();
    let text = format!(
        "{} of {} sampled at {fraction}{why}; {} of {} exported{to}{lost}",
        count(trace.sampled),
        plural(trace.decided, "request"),
        count(trace.exported),
        plural(trace.ended, "span")
    );
    let mut lines = labelled("traces", &text);
    lines.push_str(&outliers(trace));
    if let Some(forward) = &trace.forward {
        let lost = counted(&[("dropped", forward.dropped), ("failed", forward.failed)]);
        let text = format!("{} of {} to {}{lost}", count(forward.forwarded), plural(forward.taken, "span"), forward.endpoint);
        lines.push_str(&labelled("forwarded", &text));
    }
    if let Some(evidence) = &trace.evidence {
        let missing = counted(&[("not there", evidence.missing)]);
        let early = if evidence.why.is_some() { ", ended early" } else { "" };
        let kept = format!("{} of {} from {}", count(evidence.kept), plural(evidence.asked, "trace"), evidence.jaeger);
        let text = format!("{kept}, {} with spans of the server{missing}{early}", count(evidence.with_server_spans));
        lines.push_str(&labelled("kept", &text));
    }
    lines
}

/// What was caught of the slow ones, and what it cost; nothing where there were none.
fn outliers(trace: &Trace) -> String {
    let Some(outliers) = trace.outliers.as_ref().filter(|outliers| outliers.seen > 0) else { return String::new() };
    let above: Vec<String> = match &outliers.streams[..] {
        [only] => vec![Nanos(only.above_ns).human()],
        streams => streams.iter().map(|stream| format!("{} ({})", Nanos(stream.above_ns).human(), stream.name)).collect(),
    };
    let caught = |caught: &Caught| {
        let joined = caught.with_server_spans.map(|joined| format!(" ({} with spans of the server)", count(joined)));
        format!("{} caught {}{}", plural(caught.spans, "span"), count(caught.sampled), joined.unwrap_or_default())
    };
    let mut text = format!("{} over {}: {}", plural(outliers.seen, "request"), above.join(", "), caught(&outliers.caught));
    if trace.sampled_by.burst + trace.sampled_by.forced > 0 {
        let _ = write!(text, "; the ratio alone: {}", caught(&outliers.ratio));
    }
    if let Some(spans) = trace.client_only {
        let _ = write!(text, "; {} of the client alone for the slowest others", plural(spans.exported, "span"));
    }
    labelled("outliers", &text)
}

/// `, 3 dropped, 1 failed`; nothing for what is zero.
fn counted(counts: &[(&str, u64)]) -> String {
    let mut text = String::new();
    for (name, number) in counts.iter().filter(|(_, number)| *number > 0) {
        let _ = write!(text, ", {} {name}", count(*number));
    }
    text
}

fn generator(generator: &Generator, run: &RunDocument) -> String {
    let mut facts = Vec::new();
    if !generator.lanes.is_empty() {
        let busiest = generator.lanes.iter().map(|lane| lane.cpu_share).fold(0.0, f64::max);
        let most = if generator.lanes.len() > 1 { "at most " } else { "" };
        facts.push(format!("{} at {most}{:.0} % CPU", plural(generator.lanes.len() as u64, "lane"), busiest * 100.0));
    }
    if let Some(late) = run.streams.iter().filter(|stream| stream.asked_per_s.is_some()).filter_map(|stream| stream.lateness.p99_ns).max() {
        facts.push(format!("lateness p99 {}", Nanos(late).human()));
    }
    if let Some(error) = generator.lanes.iter().filter_map(|lane| lane.timer_error.p99_ns).max() {
        facts.push(format!("timer error p99 {}", Nanos(error).human()));
    }
    if let Some(floor) = &generator.floor {
        let of_series = if floor.of_series { " (the series')" } else { "" };
        facts.push(format!("floor p50 {}, p99 {}{of_series}", Nanos(floor.p50_ns).human(), Nanos(floor.p99_ns).human()));
    }
    if let Some(cpu) = generator.cpu_ns_per_request {
        let shared = if run.target.in_process { " (the practice target's included)" } else { "" };
        facts.push(format!("{} CPU a request{shared}", Nanos(cpu).human()));
    }
    if let Some(peak) = generator.peak_rss_bytes {
        facts.push(format!("peak memory {}", ByteSize(peak).human()));
    }
    if facts.is_empty() { String::new() } else { labelled("generator", &facts.join("; ")) }
}

fn gate_line(gate: &Gate, paint: Paint) -> String {
    let verdict = if gate.passed { paint.good("passed") } else { paint.bad("FAILED") };
    let bound = if gate.at_least { "≥ " } else { "" };
    // The last word of a metric's name says what its value is.
    let value = match (gate.value_ns, gate.value, gate.metric.rsplit('.').next()) {
        (Some(ns), _, _) => time(Some(ns)),
        (None, Some(value), Some("errors")) => percent(value),
        (None, Some(value), Some("rate")) => layout::rate(value),
        (None, Some(value), _) => format!("{value:.4}"),
        (None, None, _) => "no value".to_owned(),
    };
    format!("{verdict}  {} {}: {bound}{value}", gate.metric, gate.limit)
}

fn findings<'a>(findings: impl Iterator<Item = &'a Finding>, paint: Paint) -> String {
    let lines = |(at, finding)| finding_lines(if at == 0 { "findings" } else { "" }, finding, paint);
    findings.enumerate().map(lines).collect()
}

fn finding_lines(label: &str, finding: &Finding, paint: Paint) -> String {
    let severity = finding.severity.to_string();
    let painted = match finding.severity {
        Severity::Note => severity.clone(),
        Severity::Suspect => paint.doubtful(&severity),
        Severity::Invalid => paint.bad(&severity),
    };
    // Nine columns for the severity, so that messages and advice stand under each other.
    let gap = " ".repeat(9 - severity.len().min(8));
    let mut text = String::new();
    let lines = wrap(&finding.message, WIDTH - INDENT - 9).into_iter().chain(wrap(&finding.advice, WIDTH - INDENT - 9));
    for (at, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        if at == 0 {
            let _ = writeln!(text, "{label:<INDENT$}{painted}{gap}{line}");
        } else {
            let _ = writeln!(text, "{:<INDENT$}{:9}{line}", "", "");
        }
    }
    text
}

fn trust_line(run: &RunDocument, paint: Paint) -> String {
    match run.trust {
        Trust::Valid => paint.good("valid"),
        Trust::Suspect => format!("{}: read the findings before the figures", paint.doubtful("suspect")),
        Trust::Invalid if run.partial => format!("{}: the run did not end as planned; read the findings", paint.bad("invalid")),
        Trust::Invalid => format!("{}: these figures are not about the target", paint.bad("invalid")),
    }
}

#[cfg(test)]
mod tests;
