//! Nearest neighbours of one query vector.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::load::Failure;
use crate::wire::milvus::SearchRequest;
use crate::wire::{common, method_path};
use crate::workload::Vectors;

use super::super::collection::Collection;
use super::super::settings::Consistency;
use super::answer::judge;
use super::kept::{Keeper, Kept};
use super::protobuf::{begin_message, end_message, field_len, put_number, write_floats};
use super::{Kind, Operation, OperationError, Work};

/// Most neighbours that Milvus returns.
pub const MAX_TOP_K: u32 = 16_384;

/// What a stream of searches asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Neighbours asked for, 1 to [`MAX_TOP_K`].
    pub top_k: u32,
    /// What the search must have seen of earlier writes; `None`: the collection's own level.
    pub consistency: Option<Consistency>,
    /// The index's own parameters, such as `ef`.
    pub params: BTreeMap<String, serde_json::Value>,
}

impl Kind for Settings {
    const NAME: &'static str = "search";
    const METHOD: &'static str = "Search";

    fn make(&self, work: &Work) -> Result<Box<dyn Operation>, OperationError> {
        Ok(Box::new(Search::new(self, work)?))
    }
}

/// The moment that stands for "whatever is there" where a timestamp is asked for.
const EVENTUALLY: u64 = 1;
/// The moment that stands for "all but the last moments".
const BOUNDED: u64 = 2;
/// The moment that stands for "all of it": Milvus puts the newest there is.
const STRONG: u64 = 0;

/// `SearchRequest.placeholder_group`.
const PLACEHOLDER_GROUP: u32 = 6;
/// `SearchRequest.guarantee_timestamp`.
const GUARANTEE_TIMESTAMP: u32 = 11;

/// Encodes searches: the request is encoded once, per search only the vector's bytes are written into a copy of it.
#[derive(Debug)]
pub(crate) struct Search {
    path: String,
    /// Prefix and message, with a vector of zeros.
    template: Bytes,
    /// Where in the template the vector begins.
    vector_at: usize,
    vector: Vec<f32>,
    vectors: Vectors,
    stream: u16,
    of_session: bool,
    keeper: Keeper,
}

impl Search {
    pub(crate) fn new(settings: &Settings, work: &Work) -> Result<Self, OperationError> {
        if !(1..=MAX_TOP_K).contains(&settings.top_k) {
            return Err(OperationError::TopK { given: settings.top_k });
        }
        let collection = &work.collection;
        let (template, vector_at) = template(settings, collection);
        let level = settings.consistency.or(collection.consistency);
        let keeper = match collection.filled {
            Some(_) => Keeper::new(work.vectors.seed(), work.stream, settings.top_k as usize),
            None => Keeper::nothing(),
        };
        Ok(Self {
            path: method_path(Settings::METHOD),
            template,
            vector_at,
            vector: vec![0.0; collection.dim],
            vectors: work.vectors.clone(),
            stream: work.stream,
            of_session: level == Some(Consistency::Session),
            keeper,
        })
    }
}

impl Operation for Search {
    fn path(&self) -> &str {
        &self.path
    }

    fn longest(&self) -> usize {
        self.template.len()
    }

    fn encode(&mut self, sequence: u64, out: &mut BytesMut) {
        self.vectors.query(self.stream, sequence, &mut self.vector);
        let start = out.len();
        out.put_slice(&self.template);
        write_floats(&mut out[start + self.vector_at..], &self.vector);
    }

    fn of_session(&self) -> bool {
        self.of_session
    }

    fn append_session(&self, written: u64, request: &mut BytesMut) {
        // The last value of a field that is written twice counts.
        put_number(request, GUARANTEE_TIMESTAMP, written);
        end_message(request, 0);
    }

    fn judge(&mut self, sequence: u64, measured: bool, answer: &[u8]) -> Result<Option<u64>, Failure> {
        judge(answer, |_, _| {})?;
        if measured {
            self.keeper.offer(sequence, answer);
        }
        Ok(None)
    }

    fn leave(self: Box<Self>) -> Kept {
        self.keeper.leave()
    }
}

/// The framed request with a vector of zeros, and where the vector begins.
fn template(settings: &Settings, collection: &Collection) -> (Bytes, usize) {
    let vector = collection.dim * 4;
    let request = request(settings, collection, &vec![0; vector]);
    let before = SearchRequest { collection_name: request.collection_name.clone(), dsl: request.dsl.clone(), ..Default::default() };
    // The vector is the last thing in its group, which stands behind the fields of lower numbers.
    let group_end = before.encoded_len() + field_len(PLACEHOLDER_GROUP, request.placeholder_group.len());
    let mut out = BytesMut::new();
    let start = begin_message(&mut out);
    let message = out.len();
    request.encode_raw(&mut out);
    end_message(&mut out, start);
    (out.freeze(), message + group_end - vector)
}

/// The request as pymilvus's `MilvusClient.search` sends it, with these bytes as its vector.
fn request(settings: &Settings, collection: &Collection, vector: &[u8]) -> SearchRequest {
    let placeholder = common::PlaceholderValue {
        tag: "$0".to_owned(),
        r#type: common::PlaceholderType::FloatVector as i32,
        values: vec![Bytes::copy_from_slice(vector)],
    };
    let (guarantee_timestamp, consistency_level) = match settings.consistency {
        Some(Consistency::Strong) => (STRONG, Consistency::Strong),
        Some(Consistency::Bounded) => (BOUNDED, Consistency::Bounded),
        // Without an earlier write of the session, as when whatever is there will do. Left out, the level field stays 0.
        Some(level) => (EVENTUALLY, level),
        None => (EVENTUALLY, Consistency::Strong),
    };
    SearchRequest {
        collection_name: collection.name.clone(),
        placeholder_group: common::PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec().into(),
        dsl_type: common::DslType::BoolExprV1 as i32,
        search_params: search_params(settings, collection),
        guarantee_timestamp,
        nq: 1,
        consistency_level: consistency_level.level() as i32,
        use_default_consistency: settings.consistency.is_none(),
        ..Default::default()
    }
}

fn search_params(settings: &Settings, collection: &Collection) -> Vec<common::KeyValuePair> {
    let metric = collection.metric.name();
    let mut params = serde_json::Map::from_iter(settings.params.clone());
    params.insert("metric_type".to_owned(), metric.into());
    [
        ("topk", settings.top_k.to_string()),
        ("round_decimal", "-1".to_owned()),
        ("ignore_growing", "False".to_owned()),
        ("metric_type", metric.to_owned()),
        ("anns_field", collection.vector_field.clone()),
        ("params", serde_json::Value::Object(params).to_string()),
    ]
    .map(|(key, value)| common::KeyValuePair { key: key.to_owned(), value })
    .into()
}

#[cfg(test)]
mod tests;
