//! What the run stood on: tool, machine, target, time and place.

use serde::{Deserialize, Serialize};

use crate::result::WallTime;

/// The program that measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tool {
    /// `tailtrace`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit it was built from, where the build knew it.
    pub commit: Option<String>,
    /// The compiler, where the build knew it.
    pub rustc: Option<String>,
    /// The command line.
    pub command: Vec<String>,
}

/// The machine that sent. What the system does not tell is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// The processor's model.
    pub cpu_model: Option<String>,
    /// Logical cores that this process may use.
    pub cores: Option<u64>,
    /// Main memory.
    pub memory_bytes: Option<u64>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// The processor's architecture.
    pub arch: Option<String>,
}

/// The server that answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// As the scenario writes it, without secrets.
    pub uri: String,
    /// As the server says; `null` where it does not.
    pub version: Option<String>,
    /// The practice target ran inside this process, and its CPU stands in the generator's figures too.
    pub in_process: bool,
    /// Why the collection that this run made could not be dropped, and is there still; `null` where it is gone, or is kept.
    pub not_dropped: Option<String>,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// Makes and fills the collection.
    SetUp,
    /// Load that does not count yet.
    WarmUp,
    /// Load that counts.
    Measure,
    /// No new requests; answers are waited for.
    Drain,
}

impl PhaseName {
    /// As results write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::WarmUp => "warm-up",
            Self::Measure => "measure",
            Self::Drain => "drain",
        }
    }
}

/// When a phase was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Which.
    pub name: PhaseName,
    /// Its start.
    pub start: WallTime,
    /// Its length; `null` while it lasts.
    pub length_ns: Option<u64>,
}

/// The files beside `run.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    /// Intervals in `latency.hlog`, of all tags; `null` where it could not be written whole.
    pub intervals: Option<u64>,
    /// Requests in `requests.jsonl`; `null` where it could not be written whole.
    pub requests_kept: Option<u64>,
    /// Sampled requests that could have been kept; likewise.
    pub requests_seen: Option<u64>,
    /// The chance that a sampled request had of being kept; 1 up to the cap.
    pub keep_probability: Option<f64>,
    /// Spans in `spans.jsonl`.
    pub spans_kept: u64,
    /// Spans that the collector received.
    pub spans_received: u64,
    /// What could not be written, with its place and cause; empty for a whole directory.
    pub lost: Vec<String>,
}
