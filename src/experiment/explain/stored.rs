//! From a run directory: which requests were traced, what they stand for, and what all requests took.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::result::model::PhaseName;
use crate::result::requests::Request;
use crate::result::{self, ReplayOf, StoredRun, hlog};
use crate::tail::jaeger::Jaeger;
use crate::tail::traces::{self, Trace};
use crate::tail::{
    AIM_TRACED, Above, ClientSpan, Explained, FEWEST_TRACED, GIVEN_UP_UNSEEN, NETWORK_AND_CLIENT, Part, Place, Places, Subject, Thresholds,
    Traced, Verdict, WAITING_IN_THE_GENERATOR, attribute,
};
use crate::trace::Why;
use crate::units::count;

use super::{Answer, ExplainError, Of, Question, Source, again, by_id, jaeger};

/// So many traces of slow requests are read at most, and so many of others, of each stream; of more a random subset, weighed for it. Enough
/// for shares to some tenths of a percent, and a bound for the memory.
const MOST_SLOW: usize = 20_000;
/// See [`MOST_SLOW`].
const MOST_OTHERS: usize = 10_000;
/// From a Jaeger over HTTP so many of each.
const MOST_FETCHED: usize = 2_000;

const FROM_SENDING: &str =
    "these are repeats of a replay: their times count from sending, for what one waits for its turn is the replay's doing";

pub(super) fn explain(path: &Path, question: &Question) -> Result<Answer, ExplainError> {
    if path.is_file() && path.file_name().is_none_or(|name| name != result::RUN_FILE) {
        return Err(ExplainError::NoRun { path: path.to_owned() });
    }
    let run = result::read(path)?;
    run.check_whole()?;
    let names: Vec<String> = run.document.streams.iter().map(|stream| stream.name.clone()).collect();
    if let Some(stream) = question.stream.as_ref().filter(|stream| !names.contains(stream)) {
        return Err(ExplainError::NoStream { stream: stream.clone(), known: names });
    }
    let way = Way::of(&run)?;
    let most = if matches!(way, Way::Jaeger(_)) { [MOST_FETCHED; 2] } else { [MOST_SLOW, MOST_OTHERS] };
    let mut requests = run.requests()?;
    let repeats = repeats(&requests);
    for repeat in requests.iter_mut().filter(|request| repeats.contains(&request.stream)) {
        repeat.intended_ns = repeat.sent_ns;
    }
    let mut chosen = Vec::new();
    let mut subjects = Vec::new();
    for stream in run.document.streams.iter().filter(|stream| question.stream.as_ref().is_none_or(|name| *name == stream.name)) {
        let subject = subject(&run, &stream.name, &stream.operation, repeats.contains(&stream.name));
        chosen.push(choose(&requests, &subject, question.above, most));
        subjects.push(subject);
    }
    let traces = way.traces(&run, &chosen)?;
    let slow_seconds = slow_seconds(&run, &subjects, &repeats, question.above)?;
    let found = by_id(&traces);
    let mut places = Places::default();
    let sources = subjects.into_iter().zip(&chosen).map(|(subject, chosen)| {
        let mut source = Source { subject, of: Vec::new() };
        source.subject.without_trace = missing(chosen, &found);
        for (request, weight) in chosen {
            take_apart(&mut source, &run, request, *weight, &found, &traces, &mut places);
        }
        source.leave_out_cut();
        charge_what_nobody_saw(&mut source.subject);
        source
    });
    let mut sources: Vec<Source> = sources.collect();
    for source in &mut sources {
        source.subject.slow_seconds = slow_seconds.get(&source.subject.name).cloned().unwrap_or_default();
    }
    let mut answer = Answer::of(sources, &traces, question.above);
    let of = run.replay_of();
    let partial = run.document.partial.then(|| "the run was broken off: requests that were under way then have no whole trace".to_owned());
    let distrust = run.document.distrust().map(|why| format!("the run's figures are not to be trusted: {why}"));
    for stream in &mut answer.explanation.streams {
        stream.notes.extend(partial.iter().chain(&distrust).cloned());
        if repeats.contains(&stream.name) {
            stream.notes.push(FROM_SENDING.to_owned());
            if !run.document.partial && of.as_ref().is_some_and(|of| of.none_was_slow_again(&stream.name)) {
                stream.notes.push(NONE_AGAIN.to_owned());
            }
        }
        match stream.verdict {
            Verdict::TooFew if !repeats.is_empty() => stream.advice = of.as_ref().and_then(|of| more_of_a_replay(of, &run, stream)),
            // The rows of several causes: that a machine is short of something is not the only one here.
            Verdict::Spread if repeats.contains(&stream.name) => stream.advice = Some(MANY_CAUSES.to_owned()),
            Verdict::TooFew if run.document.partial => {
                stream.advice =
                    stream.advice.take().map(|advice| format!("let the run go to its end; where it did not plan as much: {advice}"));
            }
            Verdict::Single if stream.named.is_some() && stream.named.as_deref() == put_there(&run) => {
                stream.advice = stream.advice.take().map(|advice| format!("practice.slow_span put this wait there; of a Milvus: {advice}"));
            }
            _ => {}
        }
    }
    Ok(answer)
}

