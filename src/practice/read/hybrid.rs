//! A hybrid search: several searches whose hits are ranked anew, by place (rrf) or by weighted score.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::practice::refusal::Refusal;
use crate::practice::store::Collection;
use crate::wire::milvus::{HybridSearchRequest, SearchResults};
use crate::workload::Metric;

use super::Reading;
use super::nearest::Hit;
use super::output::Output;
use super::parameters::{self, MOST_HITS, Page};
use super::search::{Search, results};

/// How the hits of several searches become one list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ranker {
    /// Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): the sum of 1 / (k + place), places from 1.
    Rrf(f64),
    /// The weighted sum of scores brought to 0..1.
    Weighted(Vec<f64>),
}

/// Milvus's default of k.
const RRF_K: f64 = 60.0;

impl Ranker {
    fn read(request: &HybridSearchRequest) -> Result<Self, Refusal> {
        let parameters: Json = match parameters::text(&request.rank_params, "params") {
            Some(text) => serde_json::from_str(text).map_err(|cause| Refusal::invalid(format!("rank params are not JSON: {cause}")))?,
            None => Json::Null,
        };
        match parameters::text(&request.rank_params, "strategy").unwrap_or("rrf") {
            "rrf" => Ok(Self::Rrf(parameters.get("k").and_then(Json::as_f64).unwrap_or(RRF_K))),
            "weighted" => {
                let weights: Option<Vec<f64>> =
                    parameters.get("weights").and_then(Json::as_array).and_then(|weights| weights.iter().map(Json::as_f64).collect());
                match weights {
                    Some(weights) if weights.len() == request.requests.len() => Ok(Self::Weighted(weights)),
                    _ => Err(Refusal::invalid(format!("a weighted ranker needs {} numbers in `weights`", request.requests.len()))),
                }
            }
            other => Err(Refusal::invalid(format!("unsupported rank type {other}"))),
        }
    }

    /// What the hit at place `place` (from 0) of search `search` adds to its row's score.
    fn part(&self, search: usize, place: usize, score: f32, metric: Metric) -> f64 {
        match self {
            Self::Rrf(k) => 1.0 / (k + 1.0 + place as f64),
            Self::Weighted(weights) => weights[search] * to_unit(f64::from(score), metric),
        }
    }
}

/// Brings a score to 0..1, nearer higher, as Milvus does.
fn to_unit(score: f64, metric: Metric) -> f64 {
    match metric {
        Metric::L2 => 1.0 - 2.0 * score.atan() / std::f64::consts::PI,
        Metric::Ip => 0.5 + score.atan() / std::f64::consts::PI,
        Metric::Cosine => f64::midpoint(1.0, score),
    }
}

/// Ranks the hits of all searches of one query anew: highest first, of equals the earlier row.
pub(super) fn rank(ranker: &Ranker, searches: &[(Metric, &[Hit])]) -> Vec<Hit> {
    let mut scores: HashMap<u32, f64> = HashMap::new();
    for (search, (metric, hits)) in searches.iter().enumerate() {
        for (place, hit) in hits.iter().enumerate() {
            *scores.entry(hit.row).or_default() += ranker.part(search, place, hit.score, *metric);
        }
    }
    let mut rows: Vec<(u32, f64)> = scores.into_iter().collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.into_iter().map(|(row, score)| Hit { row, score: score as f32 }).collect()
}

/// Searches, ranks, and makes the answer.
pub(crate) async fn hybrid_search(request: HybridSearchRequest, collection: Rc<RefCell<Collection>>) -> Result<SearchResults, Refusal> {
    let reading = Reading::begin(collection)?;
    let ranker = Ranker::read(&request)?;
    let page = Page::read(&request.rank_params, "limit")?
        .ok_or_else(|| Refusal::invalid(format!("limit is missing, it should be in range [1, {MOST_HITS}]")))?;
    let (searches, output) = {
        let collection = reading.collection();
        let searches = request.requests.iter().map(|search| Search::read(search, &collection)).collect::<Result<Vec<_>, _>>()?;
        (searches, Output::new(&request.output_fields, &collection.schema)?)
    };
    let mut found: Vec<(Metric, Vec<Vec<Hit>>)> = Vec::with_capacity(searches.len());
    for search in &searches {
        found.push((search.metric, search.run(&reading).await));
    }
    let queries = found.first().map_or(0, |(_, hits)| hits.len());
    if queries == 0 || found.iter().any(|(_, hits)| hits.len() != queries) {
        return Err(Refusal::invalid("the searches of a hybrid search have the same number of queries, at least one"));
    }
    let hits: Vec<Vec<Hit>> = (0..queries)
        .map(|query| {
            let of_query: Vec<(Metric, &[Hit])> = found.iter().map(|(metric, hits)| (*metric, &hits[query][..])).collect();
            rank(&ranker, &of_query).into_iter().skip(page.offset).take(page.limit).collect()
        })
        .collect();
    let answer = results(&hits, &output, page.limit, &reading.collection());
    Ok(answer)
}
