//! What a collection that exists is like.

use crate::wire::milvus::{self as pb, DescribeCollectionResponse};
use crate::wire::schema::{CollectionSchema, DataType, FieldSchema};
use crate::workload::Metric;

use super::super::settings::{CollectionSettings, Consistency};
use super::description::{Collection, Filled, Primary, PrimaryKind, Scalar};
use super::error::{SetupError, code};
use super::make::describe_index;
use super::mark::Mark;
use super::rpc::{Deadline, Rpc};

/// Asks for a collection's description; `None` where it does not exist.
pub(super) async fn describe(rpc: &Rpc, name: &str, deadline: &Deadline) -> Result<Option<DescribeCollectionResponse>, SetupError> {
    let request = pb::DescribeCollectionRequest { collection_name: name.to_owned(), ..Default::default() };
    let answer = rpc
        .call_before("DescribeCollection", deadline, request, async |mut client, request| client.describe_collection(request).await)
        .await;
    match answer {
        Ok(description) => Ok(Some(description)),
        Err(SetupError::Refused { code: code::COLLECTION_NOT_FOUND | code::COLLECTION_NOT_EXISTS, .. }) => Ok(None),
        // Some servers give no code of their own to it.
        Err(SetupError::Refused { reason, .. }) if says_missing(&reason) => Ok(None),
        Err(error) => Err(error),
    }
}

fn says_missing(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["can't find collection", "collection not found", "not exist"].iter().any(|words| reason.contains(words))
}

/// Takes an existing collection as it is: fields, dimension and metric from its description, and from its mark what it was
/// filled with.
pub(super) async fn take(rpc: &Rpc, settings: &CollectionSettings, deadline: &Deadline) -> Result<Collection, SetupError> {
    let name = &settings.name;
    let unusable = |why: String| SetupError::Unusable { name: name.clone(), why };
    let description = describe(rpc, name, deadline).await?.ok_or_else(|| SetupError::Missing { name: name.clone() })?;
    let schema = description.schema.clone().unwrap_or_default();
    let vector = vector_field(&schema, settings.vector_field.as_deref()).map_err(unusable)?;
    let dim = dim_of(vector).ok_or_else(|| unusable(format!("its field `{}` names no dimension", vector.name)))?;
    if let Some(expected) = settings.dim
        && expected.get() as usize != dim
    {
        return Err(differs(name, "dim", &dim, &expected));
    }
    let index = describe_index(rpc, name, &vector.name, deadline).await?;
    let index = index.ok_or_else(|| unusable(format!("its field `{}` has no index; create one and load it", vector.name)))?;
    let metric = index.params.iter().find(|pair| pair.key == "metric_type").map_or("", |pair| pair.value.as_str());
    let metric: Metric = metric.parse().map_err(|error| unusable(format!("its index compares otherwise: {error}")))?;
    if let Some(expected) = settings.metric
        && expected != metric
    {
        return Err(differs(name, "metric", &metric, &expected));
    }
    let mark = Mark::read(&schema.description);
    let filled = match mark {
        Some(mark) if row_count(rpc, name, deadline).await? >= mark.rows => Some(Filled { rows: mark.rows, seed: mark.seed }),
        _ => None,
    };
    Ok(Collection {
        name: name.clone(),
        primary: primary(&schema).map_err(unusable)?,
        vector_field: vector.name.clone(),
        dim,
        metric,
        scalars: scalars(&schema, &vector.name),
        consistency: Consistency::from_level(description.consistency_level),
        filled,
    })
}

fn differs(name: &str, key: &'static str, found: &dyn std::fmt::Display, expected: &dyn std::fmt::Display) -> SetupError {
    SetupError::Differs { name: name.to_owned(), key, found: found.to_string(), expected: expected.to_string() }
}

/// The field that is named, or the only one with float vectors.
fn vector_field<'a>(schema: &'a CollectionSchema, wanted: Option<&str>) -> Result<&'a FieldSchema, String> {
    let floats: Vec<_> = schema.fields.iter().filter(|field| field.data_type == DataType::FloatVector as i32).collect();
    let names = || floats.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ");
    match (wanted, floats.as_slice()) {
        (_, []) => Err("it has no field with float vectors, the only ones that tailtrace searches".to_owned()),
        (Some(wanted), _) => floats
            .iter()
            .find(|field| field.name == wanted)
            .copied()
            .ok_or_else(|| format!("it has no field `{wanted}` with float vectors, but {}; correct `collection.vector_field`", names())),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("it has several vector fields, {}; name one in `collection.vector_field`", names())),
    }
}

fn dim_of(field: &FieldSchema) -> Option<usize> {
    let dim = field.type_params.iter().find(|pair| pair.key == "dim")?;
    dim.value.parse().ok().filter(|dim| *dim > 0)
}

