use super::schema::Field;
use super::*;
use crate::clock::Moment;
use crate::wire::common::KeyValuePair;
use crate::wire::schema::{CollectionSchema, DataType, FieldData, FieldSchema, Ids, LongArray, ids};

pub(crate) fn field(name: &str, data_type: DataType, parameters: &[(&str, &str)]) -> FieldSchema {
    let pair = |(key, value): &(&str, &str)| KeyValuePair { key: (*key).into(), value: (*value).into() };
    FieldSchema {
        name: name.into(),
        data_type: data_type.into(),
        is_primary_key: name == "id",
        type_params: parameters.iter().map(pair).collect(),
        ..Default::default()
    }
}

/// What a request brings for a field.
pub(crate) fn data(name: &str, data_type: DataType, column: Column) -> FieldData {
    let kind = if name == DYNAMIC { Kind::Json } else { Kind::Bool };
    column.into_answer(&Field { id: 0, name: name.into(), data_type, kind, dynamic: name == DYNAMIC })
}

fn schema() -> CollectionSchema {
    CollectionSchema {
        name: "things".into(),
        fields: vec![
            field("id", DataType::Int64, &[]),
            field("price", DataType::Float, &[]),
            field("word", DataType::VarChar, &[("max_length", "8")]),
            field("even", DataType::Bool, &[]),
            field("vector", DataType::FloatVector, &[("dim", "2")]),
        ],
        enable_dynamic_field: true,
        ..Default::default()
    }
}

fn rows(ids: std::ops::Range<i64>) -> Vec<FieldData> {
    let json = |id: i64| {
        let color = ["red", "green", "blue"][id.unsigned_abs() as usize % 3];
        if id < 5 { serde_json::json!({ "color": color, "deep": { "n": id } }) } else { serde_json::json!({ "color": color }) }
    };
    let column = |of: fn(i64) -> f32| ids.clone().map(of).collect::<Vec<f32>>();
    vec![
        data("id", DataType::Int64, Column::Int(ids.clone().collect())),
        data("price", DataType::Float, Column::Float(column(|id| id as f32 * 1.5))),
        data("word", DataType::VarChar, Column::Text(ids.clone().map(|id| format!("w{id}").into()).collect())),
        data("even", DataType::Bool, Column::Bool(ids.clone().map(|id| id % 2 == 0).collect())),
        data("vector", DataType::FloatVector, Column::Vector { dim: 2, data: ids.clone().flat_map(|id| [id as f32, 1.0]).collect() }),
        data(DYNAMIC, DataType::Json, Column::Json(ids.map(json).collect())),
    ]
}

/// Ten rows; see the filter's tests for what is in them.
pub(crate) fn test_collection() -> Collection {
    let mut collection = Collection::new(1, Schema::new(schema()).unwrap(), 0);
    insert(&mut collection, 0..10);
    collection
}

/// So many rows of the same kind, loaded.
pub(crate) fn many_rows(count: i64) -> Collection {
    let mut collection = Collection::new(1, Schema::new(schema()).unwrap(), 0);
    collection.loaded = true;
    insert(&mut collection, 0..count);
    collection
}

fn insert(collection: &mut Collection, ids: std::ops::Range<i64>) -> Ids {
    let count = ids.clone().count();
    let read = collection.read_rows(rows(ids), count, false).unwrap();
    collection.append(read)
}

#[test]
fn a_row_with_a_key_that_is_there_takes_its_place() {
    let mut collection = test_collection();
    insert(&mut collection, 5..15);
    assert_eq!((collection.len(), collection.places()), (15, 20));
    assert_eq!(collection.row(&Key::Int(7)), Some(12));
    assert!(!collection.lives(7));
}

#[test]
fn deleted_rows_are_gone_once() {
    let mut collection = test_collection();
    assert_eq!(collection.delete(&[2, 3, 3]), 2);
    assert_eq!(collection.delete(&[2]), 0);
    assert_eq!((collection.len(), collection.row(&Key::Int(3))), (8, None));
}

#[test]
fn the_living_move_together_unless_somebody_reads() {
    let mut collection = test_collection();
    insert(&mut collection, 10..10_000);
    collection.reading(true);
    let dead: Vec<u32> = (0..9_000).collect();
    assert_eq!(collection.delete(&dead), 9_000);
    assert_eq!(collection.places(), 10_000);
    collection.reading(false);
    let bytes = collection.bytes();
    assert_eq!(collection.delete(&[9_000]), 1);
    assert_eq!((collection.places(), collection.len()), (999, 999));
    assert!(collection.bytes() < bytes / 5);
    let row = collection.row(&Key::Int(9_999)).unwrap();
    assert_eq!(collection.column(0).gather(&[row]), Column::Int(vec![9_999]));
}

