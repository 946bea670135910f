//! The verdicts of a replay for people: a sentence, a line a request, and what those that were slow again waited for.

use std::io::{self, Write};

use crate::experiment::{Beside, ReplayDocument, Replayed, ReplayedStream, TypicalFrom, Verdict};
use crate::result::model::{Finding, RunDocument, Severity, Trust};
use crate::tail::{self, Explained};
use crate::units::Nanos;

use super::explain::{ExplainLook, write_explained};
use super::layout::{INDENT, Paint, count, labelled, labelled_all, plural, table, time};
use super::{findings, trust_line};

/// Writes the verdicts; `run` is that of the repeats.
pub fn write_replay(out: &mut dyn Write, replay: &ReplayDocument, run: &RunDocument, colours: bool) -> io::Result<()> {
    let paint = Paint { on: colours };
    writeln!(out, "{:<INDENT$}{}", "replay", paint.bold(&sentence(replay)))?;
    out.write_all(labelled("of", &format!("{} ({})", replay.of, replay.of_directory)).as_bytes())?;
    let load = match replay.load {
        Beside::Same => "under the run's load",
        Beside::None => "alone, one at a time",
    };
    let sent = format!("{}, in a random order (seed {}), {load}", repeats(replay), replay.seed);
    out.write_all(labelled("sent", &sent).as_bytes())?;
    for stream in &replay.streams {
        let from = match stream.typical_from {
            TypicalFrom::Sampled => "",
            TypicalFrom::Drawn => " (too few typical ones were sampled: they are any requests of the stream not known as slow)",
        };
        let now = stream.typical_median_ns.map_or_else(|| "no answer".to_owned(), |ns| Nanos(ns).human());
        let text = format!("{}: median {} in the run, {now} now{from}", stream.stream, Nanos(stream.median_ns).human());
        out.write_all(labelled("typical", &text).as_bytes())?;
    }
    for left_out in &replay.left_out {
        let text =
            format!("{}: {} requests write, and writing once more is another thing than writing once", left_out.stream, left_out.operation);
        out.write_all(labelled("left out", &text).as_bytes())?;
    }
    writeln!(out)?;
    out.write_all(requests(replay).as_bytes())?;
    writeln!(out)?;
    out.write_all(labelled("method", &method(replay)).as_bytes())?;
    if let Some(text) = undecided(replay) {
        out.write_all(labelled("undecided", &text).as_bytes())?;
    }
    if replay.partial {
        out.write_all(labelled("partial", "the replay was stopped; what had not been sent by then is missing").as_bytes())?;
    }
    out.write_all(findings(run.findings.iter().filter(|finding| matters(finding)), paint).as_bytes())?;
    writeln!(out, "{:<INDENT$}{}", "trust", trust_line(run, paint))?;
    writeln!(out, "{:<INDENT$}{}", "files", replay.run_directory)?;
    out.write_all(labelled_all("trouble", &replay.trouble).as_bytes())?;
    let changed: Vec<String> = replay.streams.iter().filter_map(changed).collect();
    out.write_all(labelled_all("changed", &changed).as_bytes())?;
    let again: Vec<String> = replay.streams.iter().filter_map(|stream| slow_again(stream, replay, run)).collect();
    out.write_all(labelled_all("slow again", &again).as_bytes())?;
    let explained: Vec<&Explained> = replay.streams.iter().filter_map(|stream| stream.explained.as_ref()).collect();
    if !explained.is_empty() {
        writeln!(out)?;
        write_explained(out, &explained, ExplainLook { colours, short: true })?;
        writeln!(out)?;
    }
    let tells = |stream: &&ReplayedStream| can_tell(stream, replay, run);
    for (stream, above) in replay.streams.iter().filter(tells).filter_map(|stream| Some((stream, stream.explain_above()?))) {
        let command = format!("tailtrace explain {} --stream {} --above {above}", replay.run_directory, stream.replayed_as);
        out.write_all(labelled("next", &command).as_bytes())?;
    }
    Ok(())
}

/// Whether a finding about the repeats' run says something of a replay: how far it can be trusted, and which spans are missing. That so few
/// requests have no p99.9 does not.
fn matters(finding: &Finding) -> bool {
    finding.severity > Severity::Note || finding.code.starts_with("spans-")
}

/// Whether `explain` has more to say of a stream's repeats than stands above: where they waited for something, or where their traces are
/// with a Jaeger.
fn can_tell(stream: &ReplayedStream, replay: &ReplayDocument, run: &RunDocument) -> bool {
    is_whole(replay)
        && stream.explained.as_ref().map_or(run.trace.exported > 0 && run.jaeger().is_some(), |explained| {
            matches!(explained.verdict, tail::Verdict::Single | tail::Verdict::Spread)
        })
}

