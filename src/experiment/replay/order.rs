//! In which order requests are sent again, and the operation that sends them so.

use std::sync::Arc;

use bytes::BytesMut;
use rand::seq::SliceRandom as _;
use rand::{SeedableRng as _, TryRng as _};

use crate::load::Failure;
use crate::milvus::operation::{Operation, OperationError, Work};
use crate::scenario::Stream;
use crate::trace::SampledSink;

use super::Beside;
use super::choose::Chosen;
use super::repeats::{Collected, Collecting};

/// One stream of repeats.
#[derive(Debug)]
pub(super) struct Order {
    /// The place of the stream whose requests they are, in the stored run.
    pub(super) of: usize,
    /// Which request is sent as number n: its place among the slow ones and, behind them, the typical ones.
    pub(super) requests: Arc<[u32]>,
    /// The numbers of these in the stored run.
    pub(super) sequences: Arc<[u64]>,
}

/// What is sent as what.
#[derive(Debug)]
pub(super) struct Sent {
    /// How many streams of the stored run's plan run beside: the first of the replay's plan.
    pub(super) beside: usize,
    /// The streams of repeats that stand behind them, in the order of [`Chosen::streams`].
    pub(super) orders: Vec<Order>,
}

impl Sent {
    /// Every request so many times. All orders are equally likely: that is what the test rests on.
    pub(super) fn new(chosen: &Chosen, streams: usize, times: usize, seed: u64, beside: Beside) -> Self {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(seed ^ 0x0072_6570_6c61_7973);
        let order = |of: &super::choose::OfStream| {
            let sequences: Arc<[u64]> = of.slow.iter().chain(&of.typical).map(|original| original.sequence).collect();
            let mut requests: Vec<u32> = std::iter::repeat_n(0..sequences.len() as u32, times).flatten().collect();
            requests.shuffle(&mut random);
            Order { of: of.stream, requests: requests.into(), sequences }
        };
        let orders = chosen.streams.iter().map(order).collect();
        Self { beside: if beside == Beside::Same { streams } else { 0 }, orders }
    }

    /// The order that a stream of the replay's plan sends; `None` where it sends its own requests.
    pub(super) fn order(&self, stream: usize) -> Option<&Order> {
        self.orders.get(stream.checked_sub(self.beside)?)
    }
}

/// A seed nobody gave. 53 bits, so that every JSON reader keeps it whole.
pub(super) fn draw_seed() -> u64 {
    // Without the system's randomness any number will do: it is stored.
    rand::rngs::SysRng.try_next_u64().unwrap_or(0x7265_706c_6179) >> 11
}

/// What a replay's streams send.
pub(super) struct Sending<'a> {
    pub(super) sent: &'a Sent,
    pub(super) collected: Collected,
}

impl crate::experiment::sending::Sending for Sending<'_> {
    fn operation(&self, index: usize, stream: &Stream, work: &dyn Fn(usize) -> Work) -> Result<Box<dyn Operation>, OperationError> {
        let Some(order) = self.sent.order(index) else { return stream.operation.make(&work(index)) };
        let inner = stream.operation.make(&work(order.of))?;
        Ok(Box::new(Again { inner, requests: order.requests.clone(), sequences: order.sequences.clone() }))
    }

    fn sink(&self, log: Box<dyn SampledSink>) -> Box<dyn SampledSink> {
        Box::new(Collecting { log, collected: self.collected.clone() })
    }
}

/// The operation of another stream, with its requests in an order of their own. It keeps nothing: recall of the same few queries over
/// and over would be no recall.
struct Again {
    inner: Box<dyn Operation>,
    requests: Arc<[u32]>,
    sequences: Arc<[u64]>,
}

impl Again {
    /// The number in the stored run of what is sent as number `sequence`. Beyond the order it begins anew, so that every number has one.
    fn sequence(&self, sequence: u64) -> u64 {
        let place = self.requests[(sequence % self.requests.len() as u64) as usize];
        self.sequences[place as usize]
    }
}

impl Operation for Again {
    fn path(&self) -> &str {
        self.inner.path()
    }

    fn longest(&self) -> usize {
        self.inner.longest()
    }

    fn encode(&mut self, sequence: u64, out: &mut BytesMut) {
        self.inner.encode(self.sequence(sequence), out);
    }

    fn of_session(&self) -> bool {
        self.inner.of_session()
    }

    fn append_session(&self, written: u64, request: &mut BytesMut) {
        self.inner.append_session(written, request);
    }

    fn judge(&mut self, sequence: u64, _: bool, answer: &[u8]) -> Result<Option<u64>, Failure> {
        self.inner.judge(self.sequence(sequence), false, answer)
    }
}
