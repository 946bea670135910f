//! The values of one field, row after row.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::practice::refusal::Refusal;
use crate::wire::schema::DataType;
use crate::wire::schema::{
    BoolArray, DoubleArray, FieldData, FloatArray, IntArray, JsonArray, LongArray, ScalarField, StringArray, VectorField, field_data,
    scalar_field, vector_field,
};

use super::schema::{Field, Kind};

/// The values of one field, row after row, in memory as they are computed with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<Box<str>>),
    Json(Vec<Json>),
    /// Flat: row i stands at `i * dim`.
    Vector {
        dim: usize,
        data: Vec<f32>,
    },
}

impl Column {
    /// An empty column for such a field.
    pub(crate) const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Int(..) => Self::Int(Vec::new()),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Double => Self::Double(Vec::new()),
            Kind::Text(_) => Self::Text(Vec::new()),
            Kind::Json => Self::Json(Vec::new()),
            Kind::Vector(dim) => Self::Vector { dim, data: Vec::new() },
        }
    }

    /// How many rows it holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Json(values) => values.len(),
            Self::Vector { dim, data } => data.len() / dim,
        }
    }

    /// Reads what a request brings for a field, checked: the right type, so many rows, every value in its range.
    pub(crate) fn read(field: &Field, brought: FieldData, rows: usize) -> Result<Self, Refusal> {
        use scalar_field::Data;
        let wrong = || Refusal::invalid(format!("field `{}`: the data is not {}", field.name, field.data_type.as_str_name()));
        let data = match brought.field {
            Some(field_data::Field::Scalars(ScalarField { data })) => data,
            Some(field_data::Field::Vectors(VectorField { dim, data })) => {
                let (Kind::Vector(right), Some(vector_field::Data::FloatVector(vectors))) = (field.kind, data) else { return Err(wrong()) };
                return vectors_of(field, right, dim, vectors.data, rows);
            }
            None => None,
        };
        let column = match (field.kind, data) {
            (Kind::Bool, Some(Data::BoolData(values))) => Self::Bool(values.data),
            (Kind::Int(..), Some(Data::LongData(values))) => Self::Int(values.data),
            (Kind::Int(..), Some(Data::IntData(values))) => Self::Int(values.data.into_iter().map(i64::from).collect()),
            (Kind::Float, Some(Data::FloatData(values))) => Self::Float(values.data),
            (Kind::Double, Some(Data::DoubleData(values))) => Self::Double(values.data),
            (Kind::Text(_), Some(Data::StringData(values))) => Self::Text(values.data.into_iter().map(String::into_boxed_str).collect()),
            (Kind::Json, Some(Data::JsonData(values))) => Self::Json(json_of(field, &values.data)?),
            _ => return Err(wrong()),
        };
        match (field.kind, &column) {
            (Kind::Int(least, most), Self::Int(values)) => {
                if let Some(value) = values.iter().find(|value| !(least..=most).contains(value)) {
                    return Err(Refusal::invalid(format!("field `{}`: {value} does not fit", field.name)));
                }
            }
            (Kind::Text(longest), Self::Text(values)) => {
                if let Some(value) = values.iter().find(|value| value.len() > longest) {
                    let reason = format!("field `{}`: a text of {} bytes, where {longest} are allowed", field.name, value.len());
                    return Err(Refusal::invalid(reason));
                }
            }
            _ => {}
        }
        if column.len() != rows {
            return Err(Refusal::invalid(format!("field `{}` has {} rows, the request says {rows}", field.name, column.len())));
        }
        Ok(column)
    }

    /// So many empty JSON objects: rows that came without dynamic values.
    pub(crate) fn empty_json(rows: usize) -> Self {
        Self::Json(vec![Json::Object(serde_json::Map::new()); rows])
    }

    /// Appends the rows of another column of the same field.
    pub(crate) fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Bool(all), Self::Bool(more)) => all.extend(more),
            (Self::Int(all), Self::Int(more)) => all.extend(more),
            (Self::Float(all), Self::Float(more)) | (Self::Vector { data: all, .. }, Self::Vector { data: more, .. }) => all.extend(more),
            (Self::Double(all), Self::Double(more)) => all.extend(more),
            (Self::Text(all), Self::Text(more)) => all.extend(more),
            (Self::Json(all), Self::Json(more)) => all.extend(more),
            _ => unreachable!("a column only takes what was read for its own field"),
        }
    }

    /// A column of these rows, in this order.
    pub(crate) fn gather(&self, rows: &[u32]) -> Self {
        fn picked<T: Clone>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|row| values[*row as usize].clone()).collect()
        }
        match self {
            Self::Bool(values) => Self::Bool(picked(values, rows)),
            Self::Int(values) => Self::Int(picked(values, rows)),
            Self::Float(values) => Self::Float(picked(values, rows)),
            Self::Double(values) => Self::Double(picked(values, rows)),
            Self::Text(values) => Self::Text(picked(values, rows)),
            Self::Json(values) => Self::Json(picked(values, rows)),
            Self::Vector { dim, data } => {
                let row_of = |row: &u32| &data[*row as usize * dim..(*row as usize + 1) * dim];
                Self::Vector { dim: *dim, data: rows.iter().flat_map(row_of).copied().collect() }
            }
        }
    }

    /// The column as an answer carries it.
    pub(crate) fn into_answer(self, field: &Field) -> FieldData {
        use scalar_field::Data;
        let scalars = |data| Some(field_data::Field::Scalars(ScalarField { data: Some(data) }));
        let answered = match self {
            Self::Bool(data) => scalars(Data::BoolData(BoolArray { data })),
            Self::Int(data) if field.data_type == DataType::Int64 => scalars(Data::LongData(LongArray { data })),
            Self::Int(data) => scalars(Data::IntData(IntArray { data: data.into_iter().map(|value| value as i32).collect() })),
            Self::Float(data) => scalars(Data::FloatData(FloatArray { data })),
            Self::Double(data) => scalars(Data::DoubleData(DoubleArray { data })),
            Self::Text(data) => scalars(Data::StringData(StringArray { data: data.into_iter().map(Into::into).collect() })),
            Self::Json(data) => {
                scalars(Data::JsonData(JsonArray { data: data.into_iter().map(|value| Bytes::from(value.to_string())).collect() }))
            }
            Self::Vector { dim, data } => Some(field_data::Field::Vectors(VectorField {
                dim: dim as i64,
                data: Some(vector_field::Data::FloatVector(FloatArray { data })),
            })),
        };
        FieldData {
            r#type: field.data_type.into(),
            field_name: field.name.clone(),
            field_id: field.id,
            is_dynamic: field.dynamic,
            field: answered,
        }
    }

    /// About how much memory one row takes.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len() * 8,
            Self::Float(values) => values.len() * 4,
            Self::Double(values) => values.len() * 8,
            Self::Text(values) => values.iter().map(|value| value.len() + 32).sum(),
            Self::Json(values) => values.iter().map(json_bytes).sum(),
            Self::Vector { data, .. } => data.len() * 4,
        };
        bytes as u64
    }
}