#[test]
fn rows_that_do_not_fit_the_schema_are_refused_whole() {
    let mut collection = test_collection();
    let refused = |collection: &mut Collection, change: &dyn Fn(&mut Vec<FieldData>), reason: &str| {
        let mut brought = rows(20..22);
        change(&mut brought);
        let refusal = collection.read_rows(brought, 2, false).unwrap_err();
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    };
    refused(&mut collection, &|rows| drop(rows.remove(1)), "`price` is missing");
    refused(&mut collection, &|rows| rows[1].field_name = "cost".into(), "`price` is missing");
    refused(&mut collection, &|rows| rows.push(data("more", DataType::Bool, Column::Bool(vec![true; 2]))), "no field `more`");
    refused(&mut collection, &|rows| rows.push(rows[0].clone()), "stands in the request twice");
    refused(&mut collection, &|rows| rows[1] = data("price", DataType::Bool, Column::Bool(vec![true; 2])), "the data is not FLOAT");
    refused(&mut collection, &|rows| rows[1] = data("price", DataType::Float, Column::Float(vec![1.0])), "has 1 rows, the request says 2");
    refused(&mut collection, &|rows| rows[2] = data("word", DataType::VarChar, Column::Text(vec!["123456789".into(); 2])), "9 bytes");
    let vector = |dim: usize, values: Vec<f32>| data("vector", DataType::FloatVector, Column::Vector { dim, data: values });
    refused(&mut collection, &|rows| rows[4] = vector(3, vec![0.0; 6]), "has 2 dimensions");
    refused(&mut collection, &|rows| rows[4] = vector(2, vec![0.0, 0.0, f32::NAN, 0.0]), "NaN");
    assert_eq!(collection.len(), 10);
}

#[test]
fn keys_that_the_server_makes_are_new_each_time() {
    let mut asked = schema();
    asked.fields[0].auto_id = true;
    let mut collection = Collection::new(1, Schema::new(asked).unwrap(), 1_000);
    let without_keys = |ids: std::ops::Range<i64>| rows(ids).split_off(1);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let read = collection.read_rows(without_keys(0..4), 4, false).unwrap();
        let Some(ids::IdField::IntId(LongArray { data })) = collection.append(read).id_field else { panic!("whole numbers") };
        assert!(data.into_iter().all(|id| seen.insert(id)));
    }
    assert!(collection.read_rows(rows(0..1), 1, false).unwrap_err().reason.contains("leave `id` out"));
}

#[test]
fn schemas_that_milvus_would_refuse_are_refused() {
    let refused = |change: &dyn Fn(&mut CollectionSchema), reason: &str| {
        let mut asked = schema();
        change(&mut asked);
        let refusal = Schema::new(asked).unwrap_err();
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    };
    refused(&|asked| asked.fields[0].is_primary_key = false, "exactly one primary key");
    refused(&|asked| asked.fields[1].is_primary_key = true, "exactly one primary key");
    refused(&|asked| drop(asked.fields.remove(4)), "at least one vector");
    refused(&|asked| asked.fields[4].type_params[0].value = "40000".into(), "`dim` from 1 to 32768");
    refused(&|asked| asked.fields[2].type_params.clear(), "`max_length`");
    refused(&|asked| asked.fields[2].name = "price".into(), "there twice");
    refused(&|asked| asked.fields[1].data_type = DataType::SparseFloatVector.into(), "does not offer SPARSE_FLOAT_VECTOR");
    refused(&|asked| asked.fields[1].nullable = true, "nullable");
}

#[test]
fn timestamps_rise_and_carry_the_wall_clock() {
    let at = Moment::from_ns(5_000_000_000);
    let mut store = Store::new(Anchor::at(at, 1_700_000_000_000_000_000), ByteSize(1 << 20));
    let first = store.timestamp(at);
    assert_eq!(first >> 18, 1_700_000_000_000);
    assert_eq!(store.timestamp(at), first + 1);
    assert!(store.room_for(1 << 20).is_ok());
    assert_eq!(store.room_for((1 << 20) + 1).unwrap_err().code, code::MEMORY_LIMIT);
}
