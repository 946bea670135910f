//! The whole room: texts in, plans and errors out.

use super::*;
use crate::load::{Shape, Stage, StreamLoad};
use crate::milvus::operation::{SearchSettings, Settings as Operation};
use crate::stats::arrivals::Process;
use crate::units::{Nanos, Rate};

/// A scenario that is right, for tests to spoil.
const RIGHT: &str = r#"# Question: is it right?
[target]
uri = "practice"
[collection]
dim = 64
[load]
warmup = "1s"
duration = "20s"
[[stream]]
name = "readers"
operation = "search"
rate = "500/s"
[[stream]]
name = "writers"
operation = "insert"
workers = 4
batch = 50
[trace]
sample_fraction = 0.01
[gates]
"readers.response.p99" = "< 20ms"
errors = "< 0.1%"
"#;

fn read_text(text: &str) -> Result<Plan, String> {
    parse(text, "s.toml", &Overrides::default()).map_err(|error| error.to_string())
}

fn with(set: &[&str]) -> Result<Plan, String> {
    let overrides = Overrides { set: set.iter().map(|&set| set.to_owned()).collect(), seed: None };
    parse(RIGHT, "s.toml", &overrides).map_err(|error| error.to_string())
}

fn rate(per_second: f64) -> Rate {
    Rate::from_per_second(per_second).unwrap()
}

#[test]
fn what_is_left_out_gets_its_default() {
    let plan = read_text(RIGHT).unwrap();
    assert_eq!(plan.name, "s");
    assert_eq!(
        plan.load,
        Load {
            lanes: Lanes::Auto,
            channels: 1,
            warmup: Nanos::from_secs(1),
            duration: Nanos::from_secs(20),
            drain: defaults::DRAIN,
            wait: crate::clock::Wait::Auto
        }
    );
    let level = Stage::steady(rate(500.0), Nanos::from_secs(20));
    let open = Shape::Open { arrivals: Process::Poisson, warmup: rate(500.0), stages: vec![level], max_in_flight: 10_000 };
    assert_eq!(plan.streams[0].load, StreamLoad { shape: open, timeout: Nanos::from_secs(10), forced: false });
    assert_eq!(plan.streams[0].operation, Operation::Search(SearchSettings { top_k: 10, consistency: None, params: [].into() }));
    assert_eq!(plan.streams[1].load.shape, Shape::Closed { workers: 4 });
    assert_eq!(plan.gates.iter().map(ToString::to_string).collect::<Vec<_>>(), ["readers.response.p99 < 20ms", "errors < 0.1%"]);
    assert!(plan.practice.is_some(), "the built-in target has settings even where none were typed");
}

#[test]
fn a_stored_plan_reads_back_the_same() {
    let staged = RIGHT.replace(
        "rate = \"500/s\"",
        "arrivals = \"constant\"\nparams = { ef = 64 }\nstages = [{ rate = \"100/s\", for = \"5s\" }, { rate = \"500/s\", for = \"10s\", ramp = true }, { rate = \"0/s\", for = \"5s\", ramp = true, from = \"50/s\" }]",
    );
    for text in [RIGHT, &staged] {
        let plan = read_text(text).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "{json}");
    }
}

