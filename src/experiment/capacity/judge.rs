//! From a probe's run to what the search is told of it. Reads the run as anybody can: its document and its interval log.

use crate::result::hlog::{self, Kind};
use crate::result::model::{RunDocument, Second, Stream};
use crate::result::{ResultError, StoredRun};
use crate::scenario::Time;
use crate::stats::crossing::Sample;
use crate::stats::growth::growth;

use super::probe::{Ask, Shown};
use super::slo::{Figure, Slo};

/// A target that does not answer at least this share of the requests does not keep up. An answer that says no is none, unless an SLO says
/// how many of those there may be: a queue that turns most requests away answers the others fast.
const ANSWERED: f64 = 0.99;

/// Response times that grow by more than this share of the time that passes: arrivals are over capacity by as much, whatever the
/// queue looks like inside.
const FALLS_BEHIND: f64 = 0.01;

/// What a probe of `stream` showed, with a sample for each SLO.
pub(super) fn judge(run: &StoredRun, stream: &str, ask: &Ask, slos: &[Slo]) -> Result<(Shown, Vec<Option<Sample>>), ResultError> {
    let document = &run.document;
    if let Some(why) = nothing_due(document.stream(stream), ask).or_else(|| generator_at_fault(document)) {
        return Ok((Shown::NotJudged { why }, vec![None; slos.len()]));
    }
    let samples = slos.iter().map(|slo| sample(run, ask.rate, &slo.figure)).collect::<Result<Vec<_>, _>>()?;
    Ok((shown(document, stream, slos), samples))
}

/// The finding by which the figures are not about the target.
pub(super) fn generator_at_fault(document: &RunDocument) -> Option<String> {
    document.distrust()
}

/// At a low rate a short probe may end before its first request: that is no silence of the target's.
fn nothing_due(stream: Option<&Stream>, ask: &Ask) -> Option<String> {
    let seconds = ask.seconds;
    stream
        .is_some_and(|stream| stream.scheduled == 0)
        .then(|| format!("no request was due in {seconds} s: lengthen load.duration or raise --from"))
}

fn shown(document: &RunDocument, stream: &str, slos: &[Slo]) -> Shown {
    let mut reasons = Vec::new();
    let mut estimated = true;
    for slo in slos {
        let gate = document.judge(&slo.gate);
        if !gate.passed {
            estimated &= slo.limit().is_some();
            let bound = if gate.at_least { "at least " } else { "" };
            let value = super::value(&gate).map_or_else(|| "without a value".to_owned(), |value| format!("{bound}{value}"));
            reasons.push(format!("{} was {value}, not {}", gate.metric, gate.limit));
        }
    }
    let found = document.stream(stream);
    let by_slo = slos.iter().any(|slo| matches!(slo.figure, Figure::Errors { .. }));
    let plain = found.into_iter().flat_map(|stream| [unanswered(stream, by_slo), backlog(stream, document)]).flatten();
    for reason in plain {
        estimated = false;
        reasons.push(reason);
    }
    if reasons.is_empty() {
        return Shown::Passed;
    }
    let answered = found.is_some_and(|stream| stream.ok > 0);
    Shown::Failed { why: reasons.join("; "), estimated: estimated && answered, answered }
}

/// `by_slo`: an SLO judges the failed ones.
fn unanswered(stream: &Stream, by_slo: bool) -> Option<String> {
    let answered = stream.ok + if by_slo { stream.failed } else { 0 };
    let share = answered as f64 / stream.scheduled.max(1) as f64;
    let failed = if by_slo || stream.failed == 0 { String::new() } else { format!(" ({} failed)", stream.failed) };
    (share < ANSWERED).then(|| format!("{:.1} % of the requests that were due had an answer when the drain ended{failed}", share * 100.0))
}

/// Response times that grow on and on mean a backlog that does.
fn backlog(stream: &Stream, document: &RunDocument) -> Option<String> {
    let seconds = measured_seconds(document);
    let mean = |second: &Second| second.mean_ns.map(|ns| ns as f64 / 1e9);
    let figures: Vec<f64> = stream.seconds.iter().filter(|second| second.second < seconds).filter_map(mean).collect();
    let found = growth(&figures, FALLS_BEHIND).filter(|growth| growth.growing)?;
    Some(format!("the backlog grew: response times by {:.0} ms each second", found.per_step * 1e3))
}

fn measured_seconds(document: &RunDocument) -> u64 {
    let measure = document.phases.iter().find(|phase| phase.name == crate::result::model::PhaseName::Measure);
    measure.and_then(|phase| phase.length_ns).map_or(u64::MAX, |ns| ns.div_ceil(1_000_000_000))
}

