use std::collections::BTreeSet;

use super::*;
use crate::result::WallTime;
use crate::result::model::{
    Arrivals, ClientOnly, Evidence, Failures, Floor, Forward, Lane, Latency, LevelShift, Loop, Phase, PhaseName, Recall, SampledBy, Second,
    Severity, Stationarity, Stream, TimerError, Trend,
};

const MS: u64 = 1_000_000;

/// A run of a minute about which there is nothing to say.
fn sound() -> RunDocument {
    let mut document = RunDocument::begun("id", "quickstart", WallTime::default());
    document.partial = false;
    document.phases = vec![Phase { name: PhaseName::Measure, start: WallTime::default(), length_ns: Some(60_000 * MS) }];
    document.generator.lanes =
        vec![Lane { cpu_share: 0.3, timer_error: TimerError { p50_ns: Some(10_000), ..TimerError::default() }, ..Lane::default() }];
    document.generator.floor = Some(Floor { p50_ns: MS / 10, p99_ns: MS / 5, rate_per_s: 500.0, count: 500, of_series: false });
    document.trace.decided = 33_000;
    document.trace.sample_fraction = 0.01;
    document.trace.sampled_by = SampledBy { ratio: 330, burst: 0, forced: 0 };
    (document.trace.sampled, document.trace.ended, document.trace.exported) = (330, 330, 330);
    let latency = |p50_ns, p99_ns| Latency { count: 30_000, p50_ns: Some(p50_ns), p99_ns: Some(p99_ns), ..Latency::default() };
    document.streams = vec![Stream {
        name: "readers".to_owned(),
        operation: "search".to_owned(),
        scheduled: 30_000,
        sent: 30_000,
        ok: 30_000,
        response: latency(4 * MS, 20 * MS),
        service: latency(4 * MS, 20 * MS),
        lateness: latency(MS / 100, MS / 10),
        recall: Some(Recall { at: 10, mean: 0.97, queries: 500, interval: None }),
        ..Stream::default()
    }];
    document
}

type Change = fn(&mut RunDocument);