/// Each spoils the scenario that is right in one place; the message begins with the place and holds the rest.
#[test]
fn what_is_wrong_is_shown_where_it_was_typed() {
    for (right, wrong, place, parts) in [
        // What is not TOML.
        ("dim = 64", "dim 64", "5:5", &["this is not TOML"][..]),
        ("rate = \"500/s\"", "rate = 500/s", "12:", &["this is not TOML"]),
        ("dim = 64", "dim = 64\ndim = 65", "6:1", &["this is not TOML", "duplicate key"]),
        ("dim = 64", "dim = 99999999999999999999999999999999999999999", "5:7", &["too large"]),
        ("dim = 64", "dim = 1979-05-27", "5:7", &["is a date"]),
        // Names.
        ("[load]", "[laod]", "6:2", &["unknown key `laod`", "did you mean `load`?"]),
        ("warmup =", "warm_upp =", "7:1", &["load: unknown key `warm_upp`", "did you mean `warmup`?"]),
        ("batch =", "bacth =", "17:1", &["stream `writers`: unknown key `bacth`", "did you mean `batch`?"]),
        ("dim = 64", "colour = 64", "5:1", &["collection: unknown key `colour`", "known keys: name, dim"]),
        ("sample_fraction", "sample_fractoin", "19:1", &["did you mean `sample_fraction`?"]),
        ("\"insert\"", "\"isnert\"", "15:13", &["writers.operation: `isnert`", "did you mean `insert`?"]),
        ("\"insert\"", "\"hybrid_search\"", "15:13", &["`hybrid_search` is not offered yet", "search and insert"]),
        ("\"writers\"", "\"readers\"", "14:8", &["two streams are called `readers`"]),
        ("\"readers\"\n", "\"load\"\n", "10:8", &["cannot be called `load`"]),
        ("\"readers\"\n", "\"errors\"\n", "10:8", &["cannot be called `errors`"]),
        ("\"readers\"\n", "\"a.b\"\n", "10:8", &["`a.b` cannot name a stream"]),
        ("\"readers\"\n", "\"\"\n", "10:8", &["`` cannot name a stream"]),
        ("name = \"readers\"\n", "", "9:", &["stream[0]: the key `name` is missing"]),
        ("operation = \"insert\"\n", "", "13:", &["stream `writers`: the key `operation` is missing"]),
        ("uri = \"practice\"\n", "", "2:2", &["target: the key `uri` is missing"]),
        // Units and types.
        ("\"1s\"", "\"1 sec\"", "7:10", &["load.warmup: `1 sec` is not a time", "such as \"20ms\""]),
        ("\"1s\"", "5", "7:10", &["load.warmup: found the number 5, expected a time"]),
        ("\"500/s\"", "\"500\"", "12:8", &["readers.rate: `500` is not a rate", "\"500/s\""]),
        ("\"500/s\"", "\"NaN/s\"", "12:8", &["is not a rate"]),
        ("\"500/s\"", "nan", "12:8", &["readers.rate: found the number NaN, expected a rate"]),
        ("\"500/s\"", "\"0/s\"", "12:8", &["readers.rate: a rate of zero sends nothing"]),
        ("\"500/s\"", "\"10000001/s\"", "12:8", &["the limit is 10000000/s"]),
        ("workers = 4", "workers = \"4\"", "16:11", &["writers.workers: found the text \"4\", expected a whole number"]),
        ("workers = 4", "workers = -4", "16:11", &["found the number -4, expected a whole number from 0"]),
        ("workers = 4", "workers = 0", "16:11", &["writers.workers: 0 is not from 1 to 1000000"]),
        ("0.01", "1.5", "19:19", &["trace.sample_fraction", "from 0 to 1"]),
        ("\"20s\"", "\"0s\"", "8:12", &["load.duration: 0s cannot be", "such as \"30s\""]),
        ("\"20s\"", "\"900h\"", "8:12", &["seven days are the limit"]),
        ("[load]\n", "[load]\nlanes = 0\n", "7:9", &["load.lanes", "\"auto\" or a whole number from 1 to 1024"]),
        ("[load]\n", "[load]\nlanes = \"many\"\n", "7:9", &["load.lanes: found the text \"many\""]),
        ("[load]\n", "[load]\nchannels = 0\n", "7:12", &["load.channels: 0 is not from 1 to 1024"]),
        ("[load]\n", "[load]\nwait = \"spin\"\n", "7:8", &["`spin` is not known here", "auto, sleep, poll"]),
        // What keys must keep to together.
        ("rate = \"500/s\"", "rate = \"500/s\"\nworkers = 3", "13:1", &["gives both `rate` and `workers`", "exactly one"]),
        ("rate = \"500/s\"\n", "", "10:1", &["stream `readers` does not say when its requests go", "exactly one"]),
        ("workers = 4", "workers = 4\narrivals = \"constant\"", "17:1", &["belongs to open loops"]),
        ("workers = 4", "workers = 4\nmax_in_flight = 10", "17:1", &["belongs to open loops"]),
        ("workers = 4", "workers = 4\ntop_k = 10", "17:1", &["belongs to search streams", "`writers` is an insert stream"]),
        ("rate = \"500/s\"", "rate = \"500/s\"\nbatch = 10", "13:1", &["belongs to insert streams"]),
        ("rate = \"500/s\"", "rate = \"500/s\"\ntimeout = \"0s\"", "13:11", &["readers.timeout: 0s cannot be"]),
        // Milvus's own limits.
        ("dim = 64", "dim = 32769", "5:7", &["collection.dim: 32769 is not from 1 to 32768"]),
        ("dim = 64", "dim = 0", "5:7", &["collection.dim", "expected a whole number, 1 or more"]),
        ("rate = \"500/s\"", "rate = \"500/s\"\ntop_k = 16385", "13:9", &["readers.top_k: 16385 is not from 1 to 16384"]),
        ("batch = 50", "batch = 262145", "17:9", &["67109120 bytes", "64 MiB", "at most 262144 rows fit"]),
        // Gates.
        ("\"readers.response.p99\"", "\"readers.respones.p99\"", "21:1", &["did you mean `readers.response.p99`?"]),
        (
            "\"readers.response.p99\"",
            "\"raeders.response.p99\"",
            "21:1",
            &["a stream that is not there", "did you mean the stream `readers`?"],
        ),
        ("\"readers.response.p99\" = \"< 20ms\"", "\"writers.recall\" = \"> 0.9\"", "21:1", &["only searches have a recall"]),
        ("\"< 20ms\"", "\"20ms\"", "21:26", &["has no comparison"]),
        ("\"< 20ms\"", "\"< 20\"", "21:26", &["must look like \"< 20ms\"", "`20` is not a time"]),
        ("\"< 0.1%\"", "\"< 0.1ms\"", "22:10", &["must look like \"< 0.1%\""]),
        ("[gates]\n", "[gates]\n\"errors \" = \"< 1%\"\n", "23:1", &["`errors` is there twice"]),
        // The other rooms' tables.
        ("\"practice\"", "\"localhost:19530\"", "3:7", &["target.uri", "http://"]),
        ("\"practice\"", "\"http://localhost:1/x\"", "3:7", &["it has a path"]),
        ("\"practice\"", "\"http://h\"\nca_file = \"x.pem\"", "4:1", &["for encrypted connections", "https://"]),
        ("dim = 64", "rows = 9_000_000\ndim = 128", "5:8", &["do not fit into 4.00 GiB", "practice.max_memory"]),
        ("[gates]", "[practice]\nservers = 0\n[gates]", "21:11", &["practice.servers", "1 or more"]),
        ("[gates]", "[practice]\nstall = { for = \"1s\", every = \"1s\" }\n[gates]", "21:31", &["`stall.every` must be longer"]),
        ("[gates]", "[practice]\nslow_span = { nam = \"x\" }\n[gates]", "21:15", &["practice.slow_span: unknown key `nam`", "`name`"]),
        ("sample_fraction = 0.01", "endpoint = \"localhost\"", "19:12", &["trace.endpoint", "built-in"]),
        ("sample_fraction = 0.01", "endpoint = \"http://localhost:99999\"", "19:12", &["trace.endpoint", "built-in"]),
    ] {
        assert!(RIGHT.contains(right), "{right}");
        let error = read_text(&RIGHT.replacen(right, wrong, 1)).expect_err(wrong);
        assert!(error.starts_with(&format!("s.toml:{place}")), "{wrong}: {error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{wrong}: {error}");
        assert!(error.contains("\n   |\n") || error.contains("\n  |\n"), "the line is shown: {error}");
    }
}

