//! One search: queries, filter, metric, page and output of a request, and its answer.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use prost::Message;

use crate::practice::filter::Filter;
use crate::practice::refusal::Refusal;
use crate::practice::store::{Collection, ids_of};
use crate::wire::common::{PlaceholderGroup, PlaceholderType};
use crate::wire::milvus::{SearchRequest, SearchResults};
use crate::wire::schema::SearchResultData;
use crate::workload::Metric;

use super::nearest::{Hit, Nearest};
use super::output::Output;
use super::parameters::{self, MOST_HITS, Page};
use super::{ROWS_FILTERED, Reading};

/// Milvus's limit.
const MOST_QUERIES: usize = 16_384;

/// About 20 µs of comparing: a block of rows is so many numbers long, all queries of the request together.
const NUMBERS_A_BLOCK: usize = 200_000;

/// A search request, read against the collection.
pub(super) struct Search {
    field: usize,
    dim: usize,
    queries: Vec<f32>,
    pub(super) metric: Metric,
    filter: Filter,
    pub(super) page: Page,
}

impl Search {
    /// Reads and checks a request.
    pub(super) fn read(request: &SearchRequest, collection: &Collection) -> Result<Self, Refusal> {
        let pairs = &request.search_params;
        let (field, dim) = collection.schema.vector(parameters::text(pairs, "anns_field").unwrap_or_default())?;
        let name = &collection.schema.fields[field].name;
        let queries = queries_of(&request.placeholder_group, dim)?;
        let index = collection.indexes.iter().find(|index| index.field == *name);
        let indexed = index.and_then(|index| parameters::text(&index.parameters, "metric_type"));
        Ok(Self {
            field,
            dim,
            queries,
            metric: parameters::metric(parameters::text(pairs, "metric_type"), indexed)?,
            filter: Filter::new(&request.dsl, &collection.schema)?,
            page: Page::read(pairs, "topk")?
                .ok_or_else(|| Refusal::invalid(format!("topk is missing, it should be in range [1, {MOST_HITS}]")))?,
        })
    }

    /// The hits of every query, nearest first, those of the offset left out.
    pub(super) async fn run(&self, reading: &Reading) -> Vec<Vec<Hit>> {
        let keep = self.page.offset + self.page.limit;
        let mut searches: Vec<Nearest<'_>> =
            self.queries.chunks_exact(self.dim).map(|query| Nearest::new(query, self.metric, keep)).collect();
        let mut rows = (NUMBERS_A_BLOCK / self.queries.len()).clamp(16, 1 << 16) as u32;
        if !self.filter.passes_all() {
            rows = rows.min(ROWS_FILTERED);
        }
        reading
            .each_block(rows, |collection, block| {
                for search in &mut searches {
                    search.look_at(collection, collection.column(self.field), &self.filter, block.clone());
                }
            })
            .await;
        let collection = reading.collection();
        // A row that was deleted while the search went on is no answer any more.
        let paged =
            |search: Nearest<'_>| search.hits().into_iter().filter(|hit| collection.lives(hit.row)).skip(self.page.offset).collect();
        searches.into_iter().map(paged).collect()
    }
}

/// The queries of a placeholder group, one after the other.
fn queries_of(group: &Bytes, dim: usize) -> Result<Vec<f32>, Refusal> {
    let group = PlaceholderGroup::decode(group.clone()).map_err(|cause| Refusal::invalid(format!("placeholder group: {cause}")))?;
    let [placeholder] = &group.placeholders[..] else {
        return Err(Refusal::invalid(format!("a search has one placeholder, not {}", group.placeholders.len())));
    };
    if placeholder.r#type() != PlaceholderType::FloatVector {
        return Err(Refusal::invalid("the practice target searches float vectors only"));
    }
    if placeholder.values.is_empty() || placeholder.values.len() > MOST_QUERIES {
        return Err(Refusal::invalid(format!("nq [{}] is invalid, it should be in range [1, {MOST_QUERIES}]", placeholder.values.len())));
    }
    let mut queries = Vec::with_capacity(placeholder.values.len() * dim);
    for value in &placeholder.values {
        let (numbers, []) = value.as_chunks::<4>() else { return Err(dimension_mismatch(dim, value.len())) };
        if numbers.len() != dim {
            return Err(dimension_mismatch(dim, value.len()));
        }
        queries.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
    }
    if queries.iter().all(|number| number.is_finite()) { Ok(queries) } else { Err(Refusal::invalid("a query holds NaN or infinity")) }
}

fn dimension_mismatch(dim: usize, bytes: usize) -> Refusal {
    Refusal::invalid(format!("vector dimension mismatch, expected vector size(byte) {}, actual {bytes}", dim * 4))
}

/// Searches, and makes the answer.
pub(crate) async fn search(request: SearchRequest, collection: Rc<RefCell<Collection>>) -> Result<SearchResults, Refusal> {
    let reading = Reading::begin(collection)?;
    let (search, output) = {
        let collection = reading.collection();
        (Search::read(&request, &collection)?, Output::new(&request.output_fields, &collection.schema)?)
    };
    let hits = search.run(&reading).await;
    let answer = results(&hits, &output, search.page.limit, &reading.collection());
    Ok(answer)
}

/// The answer that carries these hits.
pub(super) fn results(hits: &[Vec<Hit>], output: &Output, limit: usize, collection: &Collection) -> SearchResults {
    let rows: Vec<u32> = hits.iter().flatten().map(|hit| hit.row).collect();
    let primary = collection.schema.primary;
    SearchResults {
        status: Some(crate::wire::common::Status::default()),
        results: Some(SearchResultData {
            num_queries: hits.len() as i64,
            top_k: hits.iter().map(Vec::len).max().unwrap_or(0).min(limit) as i64,
            fields_data: output.columns(collection, &rows),
            scores: hits.iter().flatten().map(|hit| hit.score).collect(),
            ids: Some(ids_of(collection.column(primary).gather(&rows))),
            topks: hits.iter().map(|hits| hits.len() as i64).collect(),
            output_fields: output.names.clone(),
            all_search_count: collection.len() as i64,
            distances: Vec::new(),
            primary_field_name: collection.schema.fields[primary].name.clone(),
        }),
        collection_name: collection.schema.described.name.clone(),
        session_ts: 0,
    }
}
