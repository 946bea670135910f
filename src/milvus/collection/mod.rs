//! The collection that a run works on: made, filled, indexed, loaded and dropped, or taken as it is.

mod description;

pub use description::{Collection, Filled, Primary, PrimaryKind, Scalar};
pub(crate) use description::{OWN_PRIMARY, OWN_VECTOR};