#[test]
fn practice_keys_stand_only_beside_the_practice_target() {
    let text = format!("{}[practice]\nservers = 1\n", RIGHT.replace("\"practice\"", "\"http://localhost:19530\""));
    let error = read_text(&text).unwrap_err();
    assert!(error.starts_with("s.toml:23:2: [practice] is for the built-in target"), "{error}");
    // Where an override names another target, the file's settings of the built-in one are left out.
    let text = format!("{RIGHT}[practice]\nservers = 1\n");
    let with = |set: &[&str]| parse(&text, "s.toml", &Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), seed: None });
    assert!(with(&["target.uri=http://milvus:19530"]).unwrap().practice.is_none());
    assert!(with(&["target={ uri = \"http://milvus:19530\" }"]).unwrap().practice.is_none());
    for stays in [&["target.uri=practice"][..], &["target.uri='practice'"], &["target.uri=http://milvus:19530", "target.uri=practice"]] {
        assert_eq!(with(stays).unwrap().practice.unwrap().servers, with(&[]).unwrap().practice.unwrap().servers, "{stays:?}");
    }
    let both = with(&["target.uri=http://milvus:19530", "practice.servers=3"]).unwrap_err().to_string();
    assert!(both.contains("[practice] is for the built-in target"), "{both}");
}

