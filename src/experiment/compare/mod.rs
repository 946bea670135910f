//! Is the candidate worse than the baseline? Of stored runs ([`stored`]), or of two settings measured in turn ([`live`]).
//!
//! [`decision`] decides and knows of no run; everything else here finds the figures that it decides on, and refuses those that would
//! mislead it.

mod accept;
pub mod decision;
mod document;
mod error;
pub mod live;
pub mod metrics;
mod noise;
mod plans;
pub mod stored;

pub use decision::{MAX_ROUNDS, TOLERANCE, Verdict, Whose};
pub(super) use document::middle;
pub use document::{Compared, Comparison, Figures, Method, Side};
pub use error::CompareError;
pub use noise::{FEWEST_PAST_RUNS, Noise};
pub use plans::{Difference, differences};