/// (code, severity, what brings it up, the near miss that does not), thresholds as the method gives them.
static TABLE: [(&str, Severity, Change, Change); 33] = [
    ("run-partial", Severity::Invalid, |d| d.partial = true, |d| d.partial = false),
    (
        "clock-jumped",
        Severity::Invalid,
        |d| d.generator.clock_step_ns = 100 * MS.cast_signed() + 1,
        |d| d.generator.clock_step_ns = 100 * MS.cast_signed(),
    ),
    // An hour of steering at 500 ppm is 1.8 s, a jump of 4 s is none.
    ("clock-jumped", Severity::Invalid, |d| hour(d, -4_000), |d| hour(d, -1_800)),
    ("generator-bottleneck", Severity::Invalid, |d| late_median(d, 0.9, 401_000), |d| late_median(d, 0.89, 401_000)),
    ("generator-bottleneck", Severity::Invalid, |d| late_median(d, 1.0, 401_000), |d| late_median(d, 1.0, 400_000)),
    ("generator-bottleneck", Severity::Invalid, |d| starved(d, MS + 1), |d| starved(d, MS)),
    ("unfinished-requests", Severity::Suspect, |d| d.streams[0].unfinished = 1, |d| d.streams[0].unfinished = 0),
    ("requests-failed", Severity::Suspect, |d| fail(d, 3_000), |d| fail(d, 299)),
    ("requests-failed", Severity::Note, |d| fail(d, 300), |d| fail(d, 299)),
    ("requests-timed-out", Severity::Suspect, |d| d.streams[0].timed_out = 300, |d| d.streams[0].timed_out = 299),
    ("nothing-succeeded", Severity::Suspect, |d| time_out(d, 30_000), |d| time_out(d, 299)),
    ("outage", Severity::Suspect, |d| silent(d, 20..23, Some(500.0)), |d| silent(d, 20..22, Some(500.0))),
    // 20 were due in five seconds, or 19.5; a closed loop goes by its own pace (500/s in all).
    ("outage", Severity::Suspect, |d| silent(d, 20..25, Some(4.0)), |d| silent(d, 20..25, Some(3.9))),
    ("outage", Severity::Suspect, |d| silent(d, 57..60, None), |d| silent(d, 58..63, None)),
    // Requests that usually take 2 s come in clumps 4 s apart.
    ("outage", Severity::Suspect, |d| clumps(d, 1_999), |d| clumps(d, 2_000)),
    ("nothing-succeeded", Severity::Suspect, |d| fail(d, 30_000), |d| fail(d, 0)),
    ("nothing-scheduled", Severity::Suspect, |d| beside(d, 0), |d| beside(d, 30_000)),
    ("nothing-measured", Severity::Invalid, |d| nothing_ended(d, 0), |d| d.streams[0].ok = 1),
    (
        "lateness-in-tail",
        Severity::Suspect,
        |d| d.streams[0].lateness.p99_ns = Some(2 * MS + 1),
        |d| d.streams[0].lateness.p99_ns = Some(2 * MS),
    ),
    // What a repeat of a replay waits for its turn is no part of its time.
    (
        "lateness-in-tail",
        Severity::Suspect,
        |d| d.streams[0].lateness.p99_ns = Some(2 * MS + 1),
        |d| (d.streams[0].lateness.p99_ns, d.streams[0].repeats) = (Some(2 * MS + 1), true),
    ),
    ("arrivals-off-plan", Severity::Suspect, |d| arrivals(d, true), |d| arrivals(d, false)),
    ("level-shift", Severity::Suspect, |d| shift(d, 0.21, 1e-6), |d| shift(d, 0.19, 1e-9)),
    ("level-shift", Severity::Suspect, |d| shift(d, -0.17, 1e-6), |d| shift(d, -0.16, 1e-9)),
    ("level-shift", Severity::Suspect, |d| shift(d, 0.5, 1e-6), |d| shift(d, 0.5, 1e-3)),
    ("trend", Severity::Note, |d| trend(d, 0.21, 1e-6), |d| trend(d, 0.19, 1e-9)),
    ("near-floor", Severity::Suspect, |d| floor(d, 800_001), |d| floor(d, 800_000)),
    ("lanes-busy", Severity::Suspect, |d| closed(d, 0.9, "auto"), |d| closed(d, 0.89, "auto")),
    (
        "lower-bounds",
        Severity::Note,
        |d| d.streams[0].response.at_least = vec!["p99_9_ns".to_owned()],
        |d| d.streams[0].response.at_least.clear(),
    ),
    ("too-few-samples", Severity::Note, |d| too_few(d, "p99_9_ns"), |d| too_few(d, "p99_99_ns")),
    ("low-recall", Severity::Note, |d| recall(d, 0.79, 500), |d| recall(d, 0.8, 500)),
    ("intervals-merged", Severity::Note, |d| d.generator.lanes[0].merged_intervals = 1, |d| d.generator.lanes[0].merged_intervals = 0),
    ("output-incomplete", Severity::Note, |d| d.output.lost = vec!["latency.hlog: disk full".to_owned()], |d| d.output.lost.clear()),
    ("collection-not-dropped", Severity::Note, |d| d.target.not_dropped = Some("UNAVAILABLE".to_owned()), |d| d.target.not_dropped = None),
];

/// The rest of the table: what needs the accounting of traces.
static TRACES: [(&str, Severity, Change, Change); 8] = [
    ("outlier-spans-failed", Severity::Note, |d| client_only(d, 1), |d| client_only(d, 0)),
    ("spans-not-forwarded", Severity::Note, |d| forward(d, 1, 0), |d| forward(d, 0, 0)),
    ("traces-missing", Severity::Note, |d| evidence(d, 1, None), |d| evidence(d, 0, None)),
    ("traces-not-fetched", Severity::Note, |d| evidence(d, 0, Some("no answer")), |d| evidence(d, 0, None)),
    ("spans-dropped", Severity::Note, |d| (d.trace.exported, d.trace.dropped) = (329, 1), |_| ()),
    ("spans-failed", Severity::Note, |d| (d.trace.exported, d.trace.failed) = (329, 1), |_| ()),
    // 330 expected, deviation 18: 4.9 of them are one in a million.
    ("sampling-off", Severity::Note, |d| d.trace.sampled_by.ratio = 430, |d| d.trace.sampled_by.ratio = 400),
    ("sampling-off", Severity::Note, |d| d.trace.sample_fraction = 0.0, |d| forced(d, 330)),
];

