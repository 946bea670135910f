//! From slow requests to the span they waited in.
//!
//! Traces come in ([`traces`]), whoever made them and in whichever format; each is taken apart into [`Part`]s that add up to
//! what its client waited; the parts of slow requests are held against those of typical ones, weighed by the chance that each
//! had of being there. No experiment, no printing: typed figures out.

mod above;
mod attribute;
mod attribution;
mod folded;
pub mod jaeger;
pub mod management;
#[cfg(test)]
pub(crate) mod sketch;
mod subject;
pub mod traces;
mod tree;
mod waterfall;

pub use above::{Above, AboveError};
pub use attribute::{Places, attribute};
pub use attribution::{Attribution, NETWORK_AND_CLIENT, Oddities, Part, Place, WAITING_IN_THE_GENERATOR};
pub use folded::{FoldedBy, UnknownFolded, Weighted, folded};
pub use subject::{Slow, Subject, Traced};
pub use tree::{ClientSpan, Cut, client_spans};
pub use waterfall::{Bar, MOST_BARS, Waterfall, waterfall};
