use super::*;
use crate::milvus::collection::Primary;
use crate::wire::milvus::InsertRequest;
use crate::workload::Metric;

fn collection(dim: usize, kind: PrimaryKind, auto: bool, scalars: &[(&str, DataType)]) -> Collection {
    Collection {
        name: "things".to_owned(),
        primary: Primary { name: "id".to_owned(), kind, auto },
        vector_field: "vector".to_owned(),
        dim,
        metric: Metric::L2,
        scalars: scalars.iter().map(|(name, kind)| Scalar { name: (*name).to_owned(), kind: *kind }).collect(),
        consistency: None,
        filled: None,
    }
}

fn coordinate(row: usize, at: usize) -> f32 {
    (row * 1_000 + at) as f32 * 0.5 - 3.0
}

fn written(collection: &Collection, ids: &[i64]) -> Vec<u8> {
    let mut out = BytesMut::new();
    RowWriter::new(collection).write(&mut out, ids.iter().copied(), |row, vector| {
        for (at, value) in vector.iter_mut().enumerate() {
            *value = coordinate(row, at);
        }
    });
    out.to_vec()
}

/// The same request through the generated types, built the way pymilvus builds it.
fn generated(collection: &Collection, ids: &[i64]) -> InsertRequest {
    let column = |kind: DataType, name: &str, field| schema::FieldData {
        r#type: kind as i32,
        field_name: name.to_owned(),
        field: Some(field),
        ..Default::default()
    };
    let scalar = |data| field_data::Field::Scalars(schema::ScalarField { data: Some(data) });
    let mut columns = Vec::new();
    if !collection.primary.auto {
        columns.push(match collection.primary.kind {
            PrimaryKind::Int64 => {
                let data = schema::LongArray { data: ids.to_vec() };
                column(DataType::Int64, "id", scalar(scalar_field::Data::LongData(data)))
            }
            PrimaryKind::VarChar => {
                let data = schema::StringArray { data: ids.iter().map(ToString::to_string).collect() };
                column(DataType::VarChar, "id", scalar(scalar_field::Data::StringData(data)))
            }
        });
    }
    let dim = collection.dim;
    let data = (0..ids.len()).flat_map(|row| (0..dim).map(move |at| coordinate(row, at))).collect();
    let vectors = schema::VectorField {
        dim: dim.cast_signed() as i64,
        data: Some(schema::vector_field::Data::FloatVector(schema::FloatArray { data })),
    };
    columns.push(column(DataType::FloatVector, "vector", field_data::Field::Vectors(vectors)));
    InsertRequest { collection_name: "things".to_owned(), fields_data: columns, num_rows: ids.len() as u32, ..Default::default() }
}

#[test]
fn the_bytes_are_those_of_the_generated_types() {
    // Ids whose lengths on the wire differ: 1 byte, 2 bytes, 7 bytes, 9 bytes; one row and many; one dimension and many.
    let ids = [0, 1, 127, 128, 300, 1 << 44, i64::MAX];
    for dim in [1, 3, 128] {
        for count in [1, ids.len()] {
            for (kind, auto) in [(PrimaryKind::Int64, false), (PrimaryKind::VarChar, false), (PrimaryKind::Int64, true)] {
                let collection = collection(dim, kind, auto, &[]);
                let expected = generated(&collection, &ids[..count]).encode_to_vec();
                assert!(written(&collection, &ids[..count]) == expected, "dim {dim}, {count} rows, {kind:?}, auto {auto}");
            }
        }
    }
}

#[test]
fn fields_that_must_be_filled_get_a_value_a_row() {
    let kinds = [
        ("a", DataType::Bool),
        ("b", DataType::Int8),
        ("c", DataType::Int64),
        ("d", DataType::Float),
        ("e", DataType::Double),
        ("f", DataType::VarChar),
        ("g", DataType::Json),
    ];
    let collection = collection(2, PrimaryKind::Int64, false, &kinds);
    let mut writer = RowWriter::new(&collection);
    for rows in [3_i32, 5] {
        let mut out = BytesMut::new();
        writer.write(&mut out, (0..rows).map(i64::from), |_, _| {});
        let request = InsertRequest::decode(out.freeze()).unwrap();
        let columns: Vec<_> = request.fields_data.iter().skip(2).collect();
        assert_eq!(columns.iter().map(|column| column.field_name.as_str()).collect::<String>(), "abcdefg");
        for (column, (_, kind)) in columns.iter().zip(kinds) {
            assert_eq!(column.r#type, kind as i32);
            let Some(field_data::Field::Scalars(schema::ScalarField { data: Some(data) })) = &column.field else { panic!("{column:?}") };
            let count = match data {
                scalar_field::Data::BoolData(array) => array.data.len(),
                scalar_field::Data::IntData(array) => array.data.len(),
                scalar_field::Data::LongData(array) => array.data.len(),
                scalar_field::Data::FloatData(array) => array.data.len(),
                scalar_field::Data::DoubleData(array) => array.data.len(),
                scalar_field::Data::StringData(array) => array.data.len(),
                scalar_field::Data::JsonData(array) => array.data.len(),
            };
            assert_eq!(count, rows as usize);
        }
    }
}

#[test]
fn no_batch_is_longer_than_its_bound() {
    for (kind, ids) in [(PrimaryKind::Int64, [i64::MAX; 50]), (PrimaryKind::VarChar, [i64::MAX; 50])] {
        let collection = collection(4, kind, false, &[("f", DataType::VarChar)]);
        let mut writer = RowWriter::new(&collection);
        let mut out = BytesMut::new();
        writer.write(&mut out, ids.into_iter(), |_, _| {});
        assert!(out.len() <= writer.longest(50), "{} {}", out.len(), writer.longest(50));
    }
}
