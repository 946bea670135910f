use super::*;
use crate::milvus::collection::{Filled, Primary, PrimaryKind};
use crate::milvus::operation::golden::pymilvus;
use crate::milvus::operation::protobuf::PREFIX;
use crate::milvus::operation::{Requests, Settings as AnySettings};
use crate::trace::Outcome;
use crate::wire::milvus::SearchResults;
use crate::workload::{Metric, Seed};
use std::sync::Arc;

fn collection(dim: usize, consistency: Consistency) -> Collection {
    Collection {
        name: "things".to_owned(),
        primary: Primary { name: "id".to_owned(), kind: PrimaryKind::Int64, auto: false },
        vector_field: "vector".to_owned(),
        dim,
        metric: Metric::L2,
        scalars: Vec::new(),
        consistency: Some(consistency),
        filled: Some(Filled { rows: 100, seed: Seed(1) }),
    }
}

fn work(dim: usize, consistency: Consistency) -> Work {
    Work { collection: Arc::new(collection(dim, consistency)), vectors: Vectors::new(Seed(1), dim), stream: 3, written: 0 }
}

fn settings(consistency: Option<Consistency>) -> Settings {
    Settings { top_k: 10, consistency, params: [("ef".to_owned(), 64.into())].into() }
}

/// The vector that the golden requests hold.
fn golden_vector() -> Vec<u8> {
    [0.5_f32, -1.0, 2.0, 0.25].iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn every_consistency_level_is_pymilvus_s_byte_for_byte() {
    for (name, consistency) in [
        ("search-strong", Some(Consistency::Strong)),
        ("search-session", Some(Consistency::Session)),
        ("search-bounded", Some(Consistency::Bounded)),
        ("search-eventually", Some(Consistency::Eventually)),
        ("search-default", None),
    ] {
        let ours = request(&settings(consistency), &collection(4, Consistency::Bounded), &golden_vector()).encode_to_vec();
        assert!(ours == pymilvus(name), "{name}");
    }
}

#[test]
fn a_request_is_the_template_with_the_query_of_its_number() {
    for dim in [1, 3, 32, 128, 1_000] {
        let work = work(dim, Consistency::Bounded);
        let mut search = Search::new(&settings(None), &work).unwrap();
        let mut requests = Requests::new();
        for sequence in [0, 1, 77] {
            let encoded = requests.encode(&mut search, sequence);
            let mut vector = vec![0.0; dim];
            work.vectors.query(3, sequence, &mut vector);
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            let expected = request(&settings(None), &work.collection, &bytes);
            assert_eq!(encoded[0], 0);
            assert_eq!(encoded[1..PREFIX], (expected.encoded_len() as u32).to_be_bytes());
            assert!(SearchRequest::decode(&encoded[PREFIX..]).unwrap() == expected, "dim {dim} sequence {sequence}");
        }
    }
}

#[test]
fn the_session_s_last_write_is_appended_and_counts() {
    let written = 453_000_000_000_000_000;
    for (name, consistency) in [("search-session-written", Some(Consistency::Session)), ("search-default-written", None)] {
        let work = work(4, Consistency::Session);
        let mut search = Search::new(&settings(consistency), &work).unwrap();
        assert!(search.of_session());
        let mut encoded = Requests::new().encode(&mut search, 0);
        let address = encoded.as_ptr();
        search.append_session(written, &mut encoded);
        assert_eq!(encoded.as_ptr(), address, "the request was given room for it");
        assert_eq!(encoded[1..PREFIX], ((encoded.len() - PREFIX) as u32).to_be_bytes());
        let mut decoded = SearchRequest::decode(&encoded[PREFIX..]).unwrap();
        let theirs = SearchRequest::decode(&pymilvus(name)[..]).unwrap();
        decoded.placeholder_group.clone_from(&theirs.placeholder_group);
        assert_eq!(decoded, theirs, "{name}");
    }
}

#[test]
fn only_searches_of_a_session_wait_for_its_writes() {
    let session = |own, collection| Search::new(&settings(own), &work(2, collection)).unwrap().of_session();
    assert!(session(Some(Consistency::Session), Consistency::Bounded));
    assert!(session(None, Consistency::Session));
    assert!(!session(None, Consistency::Bounded));
    assert!(!session(Some(Consistency::Strong), Consistency::Session));
}

#[test]
fn the_metric_and_field_are_the_collection_s() {
    let mut collection = collection(4, Consistency::Bounded);
    collection.metric = Metric::Cosine;
    collection.vector_field = "embedding".to_owned();
    let request = request(&Settings { params: BTreeMap::new(), ..settings(None) }, &collection, &golden_vector());
    let param = |key: &str| request.search_params.iter().find(|pair| pair.key == key).unwrap().value.clone();
    assert_eq!((param("metric_type"), param("anns_field")), ("COSINE".to_owned(), "embedding".to_owned()));
    assert_eq!(param("params"), r#"{"metric_type":"COSINE"}"#);
}

#[test]
fn only_measured_successes_of_a_known_collection_are_kept() {
    let good = SearchResults::default().encode_to_vec();
    let status = common::Status { code: 100, reason: "no such collection".to_owned(), ..Default::default() };
    let bad = SearchResults { status: Some(status), ..Default::default() }.encode_to_vec();
    let mut unknown = work(2, Consistency::Bounded);
    Arc::get_mut(&mut unknown.collection).unwrap().filled = None;
    for (work, expected) in [(work(2, Consistency::Bounded), vec![1]), (unknown, vec![])] {
        let mut search = Search::new(&settings(None), &work).unwrap();
        assert_eq!(search.judge(0, false, &good), Ok(None));
        assert_eq!(search.judge(1, true, &good), Ok(None));
        let failure = search.judge(2, true, &bad).unwrap_err();
        assert_eq!((failure.outcome, failure.reason.as_str()), (Outcome::Milvus(100), "no such collection"));
        let kept = (Box::new(search) as Box<dyn Operation>).leave();
        assert_eq!(kept.answers().iter().map(|kept| kept.sequence).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_milvus_would_refuse_is_refused_before() {
    for top_k in [0, 16_385] {
        let settings = AnySettings::Search(Settings { top_k, ..settings(None) });
        assert_eq!(settings.make(&work(2, Consistency::Bounded)).err(), Some(OperationError::TopK { given: top_k }));
    }
    let largest = AnySettings::Search(Settings { top_k: MAX_TOP_K, ..settings(None) });
    assert_eq!(largest.make(&work(2, Consistency::Bounded)).unwrap().path(), "/milvus.proto.milvus.MilvusService/Search");
    assert_eq!((largest.name(), largest.method(), AnySettings::NAMES), ("search", "Search", &["search", "insert"][..]));
}
