//! From slow requests to the span they waited in.
//!
//! Traces come in ([`traces`]), whoever made them and in whichever format; each is taken apart into [`Part`]s that add up to
//! what its client waited; the parts of slow requests are held against those of typical ones, weighed by the chance that each
//! had of being there. No experiment, no printing: typed figures out.

mod above;
mod attribute;
mod attribution;
mod catalogue;
mod clumps;
mod estimate;
mod explanation;
mod folded;
mod groups;
pub mod jaeger;
#[cfg(test)]
mod made;
pub mod management;
mod representative;
#[cfg(test)]
pub(crate) mod sketch;
mod subject;
mod too_few;
pub mod traces;
mod tree;
mod verdict;
mod waterfall;
mod what_if;
mod words;

pub use above::{Above, AboveError};
pub use attribute::{Places, attribute};
pub use attribution::{Attribution, GIVEN_UP_UNSEEN, NETWORK_AND_CLIENT, Oddities, Part, Place, WAITING_IN_THE_GENERATOR};
pub use catalogue::{Known, known};
pub use estimate::{Row, mean_response, share_slower};
pub use explanation::{Explained, Explanation, Method, Waterfalls, explain, pictured};
pub use folded::{FoldedBy, UnknownFolded, Weighted, folded};
pub use groups::{Group, TYPICAL_FROM, TYPICAL_TO, Thresholds};
pub use representative::{About, Difference};
pub use subject::{Subject, Traced};
pub use too_few::AIM_TRACED;
pub use tree::{ClientSpan, Cut, client_spans};
pub use verdict::{FEWEST_TRACED, FLOOR_SPREADS, MATERIAL_SHARE, MATERIAL_SPREAD, NAMED_AT_LEAST, NAMED_SHARE, Verdict};
pub use waterfall::{Bar, MOST_BARS, Waterfall, waterfall};
pub use what_if::WhatIf;
