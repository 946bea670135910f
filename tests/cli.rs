//! The command from outside: what is printed where, and which status it ends with.

mod typed;

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use typed::{command, text};

/// Commands that are offered; a new one is added here, and the tests below ask for its help.
const COMMANDS: [&str; 11] =
    ["run", "explain", "replay", "sweep", "capacity", "compare", "doctor", "practice", "check", "schema", "completions"];

const RIGHT: &str = "[target]\nuri = \"practice\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"500/s\"\n";

fn tailtrace(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn folder(scenario: &str) -> TempDir {
    typed::folder("s.toml", scenario)
}

#[test]
fn a_device_that_never_ends_is_no_scenario() {
    let here = folder(RIGHT);
    let ended = tailtrace(here.path(), &["check", "/dev/zero"]);
    let told = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("`/dev/zero` is at least 1048577 bytes long"), "{told}");
}

#[test]
fn check_says_where_there_are_more_lanes_than_cores() {
    let here = folder(RIGHT);
    let cores = std::thread::available_parallelism().unwrap().get();
    let lanes = |lanes: usize| text(&tailtrace(here.path(), &["check", "s.toml", "--set", &format!("load.lanes={lanes}")]).stdout);
    assert!(lanes(cores + 1).contains(&format!("more than the {cores} core")), "{}", lanes(cores + 1));
    assert!(!lanes(cores).contains("more than the"), "{}", lanes(cores));
}

#[test]
fn every_command_helps_in_one_line_and_at_length() {
    let here = folder(RIGHT);
    let all = text(&tailtrace(here.path(), &["--help"]).stdout);
    assert!(all.contains("traces a sampled fraction of its own requests") && all.contains("Exit status:"), "{all}");
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command}")), "{command} is missing in\n{all}");
        let help = tailtrace(here.path(), &[command, "--help"]);
        let shown = text(&help.stdout);
        assert_eq!(help.status.code(), Some(0));
        assert!(shown.contains("Usage: tailtrace") && shown.contains("Example"), "{command}:\n{shown}");
        assert!(help.stderr.is_empty());
    }
    let listed = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty()).count();
    assert_eq!(listed, COMMANDS.len() + 1, "a command is not under test:\n{all}");
}

#[test]
fn a_run_directory_stands_for_the_plan_that_was_run() {
    let here = folder(&RIGHT.replace("rate = ", "params = { ef = 64 }\nrate = "));
    let plan = |arguments: &[&str]| -> serde_json::Value {
        let check = tailtrace(here.path(), &[&["check", "--json"], arguments].concat());
        serde_json::from_slice(&check.stdout).unwrap_or_else(|_| panic!("{}", text(&check.stderr)))
    };
    let first = plan(&["s.toml", "--seed", "18446744073709551615", "--set", "gates.errors=< 0.1%"]);
    let run = here.path().join("results/run");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("run.json"), serde_json::json!({ "schema": "tailtrace.run/1", "plan": first }).to_string()).unwrap();
    for again in ["results/run", "results/run/run.json"] {
        assert_eq!(plan(&[again]), first);
        let other = plan(&[again, "--set", "readers.workers=4", "--seed", "3"]);
        assert_eq!((&other["seed"], &other["stream"][0]["workers"]), (&3.into(), &4.into()));
    }
    assert_eq!(plan(&["results/run", "--set", "seed=5"])["seed"], 5);
    assert!(plan(&["results/run", "--set", "target.uri=http://127.0.0.1:1"])["practice"].is_null());
    fs::write(run.join("run.json"), "{}").unwrap();
    let refused = tailtrace(here.path(), &["run", "results/run"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("run.json` holds no plan of a run"), "{}", text(&refused.stderr));
}

