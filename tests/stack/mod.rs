//! Stand-ins for the chain that a trace takes: a server, a collector, a Jaeger, on ports of the system's choice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use tailtrace::clock::{Anchor, now};
use tailtrace::practice;
use tailtrace::tail::traces;
use tailtrace::trace::collector::{Collector, SpanSink, TracesData, json_line};
use tailtrace::trace::{Destination, STANDALONE, ServerSpanExporter};
use tailtrace::units::Nanos;

/// A port of the system's choice.
pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Answers HTTP requests by their path, one a connection.
pub(crate) fn http(answer: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(any()).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let path = String::from_utf8_lossy(&request[..read]).split(' ').nth(1).unwrap_or_default().to_owned();
            let body = answer(&path);
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

/// What a collector received, with a Jaeger's query API in front of it.
#[derive(Clone, Default)]
pub(crate) struct Store(pub(crate) Arc<Mutex<Vec<String>>>);

impl SpanSink for Store {
    fn write(&mut self, data: &TracesData) -> std::io::Result<()> {
        self.0.lock().unwrap().push(json_line(data)?);
        Ok(())
    }
}

impl Store {
    /// Jaeger's answers, for the services that it is said to know.
    pub(crate) fn jaeger(&self, services: &'static [&'static str]) -> SocketAddr {
        let store = self.clone();
        http(move |path| {
            if path.starts_with("/api/services") {
                return serde_json::json!({ "data": services }).to_string();
            }
            let spans: Vec<_> = store.0.lock().unwrap().iter().flat_map(|line| traces::from_json(line.as_bytes()).unwrap()).collect();
            let asked: Vec<_> = spans.iter().filter(|trace| path.contains(&trace.id)).flat_map(|trace| &trace.spans).collect();
            let id = spans.iter().find(|trace| path.contains(&trace.id)).map(|trace| trace.id.clone()).unwrap_or_default();
            let processes: serde_json::Map<_, _> =
                asked.iter().map(|span| (span.service.clone(), serde_json::json!({ "serviceName": span.service }))).collect();
            let spans: Vec<_> = asked
                .iter()
                .map(|span| {
                    let parent = span.parent.iter().map(|parent| serde_json::json!({ "refType": "CHILD_OF", "traceID": id, "spanID": parent }));
                    serde_json::json!({ "traceID": id, "spanID": span.id, "operationName": span.name, "references": parent.collect::<Vec<_>>(),
                        "startTime": span.start_ns / 1_000, "duration": span.duration_ns / 1_000, "tags": [], "processID": span.service })
                })
                .collect();
            let data = if spans.is_empty() {
                serde_json::json!([])
            } else {
                serde_json::json!([{ "traceID": id, "spans": spans, "processes": processes }])
            };
            serde_json::json!({ "data": data }).to_string()
        })
    }
}

/// A stack of its own: a server (the practice target, as a Milvus elsewhere), a collector, a Jaeger that shows what the collector took.
pub(crate) struct Stack {
    pub(crate) server: practice::Server,
    exporter: Option<ServerSpanExporter>,
    pub(crate) collector: Collector,
    pub(crate) store: Store,
}

/// Where the server's spans go.
#[derive(Clone, Copy)]
pub(crate) enum To {
    /// To the stack's own collector.
    Own,
    Nowhere,
}

impl Stack {
    /// With server spans to where `to` says, by a clock that is ahead.
    pub(crate) fn new(to: To, ahead: Nanos) -> Self {
        let store = Store::default();
        let collector = Collector::start(any(), Box::new(store.clone())).unwrap();
        let anchor = Anchor::take();
        let skewed = Anchor::at(now(), anchor.unix_ns(now()) + ahead.0);
        let to = match to {
            To::Own => Some(collector.url()),
            To::Nowhere => None,
        };
        // Soon, so that nobody has to wait for a batch.
        let destination = |to| Destination { delay: Nanos::from_millis(100), ..Destination::new(to, STANDALONE) };
        let (exporter, spans) = to.map(|to| ServerSpanExporter::start(&destination(to), skewed).unwrap()).unzip();
        let server = practice::Server::start(practice::Settings::default(), any(), spans).unwrap();
        Self { server, exporter, collector, store }
    }

    pub(crate) fn set(&self, more: &[String]) -> Vec<String> {
        let own = [format!("target.uri=http://{}", self.server.addr()), format!("trace.endpoint={}", self.collector.url())];
        own.into_iter().chain(more.iter().cloned()).collect()
    }

    pub(crate) fn jaeger(&self, services: &'static [&'static str]) -> String {
        format!("trace.jaeger=http://{}", self.store.jaeger(services))
    }

    pub(crate) fn end(self) {
        self.server.stop();
        if let Some(exporter) = self.exporter {
            let _ = exporter.finish(Nanos::from_secs(1));
        }
        let _ = self.collector.stop();
    }
}
