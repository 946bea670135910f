//! `explain` against slow requests whose cause is known, because it was put there: in a span, before the server, in its queue, in the
//! generator, or nowhere. From outside, as it is typed.

#![cfg(unix)]

mod typed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tailtrace::clock::pause;
use tailtrace::tail::FLOOR_SPREADS;
use tailtrace::units::Nanos;
use tempfile::TempDir;
use typed::{command, folder, text};

/// One run at a time: two together would be each other's tail.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const BASE: &str = r#"
[target]
uri = "practice"
[collection]
dim = 8
rows = 200
[load]
lanes = 1
warmup = "300ms"
duration = "3s"
drain = "10s"
[[stream]]
name = "readers"
operation = "search"
rate = "1000/s"
[trace]
sample_fraction = 1.0
endpoint = "built-in"
[practice]
search = "canned"
"#;

/// What others take, which spreads.
const NOISE: &str = r#"practice.service="lognormal 5ms 0.3""#;

const SLOW_SPAN: &str = r#"practice.slow_span={ name = "Delegator-waitTSafe", fraction = 0.02, by = "40ms" }"#;

struct Run {
    _folder: TempDir,
    path: PathBuf,
}

fn tailtrace(arguments: &[&str], folder: &Path) -> Output {
    command(folder, arguments).output().unwrap()
}

fn run(set: &[&str]) -> Run {
    run_while(set, |_, _| {})
}

/// A run, and what is done to its process in its folder meanwhile.
fn run_while(set: &[&str], meanwhile: impl Fn(&mut Child, &Path)) -> Run {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut arguments = vec!["run", "s.toml", "--quiet", "--seed", "7"];
    for key in set {
        arguments.extend(["--set", key]);
    }
    // A machine that was busy while the floor was measured has no tail that is surely not its own, and `explain` says so.
    for _ in 0..TRIES {
        let folder = folder("s.toml", BASE);
        let mut child = command(folder.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        meanwhile(&mut child, folder.path());
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stdout);
        assert!(!said.is_empty(), "{}", text(&output.stderr));
        let path = folder.path().join(said.trim());
        let document: Value = serde_json::from_str(&fs::read_to_string(path.join("run.json")).unwrap()).unwrap();
        let floor = |key: &str| document["generator"]["floor"][key].as_u64().unwrap();
        if FLOOR_SPREADS * (floor("p99_ns") - floor("p50_ns")) as f64 <= LEAST_DELAY_NS {
            return Run { _folder: folder, path };
        }
    }
    panic!("against a server that answers at once this machine scattered by a fifth of the delay in each of five runs")
}

/// So often is tried anew what a busy machine has spoilt.
const TRIES: usize = 5;

/// The shortest delay that is put anywhere here.
const LEAST_DELAY_NS: f64 = 40e6;

impl Run {
    fn explain(&self, more: &[&str]) -> Output {
        let path = self.path.display().to_string();
        tailtrace(&[&["explain", &path], more].concat(), Path::new("."))
    }

