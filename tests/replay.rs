//! `replay` against a practice target where it is known which requests are slow by nature: those whose query decides it.

#![cfg(unix)]

mod typed;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use tailtrace::experiment::{Beside, Nobody, Replay, ReplayError, ReplayOutcome, ReplaySettings, RunOptions, Verdict, run};
use tailtrace::load::Stop;
use tailtrace::practice::SlowKey;
use tailtrace::result::{self, StoredRun};
use tailtrace::scenario::{self, Overrides, Plan};
use tailtrace::wire::common::{PlaceholderGroup, PlaceholderType, PlaceholderValue};
use tailtrace::workload::{Seed, Vectors};
use typed::{command, folder, text};

use prost::Message as _;

const DIM: usize = 8;

/// One request in 80 is slow by nature and one in 80 by chance: about 30 of each in 6 s.
const SCENARIO: &str = r#"
[target]
uri = "practice"
[collection]
dim = 8
rows = 500
[load]
lanes = 1
warmup = "200ms"
duration = "6s"
[[stream]]
name = "readers"
operation = "search"
rate = "400/s"
[trace]
sample_fraction = 0.1
endpoint = "built-in"
[practice]
service = "exponential 500us"
slow_key = { fraction = 0.0125, by = "60ms" }
slow_span = { name = "Delegator-waitTSafe", fraction = 0.0125, by = "60ms" }
"#;

fn plan(set: &[&str]) -> Plan {
    let overrides = Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), seed: Some(11) };
    scenario::parse(SCENARIO, "replay.toml", &overrides).unwrap()
}

fn options(out: &Path) -> RunOptions<'static> {
    RunOptions { out: out.to_owned(), command: Vec::new(), stop: Stop::default(), environment: &|_| None }
}

fn stored(plan: &Plan, out: &Path) -> StoredRun {
    let outcome = run(plan, &options(out), &mut Nobody).unwrap();
    result::read(&outcome.directory).unwrap()
}

fn replay(stored: &StoredRun, settings: ReplaySettings, out: &Path) -> ReplayOutcome {
    let plan = stored.document.plan().unwrap();
    Replay::new(stored, plan, settings).unwrap().run(&options(out), &mut Nobody).unwrap()
}

/// Whether the practice target makes this search slow each time: by the bytes of its query, made here anew.
fn slow_by_nature(key: SlowKey, vectors: &Vectors, sequence: u64) -> bool {
    let mut query = [0.0; DIM];
    vectors.query(0, sequence, &mut query);
    let placeholder = PlaceholderValue {
        tag: "$0".to_owned(),
        r#type: PlaceholderType::FloatVector as i32,
        values: vec![query.iter().flat_map(|value: &f32| value.to_le_bytes()).collect::<Vec<u8>>().into()],
    };
    key.meets(&PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec())
}