const NONE_AGAIN: &str =
    "held against the typical ones' repeats none of the slow requests was slow again: what is slow here are typical ones'";
const MANY_CAUSES: &str = "these are repeats of several requests together, each with its cause: see first what those ask for that are slow by \
                           nature, where some are";

/// The span that the practice target makes slow because the plan says so.
fn put_there(run: &StoredRun) -> Option<&str> {
    run.document.plan.pointer("/practice/slow_span/name")?.as_str()
}

/// What gets enough traces of a stream of a replay's run. The streams beside the repeats are those of the run that was replayed.
fn more_of_a_replay(of: &ReplayOf, run: &StoredRun, stream: &Explained) -> Option<String> {
    if !of.repeats(&stream.name) {
        let sampled = run.document.trace.sample_fraction > 0.0;
        let explain = || {
            format!(
                "this stream ran beside the repeats: see the run that was replayed (`tailtrace explain {} --stream {}`)",
                of.directory, stream.name
            )
        };
        return if sampled { Some(explain()) } else { stream.advice.clone() };
    }
    if !run.document.partial && of.none_was_slow_again(&stream.name) {
        return Some(format!("see what slowed the requests then: `tailtrace explain {}`", of.directory));
    }
    let traced = stream.tail.traced;
    if let Some(slow) = of.slow_above(&stream.name).filter(|slow| traced == 0 && stream.tail.above_ns.is_none_or(|above| above > slow.0)) {
        return Some(format!("let the tail begin where a repeat was slow again: --above {slow}"));
    }
    let times = of.times.saturating_mul(AIM_TRACED).div_ceil(traced.max(1));
    (1..FEWEST_TRACED).contains(&traced).then(|| {
        let command = again::with_times(&run.document.tool.command, times);
        let command = command.unwrap_or_else(|| format!("tailtrace replay {} --times {times}", of.directory));
        format!("send each more often: `{command}` (it had --times {})", of.times)
    })
}

/// What is known of a stream without its traces. Of repeats all were meant to be sampled, whatever the run's ratio.
fn subject(run: &StoredRun, name: &str, operation: &str, repeats: bool) -> Subject {
    let measured = run.document.phases.iter().find(|phase| phase.name == PhaseName::Measure);
    let times = run.times.get(name).map(|times| if repeats { &times.service } else { &times.response });
    Subject {
        name: name.to_owned(),
        operation: operation.to_owned(),
        all: times.filter(|all| !all.is_empty()).cloned(),
        floor_spread_ns: run.document.generator.floor.map(|floor| floor.p99_ns.saturating_sub(floor.p50_ns)),
        length_ns: measured.and_then(|phase| phase.length_ns),
        repeats,
        sample_fraction: Some(if repeats { 1.0 } else { run.document.trace.sample_fraction }),
        ..Subject::default()
    }
}

/// The streams of which each sampled request was asked for by name: the repeats of a replay. Their times count from sending, as in its
/// verdicts: what one waits for its turn is the replay's doing.
fn repeats(requests: &[Request]) -> BTreeSet<String> {
    let forced = |request: &&Request| request.why.as_deref() == Some(Why::Forced.as_str());
    let (forced, others): (Vec<_>, Vec<_>) = requests.iter().filter(|request| request.sampled).partition(forced);
    let [forced, others] = [forced, others].map(|of| of.into_iter().map(|request| request.stream.clone()).collect::<BTreeSet<_>>());
    &forced - &others
}

/// Where the traces are.
enum Way {
    File,
    Jaeger(Jaeger),
}

