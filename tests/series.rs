//! Series of runs (`capacity`, `sweep`, `compare` of two settings) against a target in another process: what they write into it, and what
//! is left of them where the target dies, Ctrl-C is pressed or the generator itself is starved.

#![cfg(unix)]

mod typed;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tailtrace::clock::pause;
use tailtrace::practice::Server;
use tailtrace::units::Nanos;
use tailtrace::wire::milvus::milvus_service_client::MilvusServiceClient;
use tailtrace::wire::milvus::{QueryRequest, ShowCollectionsRequest};
use tailtrace::wire::schema::{field_data, scalar_field};
use tempfile::TempDir;
use tonic::transport::Endpoint;
use typed::command;

/// A second a run, at a rate that any machine can do.
const SHORT: &str = r#"
[target]
uri = "URI"
connect_within = "1s"
[collection]
dim = 8
rows = 100
[load]
warmup = "100ms"
duration = "1s"
drain = "1s"
[[stream]]
name = "readers"
operation = "search"
rate = "50/s"
timeout = "500ms"
"#;

/// Each command with what makes it a long series, the document it leaves, and how it tells its third round or probe.
type SeriesCommand = (&'static [&'static str], &'static str, &'static str);

const COMMANDS: [SeriesCommand; 3] = [
    (&["capacity", "s.toml", "--slo", "readers.response.p99 < 400ms", "--from", "50/s"], "capacity.json", "probe 3,"),
    (&["sweep", "s.toml", "--vary", "readers.rate=50/s,60/s", "--rounds", "9"], "sweep.json", "round 3 of"),
    (&["compare", "s.toml", "--a", "readers.rate=50/s", "--b", "readers.rate=60/s"], "compare.json", "round 3 of"),
];

/// All commands at the same time: they wait, and what they measure is not asked.
fn side_by_side(check: impl Fn(SeriesCommand) + Sync) {
    let check = &check;
    std::thread::scope(|scope| COMMANDS.map(|command| scope.spawn(move || check(command))).map(|thread| thread.join().unwrap()));
}

fn folder(uri: &str) -> TempDir {
    typed::folder("s.toml", &SHORT.replace("URI", uri))
}

