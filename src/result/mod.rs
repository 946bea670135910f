//! The run directory: what a run leaves behind, how it is written so that a killed run stays readable, and how it is read.
//!
//! Owns the files `run.json`, `latency.hlog`, `requests.jsonl` and `spans.jsonl` (`docs/result-format.md` names every key).
//! Decides nothing: findings, trust and gates are figures that rooms below put into the document.

pub mod model;
mod wall_time;

pub use wall_time::WallTime;
