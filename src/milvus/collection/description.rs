//! What is known of a collection before the first request is sent to it.

use crate::wire::schema::DataType;
use crate::workload::{Metric, Seed};

use super::super::settings::Consistency;

/// A collection that requests can be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// The key of its rows.
    pub primary: Primary,
    /// The field that is searched.
    pub vector_field: String,
    /// Dimensions of the vectors.
    pub dim: usize,
    /// How the index compares them.
    pub metric: Metric,
    /// Fields that an insert has to fill beside the two, with values of no meaning.
    pub scalars: Vec<Scalar>,
    /// Its own consistency level; `None` where it is one that tailtrace does not know.
    pub consistency: Option<Consistency>,
    /// The rows it was filled with from a seed, where that is known: then the truth can be computed.
    pub filled: Option<Filled>,
}

/// The key of a collection's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// The field's name.
    pub name: String,
    /// What kind of key.
    pub kind: PrimaryKind,
    /// Whether Milvus makes it; then an insert leaves it out.
    pub auto: bool,
}

/// Kinds of keys that Milvus has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrimaryKind {
    /// 64-bit numbers.
    Int64,
    /// Texts; ids are written as decimal numbers.
    VarChar,
}

/// A field that an insert has to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The field's name.
    pub name: String,
    /// Its type: one of those in [`Scalar::can_fill`].
    pub kind: DataType,
}

impl Scalar {
    /// Whether an insert can fill a field of this type.
    #[must_use]
    pub const fn can_fill(kind: DataType) -> bool {
        matches!(
            kind,
            DataType::Bool
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Float
                | DataType::Double
                | DataType::VarChar
                | DataType::Json
        )
    }
}

/// What a collection was filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Rows 0 to `rows` − 1 of the seed's vectors, with their numbers as ids.
    pub rows: u64,
    /// The seed they follow from.
    pub seed: Seed,
}
