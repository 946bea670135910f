//! The whole room: texts in, plans and errors out.

use super::*;
use crate::load::{Shape, Stage, StreamLoad};
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
    assert_eq!(plan.streams[0].load, StreamLoad { shape: open, timeout: Nanos::from_secs(10) });
    assert_eq!(plan.streams[0].operation, Operation::Search(Search { top_k: 10, consistency: None, params: [].into() }));
    assert_eq!(plan.streams[1].load.shape, Shape::Closed { workers: 4 });
    assert_eq!(plan.gates.iter().map(ToString::to_string).collect::<Vec<_>>(), ["readers.response.p99 < 20ms", "errors < 0.001"]);
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
