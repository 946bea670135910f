//! What one search costs a lane from encoding to its judged answer, against the null target on another thread.
//!
//! `cargo bench --bench round_trip`. One at a time it is the round trip itself (two threads wake each other); with 64 in
//! flight it is what a lane at full load spends on each.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tailtrace::load::Target;
use tailtrace::milvus::collection::{Collection, Filled, Primary, PrimaryKind};
use tailtrace::milvus::operation::{SearchSettings, Settings, Work};
use tailtrace::milvus::{Address, Connection, MilvusTarget, TargetSettings};
use tailtrace::practice::{self, SearchMode, Server};
use tailtrace::workload::{Metric, Seed, Vectors};
use tokio::runtime::{Builder, LocalOptions};

const DIM: usize = 128;
const IN_FLIGHT: usize = 64;

fn work() -> Work {
    let seed = Seed(1);
    let collection = Collection {
        name: "tailtrace".to_owned(),
        primary: Primary { name: "id".to_owned(), kind: PrimaryKind::Int64, auto: false },
        vector_field: "vector".to_owned(),
        dim: DIM,
        metric: Metric::L2,
        scalars: Vec::new(),
        consistency: None,
        filled: Some(Filled { rows: 20_000, seed }),
    };
    Work { collection: Arc::new(collection), vectors: Vectors::new(seed, DIM), stream: 0, written: 0 }
}

async fn one(target: &mut MilvusTarget, sequence: u64) {
    let request = target.prepare(0, sequence);
    let answer = target.call(0, 0, request, None).await;
    target.judge(0, 0, sequence, false, answer).expect("the null target answers ok");
}

/// As many as fit are on their way at once; all of them are answered before the next ones are sent.
async fn many(target: &mut MilvusTarget, first: u64) {
    let tasks: Vec<_> = (0..IN_FLIGHT as u64)
        .map(|nth| {
            let request = target.prepare(0, first + nth);
            tokio::task::spawn_local(target.call(0, 0, request, None))
        })
        .collect();
    for (task, sequence) in tasks.into_iter().zip(first..) {
        let answer = task.await.expect("a call does not panic");
        target.judge(0, 0, sequence, false, answer).expect("the null target answers ok");
    }
}

fn round_trip(criterion: &mut Criterion) {
    let settings = practice::Settings { search: SearchMode::Canned, ..practice::Settings::default() };
    let server = Server::start(settings, ([127, 0, 0, 1], 0).into(), None).expect("a free port");
    let connection =
        Connection::new(&TargetSettings::at(Address::Practice), &format!("http://{}", server.addr()), |_| None).expect("a right address");
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).expect("a runtime");
    let search = Settings::Search(SearchSettings { top_k: 10, consistency: None, params: [].into() });
    let operation = search.make(&work()).expect("a right search");
    let mut target = runtime.block_on(MilvusTarget::connect(&connection, vec![operation], 1, IN_FLIGHT)).expect("a server that listens");
    let mut sequence = 0;
    let mut group = criterion.benchmark_group("round trip");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one search at a time", |bencher| {
        bencher.iter(|| {
            sequence += 1;
            runtime.block_on(one(&mut target, sequence));
        });
    });
    group.throughput(Throughput::Elements(IN_FLIGHT as u64));
    group.bench_function("64 searches in flight", |bencher| {
        bencher.iter(|| {
            sequence += IN_FLIGHT as u64;
            runtime.block_on(many(&mut target, sequence));
        });
    });
    group.finish();
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
