//! From kept answers to a recall, after the run and off the lanes.

use prost::Message;

use crate::wire::milvus::SearchResults;
use crate::wire::schema::ids::IdField;
use crate::workload::{Vectors, ground_truth, recall};

use super::super::collection::Collection;
use super::kept::Kept;

/// The recall of a stream of searches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// How many neighbours were asked for.
    pub at: u32,
    /// The mean over the queries, 0 to 1.
    pub mean: f64,
    /// How many queries were judged.
    pub queries: usize,
}

/// Compares kept answers with the exact truth, on `threads` threads. `None` where nothing was kept or the rows of the
/// collection are not known.
///
/// The truth is that of the filled rows: written rows are in nobody's truth (see [`Vectors`]).
#[must_use]
pub fn mean_recall(kept: &Kept, collection: &Collection, vectors: &Vectors, stream: u16, top_k: u32, threads: usize) -> Option<Recall> {
    let filled = collection.filled?;
    let dim = collection.dim;
    let mut queries = vec![0.0; kept.answers().len() * dim];
    for (answer, query) in kept.answers().iter().zip(queries.chunks_exact_mut(dim)) {
        vectors.query(stream, answer.sequence, query);
    }
    let truth = ground_truth(vectors, filled.rows, &queries, top_k as usize, collection.metric, threads);
    let recalls: Vec<f64> = kept
        .answers()
        .iter()
        .zip(queries.chunks_exact(dim))
        .zip(&truth)
        .filter_map(|((answer, query), truth)| {
            let distance = |id| vectors.distance_to_row(query, id, filled.rows, collection.metric);
            recall(&found(&answer.answer), truth, collection.metric, distance)
        })
        .collect();
    let queries = recalls.len();
    (queries > 0).then(|| Recall { at: top_k, mean: recalls.iter().sum::<f64>() / queries as f64, queries })
}

/// The ids of an answer, in its order. An id that is no number of a row is no row's, and stands as −1.
fn found(answer: &[u8]) -> Vec<i64> {
    let ids = SearchResults::decode(answer).ok().and_then(|answer| answer.results?.ids?.id_field);
    match ids {
        Some(IdField::IntId(ids)) => ids.data,
        Some(IdField::StrId(ids)) => ids.data.iter().map(|id| id.parse().unwrap_or(-1)).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milvus::collection::{Filled, Primary, PrimaryKind};
    use crate::milvus::operation::kept::Keeper;
    use crate::wire::schema::{Ids, LongArray, SearchResultData, StringArray};
    use crate::workload::{Metric, Seed};

    const ROWS: u64 = 400;

    fn collection(filled: bool) -> Collection {
        Collection {
            name: "c".to_owned(),
            primary: Primary { name: "id".to_owned(), kind: PrimaryKind::Int64, auto: false },
            vector_field: "vector".to_owned(),
            dim: 8,
            metric: Metric::Cosine,
            scalars: Vec::new(),
            consistency: None,
            filled: filled.then_some(Filled { rows: ROWS, seed: Seed(3) }),
        }
    }

    fn answer(ids: IdField) -> Vec<u8> {
        let results = SearchResultData { ids: Some(Ids { id_field: Some(ids) }), ..Default::default() };
        SearchResults { results: Some(results), ..Default::default() }.encode_to_vec()
    }

    /// Answers 20 queries with the truth, except that every second answer has its last two ids replaced by `wrong`.
    fn kept(vectors: &Vectors, wrong: i64, as_text: bool) -> Kept {
        let mut keeper = Keeper::new(Seed(3), 1, 10);
        for sequence in 0..20 {
            let mut query = vec![0.0; 8];
            vectors.query(1, sequence, &mut query);
            let truth = ground_truth(vectors, ROWS, &query, 10, Metric::Cosine, 1);
            let mut ids: Vec<i64> = truth[0].iter().map(|neighbour| neighbour.id).collect();
            if sequence % 2 == 0 {
                ids[8..].fill(wrong);
            }
            let ids = if as_text {
                IdField::StrId(StringArray { data: ids.iter().map(ToString::to_string).collect() })
            } else {
                IdField::IntId(LongArray { data: ids })
            };
            keeper.offer(sequence, &answer(ids));
        }
        keeper.leave()
    }

    #[test]
    fn the_mean_is_over_all_kept_queries() {
        let vectors = Vectors::new(Seed(3), 8);
        for as_text in [false, true] {
            // A written row's id is wrong, wherever it stands: 0.8 in half of the answers.
            let kept = kept(&vectors, 1 << 44, as_text);
            let recall = mean_recall(&kept, &collection(true), &vectors, 1, 10, 2).unwrap();
            assert_eq!((recall.at, recall.queries), (10, 20));
            assert!((recall.mean - 0.9).abs() < 1e-12, "{recall:?}");
        }
    }

    #[test]
    fn the_truth_is_that_of_the_stream_s_own_queries() {
        let vectors = Vectors::new(Seed(3), 8);
        let other = mean_recall(&kept(&vectors, -1, false), &collection(true), &vectors, 2, 10, 1).unwrap();
        assert!(other.mean < 0.5, "answers to the queries of another stream scored {other:?}");
    }

    #[test]
    fn without_known_rows_or_answers_there_is_no_recall() {
        let vectors = Vectors::new(Seed(3), 8);
        assert_eq!(mean_recall(&kept(&vectors, -1, false), &collection(false), &vectors, 1, 10, 1), None);
        assert_eq!(mean_recall(&Kept::default(), &collection(true), &vectors, 1, 10, 1), None);
    }

    #[test]
    fn an_answer_without_ids_finds_nothing() {
        let vectors = Vectors::new(Seed(3), 8);
        let mut keeper = Keeper::new(Seed(3), 1, 10);
        keeper.offer(0, &SearchResults::default().encode_to_vec());
        keeper.offer(1, b"no message");
        let recall = mean_recall(&keeper.leave(), &collection(true), &vectors, 1, 10, 1).unwrap();
        assert_eq!((recall.mean, recall.queries), (0.0, 2));
    }
}
