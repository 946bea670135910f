//! What the next due time costs the lane: its own arrivals, and those of the other lanes that it walks past.
//!
//! `cargo bench --bench scheduling`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tailtrace::load::{Part, Schedule, Shape, Stage};
use tailtrace::stats::arrivals::Process;
use tailtrace::units::{Nanos, Rate};

/// Longer than any benchmark runs.
const LENGTH: Nanos = Nanos::from_secs(100_000);

fn schedule(arrivals: Process, climbing: bool, part: Part) -> Schedule {
    let rate = Rate::from_per_second(1e6).unwrap_or_default();
    let from = if climbing { Rate::ZERO } else { rate };
    let stages = vec![Stage { from, to: rate, length: LENGTH }];
    let shape = Shape::Open { arrivals, warmup: rate, stages, max_in_flight: 1 };
    Schedule::new(&shape, Nanos::ZERO, 1, part).expect("an open loop has a schedule")
}

fn scheduling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduling");
    group.throughput(Throughput::Elements(1));
    let eighth = Part { lane: 3, lanes: 8, ..Part::WHOLE };
    for (name, arrivals, climbing, part) in [
        ("constant", Process::Constant, false, Part::WHOLE),
        ("poisson", Process::Poisson, false, Part::WHOLE),
        ("poisson on a ramp", Process::Poisson, true, Part::WHOLE),
        ("poisson, one of eight lanes", Process::Poisson, false, eighth),
    ] {
        let mut arrivals = schedule(arrivals, climbing, part);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(arrivals.next())));
    }
    group.finish();
}

criterion_group!(benches, scheduling);
criterion_main!(benches);