/// How many of the slow requests' repeats were slow again: what is explained, or why nothing is.
fn slow_again(stream: &ReplayedStream, replay: &ReplayDocument, run: &RunDocument) -> Option<String> {
    let above = Nanos(stream.slow_above_ns?).human();
    let told = Some(stream.told).filter(|told| *told > 0)?;
    let again = if stream.slow_again == 0 { "none".to_owned() } else { count(stream.slow_again) };
    let by_circumstance = |request: &Replayed| request.stream != stream.stream || request.verdict == Verdict::ByCircumstance;
    // A setting that was changed may be what slowed them.
    let changed = run.tool.command.iter().any(|word| word.starts_with("--set"));
    let settled = is_whole(replay) && !changed && stream.typical_slower().is_none() && replay.requests.iter().all(by_circumstance);
    let beside = match &stream.explained {
        Some(explained) if matches!(explained.verdict, tail::Verdict::Single | tail::Verdict::Spread) => {
            ", which is explained below together with any typical ones' that did"
        }
        None if stream.slow_again == 0 && settled => ": nothing is there to explain, what slowed them was of that moment",
        _ => "",
    };
    let of = plural(told, "repeat");
    Some(format!("{again} of the {of} of slow requests of {} took longer than {above}{beside}", stream.stream))
}

/// Of a stream whose typical requests are much slower now than they were: what the verdicts say then.
fn changed(stream: &ReplayedStream) -> Option<String> {
    let (now, then) = (Nanos(stream.typical_slower()?).human(), Nanos(stream.median_ns).human());
    Some(format!(
        "typical requests of {} take {now} now and took {then} in the run, so that the target is not what it was: by circumstance means no \
         slower than they are now",
        stream.stream
    ))
}

/// Whether it went to its end, and can be trusted.
fn is_whole(replay: &ReplayDocument) -> bool {
    !replay.partial && replay.trust != Trust::Invalid
}

/// What decides more of them.
fn undecided(replay: &ReplayDocument) -> Option<String> {
    if replay.partial || replay.requests.iter().all(|request| request.verdict != Verdict::Undecided) {
        return None;
    }
    let slower = |stream: &&ReplayedStream| stream.typical_slower().is_some();
    Some(match (replay.streams.iter().find(slower), replay.load) {
        (Some(stream), Beside::Same) => {
            format!("typical requests of {} are slow now as well, which hides others: `--load none` sends them alone", stream.stream)
        }
        (Some(stream), Beside::None) => {
            format!("typical requests of {} are slow now as well, which hides others: see what has changed", stream.stream)
        }
        (None, _) => "their repeats are now slow and now not: more of them tell (`--times`)".to_owned(),
    })
}

/// `10 repeats of each`; of a replay that was stopped how many there are of them.
fn repeats(replay: &ReplayDocument) -> String {
    let all = replay.times as u64 * (replay.requests.len() + replay.typical.len()) as u64;
    let slow: u64 = replay.requests.iter().map(|request| request.repeats_ns.len() as u64 + request.failed).sum();
    let typical: u64 = replay.typical.iter().map(|request| request.repeats_ns.len() as u64).sum();
    if replay.partial {
        return format!(
            "{} of {} ended, {} of each were to be sent",
            count(slow + typical),
            plural(all, "repeat"),
            count(replay.times as u64)
        );
    }
    format!("{} of each", plural(replay.times as u64, "repeat"))
}

fn sentence(replay: &ReplayDocument) -> String {
    let of = |verdict| replay.requests.iter().filter(|request| request.verdict == verdict).count();
    let all = match replay.requests.len() {
        1 => "of the slowest request".to_owned(),
        many => format!("of the {many} slowest requests"),
    };
    let all = if replay.partial { format!("{all} as far as it came") } else { all };
    format!(
        "{all} {} slow by nature, {} by circumstance, {} undecided",
        of(Verdict::ByNature),
        of(Verdict::ByCircumstance),
        of(Verdict::Undecided)
    )
}

fn requests(replay: &ReplayDocument) -> String {
    let head = ["", "was", "again: median", "least", "most", "p nature", "p circumst.", "verdict"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(replay.requests.iter().map(row));
    table(&rows, 2)
}

fn row(request: &Replayed) -> Vec<String> {
    let verdict = match request.verdict {
        Verdict::ByNature => "by nature",
        Verdict::ByCircumstance => "by circumstance",
        Verdict::Undecided => "undecided",
    };
    let counts = [("timed out", request.timed_out), ("failed", request.failed), ("missing", request.missing)];
    let odd: Vec<String> = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!(", {count} {what}")).collect();
    vec![
        format!("{} #{}", request.stream, request.sequence),
        format!("{}{}", if request.original_at_least { "≥ " } else { "" }, Nanos(request.original_ns).human()),
        time(request.median_ns),
        time(request.repeats_ns.iter().min().copied()),
        time(request.repeats_ns.iter().max().copied()),
        chance(request.p_nature),
        chance(request.p_circumstance),
        format!("{verdict}{}", odd.concat()),
    ]
}

fn chance(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn method(replay: &ReplayDocument) -> String {
    let method = &replay.method;
    let exact = if method.exact { "exact" } else { "with the normal approximation where there are too many repeats for the exact one" };
    format!(
        "rank-sum test of each request's repeats against the typical ones' made slower by {:.0} % of its extra time, {exact}, adjusted by \
         Holm: among {} at most {:.0} % chance of one wrong verdict of either kind; a small p is what speaks for it: the chance of such \
         repeats were it not so",
        method.margin * 100.0,
        plural(replay.requests.len() as u64, "request"),
        method.alpha * 100.0
    )
}
