//! Arrival processes, and whether requests really left as theirs says.

/// How the due times of an open loop scatter around its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// Independent of each other, as requests of many users are: gaps are exponential. The default.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
}
