//! `run` and `practice` from outside: documents, statuses, signals.

#![cfg(unix)]

mod typed;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tailtrace::clock::pause;
use tailtrace::result::model::RunDocument;
use tailtrace::stats::queue::mmc_response_quantile;
use tailtrace::units::Nanos;
use tempfile::TempDir;
use typed::text;

/// A second and a half in all: what a test of the way through needs, and no figure worth reading.
const SHORT: &str = r#"
[target]
uri = "practice"
[collection]
dim = 8
rows = 200
[load]
warmup = "200ms"
duration = "1s"
drain = "2s"
[[stream]]
name = "readers"
operation = "search"
rate = "200/s"
[[stream]]
name = "writers"
operation = "insert"
workers = 1
batch = 5
[trace]
sample_fraction = 0.2
endpoint = "built-in"
"#;

/// For targets in another process: the built-in collector would listen on OTLP's own port then, which a machine has once.
const SPANS_ELSEWHERE: &str = "trace.endpoint=http://127.0.0.1:9";

fn folder() -> TempDir {
    typed::folder("short.toml", SHORT)
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = typed::command(folder, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(folder: &Path, more: &[&str]) -> Output {
    command(folder, &[&["run", "short.toml"], more].concat()).output().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn run_directories(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder.join("results")).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

#[test]
fn a_run_prints_the_document_that_it_stores() {
    let here = folder();
    let ended = run(here.path(), &["--json", "--seed", "5"]);
    let told = text(&ended.stderr);
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(document["seed"], 5);
    assert_eq!(document["partial"], false);
    let trace = &document["trace"];
    assert_eq!(trace["ended"].as_u64(), trace["exported"].as_u64(), "the built-in collector takes them all: {trace}");
    let [directory] = &run_directories(here.path())[..] else { panic!("one directory: {told}") };
    let stored: Value = serde_json::from_str(&fs::read_to_string(directory.join("run.json")).unwrap()).unwrap();
    assert_eq!(stored, document);
    for file in ["latency.hlog", "requests.jsonl", "spans.jsonl"] {
        assert!(fs::metadata(directory.join(file)).unwrap().len() > 0, "{file}");
    }
    let log = fs::read_to_string(directory.join("latency.hlog")).unwrap();
    assert_eq!(document["output"]["intervals"], log.lines().filter(|line| line.starts_with("Tag=")).count());
    let measure = document["phases"].as_array().unwrap().iter().find(|phase| phase["name"] == "measure").unwrap();
    assert!(log.contains(measure["start"].as_str().unwrap()), "the log's times count from the measured phase: {log:.300}");
    for stream in document["streams"].as_array().unwrap() {
        let number = |key: &str| stream[key].as_u64().unwrap();
        assert_eq!(number("scheduled"), number("ok") + number("failed") + number("timed_out") + number("unfinished"), "{stream}");
        let of = |key: &str| stream[key]["count"].as_u64().unwrap();
        assert_eq!(of("service_sampled") + of("service_unsampled"), of("service"), "{stream}");
        assert!(of("service_sampled") > 0 && of("service_unsampled") > 0, "{stream}");
    }
    // For people there is the summary beside it; 0 or, on a machine that is busy with other tests, 3.
    assert!(told.contains("readers") && told.contains("response"), "{told}");
    assert!(matches!(ended.status.code(), Some(0 | 3)), "{told}");
}

#[test]
fn a_gate_that_fails_is_status_one_where_the_run_can_be_trusted() {
    let here = folder();
    let ended = run(here.path(), &["--json", "--quiet", "--set", "gates.\"readers.response.p50\"=< 1ns"]);
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["gates"][0]["passed"], false);
    let expected = if document["trust"] == "invalid" { 3 } else { 1 };
    assert_eq!(ended.status.code(), Some(expected));
    assert_eq!(text(&ended.stderr), "", "--quiet");
}

#[test]
fn ctrl_c_leaves_a_whole_result_that_says_it_is_partial() {
    // As from a terminal and `timeout` at once: one wish.
    stopped_by(&[Signal::INT, Signal::TERM]);
}

#[cfg(target_os = "linux")]
#[test]
fn so_does_a_terminal_that_is_closed() {
    stopped_by(&[Signal::HUP]);
}

/// Between two looks at a child's files.
const LOOK_AGAIN: Nanos = Nanos::from_millis(20);

/// Whether the process was started to outlast its terminal (`nohup cargo test`), which it has from its parents.
fn ignores_hangup(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

fn stopped_by(signals: &[Signal]) {
    let here = folder();
    let arguments = ["run", "short.toml", "--json", "--quiet", "--set", "load.duration=1h", "--set", "load.warmup=0s"];
    let mut child = command(here.path(), &arguments).spawn().unwrap();
    // The log has a line of the first second as soon as the measured phase has gone on for one.
    let log = || run_directories(here.path()).first().and_then(|directory| fs::read_to_string(directory.join("latency.hlog")).ok());
    while !log().is_some_and(|log| log.contains("Tag=readers.response")) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        pause(LOOK_AGAIN);
    }
    for sent in signals {
        let ignored = *sent == Signal::HUP && ignores_hangup(&child);
        signal(&child, if ignored { Signal::TERM } else { *sent });
    }
    let ended = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((document["partial"].as_bool(), ended.status.code()), (Some(true), Some(2)));
    assert!(document["streams"][0]["ok"].as_u64().unwrap() > 0);
    assert!(document["generator"]["cpu_ns_per_request"].as_u64().unwrap() > 0, "read although the lanes were done at once");
}

#[test]
fn nothing_is_left_behind_where_nothing_was_measured() {
    let here = folder();
    let ended = run(here.path(), &["--set", "target.uri=http://127.0.0.1:9", "--set", SPANS_ELSEWHERE]);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(run_directories(here.path()), Vec::<PathBuf>::new());
    let told = text(&ended.stderr);
    assert_eq!(told.matches("Connection refused").count(), 1, "what only hands on its cause is passed over: {told}");
}

#[test]
fn a_reader_who_has_seen_enough_does_not_make_a_failed_gate_pass() {
    let here = folder();
    let mut child = command(here.path(), &["run", "short.toml", "--set", "gates.\"readers.response.p50\"=< 1ns"]).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(matches!(ended.status.code(), Some(1 | 3)), "{:?}: {}", ended.status, text(&ended.stderr));
}

#[test]
fn a_canned_answer_has_no_recall_and_a_cut_connection_leaves_nothing_to_tidy_up() {
    let here = folder();
    let more = ["--json", "--quiet", "--set", "practice.search=canned", "--set", "practice.cut_every=250ms"];
    let ended = run(here.path(), &more);
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["streams"][0]["recall"], Value::Null);
    assert_eq!(document["output"]["lost"], Value::Array(Vec::new()));
}

#[test]
fn practice_says_where_it_is_serves_a_run_and_ends_with_a_signal() {
    let here = folder();
    let mut server = command(here.path(), &["practice", "--port", "0", "--service", "constant 1ms"]).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("http://127.0.0.1:") && address.ends_with('\n'), "{address}");
    let uri = format!("target.uri={}", address.trim());
    let ended = run(here.path(), &["--json", "--quiet", "--set", &uri, "--set", "trace.sample_fraction=0", "--set", SPANS_ELSEWHERE]);
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let least = document["streams"][0]["service"]["min_ns"].as_u64().unwrap();
    // An answer leaves at most 0.1 ms before its end, so that most leave at it.
    assert!(least >= 900_000, "no search is served in less than its constant 1 ms: {least} ns");
    signal(&server, Signal::TERM);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// Generator, wire, target and histogram together against an M/M/1 queue's closed form. Over 60 s a perfect tool's p50 and p90 scatter by 3 and
/// 5 % (latencies are correlated over busy periods), over 6 s by √10 as much: five deviations of that. An answer leaves up to 0.1 ms early,
/// and what the machine adds to each request delays those behind it: in the mean of a queue at 70 % by 1 / (1 − 0.7) = 3.3 times that.
#[test]
fn an_m_m_1_queue_over_the_wire_reads_as_its_closed_form() {
    let here = folder();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/mm1.toml").display().to_string();
    let arguments = ["run", &scenario, "--json", "--quiet", "--seed", "7", "--set", "load.warmup=1s", "--set", "load.duration=6s"];
    let output = command(here.path(), &arguments).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let added_ns = 3.3 * document["generator"]["floor"]["p99_ns"].as_f64().unwrap();
    for (q, key, deviation) in [(0.5, "p50_ns", 0.03), (0.9, "p90_ns", 0.05)] {
        let exact = mmc_response_quantile(q, 1, 350.0, 500.0).unwrap() * 1e9;
        let scatter = 5.0 * deviation * 10_f64.sqrt() * exact;
        let read = document["streams"][0]["response"][key].as_f64().unwrap();
        assert!((exact - scatter - 1e5..exact + scatter + added_ns).contains(&read), "{key}: {read}, not {exact} ± {scatter} + {added_ns}");
    }
}

/// The practice target cuts all connections every 300 ms: what was on its way fails as UNAVAILABLE, the channel connects
/// again, and the run goes on to its end.
#[test]
fn a_connection_that_is_cut_costs_what_was_on_its_way_and_not_the_run() {
    let folder = folder();
    let cut = SHORT.replace("rate = \"200/s\"", "rate = \"500/s\"") + "[practice]\nservice = \"constant 20ms\"\ncut_every = \"300ms\"\n";
    fs::write(folder.path().join("cut.toml"), cut).unwrap();
    let output = command(folder.path(), &["run", "cut.toml", "--json", "--quiet"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let readers = &document["streams"][0];
    let count = |key: &str| readers[key].as_u64().unwrap();
    // At 500/s and 20 ms each, about ten are on their way at each of the three or four cuts.
    assert!(readers["errors"]["UNAVAILABLE"].as_u64().unwrap() > 0, "{:#}", readers["errors"]);
    assert!(count("ok") > count("scheduled") / 2, "{} of {} ok", count("ok"), count("scheduled"));
    assert_eq!(count("scheduled"), count("ok") + count("failed") + count("timed_out") + count("unfinished"));
    // The last second has answers too: the run did not end with a connection.
    let seconds = readers["seconds"].as_array().unwrap();
    assert!(seconds.iter().any(|second| second["second"] == 0 && second["ok"].as_u64() > Some(100)), "{seconds:?}");
}

/// Every fourth search or so takes longer than it may: those have times of their own, at the limit, and leave the run suspect.
#[test]
fn requests_that_time_out_have_a_histogram_of_their_own_and_take_from_trust() {
    let folder = folder();
    let more = ["--json", "--quiet", "--set", "practice.service=exponential 20ms", "--set", "readers.timeout=30ms"];
    let output = run(folder.path(), &more);
    let document = RunDocument::from_json(&text(&output.stdout)).unwrap();
    assert_eq!(document.broken_equations(), Vec::<String>::new());
    let readers = document.stream("readers").unwrap();
    let [timed_out] = &readers.failures[..] else { panic!("one status: {:?}", readers.failures) };
    assert_eq!((timed_out.status.as_str(), timed_out.count), ("timed_out", readers.timed_out));
    assert!(readers.timed_out > 0 && readers.ok > 0, "{} timed out, {} ok", readers.timed_out, readers.ok);
    assert!(timed_out.response.min_ns >= Some(29_900_000), "{:?}", timed_out.response);
    assert!(document.findings.iter().any(|finding| finding.code == "requests-timed-out"), "{:?}", document.findings);
}

#[test]
fn a_limit_in_flight_that_cannot_be_split_over_the_lanes_is_refused_before_anything_is_sent() {
    let folder = folder();
    let output = run(folder.path(), &["--set", "readers.max_in_flight=2", "--set", "load.lanes=3"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`readers`") && said.contains("max_in_flight = 2") && said.contains("load.lanes"), "{said}");
    assert!(run_directories(folder.path()).is_empty(), "nothing was measured, nothing is left");
}
