//! What encoding a request costs the lane, beside the same request through the generated types.
//!
//! `cargo bench --bench encoding`. Requests are encoded before they are due, but by the same thread: what this takes is gone
//! from what a lane can send.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use tailtrace::milvus::collection::{Collection, Filled, Primary, PrimaryKind};
use tailtrace::milvus::operation::{InsertSettings, Requests, SearchSettings, Settings, Work};
use tailtrace::wire::milvus::{InsertRequest, SearchRequest, SearchResults};
use tailtrace::wire::schema::{Ids, LongArray, SearchResultData, ids::IdField};
use tailtrace::workload::{Metric, Seed, Vectors};

fn work(dim: usize) -> Work {
    let collection = Collection {
        name: "tailtrace".to_owned(),
        primary: Primary { name: "id".to_owned(), kind: PrimaryKind::Int64, auto: false },
        vector_field: "vector".to_owned(),
        dim,
        metric: Metric::L2,
        scalars: Vec::new(),
        consistency: None,
        filled: Some(Filled { rows: 20_000, seed: Seed(1) }),
    };
    Work { collection: Arc::new(collection), vectors: Vectors::new(Seed(1), dim), stream: 0, written: 0 }
}

fn encoding(criterion: &mut Criterion) {
    let search = Settings::Search(SearchSettings { top_k: 10, consistency: None, params: [("ef".to_owned(), 64.into())].into() });
    let insert = Settings::Insert(InsertSettings { batch: 100 });
    let mut group = criterion.benchmark_group("encoding");
    group.throughput(Throughput::Elements(1));
    for dim in [128, 768] {
        let work = work(dim);
        let mut vector = vec![0.0; dim];
        let mut sequence = 0;
        group.bench_function(format!("a vector of {dim} dimensions"), |bencher| {
            bencher.iter(|| {
                sequence += 1;
                work.vectors.query(0, sequence, black_box(&mut vector));
            });
        });
        for (name, settings) in [("a search", &search), ("an insert of 100 rows", &insert)] {
            let mut operation = settings.make(&work).expect("within Milvus's limits");
            let mut requests = Requests::new();
            group.bench_function(format!("{name} of {dim} dimensions"), |bencher| {
                bencher.iter(|| {
                    sequence += 1;
                    black_box(requests.encode(&mut *operation, sequence));
                });
            });
        }
        // The same messages by prost, without making their vectors: what the generated types alone would cost.
        let message = |settings: &Settings| Requests::new().encode(&mut *settings.make(&work).expect("as above"), 0).split_off(5);
        let typed = SearchRequest::decode(message(&search)).expect("just encoded");
        group.bench_function(format!("a search of {dim} dimensions by prost, its vector at hand"), |bencher| {
            bencher.iter(|| black_box(typed.encode_to_vec()));
        });
        let typed = InsertRequest::decode(message(&insert)).expect("just encoded");
        group.bench_function(format!("an insert of 100 rows of {dim} dimensions by prost, its vectors at hand"), |bencher| {
            bencher.iter(|| black_box(typed.encode_to_vec()));
        });
    }
    group.finish();
}

fn judging(criterion: &mut Criterion) {
    let ids = Ids { id_field: Some(IdField::IntId(LongArray { data: (0..10).map(|id| id * 1_999).collect() })) };
    let results =
        SearchResultData { num_queries: 1, top_k: 10, scores: vec![0.5; 10], ids: Some(ids), topks: vec![10], ..Default::default() };
    let answer = SearchResults { results: Some(results), collection_name: "tailtrace".to_owned(), ..Default::default() }.encode_to_vec();
    let settings = Settings::Search(SearchSettings { top_k: 10, consistency: None, params: std::collections::BTreeMap::new() });
    let mut operation = settings.make(&work(128)).expect("within Milvus's limits");
    let mut sequence = 0;
    criterion.bench_function("judging an answer of 10 neighbours", |bencher| {
        bencher.iter(|| {
            sequence += 1;
            black_box(operation.judge(sequence, true, black_box(&answer))).expect("it says success");
        });
    });
}

criterion_group!(benches, encoding, judging);
criterion_main!(benches);
