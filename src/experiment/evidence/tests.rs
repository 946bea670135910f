//! What is explained from the traces that were kept is what all traces would have said: two directories of one run that nobody made, one
//! with the trace of every sampled request, one with those that are worth keeping.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::choice::{self, Bounds, TAIL};
use crate::experiment::explain::{Question, explain_run};
use crate::result::model::{Phase, PhaseName, RunDocument, Stream};
use crate::result::requests::{Kept, Request};
use crate::result::{REQUESTS_FILE, RunDirectory, SPANS_FILE, WallTime};
use crate::stats::histogram::Histogram;
use crate::tail::traces::{Span, Trace, write_otlp_line};
use crate::tail::{Explained, Row};

const MS: u64 = 1_000_000;
/// One in 2 ms.
const REQUESTS: u64 = 150_000;
const SECONDS: u64 = REQUESTS * 2 / 1_000;
/// Of fast requests so many are sampled; of those that wait longest, which bursts catch, all.
const FRACTION: f64 = 0.1;
const UNIX_NS: u64 = 1_772_357_400_000_000_000;

/// One in a hundred waits 160 to 240 ms, nine in a hundred work 60 to 100 ms longer; all take 8 to 12 ms besides.
fn times(sequence: u64, random: &mut StdRng) -> [u64; 3] {
    let mut between = |from: u64, to: u64| random.random_range(from * MS..to * MS);
    let own = between(8, 12);
    match sequence % 100 {
        7 => [own, between(160, 240), 0],
        11..=19 => [own, 0, between(60, 100)],
        _ => [own, 0, 0],
    }
}

/// All that happened: the response times of all by second, and the sampled requests with their traces.
struct Happened {
    seconds: Vec<Histogram>,
    requests: Vec<Request>,
    traces: Vec<Trace>,
}

fn happened() -> Happened {
    let mut random = StdRng::seed_from_u64(3);
    let mut all = Happened { seconds: vec![Histogram::new(); SECONDS as usize + 1], requests: Vec::new(), traces: Vec::new() };
    for sequence in 0..REQUESTS {
        let [own, waiting, working] = times(sequence, &mut random);
        let (at, response) = (sequence * 2 * MS, own + waiting + working);
        all.seconds[((at + response) / 1_000_000_000) as usize].record(response);
        let inclusion = if waiting > 0 { 1.0 } else { FRACTION };
        if random.random::<f64>() >= inclusion {
            continue;
        }
        let id = format!("{:032x}", random.random::<u128>());
        let span = |nth: u8, service: &str, name: &str, from: u64, length: u64| Span {
            id: format!("{sequence:015x}{nth}"),
            parent: (nth > 0).then(|| format!("{sequence:015x}{}", nth.min(2) - 1)),
            service: service.to_owned(),
            name: name.to_owned(),
            start_ns: UNIX_NS + at + from,
            duration_ns: length,
            ..Span::default()
        };
        // The client's own is a millisecond, half of it on either side.
        let mut spans = vec![span(0, "tailtrace", "Search", 0, response), span(1, "standalone", "Proxy-Search", MS / 2, response - MS)];
        for (name, length) in [("Delegator-waitTSafe", waiting), ("SegCoreSearch", working)] {
            if length > 0 {
                spans.push(span(2, "standalone", name, MS, length));
            }
        }
        all.requests.push(Request {
            stream: "readers".to_owned(),
            sequence,
            measured: true,
            intended_ns: at,
            sent_ns: at,
            done_ns: at + response,
            outcome: "ok".to_owned(),
            trace_id: Some(id.clone()),
            span_id: Some(spans[0].id.clone()),
            sampled: true,
            why: None,
            inclusion_probability: inclusion,
            kept: vec![Kept::Sampled],
            keep_probability: 1.0,
            traced_keep_probability: 1.0,
            client_only: false,
        });
        all.traces.push(Trace { id, spans });
    }
    all
}