/// 95 % of both kinds are to be right. The slowest 50 are all of the two kinds (about 60 are 60 ms slower), ten repeats each; a repeat
/// is slowed by chance once in 80 times, and three of ten are needed to blur a verdict: once in 5,000 requests.
#[test]
fn verdicts_are_right_for_what_is_slow_by_nature_and_for_what_was_slow_by_chance() {
    let place = tempfile::tempdir().unwrap();
    let plan = plan(&[]);
    let stored = stored(&plan, place.path());
    let settings =
        ReplaySettings { top: Some(50), times: Some(10), rate: "150/s".parse().ok(), seed: Some(1), ..ReplaySettings::default() };
    let outcome = replay(&stored, settings, place.path());
    let (key, vectors) = (plan.practice.as_ref().unwrap().slow_key.unwrap(), Vectors::new(Seed(plan.seed), DIM));
    let (mut all, mut right) = ([0_u32; 2], [0_u32; 2]);
    for request in &outcome.replay.requests {
        let by_nature = slow_by_nature(key, &vectors, request.sequence);
        let expected = if by_nature { Verdict::ByNature } else { Verdict::ByCircumstance };
        all[usize::from(by_nature)] += 1;
        right[usize::from(by_nature)] += u32::from(request.verdict == expected);
        assert_eq!((request.stream.as_str(), request.repeats_ns.len() as u64 + request.missing), ("readers", 10));
    }
    assert!(all.iter().all(|count| *count >= 20), "a seed whose run has twenty of both kinds: {all:?}");
    assert!(all.iter().zip(right).all(|(all, right)| f64::from(right) >= 0.95 * f64::from(*all)), "{right:?} of {all:?}");

    // The repeats are a run like any other, all of them traced, and joined by the server's spans.
    let run = result::read(&outcome.directory).unwrap();
    assert!(run.document.broken_equations().is_empty(), "{:?}", run.document.broken_equations());
    assert_eq!(run.document.trace.sampled_by.forced, 1_000);
    let repeats: Vec<_> = run.requests().unwrap().into_iter().filter(|request| request.stream == "readers-replay").collect();
    assert_eq!(repeats.len(), 1_000);
    assert!(repeats.iter().all(|request| request.why.as_deref() == Some("forced") && request.inclusion_probability == 1.0));
    let spans = fs::read_to_string(run.spans_file().unwrap()).unwrap();
    let traces = outcome.replay.requests.iter().flat_map(|request| &request.trace_ids);
    assert!(traces.clone().count() == 500 && traces.clone().all(|id| spans.matches(id.as_str()).count() > 2), "client and server spans");
    // The run's own load went on beside them, as it was.
    let beside = run.document.stream("readers").unwrap();
    assert!(beside.ok > 1_000, "{}", beside.ok);
    // Replaying a replay would take places in an order for requests.
    let again = Replay::new(&run, run.document.plan().unwrap(), ReplaySettings::default()).unwrap_err();
    assert!(matches!(again, ReplayError::IsReplay { .. }), "{again}");
    assert!(again.to_string().contains(&format!("the run that it replayed, `{}`", stored.path.display())), "{again}");
}

#[test]
fn alone_there_is_one_request_at_a_time_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    // Nothing sampled: typical requests are any numbers of the stream.
    let stored = stored(&plan(&["load.duration=1s", "trace.sample_fraction=0"]), place.path());
    let settings = ReplaySettings { top: Some(4), times: Some(5), beside: Beside::None, seed: Some(1), ..ReplaySettings::default() };
    let outcome = replay(&stored, settings, place.path());
    assert_eq!(outcome.run.streams.len(), 1);
    assert_eq!((outcome.run.streams[0].scheduled, outcome.replay.requests.len(), outcome.replay.typical.len()), (40, 4, 4));
    assert!(outcome.replay.typical.iter().all(|typical| typical.original_ns.is_none()));
    let run = result::read(&outcome.directory).unwrap();
    let mut requests = run.requests().unwrap();
    requests.sort_by_key(|request| request.sent_ns);
    assert!(requests.len() == 40 && requests.windows(2).all(|pair| pair[0].done_ns <= pair[1].sent_ns), "one after the other");
    // The order is drawn: not every request has its repeats in a row.
    let order: Vec<_> = outcome.replay.requests.iter().map(|request| request.trace_ids.clone()).collect();
    assert!(order.iter().all(|ids| ids.len() == 5));
}

