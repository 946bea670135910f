//! From the lanes' rings to the collector, with every span accounted for.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use opentelemetry_sdk::trace::SpanData;

use crate::clock::Anchor;
use crate::units::Nanos;

use super::lane::LaneCounts;
use super::pump::{Pump, PumpCounts, Source};
use super::span::SpanBuilder;
use super::{Accounting, Destination, Finished, RunIdentity, SampledSink, SpanLane, TraceError};

/// Finished requests that one lane's ring holds: what ends between two looks of the exporter at 80,000 sampled a second,
/// twice. Beyond, spans are dropped and counted. About 2 MB a lane.
pub const DEFAULT_RING: usize = 16_384;
/// How long [`Exporter::finish`] may take to send what is left; what is not sent then has failed.
pub const DEFAULT_FINISH_LIMIT: Nanos = Nanos::from_secs(5);

/// What an exporter needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSettings {
    /// Where spans go; `None` exports nothing (every span counts as dropped) and still feeds the sink.
    pub destination: Option<Destination>,
    /// What all spans say about the run.
    pub identity: RunIdentity,
    /// Finished requests that one lane's ring holds.
    pub ring: usize,
    /// How long [`Exporter::finish`] may take to send what is left.
    pub finish_limit: Nanos,
}

impl ExportSettings {
    /// Defaults for all but where and who.
    #[must_use]
    pub const fn new(destination: Option<Destination>, identity: RunIdentity) -> Self {
        Self { destination, identity, ring: DEFAULT_RING, finish_limit: DEFAULT_FINISH_LIMIT }
    }
}

/// The exporter of a run's client spans.
#[derive(Debug)]
pub struct Exporter {
    lanes: Vec<Arc<LaneCounts>>,
    pump: Option<Pump>,
    limit: Nanos,
}

impl Exporter {
    /// Starts the exporter's thread and gives each lane its way in. Connects to nothing yet: a collector that is down shows
    /// in the accounting, not here.
    pub fn start(
        settings: &ExportSettings,
        anchor: Anchor,
        lanes: usize,
        sink: Option<Box<dyn SampledSink>>,
    ) -> Result<(Self, Vec<SpanLane>), TraceError> {
        let builder = SpanBuilder::new(&settings.identity, anchor);
        let mut rings = Vec::with_capacity(lanes);
        let (ways, counts) = (0..lanes)
            .map(|_| {
                let (producer, consumer) = rtrb::RingBuffer::new(settings.ring);
                rings.push(consumer);
                SpanLane::new(Some(producer))
            })
            .unzip();
        let source = Lanes { rings, sink, builder };
        let pump = Pump::start("tailtrace-export", source, settings.destination.as_ref())?;
        Ok((Self { lanes: counts, pump: Some(pump), limit: settings.finish_limit }, ways))
    }

    /// An exporter without a thread, for runs that sample nothing: its lanes only count.
    #[must_use]
    pub fn disabled(lanes: usize) -> (Self, Vec<SpanLane>) {
        let (ways, counts) = (0..lanes).map(|_| SpanLane::new(None)).unzip();
        (Self { lanes: counts, pump: None, limit: Nanos::ZERO }, ways)
    }

    /// Holds why the first spans failed, once some have; to be kept beyond [`Exporter::finish`], for the message beside the
    /// count. Names status and cause as the connection gives them, and no header.
    #[must_use]
    pub fn failure(&self) -> Arc<OnceLock<String>> {
        self.pump.as_ref().map(|pump| pump.failure.clone()).unwrap_or_default()
    }

    /// What became of the spans so far. Those still on their way are in `ended` alone, so only [`Exporter::finish`] gives
    /// figures that add up.
    #[cfg(test)]
    fn so_far(&self) -> Accounting {
        // What the thread has counted is read first: a span it knows of is then among the ended ones, whenever this is called.
        let sent = self.pump.as_ref().map(|pump| Sent::of(&pump.counts)).unwrap_or_default();
        self.account(sent)
    }

    /// Sends what is left, ends the thread and gives the account. Call it when the lanes have ended: a span that ends later
    /// may be missing in it. Takes no longer than the limit, whatever the collector does (and a second more where the sink's
    /// disk holds the thread up).
    #[must_use]
    pub fn finish(mut self) -> Accounting {
        let sent = self.pump.take().map(|pump| {
            let counts = pump.counts.clone();
            pump.finish(self.limit);
            Sent::of(&counts)
        });
        let mut account = self.account(sent.unwrap_or_default());
        account.failed = account.ended - account.exported - account.dropped;
        account
    }

    fn account(&self, Sent { exported, dropped, bytes }: Sent) -> Accounting {
        let (ended, unseen) = self.lanes.iter().map(|lane| lane.read()).fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
        Accounting { ended, exported, dropped: unseen + dropped, failed: 0, unseen, bytes }
    }
}

/// What the exporter's thread has counted.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    exported: u64,
    dropped: u64,
    bytes: u64,
}

impl Sent {
    fn of(counts: &PumpCounts) -> Self {
        let (exported, dropped) = counts.read();
        Self { exported, dropped, bytes: counts.bytes() }
    }
}

/// The lanes' rings, as the pump sees them.
struct Lanes {
    rings: Vec<rtrb::Consumer<Finished>>,
    sink: Option<Box<dyn SampledSink>>,
    builder: SpanBuilder,
}

impl Source for Lanes {
    type Item = Finished;

    fn drain(&mut self, queue: &mut VecDeque<Finished>, limit: usize) -> u64 {
        let mut dropped = 0;
        for ring in &mut self.rings {
            // As many as there are now, so that a fast lane cannot keep the thread here.
            for _ in 0..ring.slots() {
                let Ok(finished) = ring.pop() else { break };
                if let Some(sink) = &mut self.sink {
                    sink.sampled(&finished);
                }
                if queue.len() < limit {
                    queue.push_back(finished);
                } else {
                    dropped += 1;
                }
            }
        }
        dropped
    }

    fn build(&self, finished: &Finished) -> SpanData {
        self.builder.build(finished)
    }

    fn close(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.close();
        }
    }
}

#[cfg(test)]
mod tests;
