//! The run directory: what a run leaves behind, how it is written so that a killed run stays readable, and how it is read.
//!
//! Owns the files `run.json`, `latency.hlog`, `requests.jsonl` and `spans.jsonl` (`docs/result-format.md` names every key).
//! Decides nothing: findings, trust and gates are figures that rooms below put into the document.
//!
//! ```
//! use tailtrace::result::{RunDirectory, WallTime, model::RunDocument};
//! let place = tempfile::tempdir().unwrap();
//! let run = RunDirectory::create(place.path(), "quickstart", WallTime::from_unix_ns(0)).unwrap();
//! run.write_document(&RunDocument::begun(run.id(), "quickstart", WallTime::from_unix_ns(0))).unwrap();
//! assert!(tailtrace::result::read(run.path()).unwrap().document.partial);
//! ```

mod directory;
mod error;
mod facts;
mod figure;
pub mod hlog;
mod intervals;
pub mod model;
mod read;
mod replay_of;
pub mod requests;
mod series;
pub mod spans;
mod wall_time;

pub use directory::RunDirectory;
pub(crate) use directory::replace;
pub use error::ResultError;
pub use facts::{this_host, this_tool};
pub use figure::Figure;
pub use hlog::IntervalLog;
pub use intervals::IntervalWriter;
pub use read::{StoredRun, read};
pub use replay_of::ReplayOf;
pub use requests::RequestLog;
pub use series::SeriesDirectory;
pub use spans::SpanLog;
pub use wall_time::WallTime;

/// The run document.
pub const RUN_FILE: &str = "run.json";
/// The interval log.
pub const LATENCY_FILE: &str = "latency.hlog";
/// The kept requests.
pub const REQUESTS_FILE: &str = "requests.jsonl";
/// What the built-in collector received.
pub const SPANS_FILE: &str = "spans.jsonl";
/// Of a run that replays another: the verdicts.
pub const REPLAY_FILE: &str = "replay.json";