impl Way {
    fn of(run: &StoredRun) -> Result<Self, ExplainError> {
        if run.spans_file().is_some_and(|file| std::fs::metadata(file).is_ok_and(|file| file.len() > 0)) {
            run.check_spans()?;
            return Ok(Self::File);
        }
        let none = |why: &str| ExplainError::NoTraces { path: run.path.clone(), why: why.to_owned() };
        if run.document.trace.sampled == 0 && !run.document.partial {
            return Err(none("no request was sampled; run with `trace.sample_fraction` above 0 (--set trace.sample_fraction=0.1)"));
        }
        let trace = &run.document.trace;
        if trace.ended > 0 && trace.exported == 0 {
            let to = trace.endpoint.as_deref().map(|endpoint| format!(" to {endpoint}")).unwrap_or_default();
            return Err(none(&format!(
                "not one of the {} spans of its sampled requests could be delivered{to}; `tailtrace doctor SCENARIO` says which link is broken",
                count(trace.ended)
            )));
        }
        if let Some(url) = run.document.jaeger() {
            return Ok(Self::Jaeger(Jaeger::new(url)?));
        }
        run.check_spans()?;
        Err(none("its spans went elsewhere; run with `trace.endpoint = \"built-in\"`, or name the Jaeger that has them in `trace.jaeger`"))
    }

    fn traces(&self, run: &StoredRun, chosen: &[Vec<(&Request, f64)>]) -> Result<Vec<Trace>, ExplainError> {
        let wanted: HashSet<&str> = chosen.iter().flatten().filter_map(|(request, _)| request.trace_id.as_deref()).collect();
        match (self, run.spans_file()) {
            (Self::Jaeger(from), _) => {
                let mut ids: Vec<&str> = wanted.into_iter().collect();
                ids.sort_unstable();
                jaeger::fetch(from, &ids)
            }
            (Self::File, Some(file)) => {
                let reading = traces::read_where(&file, |id| wanted.contains(id))?;
                run.check_spans_seen(reading.seen)?;
                Ok(reading.traces)
            }
            (Self::File, None) => Ok(Vec::new()),
        }
    }
}

/// The stream's traced requests with what they stand for: of the measured phase, that ended ok or were given up, as in the histogram.
fn choose<'a>(requests: &'a [Request], subject: &Subject, above: Above, most: [usize; 2]) -> Vec<(&'a Request, f64)> {
    let counts = |request: &&Request| {
        request.stream == subject.name
            && request.measured
            && request.trace_id.is_some()
            && matches!(request.outcome.as_str(), "ok" | "timed_out" | "unfinished")
    };
    let weighted = requests.iter().filter(counts).filter_map(|request| Some((request, request.weight()?)));
    let thresholds = subject.all.as_ref().map(|all| Thresholds::of_all(all, above));
    let (slow, others): (Vec<_>, Vec<_>) =
        weighted.partition(|(request, _)| thresholds.is_some_and(|thresholds| thresholds.is_tail(request.response_ns())));
    let [most_slow, most_others] = most;
    let mut chosen = thinned(slow, most_slow);
    chosen.extend(thinned(others, most_others));
    chosen
}

/// A random subset where there are too many traces. Trace ids are random: the first of their order are one. Groups of which a part was
/// asked for have few, however many requests they have.
fn thinned(mut requests: Vec<(&Request, f64)>, most: usize) -> Vec<(&Request, f64)> {
    let all = requests.len();
    if requests.iter().map(|(request, _)| request.traced_keep_probability).sum::<f64>() > most as f64 {
        requests.sort_by(|a, b| a.0.trace_id.cmp(&b.0.trace_id));
        requests.truncate(most);
        let stands_for = all as f64 / most as f64;
        for (_, weight) in &mut requests {
            *weight *= stands_for;
        }
    }
    requests
}

/// How many of these requests' traces are not there. Where a random subset of a group was asked for, it is not known which they were, but
/// the chances of the whole group add up to how many: the traces of the others are not missing, the weights stand for them.
fn missing(chosen: &[(&Request, f64)], found: &HashMap<&str, usize>) -> u64 {
    let is_there = |request: &Request| request.trace_id.as_deref().is_some_and(|id| found.contains_key(id)) && request.span_id.is_some();
    // Asked for and there, by chance; chances are not negative, so their bits stand in their order.
    let mut groups: BTreeMap<u64, (f64, u32)> = BTreeMap::new();
    for (request, _) in chosen {
        let (asked, there) = groups.entry(request.traced_keep_probability.to_bits()).or_default();
        *asked += request.traced_keep_probability;
        *there += u32::from(is_there(request));
    }
    groups.values().map(|(asked, there)| (asked - f64::from(*there)).round().max(0.0) as u64).sum()
}

