//! Every way a collector can behave, and the equation ended = exported + dropped + failed after each.

use std::net::TcpListener;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse};

use prost::Message as _;

use super::*;
use crate::clock::{Moment, now};
use crate::trace::collector::{Collector, SpanSink, TracesData};
use crate::trace::{Decider, Decision, Destination, Ids, Outcome, StreamIdentity};
use crate::units::Fraction;

fn identity() -> RunIdentity {
    let stream = StreamIdentity {
        name: "readers".into(),
        operation: "Search".into(),
        db_operation: "search".into(),
        collection: "tailtrace".into(),
    };
    RunIdentity { run_id: "run-1".into(), server_address: "localhost".into(), server_port: 19530, streams: vec![stream] }
}

fn finished(sequence: u64, decision: Decision) -> Finished {
    let [intended, sent, done] = [10, 20, 1_020].map(|ns| Moment::from_ns(sequence * 1_000 + ns));
    Finished { stream: 0, phase_measured: true, sequence, intended, sent, done, outcome: Outcome::Ok, decision }
}

/// Hands every export on to the test, or refuses it.
struct Exports {
    way: SyncSender<TracesData>,
    refuse_from: usize,
    seen: usize,
}

impl SpanSink for Exports {
    fn write(&mut self, data: &TracesData) -> std::io::Result<()> {
        self.seen += 1;
        if self.seen > self.refuse_from {
            return Err(std::io::Error::other("no space left on device"));
        }
        self.way.send(data.clone()).map_err(std::io::Error::other)
    }
}

fn collector(refuse_from: usize) -> (Collector, std::sync::mpsc::Receiver<TracesData>) {
    let (way, exports) = sync_channel(10_000);
    let sink = Exports { way, refuse_from, seen: 0 };
    (Collector::start("127.0.0.1:0".parse().unwrap(), Box::new(sink)).unwrap(), exports)
}

fn spans(data: &TracesData) -> impl Iterator<Item = &opentelemetry_proto::tonic::trace::v1::Span> {
    data.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans)
}

struct Seen(Sender<Option<u64>>);

impl SampledSink for Seen {
    fn sampled(&mut self, finished: &Finished) {
        self.0.send(Some(finished.sequence)).unwrap();
    }
    fn close(&mut self) {
        self.0.send(None).unwrap();
    }
}

#[allow(clippy::disallowed_methods, reason = "a test's own list, whose length the test decides")]
fn seen() -> (Box<dyn SampledSink>, std::sync::mpsc::Receiver<Option<u64>>) {
    let (way, seen) = std::sync::mpsc::channel();
    (Box::new(Seen(way)), seen)
}

fn settings(url: &str) -> ExportSettings {
    ExportSettings::new(Some(Destination::new(url, "tailtrace")), identity())
}

fn end_many(lane: &mut SpanLane, from: u64, count: u64) {
    let mut decider = Decider::new(Fraction::ONE).with_ids(Ids::seeded(from + 1));
    for sequence in from..from + count {
        lane.end(finished(sequence, decider.decide(Moment::from_ns(sequence))));
    }
}

fn silent_listener() -> (TcpListener, String) {
    // The kernel completes the handshake from the backlog; nobody ever reads or answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn every_span_of_every_lane_arrives_once_and_is_counted() {
    let (collector, exports) = collector(usize::MAX);
    let (sink, seen) = seen();
    let (exporter, mut lanes) = Exporter::start(&settings(&collector.url()), Anchor::take(), 3, Some(sink)).unwrap();
    for (n, lane) in lanes.iter_mut().enumerate() {
        end_many(lane, n as u64 * 10_000, 1_000);
    }
    lanes[0].end(finished(9_999, Decision::UNSAMPLED));
    let account = exporter.finish();
    let received = collector.stop();
    let expected: Vec<u64> = (0..3).flat_map(|lane| lane * 10_000..lane * 10_000 + 1_000).collect();
    assert_eq!(account, Accounting { ended: 3_000, exported: 3_000, dropped: 0, failed: 0, unseen: 0, bytes: account.bytes });
    assert_eq!((received.spans, received.refused), (3_000, 0));
    let exports: Vec<TracesData> = exports.try_iter().collect();
    assert_eq!(account.bytes, exports.iter().map(|data| data.encoded_len() as u64).sum::<u64>());
    let mut arrived: Vec<u64> = exports.iter().flat_map(spans).map(sequence_of).collect();
    arrived.sort_unstable();
    assert_eq!(arrived, expected);
    let seen: Vec<Option<u64>> = seen.try_iter().collect();
    assert_eq!((seen.len(), seen.last()), (3_001, Some(&None)), "the sink sees each once and is closed");
}

