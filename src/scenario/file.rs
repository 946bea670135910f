//! A scenario as it is typed: every key of the file, most of them optional.
//!
//! Owns names, shapes and documentation of the keys, from which reading, writing and the JSON Schema follow. What the keys
//! mean together is resolved into a [`Plan`](super::Plan) elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Wait;
use crate::milvus::{CollectionSettings, Consistency, TargetSettings};
use crate::stats::arrivals::Process;
use crate::units::{Nanos, Rate};
use crate::{practice, trace};

use super::defaults;
use super::gates::Gates;
use super::plan::Lanes;

/// A tailtrace scenario: what to send where.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tailtrace scenario")]
pub struct ScenarioFile {
    /// What results are called. Left out: the file's name without its ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seed of everything that is drawn: vectors, queries, arrivals. Left out: drawn for each run, and stored in its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The Milvus that requests go to.
    pub target: TargetSettings,
    /// The collection that requests work on.
    #[serde(default)]
    pub collection: CollectionSettings,
    /// Phases and threads.
    #[serde(default)]
    pub load: LoadTable,
    /// Requests of one operation under one load shape; one or more, and they run together.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub stream: Vec<StreamTable>,
    /// Which requests are traced, and where their spans go. Left out: none.
    #[serde(default)]
    pub trace: trace::Settings,
    /// What the figures must keep to for exit status 0.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    /// Behaviour of the built-in target; only where `target.uri = "practice"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practice: Option<practice::Settings>,
}

/// `[load]`: phases and threads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Load")]
pub struct LoadTable {
    /// Threads that send, each with its own channels and workers: "auto" (1 up to four cores, then a quarter of them) or a
    /// number from 1 to 1,024.
    pub lanes: Lanes,
    /// gRPC connections a lane, shared by its workers: 1 to 1,024.
    #[schemars(range(min = 1, max = 1_024))]
    pub channels: u32,
    /// Requests go out and are not counted for so long before the measured phase; "0s" for none.
    pub warmup: Nanos,
    /// Length of the measured phase. Left out: the sum of the stages where there are some, else 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::DURATION))]
    pub duration: Option<Nanos>,
    /// How long answers may still come after the measured phase; what has not come by then is unfinished.
    pub drain: Nanos,
    /// How a lane waits for the next due time.
    pub wait: Wait,
}

impl Default for LoadTable {
    fn default() -> Self {
        Self {
            lanes: Lanes::Auto,
            channels: defaults::CHANNELS,
            warmup: defaults::WARMUP,
            duration: None,
            drain: defaults::DRAIN,
            wait: Wait::default(),
        }
    }
}

/// `[[stream]]`: requests of one operation under one load shape. Give exactly one of `rate`, `stages` and `workers`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stream")]
pub struct StreamTable {
    /// What results and metrics call it: letters, digits, `-` and `_`; not the name of a table, not `errors`.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"))]
    pub name: String,
    /// What its requests do.
    pub operation: OperationName,
    /// Open loop: so many requests are due a second, whatever the answers do; up to "10000000/s".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Open loop whose rate changes: the measured phase, stage by stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub stages: Option<Vec<StageTable>>,
    /// Closed loop: so many workers, each of which sends its next request when the last one ended; split over the lanes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub workers: Option<u32>,
    /// Open loop: how due times lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Process::default()))]
    pub arrivals: Option<Process>,
    /// Open loop: at most so many requests without an answer; the next wait, and their response time includes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = defaults::MAX_IN_FLIGHT))]
    pub max_in_flight: Option<u32>,
    /// A request without an answer for so long is given up and counted as timed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::TIMEOUT))]
    pub timeout: Option<Nanos>,
    /// Search: neighbours asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_384), extend("default" = defaults::TOP_K))]
    pub top_k: Option<u32>,
    /// Search: what it must have seen of earlier writes. Left out: the collection's own level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// Search: the index's own parameters, such as `{ ef = 64 }` for HNSW or `{ nprobe = 16 }` for IVF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<String, serde_json::Value>>,
    /// Insert: rows in one request; times `collection.dim` they must fit into a message of 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = defaults::BATCH))]
    pub batch: Option<u32>,
}

/// One stage of an open loop's measured phase. Warm-up runs at the rate with which the first stage begins; where that is a
/// ramp from zero, at a tenth of the rate that it climbs to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct StageTable {
    /// The stage's rate; of a ramp, the rate that it ends with. "0/s" is a pause.
    pub rate: Rate,
    /// How long the stage lasts.
    #[serde(rename = "for")]
    pub length: Nanos,
    /// Changes the rate in a straight line over the stage, from `from` to `rate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ramp: bool,
    /// The rate that a ramp begins with. Left out: the rate the stage before ended with, and "0/s" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Rate>,
}

/// What the requests of a stream do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OperationName {
    /// Nearest neighbours of a query vector.
    #[default]
    Search,
    /// New rows.
    Insert,
}

/// Operations and their names; what is listed here is offered.
pub(super) const OPERATIONS: [(&str, OperationName); 2] = [("search", OperationName::Search), ("insert", OperationName::Insert)];
/// Operations that Milvus has and tailtrace does not send yet.
const LATER: [&str; 5] = ["upsert", "delete", "query", "get", "hybrid_search"];

impl OperationName {
    /// As it is written in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        OPERATIONS.iter().find(|(_, operation)| *operation == self).map_or("", |(name, _)| name)
    }
}

impl Serialize for OperationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for OperationName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const NAMES: [&str; 2] = [OPERATIONS[0].0, OPERATIONS[1].0];
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        if LATER.contains(&text.as_ref()) {
            let offered = NAMES.join(" and ");
            return Err(serde::de::Error::custom(format_args!("`{text}` is not offered yet; this version sends {offered}")));
        }
        let known = OPERATIONS.iter().find(|(name, _)| *name == text);
        known.map(|(_, operation)| *operation).ok_or_else(|| serde::de::Error::unknown_variant(&text, &NAMES))
    }
}

impl JsonSchema for OperationName {
    fn schema_name() -> Cow<'static, str> {
        "Operation".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": OPERATIONS.map(|(name, _)| name) })
    }
}
