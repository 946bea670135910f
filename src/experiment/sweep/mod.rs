//! What does a setting cost, and what does it bring? One key (or two, as a grid) through several values, measured in turn.
//!
//! [`precision`] decides when enough is measured and how sure it is, [`fraction`] which sample fraction is to be recommended; neither
//! knows of a run.

mod catch;
mod document;
mod error;
pub mod fraction;
mod measured;
pub mod precision;
mod series;
mod vary;

pub use catch::{Catch, CatchError};
pub use document::{Cost, MetricChange, Picture, SampledApart, StreamBenefit, StreamCost, Sweep, ValueOutcome};
pub use error::SweepError;
pub use precision::Stopping;
pub use series::{SWEEP_FILE, SweepOptions, sweep};
pub use vary::{Point, Vary, points};
