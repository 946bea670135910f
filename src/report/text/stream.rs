//! One stream's part of the summary.

use std::io::{self, Write};

use crate::result::model::{Exemplar, Latency, Loop, SlowRequest, Stream};
use crate::scenario::Percentile;
use crate::units::Nanos;

use super::layout::{INDENT, Paint, count, labelled, percent, plural, rate, table, time};

/// The slowest requests that are shown; `run.json` holds more.
const SLOWEST_SHOWN: usize = 5;
/// Traced requests that are shown besides, from the slowest range down.
const EXEMPLARS_SHOWN: usize = 3;
/// Lateness is told of a slow request where it is more than one part in so many.
const WORTH_A_WORD: u64 = 20;
/// A server's reason is cut after so many characters; `run.json` holds it whole.
const LONGEST_REASON: usize = 200;

pub(super) fn write(out: &mut dyn Write, stream: &Stream, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", headline(stream, paint))?;
    if stream.response.count > 0 {
        out.write_all(table(&figures(stream), 2).as_bytes())?;
    } else {
        writeln!(out, "  no request of it ended in the measured phase")?;
    }
    out.write_all(failures(stream).as_bytes())?;
    if let Some(recall) = &stream.recall {
        let interval = recall.interval.map(|[low, high]| format!(", 95 %: {low:.4} to {high:.4}")).unwrap_or_default();
        let text = format!("{:.4} at {}, over {}{interval}", recall.mean, recall.at, plural_queries(recall.queries));
        out.write_all(labelled("  recall", &text).as_bytes())?;
    }
    for (at, slow) in stream.slowest.iter().take(SLOWEST_SHOWN).enumerate() {
        writeln!(out, "{:<INDENT$}{}", if at == 0 { "  slowest" } else { "" }, slow_line(slow, stream.load_loop))?;
    }
    for (at, exemplar) in exemplars(stream).enumerate() {
        writeln!(out, "{:<INDENT$}{}", if at == 0 { "  traced" } else { "" }, exemplar_line(exemplar))?;
    }
    Ok(())
}

fn plural_queries(queries: u64) -> String {
    format!("{} {}", count(queries), if queries == 1 { "query" } else { "queries" })
}

fn headline(stream: &Stream, paint: Paint) -> String {
    let load = match stream.load_loop {
        Loop::Open => "open loop",
        Loop::Closed => "closed loop",
    };
    let asked = stream.asked_per_s.map(|asked| format!(" of {} asked", rate(asked))).unwrap_or_default();
    format!(
        "{}  {}, {load}: {}{asked}; {}, {} ok",
        paint.bold(&stream.name),
        stream.operation,
        rate(stream.achieved_per_s),
        plural(stream.scheduled, "request"),
        count(stream.ok)
    )
}

/// Response time first: it is what a user waits.
fn figures(stream: &Stream) -> Vec<Vec<String>> {
    let open = stream.load_loop == Loop::Open;
    let mut head = ["", "response", "95 % interval", "service", "95 % interval"].map(str::to_owned).to_vec();
    if open {
        head.push("lateness".to_owned());
    }
    let mut rows = vec![head];
    let named = Percentile::SUMMARY.map(|percentile| (percentile.to_string(), percentile.key()));
    for (name, key) in named.into_iter().chain(["max", "mean"].map(|name| (name.to_owned(), format!("{name}_ns")))) {
        let mut row = vec![name];
        for latency in [&stream.response, &stream.service] {
            row.push(figure(latency, &key));
            row.push(interval(latency, &key));
        }
        if open {
            row.push(time(stream.lateness.value_ns(&key)));
        }
        rows.push(row);
    }
    rows
}

fn figure(latency: &Latency, key: &str) -> String {
    let bound = if latency.is_at_least(key) { "≥ " } else { "" };
    format!("{bound}{}", time(latency.value_ns(key)))
}

fn interval(latency: &Latency, key: &str) -> String {
    match latency.interval(key) {
        Some((low, Some(high))) => format!("{} to {}", Nanos(low).human(), Nanos(high).human()),
        Some((low, None)) => format!("{} or more", Nanos(low).human()),
        None if latency.is_too_few(key) => "too few requests".to_owned(),
        None => String::new(),
    }
}

fn failures(stream: &Stream) -> String {
    let Some(share) = stream.error_fraction().filter(|share| *share > 0.0) else {
        return labelled("  errors", "none");
    };
    let by_status = stream.errors.iter().map(|(status, number)| (status.as_str(), *number));
    let rest = [("timed out", stream.timed_out), ("unfinished", stream.unfinished)];
    let parts: Vec<_> =
        by_status.chain(rest).filter(|(_, number)| *number > 0).map(|(name, number)| format!("{} {name}", count(number))).collect();
    let mut text = labelled("  errors", &format!("{}: {}", percent(share), parts.join(", ")));
    for failure in &stream.failures {
        let Some(sample) = failure.sample.as_deref().filter(|sample| !sample.is_empty()) else { continue };
        let sample: String = sample.chars().take(LONGEST_REASON).collect();
        text.push_str(&labelled("", &format!("{}: {sample}", failure.status)));
    }
    text
}

fn slow_line(slow: &SlowRequest, load: Loop) -> String {
    let late = match load {
        Loop::Open if slow.lateness_ns >= slow.response_ns / WORTH_A_WORD => {
            format!(" ({} of it before it was sent)", Nanos(slow.lateness_ns).human())
        }
        Loop::Open | Loop::Closed => String::new(),
    };
    let outcome = if slow.outcome == "ok" { String::new() } else { format!(", {}", slow.outcome) };
    let at = Nanos(slow.intended_ns).human();
    format!(
        "{:>8} #{} at {at}{late}{outcome}  {}",
        time(Some(slow.response_ns)),
        slow.sequence,
        page(slow.link.as_deref(), slow.trace_id.as_deref(), [(slow.client_only, "client's span only"), (slow.gone, NOT_IN_JAEGER)])
    )
    .trim_end()
    .to_owned()
}

/// Those of the slowest ranges, without the requests that stand among the slowest already.
fn exemplars(stream: &Stream) -> impl Iterator<Item = &Exemplar> {
    let shown = |exemplar: &&Exemplar| !stream.slowest.iter().take(SLOWEST_SHOWN).any(|slow| slow.sequence == exemplar.sequence);
    let mut slowest_first: Vec<_> = stream.exemplars.iter().filter(shown).collect();
    slowest_first.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.response_ns));
    slowest_first.into_iter().take(EXEMPLARS_SHOWN)
}

fn exemplar_line(exemplar: &Exemplar) -> String {
    let above = if exemplar.above == "min" { String::new() } else { format!(" above {}", exemplar.above) };
    let page = page(exemplar.link.as_deref(), Some(&exemplar.trace_id), [(false, ""), (exemplar.gone, NOT_IN_JAEGER)]);
    format!("{:>8} #{}{above}  {page}", time(Some(exemplar.response_ns)), exemplar.sequence)
}

const NOT_IN_JAEGER: &str = "not in Jaeger";

/// Where its trace is: the page, else the id, else nothing; and what is to be said about it.
fn page(link: Option<&str>, trace_id: Option<&str>, remarks: [(bool, &str); 2]) -> String {
    let page = match (link, trace_id) {
        (Some(link), _) => link.to_owned(),
        (None, Some(id)) => format!("trace {id}"),
        (None, None) => return String::new(),
    };
    let remarks: Vec<_> = remarks.into_iter().filter_map(|(applies, remark)| applies.then_some(remark)).collect();
    if remarks.is_empty() { page } else { format!("{page} ({})", remarks.join(", ")) }
}
