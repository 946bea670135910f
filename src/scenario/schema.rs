//! The JSON Schema of scenarios, from the same types that read them.

use super::ScenarioFile;

/// Draft 2020-12, with every key, its unit and its default.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(ScenarioFile).to_value()
}