/// About what a JSON value takes in memory.
fn json_bytes(value: &Json) -> usize {
    32 + match value {
        Json::String(text) => text.len(),
        Json::Array(values) => values.iter().map(json_bytes).sum(),
        Json::Object(values) => values.iter().map(|(key, value)| key.len() + 32 + json_bytes(value)).sum(),
        _ => 0,
    }
}

fn vectors_of(field: &Field, right: usize, dim: i64, data: Vec<f32>, rows: usize) -> Result<Column, Refusal> {
    if dim != right as i64 || data.len() != right * rows {
        let reason = format!(
            "field `{}` has {right} dimensions; the request brings {} numbers of {dim} dimensions for {rows} rows",
            field.name,
            data.len()
        );
        return Err(Refusal::invalid(reason));
    }
    if data.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::invalid(format!("field `{}`: a vector holds NaN or infinity", field.name)));
    }
    Ok(Column::Vector { dim: right, data })
}

fn json_of(field: &Field, values: &[Bytes]) -> Result<Vec<Json>, Refusal> {
    let read = |bytes: &Bytes| {
        let value: Json =
            serde_json::from_slice(bytes).map_err(|cause| Refusal::invalid(format!("field `{}` is not JSON: {cause}", field.name)))?;
        if field.dynamic && !value.is_object() {
            return Err(Refusal::invalid("dynamic values are a JSON object"));
        }
        Ok(value)
    };
    values.iter().map(read).collect()
}