#[test]
fn a_scenario_without_streams_or_target_is_refused() {
    let error = read_text("[target]\nuri = \"practice\"\n").unwrap_err();
    assert!(error.contains("there is no stream") && error.contains("[[stream]]"), "{error}");
    let error = read_text("").unwrap_err();
    assert!(error.contains("the key `target` is missing"), "{error}");
}

#[test]
fn the_mark_stands_under_what_is_meant() {
    let error = read_text(&RIGHT.replace("rate = \"500/s\"", "\trate = \"5ü0/s\" # Wörter")).unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[2], "12 | \trate = \"5ü0/s\" # Wörter");
    assert_eq!(lines[3], "   | \t       ^^^^^^^");
}

#[test]
fn overrides_take_the_place_of_what_the_file_says() {
    let plan = with(&[
        "readers.rate=700/s",
        "load.lanes=2",
        "collection.name=other",
        "trace.sampleFraction=5%",
        "gates.\"readers.response.p99\"=< 10ms",
        "practice.stall={ for = \"1s\" }",
        "writers.workers=8",
        "load.lanes=3",
    ]);
    // Both spellings of the fraction would stand beside each other.
    assert!(plan.unwrap_err().contains("is given twice"));
    let plan = with(&["readers.rate=700/s", "load.lanes=2", "gates.\"readers.response.p99\"=< 10ms", "load.lanes=3"]).unwrap();
    assert_eq!(plan.streams[0].load.shape.clone(), {
        let stages = vec![Stage::steady(rate(700.0), Nanos::from_secs(20))];
        Shape::Open { arrivals: Process::Poisson, warmup: rate(700.0), stages, max_in_flight: 10_000 }
    });
    assert_eq!(plan.load.lanes, Lanes::Count(3));
    assert_eq!(plan.gates[0].to_string(), "readers.response.p99 < 10ms");
    let seeded = parse(RIGHT, "s.toml", &Overrides { set: vec!["seed=1".into()], seed: Some(u64::MAX) }).unwrap();
    assert_eq!(seeded.seed, u64::MAX, "--seed wins, and holds 64 bits");
}

#[test]
fn wrong_overrides_are_shown_as_they_were_typed() {
    for (set, parts) in [
        ("readers.rate", &["--set readers.rate: there is no `=`"][..]),
        ("=5", &["`` is not a key"]),
        ("a..b=5", &["`a..b` is not a key"]),
        ("raeders.rate=5/s", &["there is no table and no stream `raeders`", "did you mean `readers`?"]),
        ("stream.readers.rate=5/s", &["a stream stands under its own name", "write readers.rate instead"]),
        ("readers=5", &["is a whole stream"]),
        ("readers.rate.x=5", &["cannot be set in what is not a table"]),
        ("readers.rate=0/s", &["--set readers.rate=0/s: readers.rate: a rate of zero"]),
        ("readers.raet=5/s", &["--set readers.raet=5/s: stream `readers`: unknown key `raet`", "did you mean `rate`?"]),
        ("writers.arrivals=poisson", &["--set writers.arrivals=poisson: writers.arrivals: belongs to open loops"]),
        ("load.duration=[", &["this is not TOML"]),
        ("load=5", &["load: found the number 5, expected a table"]),
        ("collection.dim=70000", &["--set collection.dim=70000: collection.dim: 70000"]),
    ] {
        let error = with(&[set]).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{set}: {error}");
    }
}