#[test]
fn streams_that_write_are_left_out_and_said_to_be() {
    let place = tempfile::tempdir().unwrap();
    let text = format!("{SCENARIO}\n[[stream]]\nname = \"writers\"\noperation = \"insert\"\nworkers = 1\nbatch = 1\n");
    let overrides = Overrides { set: vec!["load.duration=1s".into()], seed: Some(11) };
    let stored = stored(&scenario::parse(&text, "replay.toml", &overrides).unwrap(), place.path());
    let plan = stored.document.plan().unwrap();
    let replay = Replay::new(&stored, plan.clone(), ReplaySettings { times: Some(5), ..ReplaySettings::default() }).unwrap();
    let names: Vec<_> = replay.plan().streams.iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!(names, ["readers", "writers", "readers-replay"], "the writers belong to the load, and are not sent again");

    let only_writers = Plan { streams: plan.streams[1..].to_vec(), ..plan.clone() };
    let mut document = stored.document.clone();
    document.set_plan(&only_writers);
    let error = Replay::new(&StoredRun { document, ..stored.clone() }, only_writers, ReplaySettings::default()).unwrap_err().to_string();
    assert!(error.contains("`writers` write"), "{error}");

    // What cannot decide, or would send something else, is refused before anything is sent.
    let refused = |plan: Plan, settings: ReplaySettings| Replay::new(&stored, plan, settings).unwrap_err().to_string();
    let few = refused(plan.clone(), ReplaySettings { times: Some(1), ..ReplaySettings::default() });
    assert!(few.contains("--times 1 cannot decide") && few.contains("2 repeats of each"), "{few}");
    // Would be worked at for ever, or overflow.
    for times in [usize::MAX, 10_000_000_000] {
        let many = refused(plan.clone(), ReplaySettings { times: Some(times), ..ReplaySettings::default() });
        assert!(many.contains(&format!("--times {times} of 20 requests")) && many.contains("more than 40,000 repeats"), "{many}");
    }
    let none = refused(plan.clone(), ReplaySettings { top: Some(0), ..ReplaySettings::default() });
    assert!(none.contains("--top 0"), "{none}");
    let other = scenario::reread(&plan, "the plan".as_ref(), &Overrides { set: vec!["readers.top_k=3".into()], seed: None }).unwrap();
    let other = refused(other, ReplaySettings::default());
    assert!(other.contains("what `readers` sends"), "{other}");
    let seed = refused(Plan { seed: 12, ..plan.clone() }, ReplaySettings::default());
    assert!(seed.contains("--set changes seed"), "{seed}");
    let same = scenario::reread(&plan, "the plan".as_ref(), &Overrides { set: vec!["load.lanes=2".into()], seed: None }).unwrap();
    assert_eq!(same, Plan { load: tailtrace::scenario::Load { lanes: scenario::Lanes::Count(2), ..plan.load.clone() }, ..plan });
}

/// Names and contents.
type Files = Vec<(OsString, Vec<u8>)>;

/// A stored run of 100 searches of which one in five waits 250 ms in one span: made once, and copied into each test's folder.
fn run_with_a_slow_span(here: &Path) -> String {
    static RUN: OnceLock<(String, Files)> = OnceLock::new();
    let (directory, files) = RUN.get_or_init(|| {
        let there = folder("s.toml", SCENARIO);
        let slow = r#"practice.slow_span={ name = "Delegator-waitTSafe", fraction = 0.2, by = "250ms" }"#;
        let set = ["load.duration=1s", "readers.rate=100/s", "practice.slow_key.fraction=0", slow];
        let set = set.iter().flat_map(|key| ["--set", key]);
        let run = command(there.path(), &["run", "s.toml", "--quiet", "--seed", "11"]).args(set).output().unwrap();
        let directory = text(&run.stdout).trim().to_owned();
        let files = fs::read_dir(there.path().join(&directory)).unwrap().map(Result::unwrap);
        let files = files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect();
        (directory, files)
    });
    fs::create_dir_all(here.join(directory)).unwrap();
    for (name, bytes) in files {
        fs::write(here.join(directory).join(name), bytes).unwrap();
    }
    directory.clone()
}