/// One request's trace: its parts, and the time before it was sent.
fn take_apart(
    source: &mut Source,
    run: &StoredRun,
    request: &Request,
    weight: f64,
    found: &HashMap<&str, usize>,
    traces: &[Trace],
    places: &mut Places,
) {
    let trace = request.trace_id.as_deref().and_then(|id| found.get(id)).map(|at| (*at, &traces[*at]));
    let (Some((at, trace)), Some(client)) = (trace, request.span_id.as_deref()) else {
        return;
    };
    let Ok(attribution) = attribute(trace, ClientSpan::Id(client), places) else {
        // The server's spans without the client's: what the client waited beside them is not known.
        source.subject.oddities.cut += 1;
        return;
    };
    let service = trace.spans.iter().find(|span| span.id == client).map_or("tailtrace", |span| span.service.as_str());
    let mut parts = attribution.parts;
    complete(&mut parts, service, request, attribution.total_ns);
    source.subject.oddities += attribution.oddities;
    source.of.push(Of { trace: at, client: client.to_owned(), answered: request.outcome == "ok" });
    source.subject.traced.push(Traced {
        trace_id: trace.id.clone(),
        sequence: Some(request.sequence),
        at_ns: run.document.started.unix_ns() + request.intended_ns,
        response_ns: request.response_ns(),
        weight,
        why: request.why.clone(),
        joined: attribution.joined,
        parts,
    });
}

/// Makes the parts add up to the response time: with the time before the request was sent, and with the fraction of a microsecond that a
/// Jaeger does not keep.
fn complete(parts: &mut Vec<Part>, service: &str, request: &Request, total_ns: u64) {
    let own = |span: &str| own_place(service, span);
    // A line that somebody wrote by hand may say that it was sent after it was done.
    let late = request.sent_ns.saturating_sub(request.intended_ns).min(request.response_ns());
    if late > 0 {
        parts.push(Part { place: own(WAITING_IN_THE_GENERATOR), self_ns: late });
    }
    let service_ns = request.response_ns() - late;
    if service_ns > total_ns {
        let rest = service_ns - total_ns;
        match parts.iter_mut().find(|part| part.place.span == NETWORK_AND_CLIENT) {
            Some(part) => part.self_ns += rest,
            None => parts.push(Part { place: own(NETWORK_AND_CLIENT), self_ns: rest }),
        }
    } else if let Some(largest) =
        parts.iter_mut().filter(|part| part.place.span != WAITING_IN_THE_GENERATOR).max_by_key(|part| part.self_ns)
    {
        largest.self_ns = largest.self_ns.saturating_sub(total_ns - service_ns);
    }
}

/// A place of the client's own.
fn own_place(service: &str, span: &str) -> Arc<Place> {
    Arc::new(Place { service: service.to_owned(), span: span.to_owned(), path: span.to_owned() })
}

/// Where other traces hold spans of the server's, the time of a request without any that was given up is a place of its own: it is neither
/// the client span's own work nor known to be the network's.
fn charge_what_nobody_saw(subject: &mut Subject) {
    if !subject.traced.iter().any(|one| one.joined) {
        return;
    }
    for one in subject.traced.iter_mut().filter(|one| !one.joined) {
        let (mut parts, called): (Vec<Part>, Vec<Part>) =
            std::mem::take(&mut one.parts).into_iter().partition(|part| part.place.span == WAITING_IN_THE_GENERATOR);
        if let Some(first) = called.first() {
            let self_ns = called.iter().map(|part| part.self_ns).sum();
            parts.push(Part { place: own_place(&first.place.service, GIVEN_UP_UNSEEN), self_ns });
        }
        one.parts = parts;
    }
}

/// How many slow requests were over in each second of the log, by stream.
fn slow_seconds(
    run: &StoredRun,
    subjects: &[Subject],
    repeats: &BTreeSet<String>,
    above: Above,
) -> Result<BTreeMap<String, Vec<(u64, u64)>>, ExplainError> {
    let mut seconds: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    let zero = run.document.phases.iter().find(|phase| phase.name == PhaseName::Measure).map(|phase| phase.start.unix_ns());
    let (Some(log), Some(zero)) = (run.latency_file(), zero) else { return Ok(seconds) };
    let above: HashMap<&str, u64> = subjects
        .iter()
        .filter_map(|subject| Some((subject.name.as_str(), Thresholds::of_all(subject.all.as_ref()?, above).above_ns)))
        .collect();
    hlog::read(&log, |interval| {
        let kind = if repeats.contains(interval.stream) { hlog::Kind::Service } else { hlog::Kind::Response };
        if interval.kind == kind
            && let Some(above_ns) = above.get(interval.stream)
        {
            let start = zero + u64::try_from(interval.start.as_nanos()).unwrap_or_default();
            seconds.entry(interval.stream.to_owned()).or_default().push((start, interval.histogram.count_above(*above_ns)));
        }
    })?;
    Ok(seconds)
}

#[cfg(test)]
mod tests;