#[test]
fn an_override_turns_an_open_loop_into_a_closed_one_and_back() {
    let shape = |set: &[&str], stream: usize| with(set).map(|plan| plan.streams[stream].load.shape.clone());
    assert_eq!(shape(&["readers.workers=5"], 0), Ok(Shape::Closed { workers: 5 }));
    let Ok(Shape::Open { stages, .. }) = shape(&["writers.rate=70/s"], 1) else { panic!("an open loop") };
    assert_eq!(stages, [Stage::steady(rate(70.0), Nanos::from_secs(20))]);
    let Ok(Shape::Open { stages, .. }) = shape(&["readers.stages=[{ rate = \"9/s\", for = \"20s\" }]"], 0) else { panic!("an open loop") };
    assert_eq!(stages, [Stage::steady(rate(9.0), Nanos::from_secs(20))]);
    // What only open loops have goes with the rate; what was typed for this run does not.
    let open = RIGHT.replace("rate = \"500/s\"", "rate = \"500/s\"\narrivals = \"constant\"\nmax_in_flight = 7");
    let set = |set: &[&str]| Overrides { set: set.iter().map(|&set| set.to_owned()).collect(), seed: None };
    let plan = parse(&open, "s.toml", &set(&["readers.workers=5"])).unwrap();
    assert_eq!(plan.streams[0].load.shape, Shape::Closed { workers: 5 });
    let error = parse(&open, "s.toml", &set(&["readers.arrivals=poisson", "readers.workers=5"])).unwrap_err().to_string();
    assert!(error.contains("readers.arrivals: belongs to open loops"), "{error}");
    let error = with(&["readers.workers=5", "readers.rate=70/s"]).unwrap_err();
    assert!(error.contains("stream `readers` gives both `rate` and `workers`"), "{error}");
}