fn sequence_of(span: &opentelemetry_proto::tonic::trace::v1::Span) -> u64 {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let attribute = span.attributes.iter().find(|attribute| attribute.key == "tailtrace.sequence").unwrap();
    match attribute.value.as_ref().unwrap().value {
        Some(Value::IntValue(sequence)) => sequence.cast_unsigned(),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn the_collector_receives_the_run_s_service_resource_and_exact_times() {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let (collector, exports) = collector(usize::MAX);
    let mut settings = settings(&collector.url());
    settings.destination.as_mut().unwrap().resource.insert("deployment.environment".into(), "ci".into());
    let anchor = Anchor::at(Moment::from_ns(0), 1_700_000_000_000_000_000);
    let (exporter, mut lanes) = Exporter::start(&settings, anchor, 1, None).unwrap();
    end_many(&mut lanes[0], 5, 1);
    assert_eq!(exporter.finish().exported, 1);
    let data = exports.recv().unwrap();
    let resource = data.resource_spans[0].resource.as_ref().unwrap();
    let text = |key: &str| match resource.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.as_str()),
        _ => None,
    };
    assert_eq!(text("service.name"), Some("tailtrace"));
    assert_eq!(text("deployment.environment"), Some("ci"));
    let span = spans(&data).next().unwrap();
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_700_000_000_000_005_020, 1_700_000_000_000_006_020));
    assert_eq!((span.trace_id.len(), span.span_id.len(), span.parent_span_id.len()), (16, 8, 0));
    drop(collector.stop());
}

#[test]
fn gzip_is_understood() {
    let (collector, _exports) = collector(usize::MAX);
    let mut settings = settings(&collector.url());
    settings.destination.as_mut().unwrap().gzip = true;
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 700);
    assert_eq!(exporter.finish().exported, 700);
    assert_eq!(collector.stop().spans, 700);
}

#[test]
fn a_collector_that_is_down_costs_spans_and_no_more() {
    let (listener, url) = silent_listener();
    drop(listener);
    let (sink, seen) = seen();
    let (exporter, mut lanes) = Exporter::start(&settings(&url), Anchor::take(), 1, Some(sink)).unwrap();
    end_many(&mut lanes[0], 0, 600);
    let failure = exporter.failure();
    let account = exporter.finish();
    assert_eq!(account, Accounting { ended: 600, exported: 0, dropped: 0, failed: 600, unseen: 0, bytes: account.bytes });
    assert!(failure.get().unwrap().contains("refused"), "{failure:?}");
    assert_eq!(seen.try_iter().count(), 601, "the requests are recorded all the same");
}

#[test]
fn a_collector_that_is_down_is_not_asked_again_and_again_at_the_end() {
    let (listener, url) = silent_listener();
    drop(listener);
    // Forty batches, each of which would be tried for 0.7 s: three retries after 0.1, 0.2 and 0.4 s.
    let settings = ExportSettings { ring: 20_480, finish_limit: Nanos::from_secs(10), ..settings(&url) };
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 20_480);
    let begun = now();
    let account = exporter.finish();
    assert_eq!(account, Accounting { ended: 20_480, failed: 20_480, bytes: account.bytes, ..Accounting::default() });
    assert!(now().since(begun) < settings.finish_limit);
}

#[test]
fn a_collector_that_never_answers_holds_the_end_up_to_its_limit_only() {
    let (_listener, url) = silent_listener();
    let limit = Nanos::from_millis(300);
    let settings = ExportSettings { finish_limit: limit, ..settings(&url) };
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 600);
    let begun = now();
    let account = exporter.finish();
    let took = now().since(begun);
    assert_eq!(account, Accounting { ended: 600, exported: 0, dropped: 0, failed: 600, unseen: 0, bytes: account.bytes });
    // Not one look later than the limit: far under the ten seconds that the export itself may take.
    assert!(took >= limit && took < Nanos::from_secs(5), "{took:?}");
}

#[test]
fn while_an_export_hangs_the_queue_fills_and_then_drops_but_the_sink_misses_none() {
    let (_listener, url) = silent_listener();
    let mut settings = ExportSettings { finish_limit: Nanos::from_millis(100), ..settings(&url) };
    let destination = settings.destination.as_mut().unwrap();
    (destination.batch, destination.queue) = (10, 100);
    let (sink, seen) = seen();
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, Some(sink)).unwrap();
    end_many(&mut lanes[0], 0, 50);
    // The first look of the thread takes what there is, and one batch of it hangs from then on.
    assert_eq!(seen.iter().take(50).flatten().max(), Some(49));
    for round in 0..10 {
        end_many(&mut lanes[0], 1_000 * (round + 1), 100);
        seen.iter().take(100).for_each(drop);
    }
    let account = exporter.finish();
    assert_eq!((account.ended, account.exported, account.unseen), (1_050, 0, 0));
    // One batch hangs and at most one queue waits; all others were dropped.
    assert_eq!((account.dropped, account.failed), (1_050 - 110, 110));
}

