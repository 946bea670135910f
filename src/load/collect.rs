//! From the lanes' intervals to one series of intervals, off the lanes.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::stats::batches::Batches;

use super::interval::{Handover, Interval, IntervalSink};

/// Intervals that go round between a lane and the collector: one being filled, two on their way.
const ROUND: usize = 3;

/// A lane's end of its two rings.
#[derive(Debug)]
pub(super) struct LaneEnd {
    full: Producer<Box<Interval>>,
    empty: Consumer<Box<Interval>>,
}

/// The collector's end.
#[derive(Debug)]
pub(super) struct CollectorEnd {
    full: Consumer<Box<Interval>>,
    empty: Producer<Box<Interval>>,
}

/// The two ends of a lane's hand-over.
pub(super) fn lane_handover(streams: usize) -> (LaneEnd, CollectorEnd) {
    let (full_in, full_out) = RingBuffer::new(ROUND);
    let (mut empty_in, empty_out) = RingBuffer::new(ROUND);
    for _ in 1..ROUND {
        let _ = empty_in.push(Box::new(Interval::empty(streams)));
    }
    (LaneEnd { full: full_in, empty: empty_out }, CollectorEnd { full: full_out, empty: empty_in })
}

impl Handover for LaneEnd {
    fn exchange(&mut self, interval: &mut Box<Interval>) -> bool {
        // There is room in `full` for every interval there is, so only an empty one can be missing.
        let Ok(empty) = self.empty.pop() else { return false };
        self.full.push(std::mem::replace(interval, empty)).is_ok()
    }
}

/// Adds the lanes' intervals up and hands each second to the sink once all lanes are past it.
pub(super) struct Collector<'a> {
    lanes: Vec<CollectorEnd>,
    /// The last second that each lane handed over, plus one.
    reached: Vec<u64>,
    /// Seconds that not all lanes have handed over yet, in order.
    waiting: Vec<Interval>,
    spare: Vec<Interval>,
    /// Everything handed to the sink.
    total: Interval,
    streams: Vec<Series>,
    sink: &'a mut dyn IntervalSink,
}

/// A stream's figures of one second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Second {
    /// Seconds of the measured phase before it.
    pub index: u64,
    /// Requests whose answer was ok.
    pub ok: u64,
    /// Requests whose answer was not.
    pub failed: u64,
    /// Requests that timed out or never finished.
    pub given_up: u64,
    /// Mean response time, ns; `None` where none was recorded.
    pub mean_ns: Option<u64>,
    /// Median response time, ns.
    pub p50_ns: Option<u64>,
    /// 99th percentile of the response times, ns.
    pub p99_ns: Option<u64>,
}

/// A stream's figures over time.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Second by second.
    pub seconds: Vec<Second>,
    /// The same seconds' response times, for what percentiles are worth.
    pub response: Batches,
    /// The same seconds' service times.
    pub service: Batches,
}

/// What the collector has added up.
pub(super) struct Collected {
    pub(super) total: Interval,
    /// A series a stream.
    pub(super) series: Vec<Series>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(streams: usize, lanes: Vec<CollectorEnd>, sink: &'a mut dyn IntervalSink) -> Self {
        Self {
            reached: vec![0; lanes.len()],
            lanes,
            waiting: Vec::new(),
            spare: Vec::new(),
            total: Interval::empty(streams),
            streams: vec![Series::default(); streams],
            sink,
        }
    }

    /// Where the seconds go.
    pub(super) fn sink(&mut self) -> &mut dyn IntervalSink {
        self.sink
    }

    /// Takes what the lanes have handed over.
    pub(super) fn collect(&mut self) {
        for lane in 0..self.lanes.len() {
            while let Ok(mut interval) = self.lanes[lane].full.pop() {
                self.reached[lane] = interval.index + 1;
                self.take(&interval);
                interval.clear();
                let _ = self.lanes[lane].empty.push(interval);
            }
        }
        let all_reached = self.reached.iter().copied().min().unwrap_or(0);
        while self.waiting.first().is_some_and(|interval| interval.index < all_reached) {
            self.emit_first();
        }
    }

    /// Takes what a lane had left when it ended.
    pub(super) fn last(&mut self, interval: &Interval) {
        self.collect();
        self.take(interval);
    }

    fn take(&mut self, interval: &Interval) {
        let place = self.waiting.partition_point(|waiting| waiting.index < interval.index);
        if self.waiting.get(place).is_none_or(|waiting| waiting.index != interval.index) {
            let mut fresh = self.spare.pop().unwrap_or_else(|| Interval::empty(interval.streams.len()));
            fresh.index = interval.index;
            self.waiting.insert(place, fresh);
        }
        self.waiting[place].add(interval);
    }

    fn emit_first(&mut self) {
        let mut interval = self.waiting.remove(0);
        self.sink.interval(&interval);
        self.total.add(&interval);
        for (series, stream) in self.streams.iter_mut().zip(&interval.streams) {
            series.response.push(&stream.response);
            series.service.push(&stream.service);
            let any = stream.response.count() > 0;
            series.seconds.push(Second {
                index: interval.index,
                ok: stream.ok,
                failed: stream.failed,
                // Response times are recorded of both.
                given_up: stream.response.count().saturating_sub(stream.ok),
                mean_ns: any.then(|| stream.response.mean_ns()),
                p50_ns: any.then(|| stream.response.quantile_ns(0.5)),
                p99_ns: any.then(|| stream.response.quantile_ns(0.99)),
            });
        }
        interval.clear();
        self.spare.push(interval);
    }

    /// Hands over what is still waiting.
    pub(super) fn finish(mut self) -> Collected {
        while !self.waiting.is_empty() {
            self.emit_first();
        }
        Collected { total: self.total, series: self.streams }
    }
}