#[test]
fn the_plan_for_people_says_how_answers_are_read_and_how_the_practice_target_behaves() {
    let here = folder(&RIGHT.replace("rate = ", "params = { ef = 64 }\nrate = "));
    let shown = |set: &[&str]| {
        let set = set.iter().flat_map(|set| ["--set", set]);
        text(&tailtrace(here.path(), &["check", "s.toml"].into_iter().chain(set).collect::<Vec<_>>()).stdout)
    };
    let plain = shown(&[]);
    assert!(plain.contains("search, top 10, consistency bounded, the collection's, ef 64; open loop"), "{plain}");
    assert!(plain.contains("practice     searches exactly, answers as soon as it can\n"), "{plain}");
    let other = shown(&["readers.consistency=strong", "practice.servers=2", "practice.stall={ for = \"1s\" }", "gates.errors=< 0.1%"]);
    assert!(other.contains("consistency strong, ef 64;"), "{other}");
    assert!(other.contains("practice     servers 2, stall (for 1s)\n"), "{other}");
    assert!(other.contains("gate         errors < 0.1%\n"), "{other}");
}

#[test]
fn a_right_scenario_becomes_a_plan_for_people_and_for_programs() {
    let here = folder(RIGHT);
    let check = tailtrace(here.path(), &["check", "s.toml", "--seed", "7", "--set", "load.duration=60s"]);
    let shown = text(&check.stdout);
    assert_eq!(check.status.code(), Some(0));
    assert!(shown.contains("seed 7") && shown.contains("500/s for 1m (poisson, 30000 requests"), "{shown}");
    let check = tailtrace(here.path(), &["check", "s.toml", "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(plan["load"]["warmup"], "5s");
    assert_eq!(plan["stream"][0]["top_k"], 10);
    // The plan is a scenario itself, and makes the same plan again.
    let again: tailtrace::scenario::Plan = serde_json::from_value(plan.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), plan);
}

#[test]
fn bad_input_gets_one_clear_message_and_status_two() {
    let here = folder(RIGHT);
    fs::write(here.path().join("binary.toml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(here.path().join("long.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    fs::create_dir(here.path().join("newer")).unwrap();
    fs::write(here.path().join("newer/run.json"), r#"{"schema": "tailtrace.run/9", "plan": {"target": {"uri": "practice"}}}"#).unwrap();
    for (arguments, parts) in [
        (&["check", "nowhere.toml"][..], &["cannot read the scenario `nowhere.toml`", "No such file"][..]),
        (&["check", "."], &["holds no plan of a run", "directory"]),
        (&["check", "binary.toml"], &["is not text in UTF-8"]),
        (&["check", "long.toml"], &["1048577 bytes"]),
        (&["check", "newer"], &["newer/run.json", "schema `tailtrace.run/9`", "give the scenario file"]),
        (&["check"], &["<SCENARIO>", "Usage:"]),
        (&["check", "s.toml", "--sett", "a=b"], &["--sett", "--set"]),
        (&["check", "s.toml", "--seed", "-1"], &["--seed", "a whole number from 0"]),
        (&["check", "s.toml", "--set"], &["--set", "KEY=VALUE"]),
        (&["check", "s.toml", "--set", "readers.rate"], &["--set readers.rate", "there is no `=`"]),
        (&["check", "s.toml", "--set", "readers.rate=0/s"], &["readers.rate", "a rate of zero"]),
        (&["check", "s.toml", "--set", "readers.rate=nan"], &["readers.rate", "NaN", "expected a rate"]),
        (&["check", "s.toml", "--set", "readers.workers=2", "--set", "readers.rate=1/s"], &["both `rate` and `workers`"]),
        (&["check", "s.toml", "--set", "readers.rate=1/m"], &["less than one", "lengthen load.duration"]),
        (&["check", "s.toml", "--set", "laod.lanes=2"], &["no table and no stream `laod`", "did you mean `load`?"]),
        (&["check", "s.toml", "--set", "target.uri=http://h", "--set", "practice.servers=1"], &["[practice] is for the built-in target"]),
        (&["chekc", "s.toml"], &["unrecognized subcommand 'chekc'", "'check'"]),
        (&[], &["a command is missing", "Commands:"]),
        (&["run", "nowhere.toml"], &["cannot read the scenario `nowhere.toml`"]),
        (&["run", "s.toml", "--set", "readers.rate=0/s"], &["readers.rate", "a rate of zero"]),
        (&["run", "s.toml", "--out", "s.toml"], &["cannot make a run directory in `s.toml`", "--out DIR"]),
        (&["run", "s.toml", "--set", "target.uri=http://127.0.0.1:9"], &["cannot connect to http://127.0.0.1:9", "refused"]),
        (&["practice", "--servers", "0"], &["--servers 0: practice.servers", "1 or more"]),
        (&["practice", "--service", "2ms"], &["--service 2ms", "exponential 2ms"]),
        (&["practice", "--slow-span", "{ nam = 1 }"], &["unknown key `nam`", "did you mean `name`?"]),
        (&["practice", "--max-queue", "5"], &["--max-queue 5", "needs `servers`"]),
        (&["practice", "--port", "70000"], &["70000", "65535"]),
        (&["practice", "--listen", "localhost"], &["--listen", "invalid IP address"]),
        (&["practice", "--listen", "192.0.2.1"], &["192.0.2.1:19530", "no such address", "127.0.0.1"]),
        (&["explain", "newer", "--last", "5m"], &["--last", "cannot be used with"]),
        (&["practice", "--otlp", "localhost"], &["--otlp", "http://localhost:4317"]),
        (&["completions", "cmd"], &["invalid value 'cmd'", "bash"]),
    ] {
        let ended = tailtrace(here.path(), arguments);
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
        assert!(told.starts_with("error: ") && told.matches("error: ").count() == 1, "one message: {told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{arguments:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn a_mistake_in_the_file_is_shown_with_its_line() {
    let here = folder(&RIGHT.replace("operation", "opration"));
    let ended = tailtrace(here.path(), &["check", "s.toml"]);
    let expected = "error: s.toml:5:1: stream `readers`: unknown key `opration`\n  |\n5 | opration = \"search\"\n  | ^^^^^^^^\n  \
                    = help: did you mean `operation`?\n";
    assert_eq!((text(&ended.stderr).as_str(), ended.status.code()), (expected, Some(2)));
}

#[test]
fn the_schema_is_json_and_names_the_scenarios_tables() {
    let here = folder(RIGHT);
    let schema: serde_json::Value = serde_json::from_slice(&tailtrace(here.path(), &["schema"]).stdout).unwrap();
    for table in ["target", "collection", "load", "stream", "trace", "gates", "practice"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let here = folder(RIGHT);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let made = tailtrace(here.path(), &["completions", shell]);
        assert!(made.status.success() && text(&made.stdout).contains("completions"), "{shell}");
    }
}

#[test]
#[cfg(unix)]
fn a_reader_who_stops_reading_is_no_failure() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tailtrace"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Dropped unread: the schema is longer than a pipe holds only by luck, so the process may see it or not; both are 0.
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_replayed_is_said_before_anything_is_sent() {
    let here = folder(RIGHT);
    let store = |name: &str, text: &str| {
        fs::create_dir(here.path().join(name)).unwrap();
        fs::write(here.path().join(name).join("run.json"), text).unwrap();
    };
    store("newer", r#"{"schema": "tailtrace.run/9"}"#);
    store("half", r#"{"schema": "tailtrace.run/1", "id": "#);
    let mut begun = tailtrace::result::model::RunDocument::begun("1", "s", tailtrace::result::WallTime::from_unix_ns(0));
    store("planless", &begun.to_json());
    begun.set_plan(&tailtrace::scenario::parse(RIGHT, "s.toml", &tailtrace::scenario::Overrides::default()).unwrap());
    store("begun", &begun.to_json());
    for (arguments, parts) in [
        (&["replay"][..], &["<RUN>", "Usage:"][..]),
        (&["replay", "nowhere"], &["nowhere", "run.json", "No such file"]),
        (&["replay", "newer"], &["tailtrace.run/9", "another version"]),
        (&["replay", "half"], &["half", "not a run document"]),
        (&["replay", "planless"], &["cannot run the plan of `planless` again"]),
        (&["replay", "begun"], &["names no slow request", "replay a whole run"]),
        (&["replay", "begun", "--top", "0"], &["--top", "expected 1 to 40,000"]),
        (&["replay", "begun", "--seed", "x"], &["--seed", "expected a whole number from 0 to"]),
        (&["replay", "begun", "--times", "many"], &["many", "--times"]),
        (&["replay", "begun", "--rate", "20"], &["--rate", "500/s"]),
        (&["replay", "begun", "--load", "half"], &["half", "same", "none"]),
        (&["replay", "begun", "--set", "readers.top_k=3"], &["--set readers.top_k: a replay takes its requests and its load"]),
        (&["replay", "begun", "--set", "readers.rate=3/s"], &["--set readers.rate: ", "`target`, `load`, `trace`, `practice`"]),
        (&["replay", "begun", "--set", "load.duration=3s"], &["--set load.duration: a replay is as long as its repeats take"]),
        (&["replay", "begun", "--set", "seed=3"], &["--set seed: a replay takes"]),
        (&["replay", "begun", "--set", "readers.rat=3/s"], &["unknown key `rat`", "did you mean `rate`?"]),
    ] {
        let output = tailtrace(here.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)) && output.stdout.is_empty(), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && !here.path().join("results").exists(), "{said}");
    }
}

#[test]
fn the_doctor_says_by_its_status_whether_the_chain_is_whole() {
    let here = folder(RIGHT);
    let built_in = "trace.endpoint=built-in";
    let whole = tailtrace(here.path(), &["doctor", "s.toml", "--set", built_in, "--json"]);
    let diagnosis: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((whole.status.code(), &diagnosis["whole"]), (Some(0), &serde_json::json!(true)), "{diagnosis}");
    assert!(
        diagnosis["links"]
            .as_array()
            .unwrap()
            .iter()
            .all(|link| ["name", "ok", "seen", "cause", "fix"].iter().all(|key| link.get(key).is_some()))
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let broken = tailtrace(here.path(), &["doctor", "s.toml", "--set", built_in, "--set", &format!("target.uri=http://{free}")]);
    let said = text(&broken.stdout);
    assert_eq!(broken.status.code(), Some(1), "{said}{}", text(&broken.stderr));
    assert!(said.contains("port closed") && said.contains("change:") && said.contains("The chain is broken at: target."), "{said}");
    fs::write(here.path().join("half.json"), r#"{"schema": "tailtr"#).unwrap();
    fs::write(here.path().join("latin1.toml"), b"name = \"\xe9\"").unwrap();
    for (arguments, part) in [
        (&["doctor"][..], "<SCENARIO>"),
        (&["doctor", "nowhere.toml"], "cannot read the scenario `nowhere.toml`"),
        (&["doctor", "s.toml", "--set", "trace.endpoint=nothing"], "is not an OTLP endpoint"),
        (&["doctor", "s.toml", "--within", "soon"], "soon"),
        (&["doctor", "s.toml", "--within", "0s"], "spans come in batches: give 1s or more"),
        (
            &["doctor", "s.toml", "--management", "banana"],
            "`banana` is not the URL of Milvus's management port; a right one is \"http://localhost:9091\"",
        ),
        (&["doctor", "."], "`.` holds no plan of a run; give a scenario file"),
        (&["doctor", "half.json"], "cannot understand `half.json`: it is cut or not a run document"),
        (&["doctor", "latin1.toml"], "`latin1.toml` is not text in UTF-8"),
    ] {
        let output = tailtrace(here.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(part) && output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    }
}