#[test]
fn a_full_ring_drops_and_counts_without_waiting() {
    let (_listener, url) = silent_listener();
    let settings = ExportSettings { ring: 4, finish_limit: Nanos::from_millis(50), ..settings(&url) };
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 100_000);
    let account = exporter.finish();
    assert_eq!(account.ended, 100_000);
    assert!(account.adds_up() && account.dropped == account.unseen && account.unseen > 0, "{account:?}");
}

#[test]
fn spans_that_the_collector_refuses_have_failed() {
    let (collector, _exports) = collector(1);
    let mut settings = settings(&collector.url());
    settings.destination.as_mut().unwrap().batch = 100;
    let (exporter, mut lanes) = Exporter::start(&settings, Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 100);
    while exporter.so_far().exported < 100 {
        std::thread::yield_now();
    }
    end_many(&mut lanes[0], 100, 50);
    let account = exporter.finish();
    assert_eq!(account, Accounting { ended: 150, exported: 100, dropped: 0, failed: 50, unseen: 0, bytes: account.bytes });
    let received = collector.stop();
    assert_eq!((received.spans, received.refused), (100, 50));
    assert!(received.error.unwrap().to_string().contains("no space left"));
}

/// A collector that takes an export and refuses some of its spans, as OTLP allows.
struct Picky;

#[tonic::async_trait]
impl TraceService for Picky {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let partial = ExportTracePartialSuccess { rejected_spans: 7, error_message: "too old".into() };
        Ok(tonic::Response::new(ExportTraceServiceResponse { partial_success: Some(partial) }))
    }
}

#[test]
fn spans_that_an_accepted_export_leaves_out_have_failed_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let incoming = tonic::transport::server::TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            let picky = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Picky));
            picky.serve_with_incoming_shutdown(incoming, async { drop(stopped.await) }).await.unwrap();
        });
    });
    let (exporter, mut lanes) = Exporter::start(&settings(&url), Anchor::take(), 1, None).unwrap();
    end_many(&mut lanes[0], 0, 100);
    let failure = exporter.failure();
    let account = exporter.finish();
    assert_eq!(account, Accounting { ended: 100, exported: 93, dropped: 0, failed: 7, unseen: 0, bytes: account.bytes });
    assert!(failure.get().unwrap().contains("7 of 100"), "{failure:?}");
    stop.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn without_a_destination_everything_is_dropped_and_the_sink_is_fed() {
    let (sink, seen) = seen();
    let (exporter, mut lanes) = Exporter::start(&ExportSettings::new(None, identity()), Anchor::take(), 2, Some(sink)).unwrap();
    end_many(&mut lanes[1], 0, 70);
    let account = exporter.finish();
    assert_eq!(account, Accounting { ended: 70, exported: 0, dropped: 70, failed: 0, unseen: 0, bytes: 0 });
    assert_eq!(seen.try_iter().count(), 71);
}

#[test]
fn a_disabled_exporter_only_counts() {
    let (exporter, mut lanes) = Exporter::disabled(2);
    end_many(&mut lanes[1], 0, 3);
    assert_eq!(exporter.finish(), Accounting { ended: 3, exported: 0, dropped: 3, failed: 0, unseen: 3, bytes: 0 });
}

#[test]
fn an_endpoint_that_cannot_be_one_is_an_error_before_any_load() {
    let mut settings = settings("http://[::1");
    let error = Exporter::start(&settings, Anchor::take(), 1, None).unwrap_err().to_string();
    assert!(error.contains("http://[::1") && error.contains("http://localhost:4317"), "{error}");
    let destination = settings.destination.as_mut().unwrap();
    destination.endpoint = "http://127.0.0.1:1".into();
    destination.headers.insert("x-key".into(), "se\u{1}cret".into());
    let error = Exporter::start(&settings, Anchor::take(), 1, None).unwrap_err().to_string();
    assert!(error.contains("x-key") && !error.contains("cret"), "{error}");
    let mut destination = Destination::new("https://localhost:4317", "tailtrace");
    destination.certificate = Some("/no/such/ca.pem".into());
    let error = Exporter::start(&ExportSettings::new(Some(destination), identity()), Anchor::take(), 1, None).unwrap_err().to_string();
    assert!(error.contains("/no/such/ca.pem") && error.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{error}");
}
