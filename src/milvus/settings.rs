//! The `[target]` and `[collection]` tables of a scenario.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;
use crate::wire::common;
use crate::workload::Metric;

use super::address::Address;

/// `target.connect_within`: a target that has not answered by then is not there.
pub const CONNECT_WITHIN: Nanos = Nanos::from_secs(10);
/// `collection.name`.
pub const NAME: &str = "tailtrace";
/// `collection.dim`: that of the SIFT data set, on which most indexes are compared.
pub const DIM: u32 = 128;
/// `collection.rows`: filled and indexed within seconds, and enough that an index is used.
pub const ROWS: u64 = 20_000;
/// `collection.shards`.
pub const SHARDS: u32 = 1;
/// `collection.ready_within`: a collection that is not filled, indexed and loaded by then is given up, and dropped where
/// this run made it.
pub const READY_WITHIN: Nanos = Nanos::from_secs(600);

/// Most dimensions that Milvus takes.
pub const MAX_DIM: u32 = 32_768;
/// Most shards that Milvus takes by default.
pub const MAX_SHARDS: u32 = 64;
/// Longest name that Milvus takes.
const MAX_NAME: usize = 255;

/// `[target]`: the Milvus that requests go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
pub struct TargetSettings {
    /// "practice" for the built-in target, or a URI such as `http://localhost:19530` or `https://…`.
    pub uri: Address,
    /// The environment variable that holds the token: "user:password" or an API key. Left out: no credentials are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// The database that the collection is in. Left out: the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// With https: a PEM file with the certificates to trust. Left out: those that the machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long to wait for the first answer of the target.
    #[serde(default = "connect_within")]
    pub connect_within: Nanos,
}

impl TargetSettings {
    /// A target at an address, everything else left out.
    #[must_use]
    pub const fn at(uri: Address) -> Self {
        Self { uri, token_env: None, database: None, ca_file: None, connect_within: CONNECT_WITHIN }
    }
}

const fn connect_within() -> Nanos {
    CONNECT_WITHIN
}

/// `[collection]`: made and filled before the run, and dropped after it, unless `keep` or `reuse` say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Collection")]
pub struct CollectionSettings {
    /// Letters, digits and `_`, not a digit first, up to 255.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Dimensions of the vectors: 1 to 32,768. With `reuse` it is taken from the collection; where it is given it must agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32_768), extend("default" = DIM))]
    pub dim: Option<NonZeroU32>,
    /// Rows to fill it with before the run.
    #[schemars(range(min = 1))]
    pub rows: NonZeroU64,
    /// How vectors are compared. With `reuse` it is taken from the collection's index.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "L2"))]
    pub metric: Option<Metric>,
    /// The index over the vectors.
    pub index: IndexSettings,
    /// Leaves the collection there after the run.
    pub keep: bool,
    /// Takes a collection that exists as it is: nothing is filled, indexed or dropped.
    pub reuse: bool,
    /// With `reuse`: which vector field to search, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector_field: Option<String>,
    /// Over how many shards writes are spread.
    #[schemars(range(min = 1, max = 64))]
    pub shards: NonZeroU32,
    /// The collection's own consistency level: that of searches which name none.
    pub consistency: Consistency,
    /// How long filling, indexing and loading may take together.
    pub ready_within: Nanos,
}

impl Default for CollectionSettings {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            dim: None,
            rows: NonZeroU64::new(ROWS).expect("not zero"),
            metric: None,
            index: IndexSettings::default(),
            keep: false,
            reuse: false,
            vector_field: None,
            shards: NonZeroU32::new(SHARDS).expect("not zero"),
            consistency: Consistency::default(),
            ready_within: READY_WITHIN,
        }
    }
}

/// What is wrong with a setting, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("collection.{key}: {message}")]
pub struct SettingsError {
    /// The key in `[collection]`.
    pub key: &'static str,
    /// One sentence.
    pub message: String,
}

impl CollectionSettings {
    /// The dimension of a collection that is to be made.
    #[must_use]
    pub fn dim(&self) -> u32 {
        self.dim.map_or(DIM, NonZeroU32::get)
    }

    /// The metric of a collection that is to be made.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric.unwrap_or_default()
    }

    /// Checks what Milvus would refuse later.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, message| Err(SettingsError { key, message });
        let first_is_right = self.name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !first_is_right || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || self.name.len() > MAX_NAME {
            let message = format!("`{}` is not a name: letters, digits and _, not a digit first, up to {MAX_NAME}", self.name);
            return wrong("name", message);
        }
        if self.dim() > MAX_DIM {
            return wrong("dim", format!("{} is not from 1 to {MAX_DIM}, which is what Milvus takes", self.dim()));
        }
        if self.rows.get() > crate::workload::MAX_ROWS {
            return wrong("rows", format!("{} is above {}, the ids there are", self.rows, crate::workload::MAX_ROWS));
        }
        if self.shards.get() > MAX_SHARDS {
            return wrong("shards", format!("{} is not from 1 to {MAX_SHARDS}, which is what Milvus takes", self.shards));
        }
        if self.vector_field.is_some() && !self.reuse {
            return wrong("vector_field", "only a collection with `reuse = true` has vector fields to choose from".to_owned());
        }
        if self.index.kind.is_empty() {
            return wrong(
                "index",
                "`type` is empty: write the name of an index, such as \"HNSW\", \"IVF_FLAT\" or \"AUTOINDEX\"".to_owned(),
            );
        }
        Ok(())
    }
}

/// `collection.index`: `{ type = "HNSW", M = 16, efConstruction = 200 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Index")]
pub struct IndexSettings {
    /// Milvus's name of the index: "HNSW", "`IVF_FLAT`", "FLAT", "AUTOINDEX", …
    #[serde(rename = "type")]
    pub kind: String,
    /// The index's own parameters, as Milvus calls them.
    #[serde(flatten)]
    pub params: BTreeMap<String, serde_json::Value>,
}

impl Default for IndexSettings {
    /// HNSW with M 16 and efConstruction 200: what Milvus's own documentation builds.
    fn default() -> Self {
        let params = [("M", 16), ("efConstruction", 200)].map(|(key, value)| (key.to_owned(), value.into()));
        Self { kind: "HNSW".to_owned(), params: params.into() }
    }
}

/// How much of earlier writes a search must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// All of them.
    Strong,
    /// Those of the same session.
    Session,
    /// All but those of the last moments.
    #[default]
    Bounded,
    /// Whatever is there.
    Eventually,
}

impl Consistency {
    /// The level on the wire.
    #[must_use]
    pub const fn level(self) -> common::ConsistencyLevel {
        match self {
            Self::Strong => common::ConsistencyLevel::Strong,
            Self::Session => common::ConsistencyLevel::Session,
            Self::Bounded => common::ConsistencyLevel::Bounded,
            Self::Eventually => common::ConsistencyLevel::Eventually,
        }
    }

    /// From the number on the wire; `None` for a level that tailtrace does not know.
    #[must_use]
    pub fn from_level(level: i32) -> Option<Self> {
        [Self::Strong, Self::Session, Self::Bounded, Self::Eventually].into_iter().find(|own| own.level() as i32 == level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_milvus_s_own_numbers() {
        for (own, number) in [(Consistency::Strong, 0), (Consistency::Session, 1), (Consistency::Bounded, 2), (Consistency::Eventually, 3)]
        {
            assert_eq!(own.level() as i32, number);
            assert_eq!(Consistency::from_level(number), Some(own));
        }
        assert_eq!(Consistency::from_level(4), None);
    }
}