fn primary(schema: &CollectionSchema) -> Result<Primary, String> {
    let field = schema.fields.iter().find(|field| field.is_primary_key).ok_or("it has no primary key")?;
    let kind = match DataType::try_from(field.data_type) {
        Ok(DataType::Int64) => PrimaryKind::Int64,
        Ok(DataType::VarChar) => PrimaryKind::VarChar,
        _ => return Err(format!("its primary key `{}` is neither Int64 nor VarChar", field.name)),
    };
    Ok(Primary { name: field.name.clone(), kind, auto: field.auto_id || schema.auto_id })
}

/// What an insert has to fill beside key and vector. Nullable fields may be left out, and so may the dynamic one.
fn scalars(schema: &CollectionSchema, vector: &str) -> Vec<Scalar> {
    let needed = schema.fields.iter().filter(|field| !field.is_primary_key && field.name != vector && !field.nullable && !field.is_dynamic);
    needed.map(|field| Scalar { name: field.name.clone(), kind: DataType::try_from(field.data_type).unwrap_or(DataType::None) }).collect()
}

async fn row_count(rpc: &Rpc, name: &str, deadline: &Deadline) -> Result<u64, SetupError> {
    let request = pb::GetCollectionStatisticsRequest { collection_name: name.to_owned(), ..Default::default() };
    let statistics: pb::GetCollectionStatisticsResponse = rpc
        .call_before("GetCollectionStatistics", deadline, request, async |mut client, request| {
            client.get_collection_statistics(request).await
        })
        .await?;
    let count = statistics.stats.iter().find(|pair| pair.key == "row_count");
    Ok(count.and_then(|pair| pair.value.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::common::KeyValuePair;

    fn field(name: &str, kind: DataType) -> FieldSchema {
        FieldSchema { name: name.to_owned(), data_type: kind as i32, ..Default::default() }
    }

    fn schema(fields: Vec<FieldSchema>) -> CollectionSchema {
        CollectionSchema { fields, ..Default::default() }
    }

    #[test]
    fn the_vector_field_is_the_only_one_or_the_named_one() {
        let one = schema(vec![field("id", DataType::Int64), field("v", DataType::FloatVector), field("b", DataType::BinaryVector)]);
        let two = schema(vec![field("v", DataType::FloatVector), field("w", DataType::FloatVector)]);
        let none = schema(vec![field("b", DataType::BinaryVector)]);
        assert_eq!(vector_field(&one, None).unwrap().name, "v");
        assert_eq!(vector_field(&two, Some("w")).unwrap().name, "w");
        for (schema, wanted, words) in [(&two, None, "`v`, `w`"), (&one, Some("b"), "no field `b`"), (&none, None, "float vectors")] {
            let error = vector_field(schema, wanted).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn dimensions_are_read_and_nonsense_is_not() {
        let with = |value: &str| {
            let params = vec![KeyValuePair { key: "dim".to_owned(), value: value.to_owned() }];
            dim_of(&FieldSchema { type_params: params, ..Default::default() })
        };
        assert_eq!([with("768"), with("0"), with("many"), with("-1")], [Some(768), None, None, None]);
        assert_eq!(dim_of(&FieldSchema::default()), None);
    }

    #[test]
    fn keys_are_numbers_or_texts_and_may_be_made_by_milvus() {
        for (kind, expected) in
            [(DataType::Int64, Some(PrimaryKind::Int64)), (DataType::VarChar, Some(PrimaryKind::VarChar)), (DataType::Float, None)]
        {
            let key = FieldSchema { is_primary_key: true, auto_id: true, ..field("key", kind) };
            assert_eq!(primary(&schema(vec![key])).ok(), expected.map(|kind| Primary { name: "key".to_owned(), kind, auto: true }));
        }
        assert!(primary(&schema(vec![])).is_err());
    }

    #[test]
    fn an_insert_fills_what_it_must_and_nothing_else() {
        let schema = schema(vec![
            FieldSchema { is_primary_key: true, ..field("id", DataType::Int64) },
            field("v", DataType::FloatVector),
            field("price", DataType::Double),
            FieldSchema { nullable: true, ..field("note", DataType::VarChar) },
            FieldSchema { is_dynamic: true, ..field("$meta", DataType::Json) },
            field("tags", DataType::Array),
        ]);
        let names: Vec<_> = scalars(&schema, "v").into_iter().map(|scalar| (scalar.name, Scalar::can_fill(scalar.kind))).collect();
        assert_eq!(names, [("price".to_owned(), true), ("tags".to_owned(), false)]);
    }

    #[test]
    fn servers_say_in_several_ways_that_a_collection_is_missing() {
        for reason in ["can't find collection: c", "collection not found[database=default][collection=c]", "Collection 'c' does not exist"]
        {
            assert!(says_missing(reason), "{reason}");
        }
        assert!(!says_missing("permission denied"));
    }
}
