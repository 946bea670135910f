//! The `[gates]` table: metric to limit, in the order of the file.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Causes;

use super::gate::{Gate, Limit};
use super::metric::Metric;

/// Gates as they stand in a scenario: `"readers.response.p99" = "< 20ms"`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gates(pub Vec<Gate>);

impl Gates {
    /// Whether nothing is judged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Gates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|gate| (gate.metric.to_string(), gate.limit.to_string())))
    }
}

impl<'de> Deserialize<'de> for Gates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        struct Key;
        struct Value(Metric);
        // Key and value are read by seeds of their own, so that an error points at the one that is wrong.
        impl<'de> DeserializeSeed<'de> for Key {
            type Value = Metric;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Metric, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(|error| serde::de::Error::custom(Causes(&error)))
            }
        }
        impl<'de> DeserializeSeed<'de> for Value {
            type Value = Gate;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Gate, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                let limit = Limit::parse(&self.0, &text).map_err(|error| serde::de::Error::custom(Causes(&error)))?;
                Ok(Gate { metric: self.0, limit })
            }
        }
        impl<'de> Visitor<'de> for Table {
            type Value = Gates;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of metrics and their limits, such as \"readers.response.p99\" = \"< 20ms\"")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Gates, A::Error> {
                let mut gates = Vec::new();
                while let Some(metric) = map.next_key_seed(Key)? {
                    gates.push(map.next_value_seed(Value(metric))?);
                }
                Ok(Gates(gates))
            }
        }
        deserializer.deserialize_map(Table)
    }
}

impl schemars::JsonSchema for Gates {
    fn schema_name() -> Cow<'static, str> {
        "Gates".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Metric to limit. Metrics: <stream>.response|service|lateness.pNN|mean|min|max (limits such as \"< 20ms\"), \
                <stream>.recall (\"> 0.95\"), <stream>.errors and errors (\"< 0.1%\"), <stream>.rate (\"> 450/s\"). \
                Comparisons: <, <=, > and >=.",
            "propertyNames": { "pattern": r"^(errors|[A-Za-z][A-Za-z0-9_-]*\.(recall|errors|rate|(response|service|lateness)\.(p[0-9.]+|mean|min|max)))$" },
            "additionalProperties": { "type": "string", "pattern": r"^\s*(<=|>=|<|>)\s*[0-9]" }
        })
    }
}
