//! A query: rows by filter or key, in the order of their keys.

use std::cell::RefCell;
use std::rc::Rc;

use crate::practice::filter::Filter;
use crate::practice::refusal::Refusal;
use crate::practice::store::{Collection, Column};
use crate::wire::common::Status;
use crate::wire::milvus::{QueryRequest, QueryResults};
use crate::wire::schema::{DataType, FieldData, LongArray, ScalarField, field_data, scalar_field};

use super::Reading;
use super::output::Output;
use super::parameters::{self, Page};

/// The output field that asks for a number instead of rows.
const COUNT: &str = "count(*)";

/// Picks the rows, and makes the answer.
pub(crate) async fn query(request: QueryRequest, collection: Rc<RefCell<Collection>>) -> Result<QueryResults, Refusal> {
    let reading = Reading::begin(collection)?;
    let counts = request.output_fields.iter().any(|name| name == COUNT);
    let filter = Filter::new(&request.expr, &reading.collection().schema)?;
    let page = Page::read(&request.query_params, "limit")?;
    if filter.passes_all() && page.is_none() && !counts {
        return Err(Refusal::invalid("empty expression should be used with limit"));
    }
    let mut rows = if counts && filter.passes_all() { Vec::new() } else { reading.matching(&filter).await };
    let collection = reading.collection();
    if counts {
        if request.output_fields.len() > 1 || page.is_some() {
            return Err(Refusal::invalid("count(*) stands alone: no other output field, no limit"));
        }
        let count = if filter.passes_all() { collection.len() } else { rows.len() };
        return Ok(answer(&collection, vec![count_field(count as i64)], vec![COUNT.to_owned()]));
    }
    let output = Output::new(&request.output_fields, &collection.schema)?.with_primary(&collection.schema);
    match collection.column(collection.schema.primary) {
        Column::Int(keys) => rows.sort_unstable_by_key(|row| keys[*row as usize]),
        Column::Text(keys) => rows.sort_unstable_by(|a, b| keys[*a as usize].cmp(&keys[*b as usize])),
        _ => {}
    }
    let offset = page.map_or(parameters::number(&request.query_params, "offset")?.unwrap_or(0), |page| page.offset);
    let rows: Vec<u32> = rows.into_iter().skip(offset).take(page.map_or(usize::MAX, |page| page.limit)).collect();
    Ok(answer(&collection, output.columns(&collection, &rows), output.names.clone()))
}

fn answer(collection: &Collection, fields_data: Vec<FieldData>, output_fields: Vec<String>) -> QueryResults {
    QueryResults {
        status: Some(Status::default()),
        fields_data,
        collection_name: collection.schema.described.name.clone(),
        output_fields,
        session_ts: 0,
        primary_field_name: collection.schema.fields[collection.schema.primary].name.clone(),
    }
}

fn count_field(count: i64) -> FieldData {
    let data = Some(scalar_field::Data::LongData(LongArray { data: vec![count] }));
    FieldData {
        r#type: DataType::Int64.into(),
        field_name: COUNT.to_owned(),
        field: Some(field_data::Field::Scalars(ScalarField { data })),
        ..Default::default()
    }
}
