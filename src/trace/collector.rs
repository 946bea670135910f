//! The built-in OTLP/gRPC collector: takes spans from tailtrace itself and from any Milvus that is pointed at it, and hands
//! them to a sink. On a thread of its own, bounded in message size, connections' requests and time to stop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
pub use opentelemetry_proto::tonic::common::v1::any_value::Value as AttributeValue;
pub use opentelemetry_proto::tonic::trace::v1::TracesData;
use tokio::sync::oneshot;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{Forwarded, Forwarder, TraceError};

/// Where spans usually go: OTLP's own gRPC port, on this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4317);
/// The largest export that is taken; a larger one is refused with a status that says so.
const LARGEST_EXPORT: usize = 64 << 20;
/// Exports of one connection handled at once; more wait in the connection's window.
const AT_ONCE: usize = 16;
/// How long a client may keep its connection open after the stop.
const LINGER: Duration = Duration::from_secs(1);

const THREAD: &str = "tailtrace-collector";

/// Takes what the collector receives, on the collector's thread. Where it fails, the client is told that its spans were not
/// taken.
pub trait SpanSink: Send {
    /// One export, as it came.
    fn write(&mut self, data: &TracesData) -> io::Result<()>;

    /// No more will come. Called once.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a collector has received in all.
#[derive(Debug, Default)]
pub struct Received {
    /// Spans that the sink has taken.
    pub spans: u64,
    /// Spans that the sink has refused.
    pub refused: u64,
    /// Why the first of them was refused.
    pub error: Option<io::Error>,
    /// What became of them at the second endpoint, where there is one.
    pub forwarded: Option<Forwarded>,
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Ended>,
}

/// What the thread leaves.
#[derive(Debug, Default)]
struct Ended {
    error: Option<io::Error>,
    forwarded: Option<Forwarded>,
}

#[derive(Debug, Default)]
struct Counts {
    spans: AtomicU64,
    refused: AtomicU64,
}

impl Collector {
    /// Listens, and takes spans from then on. Port 0 takes a free one; [`Collector::addr`] tells which.
    pub fn start(listen: SocketAddr, sink: Box<dyn SpanSink>) -> Result<Self, TraceError> {
        Self::start_forwarding(listen, sink, None)
    }

    /// The same, and what the sink has taken is handed on to a second endpoint.
    pub fn start_forwarding(listen: SocketAddr, sink: Box<dyn SpanSink>, forward: Option<Forwarder>) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let thread_failed = |source| TraceError::Thread { thread: THREAD, source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(thread_failed)?;
        let incoming = {
            let _inside = runtime.enter();
            TcpIncoming::from(tokio::net::TcpListener::from_std(listener).map_err(failed)?).with_nodelay(Some(true))
        };
        let counts = Arc::new(Counts::default());
        let state = Arc::new(Mutex::new(State { sink, error: None, forward }));
        let service = Service { state: state.clone(), counts: counts.clone() };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || {
                runtime.block_on(serve(service, incoming, stopped));
                runtime.shutdown_background();
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let closed = state.sink.close();
                let forwarded = state.forward.take().map(Forwarder::finish);
                Ended { error: state.error.take().or(closed.err()), forwarded }
            })
            .map_err(thread_failed)?;
        Ok(Self { address, counts, stop, thread })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where to send spans to from this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        // One that listens everywhere is reached over the loopback.
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        format!("http://{address}")
    }

    /// Spans that the sink has taken so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.counts.spans.load(Ordering::Acquire)
    }

    /// Takes what is on its way, closes the connections and the sink, and ends. Takes about a second at
    /// most, and five more where a second endpoint does not take what is left.
    #[must_use]
    pub fn stop(self) -> Received {
        // An error: the thread has ended by itself, and joining it tells.
        let _ = self.stop.send(());
        let panicked = |_| Ended { error: Some(io::Error::other("the collector's thread panicked")), ..Ended::default() };
        let Ended { error, forwarded } = self.thread.join().unwrap_or_else(panicked);
        let (spans, refused) = (self.counts.spans.load(Ordering::Acquire), self.counts.refused.load(Ordering::Acquire));
        Received { spans, refused, error, forwarded }
    }
}

/// Serves until stopped, then until the exports under way are done and the connections closed, or [`LINGER`] has passed.
async fn serve(service: Service, incoming: TcpIncoming, stopped: oneshot::Receiver<()>) {
    let (begin_linger, mut lingering) = oneshot::channel();
    let service = TraceServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(LARGEST_EXPORT);
    let server = tonic::transport::Server::builder().concurrency_limit_per_connection(AT_ONCE).add_service(service);
    let mut serving = std::pin::pin!(server.serve_with_incoming_shutdown(incoming, async move {
        let _ = stopped.await;
        let _ = begin_linger.send(());
    }));
    let ended = std::future::poll_fn(|context| {
        if serving.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(true);
        }
        std::pin::Pin::new(&mut lingering).poll(context).map(|_| false)
    })
    .await;
    if !ended {
        let _ = tokio::time::timeout(LINGER, serving).await;
    }
}

/// The sink, and the first error that it gave.
struct State {
    sink: Box<dyn SpanSink>,
    error: Option<io::Error>,
    forward: Option<Forwarder>,
}

struct Service {
    /// One thread serves, so nobody ever waits for it.
    state: Arc<Mutex<State>>,
    counts: Arc<Counts>,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let data = TracesData { resource_spans: request.into_inner().resource_spans };
        let spans = span_count(&data);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.sink.write(&data) {
            Ok(()) => {
                if let Some(forward) = &state.forward {
                    forward.take(ExportTraceServiceRequest { resource_spans: data.resource_spans }, spans);
                }
                self.counts.spans.fetch_add(spans, Ordering::AcqRel);
                Ok(Response::new(ExportTraceServiceResponse { partial_success: None }))
            }
            Err(error) => {
                self.counts.refused.fetch_add(spans, Ordering::AcqRel);
                // Without retry information this status is final: a full disk does not empty itself within a retry.
                let status = Status::resource_exhausted(format!("spans could not be written: {error}"));
                state.error.get_or_insert(error);
                Err(status)
            }
        }
    }
}

fn span_count(data: &TracesData) -> u64 {
    data.resource_spans.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len() as u64).sum()
}

/// Whether an OTLP URL leads to who listens on this address: what would be handed on there would come back.
#[must_use]
pub fn leads_to(url: &str, listening: SocketAddr) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let named = if host == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { host.parse::<IpAddr>() };
    let Ok(address) = named else { return false };
    let this_machine = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    let same = address == listening.ip() || (this_machine(address) && this_machine(listening.ip()));
    same && listening.port() != 0 && uri.port_u16().unwrap_or(usual) == listening.port()
}

/// One line of an OTLP file: the data in OTLP's
/// [JSON encoding](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding), without the line's end. Ids are
/// hexadecimal, 64-bit numbers are strings, enumerations are numbers.
pub fn json_line(data: &TracesData) -> serde_json::Result<String> {
    serde_json::to_string(data)
}

#[cfg(test)]
mod tests;
