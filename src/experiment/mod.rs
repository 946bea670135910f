//! A series of runs and a decision: [`run`] is the series of one, [`Replay`] repeats the slowest requests of a run, [`explain`] asks
//! what the slow ones of a run were waiting for.
//!
//! Rooms above know how to measure; this one knows in which order things have to stand, and what is done with what was
//! measured. Prints nothing: whoever watches is an [`Observer`].

pub mod capacity;
pub mod compare;
mod doctor;
mod error;
mod evidence;
mod exemplars;
pub mod explain;
mod figures;
mod floor;
mod observer;
mod outliers;
mod recall;
mod replay;
pub mod rounds;
mod run;
mod sending;
mod shared;
mod standing;
pub mod sweep;
mod tracing;

pub use doctor::{DEFAULT_WITHIN, Diagnosis, DoctorSettings, LEAST_WITHIN, Link, examine};
pub use error::RunError;
pub use observer::{Event, Nobody, Observer};
pub use replay::{
    Beside, DEFAULT_TIMES, DEFAULT_TOP, LeftOut, Method, Replay, ReplayDocument, ReplayError, ReplayOutcome, ReplaySettings, Replayed,
    ReplayedStream, Typical, TypicalFrom, Verdict,
};
pub use rounds::RoundsError;
pub use run::{RunOptions, RunOutcome, run, run_sharing};
pub use shared::{Shared, name_apart};
