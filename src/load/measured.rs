//! What a run has measured: the sum over all lanes.

use crate::stats::histogram::Histogram;
use crate::trace::Decisions;
use crate::units::Nanos;

use super::collect::{Collected, Series};
use super::lane::LaneReport;
use super::phases::Phases;
use super::recorder::StreamRecord;
use super::run::ProcessCpu;

/// A run's figures.
#[derive(Debug)]
pub struct Measured<L> {
    /// A part a stream.
    pub streams: Vec<StreamMeasured>,
    /// A part a lane.
    pub lanes: Vec<LaneHealth>,
    /// What was decided about sampling, in all phases, over all lanes.
    pub decisions: Decisions,
    /// The phases as they were; shorter than planned where the run was stopped.
    pub phases: Phases,
    /// It was stopped before its time.
    pub stopped: bool,
    /// CPU time of the whole process over `cpu_over`, which is the measured phase to within a few ms.
    pub cpu_used: Nanos,
    /// See `cpu_used`.
    pub cpu_over: Nanos,
    /// What each lane's target left behind.
    pub leftovers: Vec<L>,
}

/// A stream's figures.
#[derive(Debug, Default)]
pub struct StreamMeasured {
    /// Counts, failures, the slowest, send times.
    pub record: StreamRecord,
    /// Response times, ns; censored ones at the time they had waited.
    pub response: Histogram,
    /// Service times, ns; likewise.
    pub service: Histogram,
    /// Lateness, ns.
    pub lateness: Histogram,
    /// Second by second.
    pub series: Series,
}

/// How a lane did.
#[derive(Debug)]
pub struct LaneHealth {
    /// CPU time over wall time in the measured phase: 1 is a whole core.
    pub cpu_share: f64,
    /// Time it was ready to run while others had the processor, over wall time.
    pub wait_share: f64,
    /// How long after its moment the timer woke it, ns.
    pub timer_error: Histogram,
    /// Seconds that were handed over together with the next one.
    pub merged_intervals: u64,
    /// What it decided about sampling.
    pub decisions: Decisions,
}

impl<L> Measured<L> {
    pub(super) fn new(streams: usize, phases: Phases, cpu: ProcessCpu) -> Self {
        Self {
            streams: std::iter::repeat_with(StreamMeasured::default).take(streams).collect(),
            lanes: Vec::new(),
            decisions: Decisions::default(),
            phases,
            stopped: false,
            cpu_used: cpu.used,
            cpu_over: cpu.over,
            leftovers: Vec::new(),
        }
    }

    pub(super) fn add_lane(&mut self, report: LaneReport<L>) {
        for (stream, record) in self.streams.iter_mut().zip(report.streams) {
            stream.record.add(record);
        }
        // A stop in the drain has changed nothing.
        self.stopped |= report.phases.drain < self.phases.drain;
        self.phases.drain = self.phases.drain.min(report.phases.drain);
        self.decisions.add(&report.decisions);
        self.lanes.push(LaneHealth {
            cpu_share: share(report.cpu, report.measured),
            wait_share: share(report.waited, report.measured),
            timer_error: report.timer_error,
            merged_intervals: report.merged_intervals,
            decisions: report.decisions,
        });
        self.leftovers.push(report.leftover);
    }

    pub(super) fn add_intervals(&mut self, collected: Collected) {
        for ((stream, interval), series) in self.streams.iter_mut().zip(collected.total.streams).zip(collected.series) {
            stream.response = interval.response;
            stream.service = interval.service;
            stream.lateness = interval.lateness;
            stream.series = series;
        }
    }

    /// How long the measured phase lasted.
    #[must_use]
    pub const fn duration(&self) -> Nanos {
        self.phases.drain.since(self.phases.measure)
    }
}

/// A part of the measured phase, 0 to 1. A lane that was only given the processor again when the phase was over saw nothing of it.
fn share(part: Nanos, measured: Nanos) -> f64 {
    if measured.0 == 0 { 0.0 } else { (part.as_secs_f64() / measured.as_secs_f64()).min(1.0) }
}
