//! Rows by columns, written straight into the buffer they are sent from.
//!
//! The message is that of pymilvus's `insert`: one column of ids (unless Milvus makes them), one of vectors, in
//! `InsertRequest.fields_data`. Writing it through generated types would copy every vector twice.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::wire::schema::{self, DataType, field_data, scalar_field};

use super::super::collection::{Collection, PrimaryKind, Scalar};
use super::protobuf::{Wire, field_len, head_len, put_bytes, put_bytes_head, put_head, put_number, put_varint, varint_len, write_floats};

// Numbers of the fields that are written here: of `InsertRequest`, of a column (`FieldData`), of what a column holds, and
// of every array.
const INSERT_COLLECTION_NAME: u32 = 3;
const INSERT_FIELDS_DATA: u32 = 5;
const INSERT_NUM_ROWS: u32 = 7;
const COLUMN_TYPE: u32 = 1;
const COLUMN_NAME: u32 = 2;
const COLUMN_SCALARS: u32 = 3;
const COLUMN_VECTORS: u32 = 4;
const SCALARS_LONG: u32 = 3;
const SCALARS_STRING: u32 = 6;
const VECTORS_DIM: u32 = 1;
const VECTORS_FLOAT: u32 = 2;
const DATA: u32 = 1;

/// Writes batches of rows for one collection.
#[derive(Debug, Clone)]
pub(crate) struct RowWriter {
    collection: String,
    primary: Option<(String, PrimaryKind)>,
    vector_field: String,
    dim: usize,
    scalars: Vec<Scalar>,
    /// The columns of scalars of the last batch size, encoded: they are the same for every batch.
    filling: (usize, Vec<u8>),
    vector: Vec<f32>,
}

impl RowWriter {
    pub(crate) fn new(collection: &Collection) -> Self {
        let primary = (!collection.primary.auto).then(|| (collection.primary.name.clone(), collection.primary.kind));
        Self {
            collection: collection.name.clone(),
            primary,
            vector_field: collection.vector_field.clone(),
            dim: collection.dim,
            scalars: collection.scalars.clone(),
            filling: (0, Vec::new()),
            vector: vec![0.0; collection.dim],
        }
    }

    /// Appends an encoded `InsertRequest` of the rows with these ids; `make` writes the vector of the row at a place in the
    /// batch.
    pub(crate) fn write<I>(&mut self, out: &mut BytesMut, ids: I, mut make: impl FnMut(usize, &mut [f32]))
    where
        I: ExactSizeIterator<Item = i64> + Clone,
    {
        let rows = ids.len();
        if self.filling.0 != rows {
            self.filling = (rows, filling(&self.scalars, rows));
        }
        out.reserve(self.longest(rows));
        put_bytes(out, INSERT_COLLECTION_NAME, self.collection.as_bytes());
        match &self.primary {
            Some((name, PrimaryKind::Int64)) => put_numbers(out, name, ids),
            Some((name, PrimaryKind::VarChar)) => put_texts(out, name, ids),
            None => {}
        }
        self.put_vectors(out, rows, &mut make);
        out.put_slice(&self.filling.1);
        put_number(out, INSERT_NUM_ROWS, rows as u64);
    }

    /// A bound on the bytes of a batch: 4 for each coordinate, 32 for each id, 10 for each scalar, and what names and heads
    /// take.
    pub(crate) fn longest(&self, rows: usize) -> usize {
        let names: usize = self.scalars.iter().map(|scalar| scalar.name.len() + 64).sum();
        rows * (self.dim * 4 + 32 + 10 * self.scalars.len()) + names + self.collection.len() + self.vector_field.len() + 512
    }

