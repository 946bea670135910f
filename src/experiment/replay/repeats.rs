//! What became of each repeat.

use std::sync::{Arc, Mutex, PoisonError};

use crate::trace::{Finished, Outcome, SampledSink};

use super::order::Sent;

/// One repeat that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat {
    /// Its number in the stream of repeats.
    pub(super) sequence: u64,
    /// Done − sent: what it waited for its turn is the replay's doing.
    pub(super) service_ns: u64,
    pub(super) outcome: Outcome,
    pub(super) trace_id: crate::trace::TraceId,
}

/// All repeats of one stream of them, by the place of their request.
pub(super) type OfOrder = Vec<Vec<Repeat>>;

/// Takes repeats as they end, on the exporter's thread. There are as many as were planned, so it is bounded.
#[derive(Debug, Clone)]
pub(super) struct Collected {
    /// The first stream of repeats in the plan.
    first: usize,
    requests: Arc<[Arc<[u32]>]>,
    ended: Arc<Mutex<Vec<OfOrder>>>,
}

impl Collected {
    pub(super) fn new(sent: &Sent) -> Self {
        let ended = sent.orders.iter().map(|order| vec![Vec::new(); order.sequences.len()]).collect();
        let requests = sent.orders.iter().map(|order| order.requests.clone()).collect();
        Self { first: sent.beside, requests, ended: Arc::new(Mutex::new(ended)) }
    }

    fn take_in(&self, finished: &Finished) {
        let Some(order) = usize::from(finished.stream).checked_sub(self.first) else { return };
        let Some(place) = self.requests.get(order).and_then(|order| order.get(finished.sequence as usize)) else { return };
        let repeat = Repeat {
            sequence: finished.sequence,
            service_ns: finished.service().0,
            outcome: finished.outcome,
            trace_id: finished.decision.trace_id,
        };
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)[order][*place as usize].push(repeat);
    }

    /// All that ended, each request's in the order of sending.
    pub(super) fn take(&self) -> Vec<OfOrder> {
        let mut ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        ended.iter_mut().flatten().for_each(|repeats| repeats.sort_unstable_by_key(|repeat| repeat.sequence));
        ended
    }
}

/// The request log, with the repeats looked at in passing.
pub(super) struct Collecting {
    pub(super) log: Box<dyn SampledSink>,
    pub(super) collected: Collected,
}

impl SampledSink for Collecting {
    fn sampled(&mut self, finished: &Finished) {
        self.collected.take_in(finished);
        self.log.sampled(finished);
    }

    fn close(&mut self) {
        self.log.close();
    }
}
