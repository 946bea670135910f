//! Where a monotonic moment stands on the wall clock.

use crate::units::Nanos;

use super::{Moment, now};

/// One moment read on both clocks at once; from it every other moment's wall time follows, so that spans of one run keep
/// their order and length whatever is done to the wall clock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    moment: Moment,
    unix_ns: u64,
}

impl Anchor {
    /// Reads both clocks. The wall clock is read between two readings of the other one, so the pair is off by less than
    /// the tightest of several such brackets (under 1 µs on an idle machine).
    #[must_use]
    pub fn take() -> Self {
        let bracket = || {
            let before = now();
            let unix_ns = unix_now();
            let width = now().since(before);
            (width, Self { moment: before.plus(Nanos(width.0 / 2)), unix_ns })
        };
        let mut best = bracket();
        for _ in 0..8 {
            let next = bracket();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// An anchor with given readings, for virtual clocks.
    #[must_use]
    pub const fn at(moment: Moment, unix_ns: u64) -> Self {
        Self { moment, unix_ns }
    }

    /// The wall time of a moment: ns since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_ns(&self, moment: Moment) -> u64 {
        if moment.as_ns() >= self.moment.as_ns() {
            self.unix_ns.saturating_add(moment.as_ns() - self.moment.as_ns())
        } else {
            self.unix_ns.saturating_sub(self.moment.as_ns() - moment.as_ns())
        }
    }

    /// The moment of a wall time, ns since 1970; the clock's origin where it lies before that.
    #[must_use]
    pub const fn moment(&self, unix_ns: u64) -> Moment {
        if unix_ns >= self.unix_ns {
            self.moment.plus(Nanos(unix_ns - self.unix_ns))
        } else {
            self.moment.minus(Nanos(self.unix_ns - unix_ns))
        }
    }

    /// How far the wall clock has moved against the monotonic one since the anchor was taken, in ns: positive where it
    /// went ahead. Beyond a few ms it was set (or stepped by NTP).
    #[must_use]
    pub fn wall_clock_step_ns(&self) -> i64 {
        let present = Self::take();
        present.unix_ns.cast_signed().wrapping_sub(self.unix_ns(present.moment).cast_signed())
    }
}

/// Wall time, ns since 1970.
fn unix_now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_the_anchor_have_their_wall_time() {
        let anchor = Anchor::at(Moment::from_ns(1_000), 50_000);
        assert_eq!(anchor.unix_ns(Moment::from_ns(1_500)), 50_500);
        assert_eq!(anchor.unix_ns(Moment::from_ns(400)), 49_400);
        assert_eq!([50_500, 49_400].map(|unix_ns| anchor.moment(unix_ns)), [1_500, 400].map(Moment::from_ns));
    }

    #[test]
    fn a_wall_clock_left_alone_has_not_moved() {
        // NTP may slew by 500 ppm; a tenth of a second is what only a step explains.
        assert!(Anchor::take().wall_clock_step_ns().abs() < 100_000_000);
    }
}
