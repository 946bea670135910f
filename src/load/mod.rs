//! The measuring core: schedule, phases, lanes, recorder, generator health. Generic over the target; no tonic, no printing.
//!
//! A run is a number of *lanes*, threads that share nothing while they measure. Each takes its part of every stream's
//! requests ([`Part`]), waits for their intended starts ([`Schedule`]), drives a [`Target`], and hands its histograms over
//! once a second ([`Interval`]). What they did is added up off the lanes ([`Measured`]).

mod collect;
mod interval;
mod lane;
mod lane_state;
mod measured;
mod phases;
mod recorder;
mod run;
mod schedule;
mod shape;
mod slowest;
mod stream;
mod target;
mod under_way;

pub use collect::{Second, Series};
pub use interval::{Handover, INTERVAL, Interval, IntervalSink, StreamInterval};
pub use lane::{LaneReport, LaneSettings, run_lane};
pub use measured::{LaneHealth, Measured, StreamMeasured};
pub use phases::{Phases, Stop};
pub use recorder::{Counts, Failures, Send, StreamRecord};
pub use run::{LoadError, RunSettings, run};
pub use schedule::{Arrival, Schedule};
pub use shape::{Part, Shape, Stage, StreamLoad};
pub use target::{Failure, Target};
