//! What one lane counts of one stream.

use crate::stats::histogram::Histogram;
use crate::trace::{Finished, Outcome};
use crate::units::Nanos;

use super::interval::StreamInterval;
use super::slowest::Slowest;

/// Send times that are kept of each stream on each lane, to be held against the arrival process afterwards.
const SENDS_KEPT: usize = 16_384;

/// Requests of the measured phase, counted once each: `scheduled` = ok + failed + timed out + unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests whose intended start lay in the measured phase.
    pub scheduled: u64,
    /// Those of them that were sent.
    pub sent: u64,
    /// Those whose answer was ok.
    pub ok: u64,
    /// Those whose answer was not.
    pub failed: u64,
    /// Those that took longer than the stream's timeout.
    pub timed_out: u64,
    /// Those that were not answered, or not even sent, when the drain ended.
    pub unfinished: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.sent += other.sent;
        self.ok += other.ok;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.unfinished += other.unfinished;
    }
}

/// All failures of one status.
#[derive(Debug, Clone)]
pub struct Failures {
    /// The status.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// Their response times, ns.
    pub response: Histogram,
    /// What the server said the first time.
    pub reason: String,
}

/// When a request was meant to be sent and when it was, ns from the begin of the measured phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Send {
    /// Its intended start.
    pub intended_ns: u64,
    /// When it was sent.
    pub sent_ns: u64,
}

/// What is kept of a stream over the whole run, of one lane or of all.
#[derive(Debug, Default)]
pub struct StreamRecord {
    /// How the requests of the measured phase ended.
    pub counts: Counts,
    /// Response times, ns, of those that timed out: the time they had waited. They are in the intervals' histograms too.
    pub timed_out_response: Histogram,
    /// The same of those that never finished.
    pub unfinished_response: Histogram,
    /// The service times of both, where they were sent.
    pub censored_service: Histogram,
    /// Service times, ns, of the sampled ones among the requests in the intervals' histograms: whether tracing makes a request
    /// slower is seen where these are told from the others.
    pub sampled_service: Histogram,
    /// Failures by status.
    pub failures: Vec<Failures>,
    /// The slowest requests, the slowest first.
    pub slowest: Vec<Finished>,
    /// Send times of a part of each second (`sends_window`), by intended start; empty for closed loops.
    pub sends: Vec<Send>,
    /// The part of each second, from its begin, in which send times were kept.
    pub sends_window: Nanos,
}

impl StreamRecord {
    /// Response times, ns, of all that were not waited for to their end: the time they had waited.
    #[must_use]
    pub fn censored_response(&self) -> Histogram {
        let mut both = self.timed_out_response.clone();
        both.add(&self.unfinished_response);
        both
    }

    /// Adds another lane's record of the same stream.
    pub fn add(&mut self, mut other: Self) {
        self.counts.add(&other.counts);
        self.timed_out_response.add(&other.timed_out_response);
        self.unfinished_response.add(&other.unfinished_response);
        self.censored_service.add(&other.censored_service);
        self.sampled_service.add(&other.sampled_service);
        for failures in other.failures {
            match self.failures.iter_mut().find(|known| known.outcome == failures.outcome) {
                Some(known) => {
                    known.count += failures.count;
                    known.response.add(&failures.response);
                }
                None => self.failures.push(failures),
            }
        }
        self.slowest.append(&mut other.slowest);
        self.slowest.sort_by_key(|finished| std::cmp::Reverse(finished.response()));
        self.slowest.truncate(super::slowest::KEPT);
        self.sends.append(&mut other.sends);
        self.sends.sort_unstable();
        self.sends_window = other.sends_window;
    }
}

/// Counts one stream on one lane. After it was made nothing in it allocates, but for the first failure of each status.
#[derive(Debug)]
pub(super) struct Recorder {
    record: StreamRecord,
    slowest: Slowest,
}

impl Recorder {
    /// A recorder for a stream of which this lane expects so many requests in the measured phase.
    pub(super) fn new(expected: f64, open: bool) -> Self {
        // Each second's first part, so that the whole phase is looked at and a tenth of the room is left for bursts.
        let window = (0.9 * SENDS_KEPT as f64 / expected.max(1.0)).min(1.0);
        let record = StreamRecord {
            sends: Vec::with_capacity(if open { SENDS_KEPT } else { 0 }),
            sends_window: Nanos((window * 1e9) as u64),
            ..StreamRecord::default()
        };
        Self { record, slowest: Slowest::default() }
    }

    /// Keeps a send time for the check of the arrival process. Times are ns from the begin of the measured phase.
    pub(super) fn sent(&mut self, intended_ns: u64, sent_ns: u64) {
        let sends = &mut self.record.sends;
        if intended_ns % 1_000_000_000 < self.record.sends_window.0 && sends.len() < sends.capacity() {
            sends.push(Send { intended_ns, sent_ns });
        }
    }

    /// Counts a request of the measured phase that was sent and has ended; `reason` is asked for where its status is new.
    pub(super) fn ended(&mut self, finished: &Finished, interval: &mut StreamInterval, reason: impl FnOnce() -> String) {
        let (response, service) = (finished.response().0, finished.service().0);
        let counts = &mut self.record.counts;
        counts.scheduled += 1;
        counts.sent += 1;
        interval.lateness.record(finished.lateness().0);
        self.slowest.see(finished);
        let answered = !matches!(finished.outcome, Outcome::Grpc(_) | Outcome::Milvus(_));
        if answered && finished.decision.is_sampled() {
            self.record.sampled_service.record(service);
        }
        match finished.outcome {
            Outcome::Ok => {
                counts.ok += 1;
                interval.ok += 1;
                interval.response.record(response);
                interval.service.record(service);
            }
            Outcome::TimedOut | Outcome::Unfinished => {
                if finished.outcome == Outcome::TimedOut {
                    counts.timed_out += 1;
                    self.record.timed_out_response.record(response);
                } else {
                    counts.unfinished += 1;
                    self.record.unfinished_response.record(response);
                }
                interval.response.record(response);
                interval.service.record(service);
                self.record.censored_service.record(service);
            }
            Outcome::Grpc(_) | Outcome::Milvus(_) => {
                counts.failed += 1;
                interval.failed += 1;
                self.failed(finished.outcome, response, reason);
            }
        }
    }

    fn failed(&mut self, outcome: Outcome, response: u64, reason: impl FnOnce() -> String) {
        let failures = &mut self.record.failures;
        let index = failures.iter().position(|known| known.outcome == outcome).unwrap_or_else(|| {
            failures.push(Failures { outcome, count: 0, response: Histogram::new(), reason: reason() });
            failures.len() - 1
        });
        failures[index].count += 1;
        failures[index].response.record(response);
    }

    /// Counts a request of the measured phase that was never sent, and had waited so long when the run ended.
    pub(super) fn never_sent(&mut self, waited: Nanos, interval: &mut StreamInterval) {
        self.record.counts.scheduled += 1;
        self.record.counts.unfinished += 1;
        interval.response.record(waited.0);
        self.record.unfinished_response.record(waited.0);
    }

    pub(super) fn into_record(self) -> StreamRecord {
        StreamRecord { slowest: self.slowest.into_sorted(), ..self.record }
    }
}
