//! Milvus → tailtrace → a second endpoint that takes everything, is down, hangs, refuses; taken = forwarded + dropped + failed.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::clock::now;
use crate::trace::collector::{Collector, SpanSink, TracesData};

struct Kept(SyncSender<TracesData>, usize);

impl SpanSink for Kept {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        if self.1 == 0 {
            return Err(io::Error::other("full"));
        }
        self.1 -= 1;
        self.0.send(data.clone()).map_err(io::Error::other)
    }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn second(room: usize) -> (Collector, Receiver<TracesData>) {
    let (way, kept) = sync_channel(10_000);
    (Collector::start(any_port(), Box::new(Kept(way, room))).unwrap(), kept)
}

fn destination(url: &str) -> Destination {
    Destination { timeout: Nanos::from_millis(300), ..Destination::new(url, "tailtrace") }
}

fn export(number: u8) -> ExportTraceServiceRequest {
    let span = Span { trace_id: vec![number; 16], span_id: vec![number; 8], name: "Proxy-Search".into(), ..Span::default() };
    let scope = ScopeSpans { spans: vec![span.clone(), span], ..ScopeSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }] }
}

fn adds_up(forwarded: &Forwarded) -> bool {
    forwarded.taken == forwarded.forwarded + forwarded.dropped + forwarded.failed
}

#[test]
fn what_the_collector_takes_reaches_the_second_endpoint_as_it_came() {
    let (jaeger, arrived) = second(usize::MAX);
    let (way, kept) = sync_channel(100);
    let forwarder = Forwarder::start(&destination(&jaeger.url())).unwrap();
    let collector = Collector::start_forwarding(any_port(), Box::new(Kept(way, usize::MAX)), Some(forwarder)).unwrap();
    let url = collector.url();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut milvus = TraceServiceClient::connect(url).await.unwrap();
        for number in 1..=20 {
            milvus.export(export(number)).await.unwrap();
        }
    });
    let received = collector.stop();
    let account = received.forwarded.unwrap();
    assert_eq!((received.spans, account.taken, account.forwarded, account.dropped, account.failed), (40, 40, 40, 0, 0));
    assert_eq!(account.why, None);
    drop(jaeger.stop());
    let (kept, arrived): (Vec<_>, Vec<_>) = (kept.try_iter().collect(), arrived.try_iter().collect());
    assert_eq!((kept.len(), kept), (20, arrived), "each once, in order, span for span");
}

#[test]
fn an_endpoint_that_is_down_costs_spans_and_no_time() {
    let address = TcpListener::bind(any_port()).unwrap().local_addr().unwrap();
    let forwarder = Forwarder::start(&destination(&format!("http://{address}"))).unwrap();
    (1..=10).for_each(|number| forwarder.take(export(number), 2));
    let begin = now();
    let account = forwarder.finish();
    assert!(adds_up(&account) && account.failed == 20, "{account:?}");
    assert!(account.why.as_ref().is_some_and(|why| why.contains("refused")), "{account:?}");
    // At the end the first failure is the last: nobody waits for ten.
    assert!(now().since(begin) < FINISH_LIMIT);
}

#[test]
fn an_endpoint_that_hangs_fills_the_queue_and_holds_nobody_up() {
    // The kernel takes the connection; nobody ever answers.
    let silent = TcpListener::bind(any_port()).unwrap();
    let slow = Destination { timeout: Nanos::from_secs(3_600), ..destination(&format!("http://{}", silent.local_addr().unwrap())) };
    let forwarder = Forwarder::start(&slow).unwrap();
    let many = WAITING as u64 + 1_000;
    (0..many).for_each(|number| forwarder.take(export(number as u8), 2));
    let dropped = forwarder.counts.dropped.load(Ordering::Acquire);
    assert!((2 * 999 - 2..=2 * 1_000).contains(&dropped), "{dropped} of {} found the queue full", 2 * many);
    drop(silent);
}

#[test]
fn bytes_are_bounded_too_and_a_single_large_export_is_let_in() {
    let silent = TcpListener::bind(any_port()).unwrap();
    let slow = Destination { timeout: Nanos::from_secs(3_600), ..destination(&format!("http://{}", silent.local_addr().unwrap())) };
    let forwarder = Forwarder::start(&slow).unwrap();
    let large = || {
        let mut request = export(1);
        request.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(WAITING_BYTES as usize);
        request
    };
    forwarder.take(large(), 2);
    forwarder.take(large(), 2);
    forwarder.take(export(2), 2);
    assert_eq!(forwarder.counts.dropped.load(Ordering::Acquire), 4, "the first alone is let in, and nothing beside it");
}

#[test]
fn spans_that_the_endpoint_refuses_have_failed_and_it_says_why() {
    let (jaeger, _arrived) = second(3);
    let forwarder = Forwarder::start(&destination(&jaeger.url())).unwrap();
    (1..=5).for_each(|number| forwarder.take(export(number), 2));
    let account = forwarder.finish();
    assert!(adds_up(&account), "{account:?}");
    assert_eq!((account.forwarded, account.failed), (6, 4));
    assert!(account.why.unwrap().contains("full"));
    drop(jaeger.stop());
}