/// The figure's sums and counts, second by second.
fn sample(run: &StoredRun, rate: f64, figure: &Figure) -> Result<Option<Sample>, ResultError> {
    Ok(match figure {
        Figure::Beyond { stream, time, limit_ns, .. } => {
            let beyond = by_second(run, stream, *time, |histogram| histogram.count_above(*limit_ns) as f64)?;
            let half = by_second(run, stream, *time, |histogram| histogram.count_above(limit_ns / 2) as f64)?;
            Sample::of(rate, &with_censored(run, stream, *time, *limit_ns, beyond)).map(|sample| sample.with_frequent(&half))
        }
        Figure::Mean { stream, time, limit_ns } => {
            let sum = |histogram: &crate::stats::histogram::Histogram| histogram.mean_ns() as f64 / limit_ns * histogram.count() as f64;
            Sample::of(rate, &by_second(run, stream, *time, sum)?)
        }
        Figure::Errors { stream, .. } => {
            let of = |one: &&Stream| stream.as_ref().is_none_or(|name| one.name == *name);
            Sample::of(rate, &errors(run.document.streams.iter().filter(of)))
        }
        Figure::Plain => None,
    })
}

/// A sum over each second's histogram, and its count; what ended in the drain belongs to the last second.
fn by_second(
    run: &StoredRun,
    stream: &str,
    time: Time,
    sum: impl Fn(&crate::stats::histogram::Histogram) -> f64,
) -> Result<Vec<(f64, f64)>, ResultError> {
    let Some(path) = run.latency_file() else { return Ok(Vec::new()) };
    let kind = if time == Time::Service { Kind::Service } else { Kind::Response };
    let last = measured_seconds(&run.document).saturating_sub(1);
    let mut seconds: Vec<(f64, f64)> = Vec::new();
    hlog::read(&path, |interval| {
        if interval.stream == stream && interval.kind == kind {
            let second = interval.start.as_secs().min(last) as usize;
            if seconds.len() <= second {
                seconds.resize(second + 1, (0.0, 0.0));
            }
            seconds[second].0 += sum(interval.histogram);
            seconds[second].1 += interval.histogram.count() as f64;
        }
    })?;
    Ok(seconds)
}

/// Requests that were given up before the limit would have been slower than it: they stand in the log at the time they had waited.
fn with_censored(run: &StoredRun, stream: &str, time: Time, limit_ns: u64, mut seconds: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let Some(found) = run.document.stream(stream) else { return seconds };
    let latency = if time == Time::Service { &found.service } else { &found.response };
    let given_up_early = latency.censored > 0 && latency.max_ns.is_some_and(|most| most <= limit_ns);
    if let Some(last) = seconds.last_mut().filter(|_| given_up_early) {
        last.0 += latency.censored as f64;
    }
    seconds
}

/// Failed and ended requests of each second; those that were never answered belong to the last.
fn errors<'a>(streams: impl Iterator<Item = &'a Stream>) -> Vec<(f64, f64)> {
    let mut seconds: Vec<(f64, f64)> = Vec::new();
    let mut silent = 0.0;
    for stream in streams {
        for second in &stream.seconds {
            let at = second.second as usize;
            if seconds.len() <= at {
                seconds.resize(at + 1, (0.0, 0.0));
            }
            seconds[at].0 += second.failed as f64;
            seconds[at].1 += (second.ok + second.failed) as f64;
        }
        silent += (stream.timed_out + stream.unfinished) as f64;
    }
    match seconds.last_mut() {
        Some(last) => *last = (last.0 + silent, last.1 + silent),
        None if silent > 0.0 => seconds.push((silent, silent)),
        None => {}
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::capacity::probe::Purpose;
    use crate::findings;
    use crate::result::WallTime;
    use crate::result::hlog::Ending;
    use crate::result::model::Trust;

    /// A probe of two requests a minute in which so many were due, and this many of them were answered.
    fn judged(due: u64, ok: u64) -> Shown {
        let readers = Stream { name: "readers".to_owned(), scheduled: due, ok, unfinished: due - ok, ..Stream::default() };
        let begun = RunDocument::begun("", "", WallTime::default());
        let mut document = RunDocument { partial: false, trust: Trust::Valid, streams: vec![readers], ..begun };
        findings::judge(&mut document);
        let run = StoredRun { path: "nowhere".into(), document, times: std::collections::BTreeMap::new(), ending: Ending::Whole };
        let ask = Ask { rate: 1.0 / 30.0, seconds: 10.0, purpose: Purpose::Bracket };
        judge(&run, "readers", &ask, &[]).unwrap().0
    }

    #[test]
    fn a_probe_in_which_nothing_was_due_says_nothing_of_the_target() {
        let Shown::NotJudged { why } = judged(0, 0) else { panic!("{:?}", judged(0, 0)) };
        assert_eq!(why, "no request was due in 10 s: lengthen load.duration or raise --from");
        assert_eq!(judged(1, 1), Shown::Passed);
    }

    #[test]
    fn a_probe_of_which_nothing_came_back_asks_for_a_lower_rate() {
        assert!(matches!(judged(9, 0), Shown::Failed { answered: false, .. }), "{:?}", judged(9, 0));
    }
}
