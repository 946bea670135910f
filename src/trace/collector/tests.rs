//! The collector against OpenTelemetry's own client, and its JSON against the specification's example.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, status};
use tonic::transport::Channel;

use super::*;
use crate::clock::now;
use crate::units::Nanos;

struct Lines {
    way: SyncSender<String>,
    closing: io::Result<()>,
}

impl SpanSink for Lines {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        self.way.try_send(json_line(data)?).map_err(io::Error::other)
    }
    fn close(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.closing, Ok(()))
    }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn collector(room: usize) -> (Collector, Receiver<String>) {
    let (way, lines) = sync_channel(room);
    (Collector::start(any_port(), Box::new(Lines { way, closing: Ok(()) })).unwrap(), lines)
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Two spans with every kind of field that has a rule of its own in JSON.
fn data() -> TracesData {
    let root = Span {
        trace_id: vec![0x5b; 16],
        span_id: vec![0xee; 8],
        name: "Search".into(),
        kind: SpanKind::Server.into(),
        flags: 0x301,
        start_time_unix_nano: 1_544_712_660_000_000_001,
        end_time_unix_nano: u64::MAX,
        attributes: vec![
            attribute("text", Value::StringValue("\"µ\n".into())),
            attribute("number", Value::IntValue(i64::MIN)),
            attribute("real", Value::DoubleValue(0.25)),
            attribute("yes", Value::BoolValue(true)),
            attribute("list", Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(7)) }] })),
        ],
        events: vec![Event { time_unix_nano: 5, name: "late".into(), ..Event::default() }],
        links: vec![Link { trace_id: vec![1; 16], span_id: vec![2; 8], ..Link::default() }],
        status: Some(opentelemetry_proto::tonic::trace::v1::Status { code: status::StatusCode::Error.into(), message: "no".into() }),
        ..Span::default()
    };
    let child = Span { parent_span_id: vec![0xee; 8], span_id: vec![0xab; 8], ..root.clone() };
    let scope = InstrumentationScope { name: "milvus".into(), ..InstrumentationScope::default() };
    let resource = Resource { attributes: vec![attribute("service.name", Value::StringValue("standalone".into()))], ..Resource::default() };
    let spans = ScopeSpans { scope: Some(scope), spans: vec![root, child], schema_url: String::new() };
    TracesData { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans: vec![spans], schema_url: String::new() }] }
}

/// <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: ids are hexadecimal, 64-bit integers are decimal
/// strings, enumerations are numbers, names are lowerCamelCase.
#[test]
fn a_line_keeps_the_rules_of_otlp_json() {
    let line = json_line(&data()).unwrap();
    assert!(!line.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    let spans = &json["resourceSpans"][0]["scopeSpans"][0]["spans"];
    for (pointer, value) in [
        ("/0/traceId", serde_json::json!("5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b")),
        ("/0/spanId", serde_json::json!("eeeeeeeeeeeeeeee")),
        ("/1/parentSpanId", serde_json::json!("eeeeeeeeeeeeeeee")),
        ("/0/kind", serde_json::json!(2)),
        ("/0/flags", serde_json::json!(0x301)),
        ("/0/startTimeUnixNano", serde_json::json!("1544712660000000001")),
        ("/0/endTimeUnixNano", serde_json::json!("18446744073709551615")),
        ("/0/attributes/0/value/stringValue", serde_json::json!("\"µ\n")),
        ("/0/attributes/1/value/intValue", serde_json::json!("-9223372036854775808")),
        ("/0/attributes/2/value/doubleValue", serde_json::json!(0.25)),
        ("/0/attributes/3/value/boolValue", serde_json::json!(true)),
        ("/0/attributes/4/value/arrayValue/values/0/intValue", serde_json::json!("7")),
        ("/0/events/0/timeUnixNano", serde_json::json!("5")),
        ("/0/links/0/spanId", serde_json::json!("0202020202020202")),
        ("/0/status/code", serde_json::json!(2)),
    ] {
        assert_eq!(spans.pointer(pointer), Some(&value), "{pointer} in {line}");
    }
    assert_eq!(json.pointer("/resourceSpans/0/resource/attributes/0/value/stringValue"), Some(&serde_json::json!("standalone")));
    assert_eq!(serde_json::from_str::<TracesData>(&line).unwrap(), data(), "a line reads back as what was written");
}

async fn export(url: String, data: TracesData) -> Result<(), Status> {
    let mut client = TraceServiceClient::<Channel>::connect(url).await.map_err(|error| Status::unknown(error.to_string()))?;
    client.export(ExportTraceServiceRequest { resource_spans: data.resource_spans }).await.map(drop)
}

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn what_another_client_sends_is_written_and_counted() {
    let (collector, lines) = collector(10);
    in_runtime(export(collector.url(), data())).unwrap();
    assert_eq!(collector.received(), 2);
    assert_eq!(lines.recv().unwrap(), json_line(&data()).unwrap());
    let received = collector.stop();
    assert_eq!((received.spans, received.refused), (2, 0));
    assert!(received.error.is_none());
}

#[test]
fn a_sink_that_fails_is_told_to_the_client_and_at_the_end() {
    let (collector, lines) = collector(1);
    let status = in_runtime(async {
        export(collector.url(), data()).await.unwrap();
        export(collector.url(), data()).await.unwrap_err()
    });
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    let received = collector.stop();
    assert_eq!((received.spans, received.refused), (2, 2));
    assert!(received.error.is_some());
    drop(lines);
}

#[test]
fn a_sink_that_cannot_be_closed_is_told_at_the_end() {
    let (way, _lines) = sync_channel(1);
    let sink = Lines { way, closing: Err(io::Error::other("disk gone")) };
    let received = Collector::start(any_port(), Box::new(sink)).unwrap().stop();
    assert_eq!(received.error.unwrap().to_string(), "disk gone");
}

#[test]
fn a_collector_that_listens_everywhere_is_reached_over_the_loopback() {
    let (way, _lines) = sync_channel(1);
    let collector = Collector::start("0.0.0.0:0".parse().unwrap(), Box::new(Lines { way, closing: Ok(()) })).unwrap();
    assert_eq!(collector.url(), format!("http://127.0.0.1:{}", collector.addr().port()));
    drop(collector.stop());
}

#[test]
fn a_url_that_leads_back_to_the_collector_is_seen() {
    for (url, listening, back) in [
        ("http://localhost:4317", "127.0.0.1:4317", true),
        ("http://127.0.0.1:4317", "0.0.0.0:4317", true),
        ("http://[::1]:4317", "127.0.0.1:4317", true),
        ("http://10.0.0.7:4317", "10.0.0.7:4317", true),
        ("http://localhost:4317", "127.0.0.1:4319", false),
        ("http://jaeger:4317", "127.0.0.1:4317", false),
        ("http://10.0.0.7:4317", "127.0.0.1:4317", false),
        ("http://localhost", "127.0.0.1:0", false),
    ] {
        assert_eq!(leads_to(url, listening.parse().unwrap()), back, "{url} and {listening}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(any_port()).unwrap();
    let address = taken.local_addr().unwrap();
    let (way, _lines) = sync_channel(1);
    let error = Collector::start(address, Box::new(Lines { way, closing: Ok(()) })).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_client_that_keeps_its_connection_open_cannot_hold_the_stop_up() {
    let (collector, _lines) = collector(10);
    let _idle = std::net::TcpStream::connect(collector.addr()).unwrap();
    in_runtime(export(collector.url(), data())).unwrap();
    let begun = now();
    assert_eq!(collector.stop().spans, 2);
    // The linger is one second.
    assert!(now().since(begun) < Nanos::from_secs(5));
}