/// A process of `tailtrace` that is read line by line, and ends with the test.
struct Running {
    child: Child,
    told: BufReader<ChildStderr>,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Self { child, told }
    }

    /// Reads what it tells until a line begins so.
    fn until(&mut self, begin: &str) {
        let mut line = String::new();
        while !line.starts_with(begin) {
            line.clear();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "it ended before `{begin}`");
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its status, and what else it told.
    fn end(mut self) -> (Option<i32>, String) {
        let (mut told, mut printed) = (String::new(), self.child.stdout.take().unwrap());
        self.told.read_to_string(&mut told).unwrap();
        printed.read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap().code(), told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The practice target in a process of its own; it ends with the test, however that ends.
struct Practice {
    child: Child,
    uri: String,
}

impl Practice {
    fn start() -> Self {
        Self::like(&[])
    }

    fn like(more: &[&str]) -> Self {
        let mut child = command(Path::new("."), &[&["practice", "--port", "0"], more].concat()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, uri: address.trim().to_owned() }
    }

    fn die(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        self.die();
    }
}

/// The one series' directory.
fn series(folder: &Path) -> PathBuf {
    let mut all: Vec<PathBuf> = fs::read_dir(folder.join("results")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The documents of the runs in a series' directory.
fn runs(series: &Path) -> Vec<Value> {
    let all = fs::read_dir(series).unwrap().map(|entry| entry.unwrap().path().join("run.json"));
    all.filter(|path| path.exists()).map(|path| json(&path)).collect()
}

/// Waits until the run that is going on has measured for a second.
fn until_it_measures(running: &mut Running, series: &Path, done: usize) {
    let measuring = || {
        let logs = fs::read_dir(series).unwrap().map(|entry| entry.unwrap().path().join("latency.hlog"));
        logs.filter(|log| fs::read_to_string(log).is_ok_and(|log| log.contains("Tag=readers.response"))).count() > done
    };
    while !measuring() {
        assert_eq!(running.child.try_wait().unwrap(), None, "it ended by itself");
        pause(Nanos::from_millis(5));
    }
}

#[test]
fn a_target_that_dies_is_told_once_with_status_two_and_what_was_measured_is_kept() {
    side_by_side(|(arguments, file, third)| {
        let mut target = Practice::start();
        let here = folder(&target.uri);
        let mut running = Running::start(here.path(), &[arguments, &["--set", "load.duration=2s"]].concat());
        running.until(third);
        let done = runs(&series(here.path())).iter().filter(|run| run["partial"] == false).count();
        until_it_measures(&mut running, &series(here.path()), done);
        target.die();
        let (status, told) = running.end();
        assert_eq!(status, Some(2), "{file}: {told}");
        let unwrapped = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(unwrapped.matches("is a Milvus listening there?").count(), 1, "{file}: {told}");
        let kept = json(&series(here.path()).join(file));
        assert_eq!(kept["partial"], true, "{file}: {kept:#}");
        assert!(runs(&series(here.path())).len() > done, "{file}: the run in which it died is kept too");
    });
}

#[test]
fn ctrl_c_leaves_what_was_known_marked_as_partial_with_status_two() {
    side_by_side(|(arguments, file, third)| {
        let target = Practice::start();
        let here = folder(&target.uri);
        let mut running = Running::start(here.path(), arguments);
        running.until(third);
        running.signal(Signal::INT);
        let (status, told) = running.end();
        assert_eq!(status, Some(2), "{file}: {told}");
        assert!(told.contains("stopped in round 3") || told.contains("interrupted in the probe at"), "{file}: {told}");
        let kept = json(&series(here.path()).join(file));
        assert_eq!(kept["partial"], true, "{file}: {kept:#}");
        assert!(runs(&series(here.path())).iter().filter(|run| run["partial"] == false).count() >= 2, "{file}");
    });
}

/// The signal comes as it does from a terminal: to the command before the run and to the program, of which the one ends of it at once.
#[test]
fn ctrl_c_in_the_command_before_a_run_is_told_as_being_stopped_and_says_where_the_whole_runs_are() {
    let target = Practice::start();
    let here = folder(&target.uri);
    let script = "test $TAILTRACE_ROUND = 1 || { kill -INT $PPID; exit 130; }";
    let arguments = ["sweep", "s.toml", "--vary", "readers.rate=50/s,60/s", "--rounds", "3", "--before-each", script];
    let (status, told) = Running::start(here.path(), &arguments).end();
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("stopped in round 2; the runs that were whole by then are in `results/"), "{told}");
    assert!(!told.contains("--before-each"), "{told}");
    let kept = json(&series(here.path()).join("sweep.json"));
    assert_eq!((&kept["partial"], kept["rounds"].as_u64()), (&Value::Bool(true), Some(1)), "{kept:#}");
}

/// The process is held still for four fifths of the time from the third probe on: whatever the machine does, its timers fire late then.
/// (At 20/s each request is waited for: of several that fall due at once only the first one's timer can be late.)
#[test]
fn a_generator_that_is_starved_ends_the_search_with_status_three_and_the_rate_up_to_which_the_answer_is_known() {
    let target = Practice::start();
    let here = folder(&target.uri);
    let rates = ["--from", "5/s", "--max", "40/s", "--confirm", "1s"];
    let arguments = [&["capacity", "s.toml", "--slo", "readers.response.p99 < 400ms"][..], &rates].concat();
    let mut running = Running::start(here.path(), &arguments);
    running.until("probe 3,");
    while running.child.try_wait().unwrap().is_none() {
        running.signal(Signal::STOP);
        pause(Nanos::from_millis(20));
        running.signal(Signal::CONT);
        pause(Nanos::from_millis(5));
    }
    let (status, told) = running.end();
    let kept = json(&series(here.path()).join("capacity.json"));
    assert_eq!((status, kept["verdict"].as_str(), &kept["partial"]), (Some(3), Some("not-judged"), &Value::Bool(false)), "{told}");
    assert!(kept["reason"].as_str().unwrap().contains("could not be judged, twice: half of `readers`'s requests left"), "{kept:#}");
    let passed = kept["probes"].as_array().unwrap().iter().filter(|probe| probe["passed"] == true);
    let highest = passed.filter_map(|probe| probe["rate_per_s"].as_f64()).reduce(f64::max);
    assert!(highest.is_some() && kept["low_per_s"].as_f64() == highest, "{kept:#}");
}

/// How many rows the collection holds, each primary key once.
fn rows(server: &Server) -> i64 {
    let uri = format!("http://{}", server.addr());
    let request = QueryRequest { collection_name: "tailtrace".into(), output_fields: vec!["count(*)".into()], ..Default::default() };
    let asked = async {
        let mut client = MilvusServiceClient::new(Endpoint::from_shared(uri).unwrap().connect().await.unwrap());
        client.query(request).await.unwrap().into_inner()
    };
    let answer = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(asked);
    let Some(field_data::Field::Scalars(column)) = &answer.fields_data[0].field else { panic!("{answer:?}") };
    let Some(scalar_field::Data::LongData(column)) = &column.data else { panic!("{answer:?}") };
    column.data[0]
}

#[test]
fn each_run_of_a_series_writes_rows_of_its_own() {
    let server = Server::start(serde_json::from_str("{}").unwrap(), "127.0.0.1:0".parse().unwrap(), None).unwrap();
    let here = folder(&format!("http://{}", server.addr()));
    let writers = ["--set", "readers.operation=insert", "--set", "collection.keep=true", "--set", "load.lanes=2"];
    let arguments = [&["sweep", "s.toml", "--vary", "readers.batch=7,3", "--rounds", "2"][..], &writers].concat();
    let (status, told) = Running::start(here.path(), &arguments).end();
    assert!(matches!(status, Some(0 | 3)), "{told}");
    let written: u64 = runs(&series(here.path()))
        .iter()
        .map(|run| {
            let stream = &run["streams"][0];
            assert_eq!(stream["ok"], stream["scheduled"], "{stream:#}");
            run["trace"]["decided"].as_u64().unwrap() * run["plan"]["stream"][0]["batch"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(rows(&server), 100 + written.cast_signed(), "no run wrote over what another had written");
    server.stop();
}

#[test]
fn two_targets_are_compared_and_the_slower_one_is_found() {
    let (fast, slow) = (Practice::like(&["--service", "constant 20ms"]), Practice::like(&["--service", "constant 60ms"]));
    let here = folder(&fast.uri);
    let [a, b] = [&fast, &slow].map(|target| format!("target.uri={}", target.uri));
    let (status, told) =
        Running::start(here.path(), &["compare", "s.toml", "--a", &a, "--b", &b, "--metric", "readers.response.p50"]).end();
    let found = json(&series(here.path()).join("compare.json"));
    assert_eq!((status, found["verdict"].as_str()), (Some(1), Some("regression")), "{told}");
    // 40 ms more than 20, and what the way there and back adds to both.
    let ratio = found["metrics"][0]["ratio"].as_f64().unwrap();
    assert!((2.0..=3.1).contains(&ratio), "{found:#}");
    let targets: Vec<Value> = runs(&series(here.path())).iter().map(|run| run["plan"]["target"]["uri"].clone()).collect();
    let of = |uri: &str| targets.iter().filter(|target| *target == uri).count();
    assert!(of(&fast.uri) > 1 && of(&fast.uri) == of(&slow.uri) && targets.len() == 2 * of(&fast.uri), "{targets:?}");
}

#[test]
fn a_key_of_the_collection_is_swept_over_collections_of_its_own_which_are_gone_afterwards() {
    let target = Practice::start();
    let here = folder(&target.uri);
    let arguments = ["sweep", "s.toml", "--vary", "collection.index.M=8,16", "--set", "collection.index.type=HNSW", "--rounds", "2"];
    let (status, told) = Running::start(here.path(), &arguments).end();
    assert_eq!(status, Some(0), "{told}");
    let collections: std::collections::BTreeSet<String> =
        runs(&series(here.path())).iter().map(|run| run["plan"]["collection"]["name"].to_string()).collect();
    assert_eq!(collections.len(), 2, "one a value, shared by its rounds: {collections:?}");
    let asked = async {
        let mut client = MilvusServiceClient::new(Endpoint::from_shared(target.uri.clone()).unwrap().connect().await.unwrap());
        client.show_collections(ShowCollectionsRequest::default()).await.unwrap().into_inner()
    };
    let left = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(asked);
    assert_eq!(left.collection_names, Vec::<String>::new());
}
