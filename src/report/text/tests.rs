use std::collections::BTreeMap;

use super::*;
use crate::result::model::{
    Caught, ClientOnly, Evidence, Exemplar, Failures, Finding, Floor, Forward, Lane, Latency, Loop, Outliers, OutliersOfStream, Recall,
    SampledBy, SlowRequest, Stream, Target, TimerError, Trace,
};
use crate::scenario::Percentile;

fn latency(millis: [u64; 6], count: u64) -> Latency {
    let mut latency = Latency { count, mean_ns: Some(2_310_000), min_ns: Some(900_000), max_ns: Some(61_000_000), ..Latency::default() };
    for (percentile, ms) in Percentile::SUMMARY.into_iter().zip(millis) {
        latency.set(percentile, ms * 1_000_000);
    }
    latency
}

fn readers() -> Stream {
    let mut response = latency([2, 4, 5, 9, 40, 60], 14_990);
    response.censored = 2;
    response.intervals =
        BTreeMap::from([("p50_ns".to_owned(), (1_980_000, Some(2_030_000))), ("p99_ns".to_owned(), (8_600_000, Some(9_410_000)))]);
    response.at_least = vec!["p99_99_ns".to_owned(), "max_ns".to_owned(), "mean_ns".to_owned()];
    response.too_few = vec!["p99_9_ns".to_owned(), "p99_99_ns".to_owned()];
    let slow = |sequence, response_ns, lateness_ns, traced: bool| SlowRequest {
        sequence,
        intended_ns: 12_300_000_000,
        response_ns,
        service_ns: response_ns - lateness_ns,
        lateness_ns,
        outcome: if traced { "ok" } else { "timed_out" }.to_owned(),
        trace_id: traced.then(|| "5b8efff798038103d269b633813fc60c".to_owned()),
        link: None,
        client_only: false,
        gone: traced,
    };
    Stream {
        name: "readers".to_owned(),
        operation: "search".to_owned(),
        load_loop: Loop::Open,
        asked_per_s: Some(500.0),
        achieved_per_s: 499.6,
        scheduled: 15_000,
        sent: 15_000,
        ok: 14_988,
        failed: 10,
        timed_out: 2,
        unfinished: 0,
        errors: BTreeMap::from([("UNAVAILABLE".to_owned(), 7), ("milvus:100".to_owned(), 3)]),
        response,
        service: latency([2, 4, 5, 8, 39, 59], 14_990),
        lateness: latency([0, 0, 0, 1, 1, 1], 15_000),
        recall: Some(Recall { at: 10, mean: 0.97, queries: 500, interval: Some([0.965, 0.975]) }),
        failures: vec![Failures {
            status: "milvus:100".to_owned(),
            count: 3,
            sample: Some("collection\nnot loaded".to_owned()),
            ..Failures::default()
        }],
        slowest: vec![slow(4_711, 61_000_000, 11_200_000, false), slow(17, 60_000_000, 1_200_000, true)],
        exemplars: vec![
            Exemplar { above: "p50".to_owned(), sequence: 3, response_ns: 2_100_000, trace_id: "0a".to_owned(), ..Exemplar::default() },
            Exemplar {
                above: "p99".to_owned(),
                sequence: 9,
                response_ns: 9_900_000,
                trace_id: "0b".to_owned(),
                link: Some("http://localhost:16686/trace/0b".to_owned()),
                ..Exemplar::default()
            },
            Exemplar {
                above: "p99.99".to_owned(),
                sequence: 17,
                response_ns: 60_000_000,
                trace_id: "0c".to_owned(),
                ..Exemplar::default()
            },
        ],
        ..Stream::default()
    }
}

fn outliers() -> Outliers {
    let stream = OutliersOfStream { name: "readers".to_owned(), above_ns: 40_000_000, seen: 15, ..OutliersOfStream::default() };
    Outliers {
        seen: 15,
        client_only: 12,
        caught: Caught { sampled: 3, with_server_spans: Some(2), spans: 192 },
        ratio: Caught { sampled: 2, with_server_spans: Some(1), spans: 180 },
        streams: vec![stream],
    }
}