/// What a replay of its five slowest requests prints: the document, and the text in one line.
fn replayed(here: &Path, stored: &str, more: &[&str]) -> (Value, String) {
    let output = command(here, &["replay", stored, "--top", "5", "--seed", "2", "--json"]).args(more).output().unwrap();
    let shown = text(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{shown}"));
    (document, shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One search in five waits 250 ms in one span, in the run as in the replay: of the 200 repeats 40 on average are slow again, and fewer
/// than the ten that an explanation needs once in 10^10 times. 250 ms are so long that a machine has to scatter by a fifth of them by
/// itself before they are no tail.
#[test]
fn a_replay_ends_with_what_the_explain_command_that_it_prints_answers() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, shown) = replayed(here.path(), &stored, &["--times", "20", "--rate", "100/s"]);
    let explained = &document["streams"][0]["explained"];
    assert_eq!((&explained["named"], &explained["rows"][0]["span"]), (&"Delegator-waitTSafe".into(), &"Delegator-waitTSafe".into()));

    // For people the sentence, and the command that shows all of it.
    assert!(shown.contains(explained["sentence"].as_str().unwrap()), "{shown}");
    let next: Vec<&str> = shown.split(" next tailtrace ").nth(1).unwrap().split(' ').collect();
    let answered = command(here.path(), &next).arg("--json").output().unwrap();
    let answer: Value = serde_json::from_slice(&answered.stdout).unwrap_or_else(|_| panic!("{next:?}: {}", text(&answered.stderr)));
    assert_eq!(answer["streams"], Value::Array(vec![explained.clone()]));
    // What is kept is what was printed.
    let kept = here.path().join(document["run_directory"].as_str().unwrap()).join("replay.json");
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(kept).unwrap()).unwrap(), document);
}

/// One at a time, what comes while a slow one is under way waits for its turn, many of them for longer than what is slow again: that is no
/// part of the answer. Of the 160 repeats 32 are slow again on average, fewer than ten or more than 60 once in 100,000 times.
#[test]
fn what_a_repeat_waits_for_its_turn_is_no_part_of_a_replays_explanation() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, _) = replayed(here.path(), &stored, &["--times", "16", "--load", "none", "--rate", "10/s"]);
    let explained = &document["streams"][0]["explained"];
    assert_eq!(explained["named"], "Delegator-waitTSafe", "{explained:#}");
    assert!(explained["rows"].as_array().unwrap().iter().all(|row| row["span"] != "waiting in the generator"), "{explained:#}");
    assert!(explained["tail"]["requests"].as_u64() < Some(60), "{explained:#}");
}

/// Spans that nobody took: the verdicts stand without them, what was lost is said, and no command is offered that could only fail.
#[test]
fn a_replay_whose_spans_nobody_takes_says_so() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("trace.endpoint=http://{nobody}");
    let (document, shown) = replayed(here.path(), &stored, &["--times", "4", "--rate", "40/s", "--set", &endpoint]);
    assert!(document["requests"].as_array().is_some_and(|requests| requests.len() == 5), "{document:#}");
    assert!(shown.contains(" findings ") && shown.contains("could not be delivered"), "{shown}");
    assert!(!shown.contains(" next ") && shown.contains("readers-replay is not explained, its traces are not at hand"), "{shown}");
    let directory = document["run_directory"].as_str().unwrap();
    let explained = command(here.path(), &["explain", directory]).output().unwrap();
    let said = text(&explained.stderr);
    assert!(
        explained.status.code() == Some(2) && said.contains("not one of the ") && said.contains("`tailtrace doctor SCENARIO`"),
        "{said}"
    );
}

/// What `explain` says of a stream of a run directory, above a time.
fn explained_above(here: &Path, directory: &Value, stream: &str, above: &str) -> Value {
    let directory = directory.as_str().unwrap();
    let output = command(here, &["explain", directory, "--stream", stream, "--above", above, "--json"]).output().unwrap();
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    document["streams"][0].take()
}

