//! A plan: a scenario resolved and validated, everything the program needs and nothing left open.
//!
//! Serialises in the scenario's own syntax with every default filled in, and reads back from there: so a stored plan can
//! be run again.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Wait;
use crate::load::StreamLoad;
use crate::milvus::{CollectionSettings, TargetSettings, operation};
use crate::units::Nanos;
use crate::{practice, trace};

use super::defaults;
use super::file::ScenarioFile;
use super::gate::Gate;

/// What will be sent where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "ScenarioFile", try_from = "ScenarioFile")]
pub struct Plan {
    /// What results are called.
    pub name: String,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The Milvus.
    pub target: TargetSettings,
    /// The collection.
    pub collection: CollectionSettings,
    /// Phases and threads.
    pub load: Load,
    /// One or more, with names of their own.
    pub streams: Vec<Stream>,
    /// Sampling and export.
    pub trace: trace::Settings,
    /// Limits, in the order of the file.
    pub gates: Vec<Gate>,
    /// The built-in target's behaviour; there exactly where the target is the built-in one.
    pub practice: Option<practice::Settings>,
}

/// Phases and threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Threads that send.
    pub lanes: Lanes,
    /// Connections a lane, 1 to [`defaults::MAX_CHANNELS`].
    pub channels: u32,
    /// Length of the warm-up, may be zero.
    pub warmup: Nanos,
    /// Length of the measured phase, above zero.
    pub duration: Nanos,
    /// Most that the drain may take.
    pub drain: Nanos,
    /// How a lane waits.
    pub wait: Wait,
}

/// How many threads send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lanes {
    /// One up to four cores, then a quarter of them.
    #[default]
    Auto,
    /// So many, 1 to [`defaults::MAX_LANES`].
    Count(u32),
}

impl Lanes {
    /// The number on a machine with so many cores.
    #[must_use]
    pub fn count(self, cores: u32) -> u32 {
        match self {
            Self::Auto => defaults::auto_lanes(cores),
            Self::Count(count) => count,
        }
    }
}

/// Requests of one operation under one load shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Unique in the plan: letters, digits, `-` and `_`.
    pub name: String,
    /// What its requests do.
    pub operation: operation::Settings,
    /// When they go, and how long one may take.
    pub load: StreamLoad,
}

const AUTO: &str = "auto";
const LANES: &str = "\"auto\" or a whole number from 1 to 1024";

impl Serialize for Lanes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Count(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Lanes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Lanes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(LANES)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Lanes, E> {
                (text == AUTO).then_some(Lanes::Auto).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<Lanes, E> {
                let right = u32::try_from(count).ok().filter(|count| (1..=defaults::MAX_LANES).contains(count));
                right.map(Lanes::Count).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(count), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Lanes {
    fn schema_name() -> Cow<'static, str> {
        "Lanes".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [{ "const": AUTO }, { "type": "integer", "minimum": 1, "maximum": defaults::MAX_LANES }]
        })
    }
}
