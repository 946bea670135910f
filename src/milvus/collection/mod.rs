//! The collection that a run works on: made, filled, indexed, loaded and dropped, or taken as it is.

mod description;

pub use description::{Collection, Filled, Primary, PrimaryKind, Scalar};
#[allow(unused_imports, reason = "the set-up that makes collections is not here yet")]
pub(crate) use description::{OWN_PRIMARY, OWN_VECTOR};