/// Of 30 repeats six are slow again on average. Alone they come one after the other, so the target draws the same for the same seed: one of
/// slow requests, one of typical ones.
#[test]
fn too_few_slow_repeats_lead_to_a_replay_that_has_enough() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, shown) = replayed(here.path(), &stored, &["--times", "3", "--load", "none", "--rate", "20/s"]);
    let explained = &document["streams"][0]["explained"];
    assert_eq!(explained["verdict"], "too-few", "{explained:#}");
    let traced = explained["tail"]["traced"].as_u64().unwrap();
    // The command that was typed, with other repeats.
    let more = format!(
        "send each more often: `tailtrace replay {stored} --top 5 --seed 2 --json --load none --rate 20/s --times {}` (it had --times 3)",
        (3_u64 * 16).div_ceil(traced)
    );
    assert!(explained["advice"] == more && !shown.contains(" next "), "{shown}");
    // By a percentile nothing is known of what was slow again.
    let by_percentile = explained_above(here.path(), &document["run_directory"], "readers-replay", "p99");
    let slow_us = document["streams"][0]["slow_above_ns"].as_u64().unwrap() / 1_000;
    let advice = format!("let the tail begin where a repeat was slow again: --above {slow_us}us");
    assert_eq!(by_percentile["advice"], Value::String(advice), "{by_percentile:#}");
    // With ten and more traced ones it is not their number that is missing: where every repeat is slow, there is none to hold it against.
    let all = explained_above(here.path(), &document["run_directory"], "readers-replay", "1us");
    assert_eq!((&all["verdict"], &all["advice"]), (&"too-few".into(), &Value::Null), "{all:#}");
}

/// No request is slow any more: there is nothing to explain, and nobody is sent from one command to the next for it.
#[test]
fn where_none_was_slow_again_there_is_nothing_to_explain() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, shown) = replayed(here.path(), &stored, &["--times", "4", "--rate", "40/s", "--set", "practice.slow_span.fraction=0"]);
    let stream = &document["streams"][0];
    assert_eq!((&stream["slow_again"], &stream["told"], &stream["explained"]), (&0.into(), &20.into(), &Value::Null), "{stream:#}");
    assert!(shown.contains("slow again none of the 20 repeats of slow requests of readers took longer than "), "{shown}");
    assert!(!shown.contains(" next ") && !shown.contains("not explained"), "{shown}");
    let slow_us = stream["slow_above_ns"].as_u64().unwrap() / 1_000;
    let asked = explained_above(here.path(), &document["run_directory"], "readers-replay", &format!("{slow_us}us"));
    let none = "held against the typical ones' repeats none of the slow requests was slow again: what is slow here are typical ones'";
    assert!(asked["notes"].as_array().unwrap().iter().any(|note| note == none), "{asked:#}");
    let by_percentile = explained_above(here.path(), &document["run_directory"], "readers-replay", "p99");
    assert_eq!(by_percentile["advice"], format!("see what slowed the requests then: `tailtrace explain {stored}`"), "{by_percentile:#}");
}

/// Everything is slow now: that is said, and nobody is told that there was nothing but a moment.
#[test]
fn where_typical_requests_are_slow_now_the_verdicts_are_said_to_rest_on_that() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, shown) = replayed(here.path(), &stored, &["--times", "4", "--load", "none", "--set", "practice.slow_span.fraction=1"]);
    assert!(shown.contains("changed typical requests of readers take ") && shown.contains("the target is not what it was"), "{shown}");
    assert!(!shown.contains("of that moment"), "{shown}");
    assert_eq!(document["streams"][0]["told"], 20, "{document:#}");
}

/// The load beside the repeats is that of the run: what it waited for is better asked there.
#[test]
fn of_the_load_beside_the_repeats_the_run_itself_tells_more() {
    let here = folder("s.toml", SCENARIO);
    let stored = run_with_a_slow_span(here.path());
    let (document, _) = replayed(here.path(), &stored, &["--times", "4", "--rate", "20/s"]);
    let beside = explained_above(here.path(), &document["run_directory"], "readers", "p99.9");
    let advice =
        format!("this stream ran beside the repeats: see the run that was replayed (`tailtrace explain {stored} --stream readers`)");
    assert_eq!((&beside["verdict"], &beside["advice"]), (&"too-few".into(), &advice.into()), "{beside:#}");
}