    fn put_vectors(&mut self, out: &mut BytesMut, rows: usize, make: &mut impl FnMut(usize, &mut [f32])) {
        let floats = rows * self.dim * 4;
        let array = field_len(DATA, floats);
        let vectors = head_len(VECTORS_DIM) + varint_len(self.dim as u64) + field_len(VECTORS_FLOAT, array);
        put_column_head(out, DataType::FloatVector, &self.vector_field, field_len(COLUMN_VECTORS, vectors));
        put_bytes_head(out, COLUMN_VECTORS, vectors);
        put_number(out, VECTORS_DIM, self.dim as u64);
        put_bytes_head(out, VECTORS_FLOAT, array);
        put_bytes_head(out, DATA, floats);
        let start = out.len();
        out.resize(start + floats, 0);
        for (row, bytes) in out[start..].chunks_exact_mut(self.dim * 4).enumerate() {
            make(row, &mut self.vector);
            write_floats(bytes, &self.vector);
        }
    }
}

/// The head of a column with `content` bytes after its type and name.
fn put_column_head(out: &mut BytesMut, kind: DataType, name: &str, content: usize) {
    let kind = kind as u64;
    let length = head_len(COLUMN_TYPE) + varint_len(kind) + field_len(COLUMN_NAME, name.len()) + content;
    put_bytes_head(out, INSERT_FIELDS_DATA, length);
    put_number(out, COLUMN_TYPE, kind);
    put_bytes(out, COLUMN_NAME, name.as_bytes());
}

fn put_numbers(out: &mut BytesMut, name: &str, ids: impl Iterator<Item = i64> + Clone) {
    let packed: usize = ids.clone().map(|id| varint_len(id.cast_unsigned())).sum();
    let array = field_len(DATA, packed);
    let scalars = field_len(SCALARS_LONG, array);
    put_column_head(out, DataType::Int64, name, field_len(COLUMN_SCALARS, scalars));
    put_bytes_head(out, COLUMN_SCALARS, scalars);
    put_bytes_head(out, SCALARS_LONG, array);
    put_head(out, DATA, Wire::Bytes);
    put_varint(out, packed as u64);
    for id in ids {
        put_varint(out, id.cast_unsigned());
    }
}

fn put_texts(out: &mut BytesMut, name: &str, ids: impl Iterator<Item = i64> + Clone) {
    let array: usize = ids.clone().map(|id| field_len(DATA, digits(id))).sum();
    let scalars = field_len(SCALARS_STRING, array);
    put_column_head(out, DataType::VarChar, name, field_len(COLUMN_SCALARS, scalars));
    put_bytes_head(out, COLUMN_SCALARS, scalars);
    put_bytes_head(out, SCALARS_STRING, array);
    for id in ids {
        put_bytes_head(out, DATA, digits(id));
        // Writing into a buffer that grows has no way to fail.
        let _ = std::fmt::Write::write_fmt(out, format_args!("{id}"));
    }
}

/// Characters of an id, which is never negative, as a decimal number.
const fn digits(id: i64) -> usize {
    match id.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Columns of zeros, empty texts and empty objects for the fields that an insert has to fill.
fn filling(scalars: &[Scalar], rows: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    for scalar in scalars {
        let data = match scalar.kind {
            DataType::Bool => scalar_field::Data::BoolData(schema::BoolArray { data: vec![false; rows] }),
            DataType::Int8 | DataType::Int16 | DataType::Int32 => scalar_field::Data::IntData(schema::IntArray { data: vec![0; rows] }),
            DataType::Int64 => scalar_field::Data::LongData(schema::LongArray { data: vec![0; rows] }),
            DataType::Float => scalar_field::Data::FloatData(schema::FloatArray { data: vec![0.0; rows] }),
            DataType::Double => scalar_field::Data::DoubleData(schema::DoubleArray { data: vec![0.0; rows] }),
            DataType::Json => scalar_field::Data::JsonData(schema::JsonArray { data: vec![Bytes::from_static(b"{}"); rows] }),
            _ => scalar_field::Data::StringData(schema::StringArray { data: vec![String::new(); rows] }),
        };
        let column = schema::FieldData {
            r#type: scalar.kind as i32,
            field_name: scalar.name.clone(),
            field: Some(field_data::Field::Scalars(schema::ScalarField { data: Some(data) })),
            ..Default::default()
        };
        put_bytes(&mut out, INSERT_FIELDS_DATA, &column.encode_to_vec());
    }
    out.to_vec()
}

#[cfg(test)]
mod tests;