/// The run directory with these requests, and of the traces those whose places are `kept`.
fn written(place: &Path, all: &Happened, requests: &[Request], kept: impl Iterator<Item = usize>) -> PathBuf {
    let started = WallTime::from_unix_ns(UNIX_NS);
    let directory = RunDirectory::create(place, "made", started).unwrap();
    let mut document = RunDocument::begun(directory.id(), "made", started);
    let mut log = directory.interval_log(started).unwrap();
    for (second, times) in all.seconds.iter().enumerate() {
        log.append(Duration::from_secs(second as u64), Duration::from_secs(1), "readers", times, times).unwrap();
    }
    document.output.intervals = Some(log.finish().unwrap());
    document.streams.push(Stream { name: "readers".to_owned(), operation: "search".to_owned(), ..Stream::default() });
    document.phases.push(Phase { name: PhaseName::Measure, start: started, length_ns: Some(SECONDS * 1_000_000_000) });
    document.trace.sample_fraction = FRACTION;
    document.partial = false;
    directory.finish(&document).unwrap();
    let mut lines = String::new();
    for request in requests {
        writeln!(lines, "{}", serde_json::to_string(request).unwrap()).unwrap();
    }
    std::fs::write(directory.path().join(REQUESTS_FILE), lines).unwrap();
    let spans: String = kept.map(|at| write_otlp_line(&all.traces[at])).collect();
    std::fs::write(directory.path().join(SPANS_FILE), spans).unwrap();
    directory.path().to_owned()
}

fn explained(run: &Path, above: &str) -> Explained {
    let question = Question { above: above.parse().unwrap(), stream: None };
    explain_run(run, &question).unwrap().explanation.streams.remove(0)
}

fn row<'a>(explained: &'a Explained, span: &str) -> &'a Row {
    explained.rows.iter().find(|row| row.place.span == span).unwrap()
}

#[test]
fn a_bounded_number_of_traces_explains_what_all_of_them_explain_within_its_intervals() {
    let all = happened();
    let everything = tempfile::tempdir().unwrap();
    let everything = (written(everything.path(), &all, &all.requests, 0..all.traces.len()), everything);

    let mut times = Histogram::new();
    all.seconds.iter().for_each(|second| times.add(second));
    let at = |quantile| times.quantile_ns(quantile);
    let bounds = [Bounds { stream: "readers".to_owned(), typical_from: at(0.25), typical_to: at(0.75), tail_above: at(0.99) }];
    // The report shows the slowest, whose chance is another than that of the tail they come from.
    let mut slowest: Vec<&Request> = all.requests.iter().collect();
    slowest.sort_by_key(|request| std::cmp::Reverse(request.response_ns()));
    let shown: HashSet<String> = slowest[..100].iter().filter_map(|request| request.trace_id.clone()).collect();
    let strata = choice::strata(&all.requests, &bounds, &shown, 7);
    let order = choice::order(&strata);
    let mut asked = vec![0; strata.len()];
    for (stratum, _) in &order {
        asked[*stratum] += 1;
    }
    let mut requests = all.requests.clone();
    choice::set_chances(&mut requests, &strata, &asked);
    let bounded = tempfile::tempdir().unwrap();
    let bounded = (written(bounded.path(), &all, &requests, order.iter().map(|(_, at)| *at)), bounded);
    assert!(strata[1].members.len() > TAIL && order.len() * 5 < all.traces.len(), "there is something to leave out");

    // Beyond p99 all wait; beyond p90.5 nine of ten work instead, of whose traces one in 25 was asked for.
    for (above, span, least_saved) in [("p99", "Delegator-waitTSafe", 1.2), ("p90.5", "SegCoreSearch", 2.0)] {
        let (whole, part) = (explained(&everything.0, above), explained(&bounded.0, above));
        assert!(part.tail.traced as f64 * least_saved < whole.tail.traced as f64, "{above}: {:?} {:?}", part.tail, whole.tail);
        assert_eq!((part.tail.requests, part.tail.all_mean_ns), (whole.tail.requests, whole.tail.all_mean_ns), "all are known either way");
        for span in ["Delegator-waitTSafe", "SegCoreSearch", "Proxy-Search", "network and client"] {
            let Some(true_share) = whole.rows.iter().find(|row| row.place.span == span).and_then(|row| row.share) else { continue };
            let found = row(&part, span);
            let (low, high) = (found.share_low.unwrap(), found.share_high.unwrap());
            assert!((low..=high).contains(&true_share), "{above} {span}: {true_share} is not in {low} to {high}");
            assert!(high - low < 0.5, "{above} {span}: {low} to {high} says nothing");
        }
        assert_eq!(part.named.as_deref(), whole.named.as_deref(), "{} / {}", part.sentence, whole.sentence);
        assert_eq!(whole.rows[0].place.span, span, "{}", whole.sentence);
        assert_eq!((part.representativeness.len(), part.without_trace), (0, 0), "{:?}", part.notes);
    }
}
