//! Whoever watches a run is told of each phase when it begins.

use tailtrace::experiment::{Event, Observer, RunOptions, run};
use tailtrace::load::Stop;
use tailtrace::result::model::PhaseName;
use tailtrace::scenario::{Overrides, parse};

const SCENARIO: &str = r#"
target.uri = "practice"
[collection]
dim = 4
rows = 100
[load]
warmup = "200ms"
duration = "1200ms"
[[stream]]
name = "readers"
operation = "search"
rate = "100/s"
[practice]
service = "constant 5ms"
"#;

/// What is told, in order; what repeats once.
#[derive(Default)]
struct Told(Vec<String>);

impl Observer for Told {
    fn event(&mut self, event: &Event<'_>) {
        let told = match event {
            Event::Cell { label, .. } => format!("cell {label}"),
            Event::Probe { number, .. } => format!("probe {number}"),
            Event::Point { number, .. } => format!("point {number}"),
            Event::Phase(phase) => phase.as_str().to_owned(),
            Event::Floor => "floor".to_owned(),
            Event::SetUp(_) => "set-up goes on".to_owned(),
            Event::Second(_) => "second".to_owned(),
            Event::Fetching => "fetching".to_owned(),
            Event::Trouble(text) => panic!("{text}"),
        };
        if self.0.last() != Some(&told) {
            self.0.push(told);
        }
    }
}

/// Stops the run when the drain begins.
struct Stopping(Stop);

impl Observer for Stopping {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Phase(PhaseName::Drain)) {
            self.0.stop();
        }
    }
}

#[test]
fn a_stop_in_the_drain_takes_nothing_from_the_measured_phase() {
    let place = tempfile::tempdir().unwrap();
    let stop = Stop::default();
    let plan = parse(SCENARIO, "s.toml", &Overrides::default()).unwrap();
    let options = RunOptions { out: place.path().to_owned(), command: Vec::new(), stop: stop.clone(), environment: &|_| None };
    let document = run(&plan, &options, &mut Stopping(stop.clone())).unwrap().document;
    assert!(stop.is_stopped() && !document.partial, "{:?}", document.phases);
    assert_eq!(document.streams[0].unfinished, 0);
}

#[test]
fn every_phase_is_told_when_it_begins() {
    let place = tempfile::tempdir().unwrap();
    let plan = parse(SCENARIO, "s.toml", &Overrides::default()).unwrap();
    let options = RunOptions { out: place.path().to_owned(), command: Vec::new(), stop: Stop::default(), environment: &|_| None };
    let mut told = Told::default();
    run(&plan, &options, &mut told).unwrap();
    let place_of = |name: &str| told.0.iter().position(|told| told == name).unwrap_or_else(|| panic!("{name} is missing: {:?}", told.0));
    let phases = [PhaseName::SetUp.as_str(), "set-up goes on", "floor", PhaseName::WarmUp.as_str(), PhaseName::Measure.as_str()];
    assert!(phases.map(place_of).is_sorted(), "{:?}", told.0);
    // Seconds and the drain race where the drain is short: both come after the measured phase has begun.
    assert!(place_of("drain") > place_of("measure") && place_of("second") > place_of("measure"), "{:?}", told.0);
}
