//! Hands on what the built-in collector has taken to a second OTLP/gRPC endpoint, so that Milvus → tailtrace → Jaeger works.
//!
//! A thread of its own behind a queue that is bounded in exports and in bytes: an endpoint that is down, slow or full costs
//! spans there, never the collector's time and never the run's. Each span is accounted for: taken = forwarded + dropped + failed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

use crate::units::Nanos;

use super::pump::step_back;
use super::sender::{metadata, tls};
use super::{Destination, TraceError};

/// Exports that wait at most.
const WAITING: usize = 4_096;
/// Bytes that wait at most, as they go over the wire; in memory they take about three times as much.
const WAITING_BYTES: u64 = 16 << 20;
/// How long what waits may still take when the collector has stopped.
const FINISH_LIMIT: Nanos = Nanos::from_secs(5);

const THREAD: &str = "tailtrace-forward";

/// What became of the spans that the collector took: taken = forwarded + dropped + failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded {
    /// Where they went.
    pub endpoint: String,
    /// Spans to be handed on.
    pub taken: u64,
    /// Spans that the endpoint said it has taken.
    pub forwarded: u64,
    /// Spans that found the queue full.
    pub dropped: u64,
    /// Spans that the endpoint refused, or that could not be sent in time.
    pub failed: u64,
    /// Why the first spans failed.
    pub why: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    forwarded: AtomicU64,
    dropped: AtomicU64,
    waiting_bytes: AtomicU64,
    ending: AtomicBool,
    why: OnceLock<String>,
}

/// One export on its way.
struct Waiting {
    request: ExportTraceServiceRequest,
    spans: u64,
    bytes: u64,
}

/// The way to the second endpoint.
#[derive(Debug)]
pub struct Forwarder {
    endpoint: String,
    way: mpsc::Sender<Waiting>,
    counts: Arc<Counts>,
    ended: Receiver<()>,
}

impl Forwarder {
    /// Starts its thread; connects to nothing yet: an endpoint that is down shows in the counts, not here.
    pub fn start(destination: &Destination) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Thread { thread: THREAD, source };
        let wrong = |cause: String| TraceError::Endpoint { endpoint: destination.endpoint.clone(), cause };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut endpoint = Endpoint::from_shared(destination.endpoint.clone()).map_err(|error| wrong(error.to_string()))?;
        endpoint = endpoint.connect_timeout(destination.timeout.as_duration());
        if destination.endpoint.starts_with("https:") {
            endpoint = endpoint.tls_config(tls(destination)?).map_err(|error| wrong(error.to_string()))?;
        }
        let channel = {
            let _inside = runtime.enter();
            endpoint.connect_lazy()
        };
        let mut client = TraceServiceClient::new(channel);
        if destination.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let counts = Arc::new(Counts::default());
        let (way, waiting) = mpsc::channel(WAITING);
        let (end, ended) = sync_channel(1);
        let sending = Sending { client, metadata: metadata(destination)?, timeout: destination.timeout, counts: counts.clone(), waiting };
        std::thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || {
                step_back();
                runtime.block_on(sending.run());
                runtime.shutdown_background();
                let _ = end.send(());
            })
            .map_err(failed)?;
        Ok(Self { endpoint: destination.endpoint.clone(), way, counts, ended })
    }

    /// Takes one export; where too much waits it is dropped and counted. Never waits.
    pub(super) fn take(&self, request: ExportTraceServiceRequest, spans: u64) {
        let bytes = request.encoded_len() as u64;
        self.counts.taken.fetch_add(spans, Ordering::AcqRel);
        let before = self.counts.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        // A single large one is let in where nothing else waits.
        let room = before == 0 || before + bytes <= WAITING_BYTES;
        if !(room && self.way.try_send(Waiting { request, spans, bytes }).is_ok()) {
            self.counts.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.counts.dropped.fetch_add(spans, Ordering::AcqRel);
        }
    }

    /// Sends what waits, within a limit, and gives the account.
    pub(super) fn finish(self) -> Forwarded {
        self.counts.ending.store(true, Ordering::Release);
        drop(self.way);
        // Where the time is over the thread is left alone, and what it had not sent by now has failed.
        let in_time = self.ended.recv_timeout(FINISH_LIMIT.as_duration()).is_ok();
        let counts = &self.counts;
        let (forwarded, dropped) = (counts.forwarded.load(Ordering::Acquire), counts.dropped.load(Ordering::Acquire));
        let taken = counts.taken.load(Ordering::Acquire);
        let late = || format!("not all of it was taken within {} after the end", FINISH_LIMIT.human());
        let why = counts.why.get().cloned().or_else(|| (!in_time).then(late));
        Forwarded { endpoint: self.endpoint, taken, forwarded, dropped, failed: taken - forwarded - dropped, why }
    }
}

/// The thread's half.
struct Sending {
    client: TraceServiceClient<Channel>,
    metadata: MetadataMap,
    timeout: Nanos,
    counts: Arc<Counts>,
    waiting: mpsc::Receiver<Waiting>,
}

impl Sending {
    async fn run(mut self) {
        while let Some(Waiting { request, spans, bytes }) = self.waiting.recv().await {
            let sent = self.send(request, spans).await;
            self.counts.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            match sent {
                Ok(taken) => drop(self.counts.forwarded.fetch_add(taken, Ordering::AcqRel)),
                Err(why) => {
                    let _ = self.counts.why.set(why);
                    // At the end an endpoint that does not take spans is not asked again: the run must not wait for it.
                    if self.counts.ending.load(Ordering::Acquire) {
                        return;
                    }
                }
            }
        }
    }

    /// Sends one export; how many of its spans were taken.
    async fn send(&mut self, request: ExportTraceServiceRequest, spans: u64) -> Result<u64, String> {
        let mut request = tonic::Request::new(request);
        request.metadata_mut().clone_from(&self.metadata);
        let answer = tokio::time::timeout(self.timeout.as_duration(), self.client.export(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {}", self.timeout.human()))?.map_err(|status| said(&status))?;
        let partial = answer.into_inner().partial_success;
        let refused = partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)).min(spans);
        if refused > 0 {
            let _ = self.counts.why.set(format!("an export was taken and {refused} of {spans} spans in it refused"));
        }
        Ok(spans - refused)
    }
}

/// A status with the innermost of its causes, which says what the connection met.
fn said(status: &tonic::Status) -> String {
    let mut innermost: &dyn std::error::Error = status;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let cause = innermost.to_string();
    let message = format!("{}: {}", status.code(), status.message());
    if message.contains(&cause) || std::ptr::addr_eq(innermost, std::ptr::from_ref(status)) {
        message
    } else {
        format!("{message}: {cause}")
    }
}

#[cfg(test)]
mod tests;
