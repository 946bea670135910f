use super::hybrid::{Ranker, rank};
use super::nearest::{Hit, Nearest};
use super::output::Output;
use super::*;
use crate::practice::store::{Column, many_rows, test_collection};
use crate::wire::common::{KeyValuePair, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use crate::wire::milvus::{QueryRequest, SearchRequest};
use crate::wire::schema::{field_data, ids, scalar_field};
use crate::workload::Metric;
use prost::Message;

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn loaded() -> Rc<RefCell<Collection>> {
    let mut collection = test_collection();
    collection.loaded = true;
    Rc::new(RefCell::new(collection))
}

fn pair(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.into(), value: value.into() }
}

fn search_for(queries: &[&[f32]], filter: &str, pairs: &[(&str, &str)]) -> SearchRequest {
    let values = queries.iter().map(|query| query.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>().into()).collect();
    let placeholder = PlaceholderValue { tag: "$0".into(), r#type: PlaceholderType::FloatVector.into(), values };
    SearchRequest {
        dsl: filter.into(),
        placeholder_group: PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec().into(),
        search_params: pairs.iter().map(|(key, value)| pair(key, value)).collect(),
        ..Default::default()
    }
}

fn found(request: SearchRequest, collection: &Rc<RefCell<Collection>>) -> (Vec<i64>, Vec<f32>, Vec<i64>) {
    let results = in_runtime(search(request, collection.clone())).unwrap().results.unwrap();
    let Some(ids::IdField::IntId(ids)) = results.ids.unwrap().id_field else { panic!("whole numbers") };
    (ids.data, results.scores, results.topks)
}

// Row i of the test collection has the vector (i, 1).
#[test]
fn a_search_answers_nearest_first_with_milvus_s_scores() {
    let collection = loaded();
    let (ids, scores, topks) = found(search_for(&[&[4.2, 1.0]], "", &[("topk", "3")]), &collection);
    assert_eq!((ids, topks), (vec![4, 5, 3], vec![3]));
    assert!((scores[0] - 0.04).abs() < 1e-5 && (scores[1] - 0.64).abs() < 1e-5);
    let (ids, scores, _) = found(search_for(&[&[1.0, 0.0]], "", &[("topk", "2"), ("metric_type", "IP")]), &collection);
    assert_eq!((ids, scores), (vec![9, 8], vec![9.0, 8.0]));
    let (ids, scores, _) = found(search_for(&[&[0.0, 2.0]], "", &[("topk", "2"), ("metric_type", "COSINE")]), &collection);
    assert_eq!(ids, [0, 1]);
    assert!((scores[0] - 1.0).abs() < 1e-6 && (scores[1] - 0.5_f32.sqrt()).abs() < 1e-6);
}

#[test]
fn filter_offset_and_several_queries_work_together() {
    let collection = loaded();
    let request = search_for(&[&[0.0, 1.0], &[9.0, 1.0]], "even and id < 7", &[("topk", "2"), ("offset", "1")]);
    let (ids, _, topks) = found(request, &collection);
    assert_eq!((ids, topks), (vec![2, 4, 4, 2], vec![2, 2]));
    let (ids, _, topks) = found(search_for(&[&[0.0, 1.0]], "id > 7", &[("topk", "5")]), &collection);
    assert_eq!((ids, topks), (vec![8, 9], vec![2]));
}

#[test]
fn wrong_searches_are_refused_with_their_reason() {
    let collection = loaded();
    let refused = |request: SearchRequest, reason: &str| {
        let refusal = in_runtime(search(request, collection.clone())).unwrap_err();
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    };
    refused(search_for(&[&[1.0]], "", &[("topk", "1")]), "expected vector size(byte) 8, actual 4");
    refused(search_for(&[&[1.0, f32::NAN]], "", &[("topk", "1")]), "NaN");
    refused(search_for(&[], "", &[("topk", "1")]), "nq [0]");
    refused(search_for(&[&[1.0, 1.0]], "", &[]), "topk is missing");
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "0")]), "topk [0]");
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "16385")]), "topk [16385]");
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "ten")]), "topk [ten]");
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "1"), ("metric_type", "HAMMING")]), "`HAMMING` is not a metric");
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "1"), ("anns_field", "picture")]), "no vector field `picture`");
    collection.borrow_mut().loaded = false;
    refused(search_for(&[&[1.0, 1.0]], "", &[("topk", "1")]), "load it first");
}

#[test]
fn rows_deleted_while_a_query_goes_on_are_not_answered_and_places_hold() {
    in_runtime(async {
        let collection = Rc::new(RefCell::new(many_rows(20_000)));
        let filter = Filter::new("id >= 0", &collection.borrow().schema).unwrap();
        {
            let reading = Reading::begin(collection.clone()).unwrap();
            let mut matching = std::pin::pin!(reading.matching(&filter));
            // One turn: the first rows are seen, the last are not.
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(matching.as_mut().poll(context).is_pending()));
            assert!(polled.await);
            let most: Vec<u32> = (1..19_999).collect();
            collection.borrow_mut().delete(&most);
            assert_eq!(matching.await, [0, 19_999]);
            assert_eq!(collection.borrow().places(), 20_000, "rows keep their places while somebody reads");
        }
        collection.borrow_mut().delete(&[0]);
        assert_eq!(collection.borrow().places(), 1);
    });
}

