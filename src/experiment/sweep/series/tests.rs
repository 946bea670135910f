use super::*;
use crate::experiment::sweep::document::{Cost, StreamCost};
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