fn client_only(d: &mut RunDocument, failed: u64) {
    d.trace.client_only = Some(ClientOnly { made: 5, exported: 5 - failed, failed });
}

fn forward(d: &mut RunDocument, dropped: u64, failed: u64) {
    d.trace.forward = Some(Forward { taken: 9, forwarded: 9 - dropped - failed, dropped, failed, ..Forward::default() });
}

fn evidence(d: &mut RunDocument, missing: u64, why: Option<&str>) {
    let why = why.map(str::to_owned);
    d.trace.evidence =
        Some(Evidence { jaeger: "http://jaeger".to_owned(), asked: 9, kept: 9 - missing, missing, why, ..Evidence::default() });
}

fn hour(d: &mut RunDocument, step_ms: i64) {
    d.phases[0].length_ns = Some(3_600_000 * MS);
    d.generator.clock_step_ns = step_ms * MS.cast_signed();
}

/// One more stream, of which so many requests were due.
fn beside(d: &mut RunDocument, scheduled: u64) {
    d.streams.push(Stream { scheduled, ..d.streams[0].clone() });
}

fn nothing_ended(d: &mut RunDocument, scheduled: u64) {
    let stream = &mut d.streams[0];
    (stream.scheduled, stream.ok, stream.unfinished) = (scheduled, 0, scheduled);
}

fn late_median(d: &mut RunDocument, cpu_share: f64, late_ns: u64) {
    d.generator.lanes.push(Lane { cpu_share, ..Lane::default() });
    d.streams[0].lateness.p50_ns = Some(late_ns);
}

fn starved(d: &mut RunDocument, timer_ns: u64) {
    d.generator.lanes[0].timer_error.p50_ns = Some(timer_ns);
    d.streams[0].lateness.p50_ns = Some(MS);
}

fn fail(d: &mut RunDocument, failed: u64) {
    let stream = &mut d.streams[0];
    (stream.ok, stream.failed) = (30_000 - failed, failed);
    stream.errors = [("UNAVAILABLE".to_owned(), failed)].into();
    stream.failures =
        vec![Failures { status: "UNAVAILABLE".to_owned(), count: failed, sample: Some("gone".to_owned()), ..Failures::default() }];
}

fn time_out(d: &mut RunDocument, timed_out: u64) {
    (d.streams[0].ok, d.streams[0].timed_out) = (30_000 - timed_out, timed_out);
}

/// Nothing ended ok in these of 65 seconds, five of which are drain.
fn silent(d: &mut RunDocument, gap: std::ops::Range<u64>, asked_per_s: Option<f64>) {
    let second = |second| Second { second, asked_per_s, ok: if gap.contains(&second) { 0 } else { 500 }, ..Second::default() };
    d.streams[0].seconds = (0..65).map(second).collect();
    d.streams[0].achieved_per_s = 500.0;
}

/// Four silent seconds where half of the requests take so many ms.
fn clumps(d: &mut RunDocument, p50_ms: u64) {
    silent(d, 20..24, Some(500.0));
    d.streams[0].response.p50_ns = Some(p50_ms * MS);
}

fn arrivals(d: &mut RunDocument, off_plan: bool) {
    let check = Arrivals { process: "poisson".to_owned(), samples: 3000, effect_size: 4.0, p_value: 1e-20, off_plan };
    d.streams[0].checks.arrivals = Some(check);
}

fn shift(d: &mut RunDocument, change: f64, p_value: f64) {
    let shift = LevelShift { at_ns: 20_000 * MS, before_ns: 4 * MS, after_ns: 5 * MS, change, p_value };
    d.streams[0].checks.stationarity = Some(Stationarity { seconds: 60, level_shift: Some(shift), trend: None });
}

fn trend(d: &mut RunDocument, change: f64, p_value: f64) {
    d.streams[0].checks.stationarity = Some(Stationarity { seconds: 60, level_shift: None, trend: Some(Trend { change, p_value }) });
}

