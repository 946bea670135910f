//! `run.json`: one run as plain data, schema `tailtrace.run/1`.
//!
//! Times are whole nanoseconds with `_ns` in the key, rates end in `_per_s`, fractions go from 0 to 1. A figure that was
//! not measured is `null`, never zero. Unknown keys are ignored when a document is read, and keys that only stand beside
//! the ones that tools rely on may be missing, so that files of neighbouring versions stay readable; a document of a newer
//! schema is refused with a message that says so.

mod facts;
mod finding;
mod generator;
mod latency;
mod stream;
mod trace;

use serde::{Deserialize, Serialize};

pub use facts::{Host, Output, Phase, PhaseName, Target, Tool};
pub use finding::{Finding, Gate, Severity, Trust};
pub use generator::{Floor, Generator, Lane, TimerError};
pub use latency::Latency;
pub use stream::{Arrivals, Checks, Exemplar, Failures, LevelShift, Loop, Recall, Second, SlowRequest, Stationarity, Stream, Trend};
pub use trace::{Caught, ClientOnly, Evidence, Forward, Outliers, OutliersOfStream, SampledBy, Trace};

use super::WallTime;
use crate::scenario::Plan;

/// The schema that this version writes. Its number goes up when a key changes its meaning or goes away.
pub const SCHEMA: &str = "tailtrace.run/1";
const SCHEMA_FAMILY: &str = "tailtrace.run/";

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run's own id, also the end of its directory's name and an attribute of its spans.
    pub id: String,
    /// True until the run has ended as planned: of a run that was killed this is what remains.
    pub partial: bool,
    /// The worst that the findings say.
    pub trust: Trust,
    /// What is to be said about this run.
    pub findings: Vec<Finding>,
    /// What all that was drawn was drawn from. Below 2^53 when drawn, so that every JSON reader keeps it whole.
    pub seed: u64,
    /// The scenario as resolved, every key with its value. Kept as it stands, so that a run of a version with more keys can
    /// still be read and reported; [`RunDocument::plan`] is the plan to run again.
    pub plan: serde_json::Value,
    /// The machine that sent.
    pub host: Host,
    /// The server that answered.
    pub target: Target,
    /// One entry a stream, in the scenario's order.
    pub streams: Vec<Stream>,
    /// The accounting of traces.
    pub trace: Trace,
    /// The instrument's own health.
    pub generator: Generator,
    /// The limits that the scenario sets, and whether they were kept.
    pub gates: Vec<Gate>,
    /// The scenario's name: its file's, without the ending.
    #[serde(default)]
    pub scenario: String,
    /// The program that measured.
    #[serde(default)]
    pub tool: Tool,
    /// When the run began.
    #[serde(default)]
    pub started: WallTime,
    /// The phases that were reached, in order.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// What the files beside this one hold, and what could not be written.
    #[serde(default)]
    pub output: Output,
}

impl RunDocument {
    /// The document of a run that has not sent anything yet.
    #[must_use]
    pub fn begun(id: impl Into<String>, scenario: impl Into<String>, started: WallTime) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id: id.into(),
            partial: true,
            trust: Trust::Invalid,
            findings: Vec::new(),
            seed: 0,
            plan: serde_json::Value::Object(serde_json::Map::new()),
            host: Host::default(),
            target: Target::default(),
            streams: Vec::new(),
            trace: Trace::default(),
            generator: Generator::default(),
            gates: Vec::new(),
            scenario: scenario.into(),
            tool: Tool::default(),
            started,
            phases: Vec::new(),
            output: Output::default(),
        }
    }

    /// Reads a document.
    pub fn from_json(text: &str) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<String>,
        }
        let head: Head = serde_json::from_str(text).map_err(ModelError::Json)?;
        match head.schema {
            Some(schema) if schema == SCHEMA => serde_json::from_str(text).map_err(ModelError::Json),
            Some(schema) if schema.starts_with(SCHEMA_FAMILY) => Err(ModelError::OtherSchema { schema }),
            schema => Err(ModelError::NoRun { schema: schema.unwrap_or_else(|| "none".to_owned()) }),
        }
    }

    /// The document as it stands in `run.json`: indented, with a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Plain data with text keys: serialising it has no way to fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The plan, to run it again.
    pub fn plan(&self) -> Result<Plan, ModelError> {
        serde_json::from_value(self.plan.clone()).map_err(ModelError::Plan)
    }

    /// Keeps the plan, and its seed.
    pub fn set_plan(&mut self, plan: &Plan) {
        self.seed = plan.seed;
        // A plan is plain data with text keys: serialising it has no way to fail.
        self.plan = serde_json::to_value(plan).unwrap_or_default();
    }

    /// The stream of this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Failed, timed out and unfinished requests over scheduled ones, of all streams; `None` where none was scheduled.
    #[must_use]
    pub fn errors(&self) -> Option<f64> {
        let (bad, all) = self.streams.iter().fold((0, 0), |(bad, all), s| (bad + s.not_ok(), all + s.scheduled));
        (all > 0).then(|| bad as f64 / all as f64)
    }

    /// The Jaeger that holds its traces, where its plan names one (`trace.jaeger`).
    #[must_use]
    pub fn jaeger(&self) -> Option<&str> {
        self.plan["trace"]["jaeger"].as_str()
    }

    /// Why the run says nothing about its target: the finding that makes it invalid, with its code; `None` where its figures can be used.
    #[must_use]
    pub fn distrust(&self) -> Option<String> {
        if self.trust != Trust::Invalid {
            return None;
        }
        let finding = self.findings.iter().find(|finding| finding.severity == Severity::Invalid);
        Some(finding.map_or_else(|| "its trust is `invalid`".to_owned(), |finding| format!("{} ({})", finding.message, finding.code)))
    }

    /// Whether not one request was due in the measured phase.
    #[must_use]
    pub fn measured_nothing(&self) -> bool {
        self.streams.iter().all(|stream| stream.scheduled == 0)
    }

    /// The equations that every whole run keeps, as sentences, where this document breaks them; empty for a sound one.
    #[must_use]
    pub fn broken_equations(&self) -> Vec<String> {
        let mut broken = self.trace.broken_equations();
        for stream in &self.streams {
            broken.extend(stream.broken_equations());
        }
        let worst = Trust::of(&self.findings);
        if !self.partial && self.trust != worst {
            broken.push(format!("trust is {} while the findings say {worst}", self.trust));
        }
        broken
    }
}

/// Why a text is not a run that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The keys or the JSON itself are wrong.
    #[error("it is cut or not a run document; copy the whole run directory again, or name another run")]
    Json(#[source] serde_json::Error),
    /// The plan in it is none that this version can run.
    #[error("the plan of this run cannot be run by this version of tailtrace")]
    Plan(#[source] serde_json::Error),
    /// Written by a version with another schema.
    #[error(
        "schema `{schema}` was written by another version of tailtrace, and this one reads `{SCHEMA}`; use the version that wrote it or a newer one"
    )]
    OtherSchema {
        /// What stands in the file.
        schema: String,
    },
    /// JSON of something else.
    #[error("not a tailtrace run: schema `{schema}` where `{SCHEMA}` should stand")]
    NoRun {
        /// What stands in the file.
        schema: String,
    },
}

#[cfg(test)]
mod tests;
