//! Who watches a run while it goes on.

use crate::clock::{Anchor, Moment};
use crate::load::{Interval, IntervalSink};
use crate::milvus::collection::Progress;
use crate::result::model::PhaseName;
use crate::result::{IntervalWriter, WallTime};

/// Something that happens while a run goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run of a series begins.
    Cell {
        /// From 1.
        round: usize,
        /// Rounds planned by now.
        of: usize,
        /// Which value or side.
        label: &'a str,
    },
    /// A probe of a search begins.
    Probe {
        /// From 1.
        number: usize,
        /// The rate it asks for.
        rate_per_s: f64,
        /// How long it measures.
        seconds: f64,
    },
    /// A closed-loop point begins.
    Point {
        /// From 1.
        number: usize,
        /// How many ask.
        workers: usize,
        /// How long it measures.
        seconds: f64,
    },
    /// A phase begins.
    Phase(PhaseName),
    /// The floor is measured: what the instrument reads for a server that answers at once.
    Floor,
    /// Set-up goes on.
    SetUp(Progress),
    /// A second of the measured phase is over for all lanes.
    Second(&'a Interval),
    /// The run is over, and traces are fetched from a Jaeger.
    Fetching,
    /// Something to be told at once, such as a disk that is full.
    Trouble(&'a str),
}

/// Watches. Called on the thread that called the experiment, never on a lane.
pub trait Observer {
    /// Something happens.
    fn event(&mut self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _: &Event<'_>) {}
}

/// Every second goes to the log and to whoever watches.
pub(super) struct Watched<'a> {
    pub(super) writer: IntervalWriter,
    pub(super) observer: &'a mut dyn Observer,
    anchor: Anchor,
    told: bool,
}

impl<'a> Watched<'a> {
    pub(super) fn new(writer: IntervalWriter, observer: &'a mut dyn Observer, anchor: Anchor) -> Self {
        Self { writer, observer, anchor, told: false }
    }
}

impl IntervalSink for Watched<'_> {
    fn begin(&mut self, measure: Moment) {
        self.writer.begin(WallTime::from_unix_ns(self.anchor.unix_ns(measure)));
    }

    fn measuring(&mut self) {
        self.observer.event(&Event::Phase(PhaseName::Measure));
    }

    fn draining(&mut self) {
        self.observer.event(&Event::Phase(PhaseName::Drain));
    }

    fn interval(&mut self, interval: &Interval) {
        self.writer.interval(interval);
        self.observer.event(&Event::Second(interval));
        if let Some(trouble) = self.writer.trouble()
            && !std::mem::replace(&mut self.told, true)
        {
            self.observer.event(&Event::Trouble(&trouble.to_string()));
        }
    }
}