fn floor(d: &mut RunDocument, floor_ns: u64) {
    d.generator.floor = Some(Floor { p50_ns: floor_ns, ..Floor::default() });
}

fn closed(d: &mut RunDocument, cpu_share: f64, wait: &str) {
    d.streams[0].load_loop = Loop::Closed;
    d.generator.lanes[0].cpu_share = cpu_share;
    d.plan = serde_json::json!({ "load": { "wait": wait } });
}

fn too_few(d: &mut RunDocument, key: &str) {
    d.streams[0].response.too_few = vec![key.to_owned()];
    d.streams[0].response.effective_count = Some(900);
}

fn recall(d: &mut RunDocument, mean: f64, queries: u64) {
    d.streams[0].recall = Some(Recall { at: 10, mean, queries, interval: None });
}

fn forced(d: &mut RunDocument, by_force: u64) {
    d.trace.sample_fraction = 0.0;
    d.trace.sampled_by = SampledBy { ratio: 0, burst: 0, forced: by_force };
}

fn found(change: Change) -> Vec<(String, Severity)> {
    let mut document = sound();
    change(&mut document);
    assess(&document).into_iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn there_is_nothing_to_say_about_a_sound_run() {
    assert_eq!(found(|_| ()), []);
    let mut document = sound();
    judge(&mut document);
    assert_eq!((document.trust, document.findings.len()), (Trust::Valid, 0));
}

#[test]
fn each_rule_speaks_where_it_should_and_is_silent_just_before() {
    for (code, severity, trigger, near_miss) in TABLE.iter().chain(&TRACES) {
        assert_eq!(found(*trigger), [((*code).to_owned(), *severity)]);
        assert_eq!(found(*near_miss), [], "near miss of {code}");
    }
}

#[test]
fn of_a_run_that_was_stopped_it_is_no_wonder_that_nothing_was_due() {
    assert_eq!(found(|d| (d.streams[0].scheduled, d.partial) = (0, true)), [("run-partial".to_owned(), Severity::Invalid)]);
}

#[test]
fn a_finding_names_its_figures_its_stream_and_the_next_step() {
    for (code, _, trigger, _) in TABLE.iter().chain(&TRACES) {
        let mut document = sound();
        trigger(&mut document);
        let finding = assess(&document).remove(0);
        assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
        assert!(finding.advice.len() > 20 && !finding.advice.ends_with('.'), "{code}: {}", finding.advice);
        assert_eq!(finding.message.contains("`readers`"), finding.stream.is_some(), "{code}: {}", finding.message);
        assert!(!finding.message.contains("NaN") && !finding.message.contains("  "), "{code}: {}", finding.message);
    }
}

#[test]
fn every_rule_has_a_row() {
    let rows: BTreeSet<&str> = TABLE.iter().chain(&TRACES).map(|row| row.0).collect();
    let empty_handed = RULES.iter().filter(|rule| {
        !TABLE.iter().chain(&TRACES).any(|(_, _, trigger, _)| {
            let mut document = sound();
            trigger(&mut document);
            !rule(&document).is_empty()
        })
    });
    assert_eq!(empty_handed.count(), 0);
    assert_eq!(rows.len(), 29);
}

#[test]
fn the_worst_stands_first_and_decides_on_trust() {
    let mut document = sound();
    // A note's rule stands before a suspect's, and both before an invalid's.
    fail(&mut document, 400);
    document.streams[0].lateness.p99_ns = Some(3 * MS);
    document.partial = true;
    judge(&mut document);
    let severities: Vec<Severity> = document.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Invalid, Severity::Suspect, Severity::Note]);
    assert_eq!(document.trust, Trust::Invalid);
}

#[test]
fn each_stream_is_judged_by_itself() {
    let mut document = sound();
    document.streams.push(Stream { name: "writers".to_owned(), unfinished: 2, ..document.streams[0].clone() });
    let findings = assess(&document);
    assert_eq!(findings.iter().map(|finding| finding.stream.as_deref()).collect::<Vec<_>>(), [Some("writers")]);
}

