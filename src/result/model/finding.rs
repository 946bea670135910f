//! What is said about a run: findings, trust, gates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding takes from the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; takes nothing.
    Note,
    /// The figures may mislead.
    Suspect,
    /// The figures are not about the target.
    Invalid,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Suspect => "suspect",
            Self::Invalid => "invalid",
        })
    }
}

/// The worst severity found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Nothing, or notes only.
    Valid,
    /// The figures may mislead.
    Suspect,
    /// The figures are not to be used.
    Invalid,
}

impl Trust {
    /// What these findings leave.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.severity).max() {
            None | Some(Severity::Note) => Self::Valid,
            Some(Severity::Suspect) => Self::Suspect,
            Some(Severity::Invalid) => Self::Invalid,
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Suspect => "suspect",
            Self::Invalid => "invalid",
        })
    }
}

/// A typed statement about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable, in kebab case: `generator-bottleneck`.
    pub code: String,
    /// What it does to trust.
    pub severity: Severity,
    /// One sentence with the figures in it.
    pub message: String,
    /// What to do about it.
    pub advice: String,
    /// The stream it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The figures behind it, named with their units like every key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, serde_json::Value>,
}

/// A limit of the scenario, judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// `readers.response.p99`, `errors`, …
    pub metric: String,
    /// As the scenario writes it: `< 20ms`.
    pub limit: String,
    /// The measured time; absent where the metric is no time or has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_ns: Option<u64>,
    /// The measured figure; absent where the metric is a time or has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The value is a lower bound only (which never passes an upper limit).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Whether the limit was kept. A metric without a value does not pass.
    pub passed: bool,
}
