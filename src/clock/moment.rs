//! A point in time.

use crate::units::Nanos;

/// A point in time: ns on a monotonic clock, with an origin that only differences and [`super::Anchor`] may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The moment so many ns after the clock's origin.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `later` by so much; the last one there is where that lies beyond it.
    #[must_use]
    pub const fn plus(self, later: Nanos) -> Self {
        Self(self.0.saturating_add(later.0))
    }

    /// The moment `earlier` by so much; the clock's origin where that lies before it.
    #[must_use]
    pub const fn minus(self, earlier: Nanos) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}
