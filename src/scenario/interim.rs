//! `[target]` and `[collection]` and `[practice]`, until `milvus` and `practice` hand out their own types.
#![allow(missing_docs, reason = "replaced by the types of `milvus` and `practice`, which document their keys")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Fraction;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub uri: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Collection {
    pub name: String,
    pub dim: u32,
    pub rows: u64,
    pub keep: bool,
    pub reuse: bool,
    pub metric: String,
    pub index: BTreeMap<String, serde_json::Value>,
    pub shards: u32,
}

impl Default for Collection {
    fn default() -> Self {
        Self {
            name: "tailtrace".into(),
            dim: 128,
            rows: 20_000,
            keep: false,
            reuse: false,
            metric: "L2".into(),
            index: BTreeMap::new(),
            shards: 1,
        }
    }
}

pub mod practice {
    use super::{Deserialize, Fraction, JsonSchema, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
    #[serde(deny_unknown_fields, default)]
    pub struct Settings {
        pub servers: Option<u32>,
        pub service: Option<String>,
        pub error_rate: Fraction,
    }
}