fn document() -> RunDocument {
    let finding = Finding {
        code: "timed-out".to_owned(),
        severity: Severity::Suspect,
        message: "readers: 2 of 15,000 requests timed out, so that p99.99 is a lower bound only and what is beyond it is not known"
            .to_owned(),
        advice: "raise `timeout`, or lower the rate".to_owned(),
        stream: Some("readers".to_owned()),
        figures: BTreeMap::new(),
    };
    RunDocument {
        partial: false,
        trust: Trust::Suspect,
        findings: vec![finding],
        seed: 7,
        target: Target {
            uri: "practice".to_owned(),
            version: Some("tailtrace practice 0.1.0".to_owned()),
            in_process: true,
            not_dropped: None,
        },
        streams: vec![readers()],
        trace: Trace {
            sample_fraction: 0.01,
            decided: 17_500,
            sampled: 181,
            sampled_by: SampledBy { ratio: 180, burst: 0, forced: 1 },
            ended: 181,
            exported: 180,
            dropped: 1,
            endpoint: Some("http://localhost:4317".to_owned()),
            outliers: Some(outliers()),
            client_only: Some(ClientOnly { made: 12, exported: 11, failed: 1 }),
            forward: Some(Forward {
                endpoint: "http://jaeger:4317".to_owned(),
                taken: 400,
                forwarded: 398,
                failed: 2,
                ..Forward::default()
            }),
            evidence: Some(Evidence {
                jaeger: "http://localhost:16686".to_owned(),
                asked: 60,
                kept: 59,
                with_server_spans: 58,
                missing: 1,
                ..Evidence::default()
            }),
            ..Trace::default()
        },
        generator: Generator {
            lanes: vec![Lane {
                cpu_share: 0.123,
                wait_share: 0.0,
                timer_error: TimerError { p99_ns: Some(9_000), ..TimerError::default() },
                merged_intervals: 0,
            }],
            floor: Some(Floor { p50_ns: 110_000, p99_ns: 190_000, rate_per_s: 500.0, count: 500, of_series: false }),
            cpu_ns_per_request: Some(9_100),
            peak_rss_bytes: Some(42 << 20),
            clock_step_ns: 0,
        },
        gates: vec![
            Gate {
                metric: "readers.response.p99".to_owned(),
                limit: "< 20ms".to_owned(),
                value_ns: Some(9_000_000),
                passed: true,
                ..Gate::default()
            },
            Gate { metric: "errors".to_owned(), limit: "< 0.0005".to_owned(), value: Some(0.0008), ..Gate::default() },
        ],
        phases: [(PhaseName::WarmUp, 5), (PhaseName::Measure, 30)]
            .map(|(name, seconds)| Phase { name, start: WallTime::default(), length_ns: Some(seconds * 1_000_000_000) })
            .to_vec(),
        ..RunDocument::begun("1f6c2a90", "quickstart", WallTime::from_unix_ns(1_772_357_400_987_654_321))
    }
}

fn text(document: &RunDocument, look: Look<'_>) -> String {
    let mut out = Vec::new();
    write_text(&mut out, document, look).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_summary_reads_from_top_to_bottom() {
    let text = text(&document(), Look { colours: false, directory: Some(Path::new("results/x")) });
    assert_eq!(text, include_str!("expected.txt"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH && line == line.trim_end()));
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = text(&document(), Look::default());
    let coloured = text(&document(), Look { colours: true, directory: None });
    assert!(coloured.contains("\x1b[31mFAILED\x1b[0m"));
    let mut stripped = coloured;
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_run_that_only_began_says_so_and_claims_nothing() {
    let mut begun = RunDocument::begun("1f6c2a90", "quickstart", WallTime::default());
    begun.streams.push(Stream { name: "writers".to_owned(), operation: "insert".to_owned(), load_loop: Loop::Closed, ..Stream::default() });
    let text = text(&begun, Look::default());
    for part in
        ["partial     the run did not end as planned", "no request of it ended", "trust       invalid: the run did not end as planned"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(" asked") && !text.contains("lateness"), "a closed loop asks for no rate and is never late");
}

#[test]
fn the_json_view_is_the_document_itself() {
    let mut out = Vec::new();
    super::super::write_json(&mut out, &document()).unwrap();
    assert_eq!(RunDocument::from_json(std::str::from_utf8(&out).unwrap()).unwrap(), document());
}
