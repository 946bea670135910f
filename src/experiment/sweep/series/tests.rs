use std::collections::BTreeMap;

use super::*;
use crate::experiment::sweep::document::{Cost, StreamCost};
use crate::result::model::{RunDocument, Stream};
use crate::result::{StoredRun, WallTime, hlog};
use crate::scenario::{self, Overrides};

fn options(vary: &str) -> SweepOptions {
    let varied: Vec<Vary> = vec![vary.parse().unwrap()];
    let text = "[target]\nuri = \"practice\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"500/s\"\n";
    let plan = |point: &Point| scenario::parse(text, "s.toml", &Overrides { set: point.set(), seed: Some(1) }).unwrap();
    let points = crate::experiment::sweep::points(&varied).unwrap().into_iter().map(|point| (point.clone(), plan(&point))).collect();
    SweepOptions { varied, points, metrics: Vec::new(), stopping: Stopping::Rounds(2), catch: Catch::default(), max_overhead: 0.01 }
}

/// A sweep in which every value was measured once, at 500/s.
fn measured(options: &SweepOptions) -> Going<'_> {
    let mut going = Going::new(options, default_metrics(&options.points[0].1));
    let stream = StreamCost { name: "readers".to_owned(), rate_per_s: 500.0, ..StreamCost::default() };
    let cost = Cost { streams: vec![stream], ..Cost::default() };
    going.cells.iter_mut().for_each(|cells| cells.push(OneCell { path: "run".into(), cost: cost.clone(), distrust: None }));
    going
}

#[test]
fn a_fraction_in_percent_is_the_same_fraction() {
    let (plain, percent) = (options("trace.sample_fraction=0,0.001,0.1"), options("trace.sample_fraction=0,0.1%,10%"));
    let of = |options| {
        let going = measured(options);
        let values: Vec<ValueOutcome> = (0..3).map(|at| going.value(at)).collect();
        let reason = going.recommendation(&values).1;
        (values.iter().map(|value| value.value.clone()).collect::<Vec<_>>(), values[2].benefit.clone(), reason)
    };
    assert_eq!(of(&plain), of(&percent));
    assert_eq!(of(&percent).1[0].chance, Catch::default().chance(500.0, 0.1).1);
    assert!(of(&percent).2.contains("0.1 is the smallest that catches"), "{}", of(&percent).2);
}

/// A run of which so many of a thousand requests failed.
fn failing(variant: usize, failed: u64) -> Cell {
    let stream = Stream { name: "readers".to_owned(), scheduled: 1000, ok: 1000 - failed, failed, ..Stream::default() };
    let document = RunDocument { streams: vec![stream], ..RunDocument::begun("id", "s", WallTime::default()) };
    Cell { variant, run: StoredRun { path: "run".into(), document, times: BTreeMap::new(), ending: hlog::Ending::Whole } }
}

/// What a sweep of two values says of the second's errors, after rounds with so many failed of a thousand.
fn errors(rounds: &[[u64; 2]]) -> MetricChange {
    let options = SweepOptions { metrics: vec![Metric::Errors { stream: None }], ..options("trace.sample_fraction=0,1") };
    let mut going = Going::new(&options, options.metrics.clone());
    for [first, second] in rounds {
        going.take(vec![failing(0, *first), failing(1, *second)]).unwrap();
    }
    going.metric(0, 1)
}

#[test]
fn errors_have_the_mean_of_their_rounds_and_change_as_good_answers_do() {
    let mostly = errors(&[[0, 10], [0, 10], [0, 10], [0, 10], [0, 10], [0, 10], [0, 10], [0, 0]]);
    assert!((mostly.value.unwrap() - 0.00875).abs() < 1e-12, "{mostly:?}");
    assert!((mostly.change - (7.0 / 8.0 * 0.99_f64.ln()).exp_m1()).abs() < 1e-12 && mostly.low < Some(mostly.change), "{mostly:?}");
    let never = errors(&[[0, 0], [0, 0]]);
    assert_eq!((never.value, never.change, never.low, never.high), (Some(0.0), 0.0, Some(0.0), Some(0.0)));
}

#[test]
fn before_a_second_round_a_change_is_the_first_rounds_and_always_a_number() {
    for (failed, change) in [([0, 10], -0.01), ([10, 0], 1.0 / 0.99 - 1.0), ([0, 0], 0.0), ([0, 1000], -1.0)] {
        let found = errors(&[failed]);
        assert!((found.change - change).abs() < 1e-8 && found.low.is_none() && found.high.is_none(), "{failed:?}: {found:?}");
        assert!(serde_json::to_value(found).unwrap()["change"].is_number(), "{failed:?}");
    }
}