#[test]
fn a_load_of_less_than_one_request_is_refused() {
    let error = with(&["readers.rate=2/m"]).unwrap_err();
    assert!(error.contains("--set readers.rate=2/m: readers.rate: over 20s this plans 0.67 requests, less than one"), "{error}");
    assert!(error.contains("lengthen load.duration"), "{error}");
    assert!(with(&["readers.rate=3/m"]).is_ok());
    let error = staged(r#"[{ rate = "0/s", for = "1s" }, { rate = "1/s", for = "1s", ramp = true }]"#).unwrap_err();
    assert!(error.starts_with("s.toml:11:") && error.contains("readers.stages: over 2s this plans 0.50 requests"), "{error}");
}

/// `stages` in place of the readers' rate, and the measured phase left to them.
fn staged(stages: &str) -> Result<Plan, String> {
    read_text(&RIGHT.replace("rate = \"500/s\"", &format!("stages = {stages}")).replace("duration = \"20s\"\n", ""))
}

#[test]
fn stages_join_and_make_up_the_measured_phase() {
    let plan =
        staged(r#"[{ rate = "90/s", for = "9s", ramp = true }, { rate = "10/s", for = "1s" }, { rate = "0/s", for = "2s", ramp = true }]"#)
            .unwrap();
    assert_eq!(plan.load.duration, Nanos::from_secs(12));
    let Shape::Open { stages, warmup, .. } = &plan.streams[0].load.shape else { panic!("an open loop") };
    let ends: Vec<(f64, f64)> = stages.iter().map(|stage| (stage.from.per_second(), stage.to.per_second())).collect();
    assert_eq!(ends, [(0.0, 90.0), (10.0, 10.0), (10.0, 0.0)]);
    assert_eq!(*warmup, rate(9.0), "a ramp from zero warms up with a tenth of what it climbs to");
    let plan = staged(r#"[{ rate = "90/s", for = "9s", ramp = true, from = "30/s" }]"#).unwrap();
    let Shape::Open { warmup, .. } = plan.streams[0].load.shape else { panic!("an open loop") };
    assert_eq!(warmup, rate(30.0));
}

#[test]
fn stages_that_cannot_be_are_refused() {
    for (stages, part) in [
        ("[]", "the list is empty"),
        (r#"[{ rate = "0/s", for = "9s" }]"#, "rates of zero send nothing"),
        (r#"[{ rate = "9/s", for = "0s" }]"#, "a stage needs some time"),
        (r#"[{ rate = "9/s", for = "1s", from = "1/s" }]"#, "only a ramp begins at another rate"),
        (r#"[{ rate = "9/s" }]"#, "readers.stages[0]: the key `for` is missing"),
        (r#"[{ rate = "9/s", for = "1s" }, { rate = "99999999/s", for = "1s" }]"#, "readers.stages[1].rate"),
    ] {
        let error = staged(stages).unwrap_err();
        assert!(error.contains(part), "{stages}: {error}");
    }
    let error = read_text(&RIGHT.replace("rate = \"500/s\"", r#"stages = [{ rate = "9/s", for = "1s" }]"#)).unwrap_err();
    assert!(error.contains("readers.stages last 1s in all, and the measured phase 20s"), "{error}");
}

#[test]
fn the_schema_knows_every_key_with_its_default() {
    let schema = json_schema().to_string();
    for part in [
        "\"sample_fraction\"",
        "\"top_k\"",
        "\"max_in_flight\"",
        "\"slow_span\"",
        "\"propagation\"",
        "\"default\":\"30s\"",
        "\"default\":\"10s\"",
        "\"default\":10000",
        "\"default\":\"poisson\"",
        "\"maximum\":16384",
        "\"ramp\"",
        "\"token_env\"",
    ] {
        assert!(schema.contains(part), "{part}");
    }
}

#[test]
fn credentials_that_were_typed_are_shown_nowhere() {
    let uri = "\"http://root:pa@ss/w0rd@milvus:19530\"";
    for text in [
        RIGHT.replace("\"practice\"", uri),
        // Another key of the same line is wrong.
        RIGHT.replace("uri = \"practice\"", &format!("database = 5 # was {uri}")),
        RIGHT.replace("[target]\nuri = \"practice\"", &format!("target = {{ uri = {uri}, url = {uri} }}")),
        RIGHT.replace("[trace]", &format!("[trace]\njaeger = {uri}")),
        RIGHT.replace("[trace]", &format!("[trace]\nforward = {uri}")),
        RIGHT.replace("[trace]", &format!("[trace]\nendpoint = {uri}")),
    ] {
        let error = read_text(&text).unwrap_err();
        assert!(!error.contains("root") && !error.contains("w0rd") && error.contains("milvus:19530"), "{error}");
    }
    let error = with(&["target.uri=http://root:w0rd@milvus:19530"]).unwrap_err();
    assert!(!error.contains("root") && error.contains("milvus:19530"), "{error}");
}

#[test]
fn a_seed_is_handed_on_only_where_none_is_given() {
    let own = |set: &[&str], seed| Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), seed }.or_seed(Some(7)).seed;
    assert_eq!((own(&["seeder.rate=5/s"], None), own(&["seed=5"], None), own(&[], Some(3))), (Some(7), None, Some(3)));
    let plan = with(&["seed=11"]).unwrap();
    let overrides = |set: &[&str]| Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), seed: None };
    let again = |set: &[&str]| reread(&plan, "s".as_ref(), &overrides(set)).unwrap().seed;
    assert_eq!((again(&["load.lanes=1"]), again(&["seed=12"])), (11, 12));
}

/// The text that a stored plan is read from is nobody's file: what is wrong in it is shown, without a line to look for.
#[test]
fn what_is_wrong_in_a_stored_plan_is_shown_without_a_line_number() {
    let plan = with(&["target.uri=https://milvus:19530", "target.ca_file=x.pem"]).unwrap();
    let overrides = Overrides { set: vec!["target.uri=http://milvus:19530".to_owned()], seed: None };
    let error = reread(&plan, "results/1".as_ref(), &overrides).unwrap_err().to_string();
    assert!(error.starts_with("results/1/run.json (its plan): ") && error.contains("for encrypted connections"), "{error}");
    assert!(!error.contains(" | ") && error.matches('`').count() >= 2, "{error}");
}

#[test]
fn a_stored_plan_runs_against_another_target_without_the_settings_of_the_built_in_one() {
    let plan = with(&["practice.servers=2"]).unwrap();
    let again =
        |set: &[&str]| reread(&plan, "s".as_ref(), &Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), seed: None });
    assert!(again(&["target.uri=http://milvus:19530"]).unwrap().practice.is_none());
    assert_eq!(again(&["target.uri=\"practice\""]).unwrap().practice, plan.practice);
    let both = again(&["target.uri=http://milvus:19530", "practice.servers=3"]).unwrap_err().to_string();
    assert!(both.contains("practice"), "{both}");
}
