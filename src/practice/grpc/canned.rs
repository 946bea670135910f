//! The fixed answers of the null target.

use bytes::Bytes;

use crate::wire::milvus::{QueryResults, SearchResults};
use crate::wire::schema::{DataType, FieldData, Ids, LongArray, ScalarField, SearchResultData, field_data, ids, scalar_field};

use super::body::framed;

/// Answers made once, with their framing.
#[derive(Debug)]
pub(crate) struct Canned {
    pub(crate) search: Bytes,
    pub(crate) query: Bytes,
}

/// As many hits as a search asks for where it says nothing else.
const HITS: i64 = 10;

impl Canned {
    pub(crate) fn new() -> Self {
        let keys: Vec<i64> = (0..HITS).collect();
        let search = SearchResults {
            status: Some(crate::wire::common::Status::default()),
            results: Some(SearchResultData {
                num_queries: 1,
                top_k: HITS,
                scores: keys.iter().map(|key| *key as f32).collect(),
                ids: Some(Ids { id_field: Some(ids::IdField::IntId(LongArray { data: keys.clone() })) }),
                topks: vec![HITS],
                primary_field_name: "id".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let query = QueryResults {
            status: Some(crate::wire::common::Status::default()),
            fields_data: vec![FieldData {
                r#type: DataType::Int64.into(),
                field_name: "id".to_owned(),
                field: Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(LongArray { data: keys })) })),
                ..Default::default()
            }],
            output_fields: vec!["id".to_owned()],
            primary_field_name: "id".to_owned(),
            ..Default::default()
        };
        Self { search: framed(&search), query: framed(&query) }
    }
}