    /// The one stream, explained, and the exit status.
    fn explained(&self, more: &[&str]) -> (Value, i32) {
        let output = self.explain(&[more, &["--json"]].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(document["streams"].as_array().unwrap().len(), 1);
        (document["streams"][0].clone(), output.status.code().unwrap())
    }
}

/// The client's own rows: whatever else this machine does meanwhile shows there, and is a true part of the tail.
const OWN: [&str; 2] = ["network and client", "waiting in the generator"];

/// So much of the excess the client's own rows may hold without a word. Of a delay *d* that was put elsewhere, and *m* that the machine adds
/// meanwhile, *m*/(*d* + *m*) is the client's own: a tenth makes nine tenths of the span's impossible, however right the table is.
const LITTLE: f64 = 0.05;

/// A run that shows it, or in which this machine added little of its own, or the last one; its one stream, explained, and the exit status. The
/// first row is this span, and it is named.
#[allow(clippy::print_stderr, reason = "a run that is not judged must not vanish")]
fn named(again: impl Fn() -> Run, more: &[&str], span: &str) -> (Run, Value, i32) {
    let mut tries = 1;
    loop {
        let run = again();
        let (stream, status) = run.explained(more);
        if tries == TRIES || machines(&stream, span) <= LITTLE || first_share(&stream, span) >= ENOUGH {
            names(&stream, span);
            return (run, stream, status);
        }
        eprintln!("run {tries} of {TRIES} is not judged, for this machine was busy: {}", told(&stream, span));
        tries += 1;
    }
}

/// So much of the whole excess has to be the span's.
const ENOUGH: f64 = 0.9;

/// The share of the first row, where it is this span's.
fn first_share(stream: &Value, span: &str) -> f64 {
    let first = &stream["rows"][0];
    if first["span"] == span { first["share"].as_f64().unwrap() } else { 0.0 }
}

/// The sentence, the first rows, and what is this machine's.
fn told(stream: &Value, span: &str) -> String {
    let rows = stream["rows"].as_array().unwrap().iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    format!("{}\n{rows}\n{:.3} of it is the client's own", stream["sentence"], machines(stream, span))
}

/// The share of the excess that the client's own rows hold beside this one.
fn machines(stream: &Value, span: &str) -> f64 {
    let own = |row: &&Value| row["span"] != span && OWN.iter().any(|own| row["span"] == *own);
    stream["rows"].as_array().unwrap().iter().filter(own).map(|row| row["share"].as_f64().unwrap()).sum()
}

/// Its first row is this span, with at least nine tenths of the whole excess; it is named; and the rows of both groups add up.
fn names(stream: &Value, span: &str) {
    let told = told(stream, span);
    assert_eq!(stream["rows"][0]["span"], span, "{told}");
    assert!(first_share(stream, span) >= ENOUGH, "{told}");
    assert_eq!((&stream["verdict"], &stream["named"]), (&"single".into(), &span.into()), "{told}");
    adds_up(stream);
}

fn adds_up(stream: &Value) {
    let rows = stream["rows"].as_array().unwrap();
    for (group, key) in [("tail", "tail_self_ns"), ("typical", "typical_self_ns")] {
        let sum: u64 = rows.iter().map(|row| row[key].as_u64().unwrap()).sum();
        let mean = stream[group]["mean_ns"].as_u64().unwrap();
        // Each row is rounded to a nanosecond.
        assert!(sum.abs_diff(mean) <= rows.len() as u64, "{group}: rows add up to {sum}, not to {mean}");
    }
    let shares: f64 = rows.iter().map(|row| row["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
}

/// A stream whose slow requests spend this share of what they take longer in a slow span, and the rest in the client.
fn shared_with_the_client(share: f64) -> Value {
    let row = |span: &str, share: f64| serde_json::json!({ "span": span, "share": share, "tail_self_ns": 0, "typical_self_ns": 0 });
    let group = serde_json::json!({ "mean_ns": 0 });
    serde_json::json!({ "sentence": "", "verdict": "single", "named": "slow", "tail": group, "typical": group,
        "rows": [row("slow", share), row(OWN[0], 1.0 - share)] })
}

#[test]
fn nine_tenths_of_the_excess_are_enough() {
    names(&shared_with_the_client(0.91), "slow");
}

#[test]
#[should_panic(expected = "0.110 of it is the client's own")]
fn less_than_nine_tenths_are_not() {
    names(&shared_with_the_client(0.89), "slow");
}

#[test]
fn a_slow_span_is_named_where_all_requests_are_traced_and_the_table_says_what_it_means() {
    let (run, stream, status) = named(|| run(&[SLOW_SPAN, NOISE]), &[], "Delegator-waitTSafe");
    assert_eq!(status, 0);
    let (tail, typical) = (&stream["tail"], &stream["typical"]);
    assert_eq!(tail["traced"], tail["requests"], "all are traced");
    // All are traced, so the histogram's mean and the traces' are of the same requests, to three digits.
    for group in [tail, typical] {
        let (traced, all) = (group["mean_ns"].as_f64().unwrap(), group["all_mean_ns"].as_f64().unwrap());
        assert!((traced / all - 1.0).abs() < 0.002, "{group}");
    }
    // Without the 40 ms what is left of p99 is what the other requests take.
    let what_if = &stream["what_if"];
    assert!(what_if["left_ns"].as_f64().unwrap() < 0.6 * what_if["now_ns"].as_f64().unwrap(), "{what_if}");
    // As it reads: lines are broken where they are full.
    let shown = text(&run.explain(&[]).stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let waiting = "Delegator-waitTSafe: waiting for the consistency level's timestamp";
    for part in [waiting, "consistency bounded", "would be", "response time", "█"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let folded = text(&run.explain(&["--folded", "diff"]).stdout);
    assert!(folded.lines().any(|line| line.contains("Delegator-waitTSafe ")), "{folded}");
    bad_input(&run);
}

/// What is asked wrongly of a run that is right.
fn bad_input(run: &Run) {
    let path = run.path.display().to_string();
    let spans = run.path.join("spans.jsonl").display().to_string();
    let half = tempfile::tempdir().unwrap();
    fs::copy(run.path.join("run.json"), half.path().join("run.json")).unwrap();
    let cut = half.path().display().to_string();
    let [spans_cut, no_spans, short] = [Some("byte"), None, Some("line")].map(|cut| {
        let copy = tempfile::tempdir().unwrap();
        for file in ["run.json", "latency.hlog", "requests.jsonl"] {
            fs::copy(run.path.join(file), copy.path().join(file)).unwrap();
        }
        if let Some(unit) = cut {
            let whole = fs::read(&spans).unwrap();
            let half = &whole[..whole.len() / 2];
            let lines = half.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            fs::write(copy.path().join("spans.jsonl"), if unit == "line" { &half[..lines] } else { half }).unwrap();
        }
        copy
    });
    let [spans_cut_path, no_spans_path, short_path] = [&spans_cut, &no_spans, &short].map(|copy| copy.path().display().to_string());
    let empty = half.path().join("empty.json").display().to_string();
    fs::write(&empty, "").unwrap();
    for (arguments, words) in [
        (vec!["explain", spans_cut_path.as_str()], vec!["only half there", "`spans.jsonl` ends in the middle"]),
        (vec!["explain", no_spans_path.as_str()], vec!["only half there", "`spans.jsonl` is missing"]),
        (vec!["explain", short_path.as_str()], vec!["only half there", "`spans.jsonl` holds ", " spans; copy the whole directory"]),
        (vec!["explain", "nowhere"], vec!["nowhere", "run directory"]),
        (vec!["explain", spans.as_str()], vec!["spans.jsonl` is no run directory", "--traces", "--service NAME"]),
        (vec!["explain", path.as_str(), "--stream", "writers"], vec!["`writers`", "`readers`"]),
        (vec!["explain", path.as_str(), "--above", "p100"], vec!["p99.9", "50ms"]),
        (vec!["explain", path.as_str(), "--above", "1us"], vec!["--above 1us is no tail", "median of `readers`", "p95"]),
        (vec!["explain", path.as_str(), "--service", "x"], vec!["--service"]),
        (vec!["explain", cut.as_str()], vec!["only half there", "`latency.hlog` is missing"]),
        (vec!["explain"], vec!["--traces", "--jaeger"]),
        (vec!["explain", "--traces", spans.as_str()], vec!["--service"]),
        (vec!["explain", "--traces", spans.as_str(), "--service", "nobody"], vec!["`nobody`", "`standalone`, `tailtrace`"]),
        (vec!["explain", "--traces", spans.as_str(), "--service", "tailtrace", "--operation", "Insert"], vec!["`Insert`", "/Search`"]),
        (vec!["explain", "--traces", "Cargo.toml", "--service", "x"], vec!["holds no traces"]),
        (vec!["explain", "--traces", "nowhere.json", "--service", "x"], vec!["`nowhere.json`; name a file or a folder", "No such file"]),
        (vec!["explain", "--traces", empty.as_str(), "--service", "x"], vec!["there is no span in", "save the traces"]),
        (vec!["explain", "--jaeger", "http://127.0.0.1:9", "--service", "x"], vec!["no answer from Jaeger"]),
        (vec!["explain", path.as_str(), "--folded", "all"], vec!["`diff`"]),
    ] {
        let output = tailtrace(&arguments, Path::new(env!("CARGO_MANIFEST_DIR")));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)) && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
    // Nothing is slow enough: there is no table of nothing.
    let output = run.explain(&["--above", "1h"]);
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("No tail") && !said.contains("excess") && !said.contains("slowest"), "{said}");
    let output = run.explain(&["--above", "1h", "--folded", "diff"]);
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("No tail"), "{}", text(&output.stderr));
    // As the server's own requests: what called it is not seen, and its parts are.
    let output = tailtrace(&["explain", "--traces", &spans, "--service", "standalone"], Path::new("."));
    let said = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no trace holds a span of a server that was called") && !said.contains("client span's own"), "{said}");
    // Of a file that is cut its whole lines are taken, and that it is cut is said.
    let file = spans_cut.path().join("spans.jsonl").display().to_string();
    let output = tailtrace(&["explain", "--traces", &file, "--service", "tailtrace"], Path::new("."));
    let said = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("spans.jsonl` ends in the middle of a line, which is left out"), "{said}");
    // The same spans as another client's: nothing is known of how they were sampled, and that is said.
    let output = tailtrace(&["explain", "--traces", &spans, "--service", "tailtrace", "--operation", "Search", "--json"], Path::new("."));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &document["streams"][0];
    names(stream, "Delegator-waitTSafe");
    assert!(stream["notes"].to_string().contains("equally likely"), "{stream}");
}

#[test]
fn a_slow_span_is_named_by_a_tenth_of_the_requests_and_by_a_fiftieth() {
    // Of the 5 % that are slow, 32 are traced on average; fewer than ten in one of 200,000 runs.
    let slow_span = SLOW_SPAN.replace("0.02", "0.05");
    for (fraction, rate, duration) in [("0.1", "2000/s", "3200ms"), ("0.02", "4000/s", "8s")] {
        let more = [format!("trace.sample_fraction={fraction}"), format!("readers.rate={rate}"), format!("load.duration={duration}")];
        let set: Vec<&str> = more.iter().map(String::as_str).chain([slow_span.as_str(), NOISE]).collect();
        let (_, stream, status) = named(|| run(&set), &["--above", "30ms"], "Delegator-waitTSafe");
        assert_eq!(status, 0);
        assert!(stream["tail"]["traced"].as_u64() < stream["tail"]["requests"].as_u64(), "{}", stream["tail"]);
        assert_eq!(stream["representativeness"], Value::Array(Vec::new()), "a random sample is like the rest: {}", stream["notes"]);
    }
}

#[test]
fn with_fewer_than_ten_traced_slow_requests_nobody_is_named_and_what_would_do_is_said() {
    // 40 slow ones, of which 0.8 are traced on average.
    let run = run(&["load.duration=4s", SLOW_SPAN, "trace.sample_fraction=0.02", "readers.rate=1000/s"]);
    let (stream, status) = run.explained(&[]);
    assert_eq!((&stream["verdict"], &stream["named"], status), (&"too-few".into(), &Value::Null, 3), "{}", stream["sentence"]);
    assert!(stream["tail"]["traced"].as_u64().unwrap() < 10);
    let (sentence, advice) = (stream["sentence"].as_str().unwrap(), stream["advice"].as_str().unwrap());
    assert!(sentence.contains("10 are needed"), "{sentence}");
    assert!(advice.contains("trace.sample_fraction = 0.") && advice.contains("load.duration = "), "{advice}");
}

#[test]
fn a_delay_on_the_way_in_is_the_networks_and_the_clients() {
    named(|| run(&[r#"practice.hold={ fraction = 0.02, by = "60ms" }"#]), &[], "network and client");
}

#[test]
fn requests_that_are_given_up_before_the_server_has_them_are_neither_its_nor_surely_the_networks() {
    let set = [r#"practice.hold={ fraction = 0.02, by = "3s" }"#, "readers.timeout=500ms"];
    let (_, stream, _) = named(|| run(&set), &[], "given up without a server's span");
    assert_eq!(stream["oddities"]["cut"], 0, "{stream}");
}

#[test]
fn requests_that_are_given_up_while_the_server_has_them_are_the_servers() {
    // 300 of 3,000 requests come while nobody serves, and wait no longer than 100 ms.
    let set = [r#"practice.stall={ every = "10s", first = "1s", for = "300ms" }"#, "readers.timeout=100ms"];
    let (_, stream, _) = named(|| run(&set), &["--above", "p96"], "milvus.proto.milvus.MilvusService/Search");
    assert_eq!((&stream["rows"][0]["service"], &stream["oddities"]["cut"]), (&"standalone".into(), &0.into()), "{stream}");
}

/// One search at a time takes 5 ms, and they come at 0.8 of what that serves, at random: where the others wait is the tail.
const ONE_AT_A_TIME_SERVED: [&str; 3] = ["readers.rate=160/s", "load.duration=6s", r#"practice.service="constant 5ms""#];

#[test]
fn a_delay_in_the_servers_queue_is_the_queues() {
    let set = [&ONE_AT_A_TIME_SERVED[..], &["practice.servers=1"]].concat();
    named(|| run(&set), &["--above", "p95"], "Proxy-Search-Queue");
}

#[test]
fn a_delay_in_the_generator_is_the_generators() {
    let set = [&ONE_AT_A_TIME_SERVED[..], &["readers.max_in_flight=1"]].concat();
    let (_, stream, _) = named(|| run(&set), &["--above", "p95"], "waiting in the generator");
    assert!(stream["advice"].as_str().unwrap().contains("not the target's time"), "{}", stream["advice"]);
}

/// Lets the process have no processor for 80 ms, again and again, once the floor and a second of the load have been measured.
fn starve(child: &mut Child, folder: &Path) {
    let process = Pid::from_child(child);
    let is_logged = || {
        let runs = fs::read_dir(folder.join("results")).into_iter().flatten().flatten();
        let log = |run: fs::DirEntry| fs::read_to_string(run.path().join("latency.hlog")).unwrap_or_default();
        runs.map(log).any(|log| log.lines().any(|line| line.starts_with("Tag=")))
    };
    while !is_logged() && child.try_wait().unwrap().is_none() {
        pause(Nanos::from_millis(20));
    }
    for _ in 0..5 {
        kill_process(process, Signal::STOP).unwrap();
        pause(Nanos::from_millis(80));
        kill_process(process, Signal::CONT).unwrap();
        pause(Nanos::from_millis(300));
    }
}

#[test]
fn what_a_starved_lane_sends_late_has_waited_in_the_generator() {
    // 400 of the 3,000 requests fall due while the lane stands still.
    named(|| run_while(&[], starve), &["--above", "p95"], "waiting in the generator");
}

/// What a machine adds by itself may be a tail, of the client's own; the server's is none. `explain_verdicts` holds the verdict to the
/// letter, without a machine.
#[test]
fn without_a_tail_no_span_is_named() {
    // 200 ms each, all alike; and 200 ms give or take a third, of which every part of the server has its share.
    for service in ["constant 200ms", "lognormal 200ms 0.3"] {
        let (stream, status) = run(&["readers.rate=500/s", &format!("practice.service={service:?}")]).explained(&[]);
        let (named, odd) = (&stream["named"], ["skewed", "late_children"].map(|key| &stream["oddities"][key]));
        assert_eq!(odd, [0, 0], "{service}: what leaves ahead of its end is over by then");
        assert!(named.is_null() || OWN.iter().any(|own| named == own), "{service}: {}", stream["sentence"]);
        assert_eq!(status, 0, "{service}: {}", stream["sentence"]);
    }
}

#[test]
fn a_run_without_traces_says_so_and_how_to_get_some() {
    let run = run(&["trace.sample_fraction=0", "load.duration=1s"]);
    let output = run.explain(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("no request was sampled") && said.contains("trace.sample_fraction"), "{said}");
}
