//! The one reader of time: monotonic moments, their anchor to the wall clock, CPU time, and a timer precise to microseconds.
//!
//! Everything that waits takes a [`Clock`], so that pacing, phases and stopping are tested on a [`VirtualClock`] without
//! sleeping. Nothing else in the crate may read a clock (`clippy.toml` bans it).

mod anchor;
mod cpu;
mod moment;
mod system;
mod virtual_clock;

pub use anchor::Anchor;
pub use cpu::{peak_rss_bytes, process_cpu, thread_cpu, thread_waited};
pub use moment::Moment;
pub use system::{SystemClock, SystemTimer, Wait, now, pause};
pub use virtual_clock::{VirtualClock, VirtualTimer};

/// A source of moments and of timers. Cheap to clone.
pub trait Clock: Clone + 'static {
    /// What waits on this clock.
    type Timer: Timer;

    /// The present moment.
    fn now(&self) -> Moment;

    /// A timer of its own; make it inside the runtime that will wait on it.
    ///
    /// # Errors
    /// Where the operating system has no more timers to give.
    fn timer(&self) -> std::io::Result<Self::Timer>;
}

/// Waits for one moment at a time.
pub trait Timer: 'static {
    /// Ends when `due` has come, at once where it has passed. May be dropped at any time and called again.
    fn until(&mut self, due: Moment) -> impl Future<Output = ()>;
}
