//! Server spans as they arrive at a collector.

use std::io;

use super::*;
use crate::trace::collector::{Collector, SpanSink, TracesData};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;

struct Exports(SyncSender<TracesData>);

impl SpanSink for Exports {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        self.0.send(data.clone()).map_err(io::Error::other)
    }
}

fn caller() -> ParentContext {
    ParentContext { trace_id: TraceId::from_bytes([3; 16]), span_id: SpanId::from_bytes([4; 8]), sampled: true }
}

fn at(us: u64) -> Moment {
    Moment::from_ns(us * 1_000)
}

#[test]
fn a_search_joins_its_caller_s_trace_under_the_service_standalone() {
    let (way, exports) = sync_channel(10);
    let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Box::new(Exports(way))).unwrap();
    let anchor = Anchor::at(Moment::from_ns(0), 1_000_000_000);
    let (exporter, spans) = ServerSpanExporter::start(&Destination::new(collector.url(), STANDALONE), anchor).unwrap();
    let mut ids = Ids::new();
    let server = ServerSpan::server(&mut ids, caller(), "milvus.proto.milvus.MilvusService/Search", at(10), at(500));
    let inner = server.child(&mut ids, "Proxy-Search", at(20), at(510)).with("collection", "tailtrace").failed("not loaded");
    let from_another_thread = spans.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| from_another_thread.end(inner.clone()));
    });
    spans.end(server.clone());
    assert_eq!(exporter.finish(Nanos::from_secs(5)), (2, 0));
    assert_eq!(collector.stop().spans, 2);
    let data: Vec<TracesData> = exports.try_iter().collect();
    let resource = &data[0].resource_spans[0];
    let service = resource.resource.as_ref().unwrap().attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    assert!(format!("{:?}", service.value).contains("\"standalone\""));
    let received: Vec<&Span> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    let [inner_received, server_received] = received[..] else { panic!("{received:?}") };
    assert_eq!(server_received.trace_id, [3; 16]);
    assert_eq!(server_received.parent_span_id, [4; 8]);
    assert_eq!((server_received.kind(), inner_received.kind()), (Kind::Server, Kind::Internal));
    assert_eq!(inner_received.parent_span_id, server.span_id.to_bytes());
    assert_eq!((inner_received.start_time_unix_nano, inner_received.end_time_unix_nano), (1_000_020_000, 1_000_510_000));
    assert_eq!(inner_received.status.as_ref().unwrap().message, "not loaded");
    assert_eq!(inner_received.attributes[0].key, "collection");
}

#[test]
fn spans_that_end_after_the_exporter_are_dropped_and_nobody_waits() {
    let (exporter, spans) = ServerSpanExporter::start(&Destination::new("http://127.0.0.1:9", STANDALONE), Anchor::take()).unwrap();
    assert_eq!(exporter.finish(Nanos::from_secs(5)), (0, 0));
    let span = ServerSpan::server(&mut Ids::new(), caller(), "late", at(0), at(1));
    for _ in 0..=WAITING {
        spans.end(span.clone());
    }
    assert_eq!(spans.dropped.load(Ordering::Relaxed), WAITING as u64 + 1);
}