#[test]
fn a_pause_in_the_plan_and_a_second_that_nobody_handed_over_are_no_outage() {
    let mut document = sound();
    silent(&mut document, 20..30, Some(500.0));
    document.streams[0].seconds.iter_mut().filter(|second| second.second % 3 == 0).for_each(|second| second.asked_per_s = Some(0.0));
    assert_eq!(assess(&document), []);
    silent(&mut document, 20..30, Some(500.0));
    document.streams[0].seconds.retain(|second| second.second % 3 != 0);
    assert_eq!(assess(&document), []);
}

#[test]
fn the_longest_of_several_outages_is_told_once() {
    let mut document = sound();
    silent(&mut document, 4..15, Some(500.0));
    document.streams[0].seconds[30..34].iter_mut().for_each(|second| second.ok = 0);
    let [finding] = &assess(&document)[..] else { panic!("one finding") };
    assert_eq!((finding.figures["from_s"].as_u64(), finding.figures["seconds"].as_u64()), (Some(4), Some(11)));
    assert!(finding.message.contains("for 11 s, from 4.00 s on, in which 5500 should have"), "{}", finding.message);
}

#[test]
fn a_run_too_short_for_its_median_is_told_so_rather_than_pointed_to_lower_percentiles() {
    for (key, lower) in [("p50_ns", false), ("p90_ns", true)] {
        let mut document = sound();
        too_few(&mut document, key);
        let [finding] = &assess(&document)[..] else { panic!("one finding") };
        assert_eq!(finding.advice.contains("rely on lower percentiles"), lower, "{key}: {}", finding.advice);
    }
}

#[test]
fn a_target_that_answers_nothing_is_suspect_unless_the_run_was_stopped() {
    let silent = [("unfinished-requests".to_owned(), Severity::Suspect), ("nothing-succeeded".to_owned(), Severity::Suspect)];
    assert_eq!(found(|d| nothing_ended(d, 30_000)), silent);
    let stopped = found(|d| {
        nothing_ended(d, 30_000);
        d.partial = true;
    });
    assert!(!stopped.contains(&silent[1]), "{stopped:?}");
}

#[test]
fn a_polling_lane_is_not_called_busy() {
    let mut document = sound();
    closed(&mut document, 1.0, "poll");
    assert_eq!(assess(&document), []);
}

#[test]
fn a_busy_lane_behind_which_nothing_succeeded_tells_nothing_of_a_target() {
    let busy = found(|d| (closed(d, 0.9, "auto"), time_out(d, 30_000)).1);
    assert_eq!(busy, [("lanes-busy".to_owned(), Severity::Invalid), ("nothing-succeeded".to_owned(), Severity::Suspect)]);
    let one_did = found(|d| (closed(d, 0.9, "auto"), time_out(d, 29_999)).1);
    assert!(one_did.contains(&("lanes-busy".to_owned(), Severity::Suspect)), "{one_did:?}");
    let all_refused = found(|d| (closed(d, 0.9, "auto"), fail(d, 30_000)).1);
    assert!(all_refused.contains(&("lanes-busy".to_owned(), Severity::Suspect)), "a no is an answer: {all_refused:?}");
}

#[test]
fn a_late_median_of_a_lane_with_time_to_spare_is_not_its_fault() {
    let mut document = sound();
    late_median(&mut document, 0.5, 3 * MS);
    document.streams[0].lateness.p99_ns = Some(15 * MS);
    assert_eq!(assess(&document).iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["lateness-in-tail"]);
}

#[test]
fn a_new_level_is_not_told_as_a_trend_too() {
    let mut document = sound();
    shift(&mut document, 0.5, 1e-9);
    let stationarity = document.streams[0].checks.stationarity.as_mut().unwrap();
    stationarity.trend = Some(Trend { change: 0.5, p_value: 1e-9 });
    assert_eq!(assess(&document).iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["level-shift"]);
}

#[test]
fn a_percentile_that_hung_requests_leave_open_is_not_called_imprecise_too() {
    let mut document = sound();
    too_few(&mut document, "p99_ns");
    document.streams[0].response.at_least = vec!["p99_ns".to_owned()];
    assert_eq!(assess(&document).iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["lower-bounds"]);
}
