//! What a lane hands over each second: histograms full of the second's figures, for which it gets empty ones back.

use crate::clock::Moment;
use crate::stats::histogram::Histogram;
use crate::units::Nanos;

/// How often lanes hand over.
pub const INTERVAL: Nanos = Nanos::from_secs(1);

/// One second's figures of one lane, or of all lanes together, a part a stream.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Seconds of the measured phase before it. Where a lane could not hand over in time, one interval holds what
    /// happened since its last one.
    pub index: u64,
    /// In the scenario's order.
    pub streams: Vec<StreamInterval>,
}

/// One second's figures of one stream: requests of the measured phase that ended in it.
#[derive(Debug, Clone, Default)]
pub struct StreamInterval {
    /// Response times, ns: of the requests that were ok, and the time waited of those that timed out or never finished.
    pub response: Histogram,
    /// Service times, ns, of the same requests where they were sent.
    pub service: Histogram,
    /// Lateness, ns, of all requests that were sent.
    pub lateness: Histogram,
    /// Requests whose answer was ok.
    pub ok: u64,
    /// Requests whose answer was not.
    pub failed: u64,
}

impl StreamInterval {
    /// Adds another interval's figures.
    pub fn add(&mut self, other: &Self) {
        self.response.add(&other.response);
        self.service.add(&other.service);
        self.lateness.add(&other.lateness);
        self.ok += other.ok;
        self.failed += other.failed;
    }

    /// Forgets all figures and keeps the memory.
    pub fn clear(&mut self) {
        self.response.clear();
        self.service.clear();
        self.lateness.clear();
        self.ok = 0;
        self.failed = 0;
    }
}

impl Interval {
    /// An empty interval for so many streams.
    #[must_use]
    pub fn empty(streams: usize) -> Self {
        Self { index: 0, streams: vec![StreamInterval::default(); streams] }
    }

    /// Adds another lane's figures.
    pub fn add(&mut self, other: &Self) {
        for (stream, of_other) in self.streams.iter_mut().zip(&other.streams) {
            stream.add(of_other);
        }
    }

    /// Forgets all figures and keeps the memory.
    pub fn clear(&mut self) {
        self.streams.iter_mut().for_each(StreamInterval::clear);
    }
}

/// Takes intervals from a lane, on the lane's thread: must neither wait, lock nor allocate.
pub trait Handover {
    /// Takes a full interval and puts an empty one in its place; `false`, and nothing taken, where there is none to give.
    fn exchange(&mut self, interval: &mut Box<Interval>) -> bool;
}

/// Takes the intervals of all lanes together, each once, in order, off the lanes. What the run directory implements.
pub trait IntervalSink {
    /// The lanes begin; the first second counts from `measure` on.
    fn begin(&mut self, _measure: Moment) {}

    /// The measured phase has begun, a moment ago.
    fn measuring(&mut self) {}

    /// The measured phase is over, nothing new is due; answers are waited for.
    fn draining(&mut self) {}

    /// One second of the measured phase (or of the drain after it) is over for all lanes.
    fn interval(&mut self, interval: &Interval);
}