fn queried(expression: &str, output: &[&str], pairs: &[(&str, &str)]) -> Result<crate::wire::milvus::QueryResults, Refusal> {
    let request = QueryRequest {
        expr: expression.into(),
        output_fields: output.iter().map(|name| (*name).to_owned()).collect(),
        query_params: pairs.iter().map(|(key, value)| pair(key, value)).collect(),
        ..Default::default()
    };
    in_runtime(query(request, loaded()))
}

fn scalars(field: &crate::wire::schema::FieldData) -> scalar_field::Data {
    match &field.field {
        Some(field_data::Field::Scalars(scalars)) => scalars.data.clone().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_answers_its_page_in_the_order_of_keys() {
    let results = queried("id > 2", &["word"], &[("limit", "2"), ("offset", "1")]).unwrap();
    assert_eq!(results.output_fields, ["word", "id"]);
    let scalar_field::Data::StringData(words) = scalars(&results.fields_data[0]) else { panic!("texts") };
    assert_eq!(words.data, ["w4", "w5"]);
    let all = queried("id in [9, 0]", &["*"], &[]).unwrap();
    assert_eq!(all.output_fields, ["id", "price", "word", "even", "vector", "$meta"]);
    assert_eq!(all.fields_data.len(), 6);
}

#[test]
fn one_dynamic_key_leaves_the_others_out() {
    let results = queried("id == 3", &["color"], &[]).unwrap();
    let meta = results.fields_data.iter().find(|field| field.is_dynamic).unwrap();
    let scalar_field::Data::JsonData(json) = scalars(meta) else { panic!("JSON") };
    assert_eq!(json.data[0], r#"{"color":"red"}"#);
}

#[test]
fn counts_are_numbers_not_rows() {
    for (expression, count) in [("", 10), ("even", 5), ("id in [1, 2, 77]", 2)] {
        let results = queried(expression, &["count(*)"], &[]).unwrap();
        let scalar_field::Data::LongData(counts) = scalars(&results.fields_data[0]) else { panic!("a whole number") };
        assert_eq!(counts.data, [count], "{expression}");
    }
    assert!(queried("", &["count(*)", "id"], &[]).unwrap_err().reason.contains("stands alone"));
    assert!(queried("", &["id"], &[]).unwrap_err().reason.contains("with limit"));
}

#[test]
fn an_unknown_field_is_refused_where_nothing_is_dynamic() {
    let mut schema = test_collection().schema;
    schema.fields.pop();
    assert!(Output::new(&["cost".to_owned()], &schema).unwrap_err().reason.contains("cost"));
}

#[test]
fn hybrid_hits_are_ranked_by_place_or_by_weight() {
    let hits = |rows: &[(u32, f32)]| rows.iter().map(|(row, score)| Hit { row: *row, score: *score }).collect::<Vec<_>>();
    let (first, second) = (hits(&[(1, 0.9), (2, 0.8)]), hits(&[(2, 0.7), (3, 0.6)]));
    let searches = [(Metric::Cosine, &first[..]), (Metric::Cosine, &second[..])];
    let ranked = rank(&Ranker::Rrf(60.0), &searches);
    assert_eq!(ranked.iter().map(|hit| hit.row).collect::<Vec<_>>(), [2, 1, 3]);
    assert!((ranked[0].score - (1.0_f32 / 62.0 + 1.0 / 61.0)).abs() < 1e-6);
    let ranked = rank(&Ranker::Weighted(vec![1.0, 0.0]), &searches);
    assert_eq!((ranked[0].row, ranked[0].score), (1, 0.95));
}

proptest::proptest! {
    // The oracle compares all rows in 64 bits and sorts. Scores are compared, not rows: of two that differ in the last
    // digit of 32 bits either may come first. Numbers are up to 10, dimensions up to 40: products up to 4,000, of which
    // 32 bits hold 7 digits, and sums of 40 terms lose a few ulps more: 0.01.
    #[test]
    fn the_search_finds_what_sorting_all_rows_finds(
        data in proptest::collection::vec(-10.0_f32..10.0, 40 * 11),
        dim in 1_usize..40,
        rows in 1_usize..=10,
        keep in 1_usize..12,
        metric in proptest::sample::select(Metric::ALL.to_vec()),
    ) {
        // The test collection lends ten living rows; the vectors searched are our own.
        let collection = test_collection();
        let query = &data[..dim];
        let vectors = Column::Vector { dim, data: data[dim..dim + rows * dim].to_vec() };
        let mut nearest = Nearest::new(query, metric, keep);
        let filter = Filter::new("", &collection.schema).unwrap();
        let middle = (rows / 2) as u32;
        nearest.look_at(&collection, &vectors, &filter, 0..middle);
        nearest.look_at(&collection, &vectors, &filter, middle..rows as u32);
        let hits = nearest.hits();
        let mut truth: Vec<f64> = data[dim..dim + rows * dim].chunks_exact(dim).map(|row| metric.distance(query, row)).collect();
        truth.sort_by(|a, b| if metric.nearer(*a, *b) { std::cmp::Ordering::Less } else if metric.nearer(*b, *a) { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Equal });
        proptest::prop_assert_eq!(hits.len(), keep.min(rows));
        for (hit, truth) in hits.iter().zip(truth) {
            proptest::prop_assert!((f64::from(hit.score) - truth).abs() < 0.01, "{} is not {}", hit.score, truth);
        }
    }
}
