//! The thread that carries spans from where they end to the collector. It is no lane: whatever the collector does, it costs
//! spans and never latency.
//!
//! One thread with one small runtime. It looks for finished spans every [`TICK`] (nobody wakes it for a span: a wake would
//! be a system call in the measuring path), keeps a bounded queue, and has one export under way at most; while that hangs
//! the queue fills and then drops. Ended, exported and dropped are counted as they happen; failed is what is left, so the
//! equation holds however the thread ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread::JoinHandle;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;

use crate::clock::{Clock, Moment, SystemClock, SystemTimer, Timer, Wait, now};
use crate::units::Nanos;

use super::rejected::Rejected;
use super::sender::{Sender, Sent};
use super::{Destination, TraceError};

/// How often the thread looks for finished spans. A look costs some 20 µs of CPU, whether it finds any or not.
const TICK: Nanos = Nanos::from_millis(100);
/// How long after its limit a thread may still be busy (in a sink on a slow disk) before it is left alone.
const GRACE: Nanos = Nanos::from_secs(1);

/// Where finished spans come from.
pub(super) trait Source: Send + 'static {
    /// A finished span before it is built: plain data, so that the queue stays small.
    type Item: Send + 'static;

    /// Takes what has come in since the last call, a bounded number; returns how many found no room in the queue.
    fn drain(&mut self, queue: &mut VecDeque<Self::Item>, limit: usize) -> u64;

    /// The span of an item.
    fn build(&self, item: &Self::Item) -> SpanData;

    /// No more will be taken.
    fn close(&mut self) {}
}

/// Counted by the thread, read by anybody.
#[derive(Debug, Default)]
pub(super) struct PumpCounts {
    exported: AtomicU64,
    dropped: AtomicU64,
    bytes: AtomicU64,
}

impl PumpCounts {
    /// Exported and dropped so far.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.exported.load(Ordering::Acquire), self.dropped.load(Ordering::Acquire))
    }

    /// Bytes of the export requests that were sent so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }
}

/// Tells the thread to end, and by when.
#[derive(Debug, Default)]
struct Stop {
    deadline: OnceLock<Moment>,
    wake: Notify,
}

/// The thread, seen from outside.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) counts: Arc<PumpCounts>,
    /// Why the first spans failed.
    pub(super) failure: Arc<OnceLock<String>>,
    stop: Arc<Stop>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Pump {
    pub(super) fn start<S: Source>(name: &'static str, source: S, destination: Option<&Destination>) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Thread { thread: name, source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (sender, timer) = {
            let _inside = runtime.enter();
            (destination.map(Sender::new).transpose()?, SystemClock { wait: Wait::Sleep }.timer().map_err(failed)?)
        };
        let (stop, counts) = (Arc::new(Stop::default()), Arc::new(PumpCounts::default()));
        let failure = Arc::new(OnceLock::new());
        let (end, ended) = sync_channel(1);
        let worker = Worker {
            source,
            sender: sender.map(Arc::new),
            queue: VecDeque::new(),
            batch: destination.map_or(1, |destination| destination.batch),
            limit: destination.map_or(0, |destination| destination.queue),
            delay: destination.map_or(TICK, |destination| destination.delay),
            stop: stop.clone(),
            counts: counts.clone(),
            failure: failure.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                step_back();
                runtime.block_on(worker.run(timer));
                // A name that is still being resolved must not hold the thread up.
                runtime.shutdown_background();
                let end: SyncSender<()> = end;
                let _ = end.send(());
            })
            .map_err(failed)?;
        Ok(Self { counts, failure, stop, ended, thread })
    }

    /// Sends what is there and ends; what could not be sent within the limit is left.
    pub(super) fn finish(self, limit: Nanos) {
        let _ = self.stop.deadline.set(now().plus(limit));
        self.stop.wake.notify_one();
        match self.ended.recv_timeout(limit.as_duration() + GRACE.as_duration()) {
            // Disconnected: it panicked, which joining swallows; what it had is counted as failed.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => drop(self.thread.join()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Lets the lanes have the processor where there are not enough for all: on Linux a thread has a niceness of its own.
pub(super) fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(5);
}

struct Worker<S: Source> {
    source: S,
    /// `None` exports nothing: then the queue's limit is 0, and all spans are dropped and counted.
    sender: Option<Arc<Sender>>,
    queue: VecDeque<S::Item>,
    batch: usize,
    limit: usize,
    delay: Nanos,
    stop: Arc<Stop>,
    counts: Arc<PumpCounts>,
    failure: Arc<OnceLock<String>>,
}

type Export = Pin<Box<dyn Future<Output = Sent>>>;

impl<S: Source> Worker<S> {
    async fn run(mut self, mut timer: SystemTimer) {
        let rejected = Rc::new(Rejected::listen());
        let mut under_way: Option<Export> = None;
        let mut oldest = None;
        loop {
            // Read before draining: what ended before the stop is then in the rings.
            let deadline = self.stop.deadline.get().copied();
            let dropped = self.source.drain(&mut self.queue, self.limit);
            self.counts.dropped.fetch_add(dropped, Ordering::AcqRel);
            let present = now();
            if deadline.is_some_and(|deadline| present >= deadline) {
                if under_way.is_some() || !self.queue.is_empty() {
                    let _ = self.failure.set("the collector did not take them in time".to_owned());
                }
                break;
            }
            if under_way.is_none() {
                oldest = if self.queue.is_empty() { None } else { oldest.or(Some(present)) };
                let waited = oldest.is_some_and(|since| present.since(since) >= self.delay);
                if self.queue.len() >= self.batch || waited || (deadline.is_some() && oldest.is_some()) {
                    under_way = self.export(&rejected);
                    oldest = None;
                } else if deadline.is_some() {
                    break;
                }
            }
            let next = present.plus(TICK.min(self.delay));
            let next = deadline.map_or(next, |deadline| deadline.min(next));
            if let Some(sent) = wait(&mut under_way, &mut timer, next, &self.stop.wake).await {
                self.counts.exported.fetch_add(sent.exported, Ordering::AcqRel);
                if let Some(why) = sent.why {
                    let _ = self.failure.set(why);
                }
                // At the end a collector that does not take spans is not asked again: the run must not wait for it.
                if sent.failed > 0 && deadline.is_some() {
                    break;
                }
            }
        }
        self.source.close();
    }

    fn export(&mut self, rejected: &Rc<Rejected>) -> Option<Export> {
        let sender = self.sender.clone()?;
        let taken = self.queue.len().min(self.batch);
        let batch: Vec<SpanData> = self.queue.drain(..taken).map(|item| self.source.build(&item)).collect();
        self.counts.bytes.fetch_add(sender.bytes(&batch), Ordering::AcqRel);
        let rejected = rejected.clone();
        Some(Box::pin(async move { sender.send(batch, &rejected).await }))
    }
}

/// Waits for the export under way, the next tick or a stop, whichever comes first; the export's result where that was it.
async fn wait(under_way: &mut Option<Export>, timer: &mut SystemTimer, next: Moment, stop: &Notify) -> Option<Sent> {
    let mut tick = std::pin::pin!(timer.until(next));
    let mut stopped = std::pin::pin!(stop.notified());
    let sent = std::future::poll_fn(|context| {
        if let Some(export) = under_way.as_mut()
            && let Poll::Ready(sent) = export.as_mut().poll(context)
        {
            return Poll::Ready(Some(sent));
        }
        if stopped.as_mut().poll(context).is_ready() || tick.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await;
    if sent.is_some() {
        *under_way = None;
    }
    sent
}
