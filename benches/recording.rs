//! What counting one request costs the lane: its response, service and lateness into the stream's three histograms.
//!
//! `cargo bench --bench recording`. At most 100 ns a sample are aimed at; the three histograms of a stream take 810 KB, more than
//! most cores' second cache, so the latencies here are spread like real ones (log-normal, 1 ms at the median) rather than repeated.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, LogNormal};
use tailtrace::stats::histogram::Histogram;

/// Enough latencies that the branch predictor does not learn them.
const LATENCIES: usize = 1 << 16;

fn latencies(median_ns: f64, sigma: f64) -> Vec<u64> {
    let law = LogNormal::new(median_ns.ln(), sigma).expect("a finite spread");
    law.sample_iter(StdRng::seed_from_u64(1)).take(LATENCIES).map(|ns| ns as u64).collect()
}

fn recording(criterion: &mut Criterion) {
    let (service, late) = (latencies(1e6, 0.7), latencies(1e4, 1.0));
    let mut group = criterion.benchmark_group("recording");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one request: response, service, lateness", |bencher| {
        let mut histograms = [Histogram::new(), Histogram::new(), Histogram::new()];
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 1) % LATENCIES;
            let (service, late) = (service[at], late[at]);
            histograms[0].record(black_box(service + late));
            histograms[1].record(black_box(service));
            histograms[2].record(black_box(late));
        });
        black_box(&histograms);
    });
    group.bench_function("one sample", |bencher| {
        let mut histogram = Histogram::new();
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 1) % LATENCIES;
            histogram.record(black_box(service[at]));
        });
        black_box(&histogram);
    });
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
