//! `doctor` against chains that are whole, and chains that are broken on purpose at each link.

#![cfg(unix)]

mod typed;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use tailtrace::clock::{Anchor, now};
use tailtrace::experiment::{Diagnosis, DoctorSettings, Link, examine};
use tailtrace::practice;
use tailtrace::scenario::{self, Overrides, Plan};
use tailtrace::tail::traces;
use tailtrace::trace::collector::{Collector, SpanSink, TracesData, json_line};
use tailtrace::trace::{Destination, STANDALONE, ServerSpanExporter};
use tailtrace::units::Nanos;
use typed::{command, folder, text};

const SCENARIO: &str = "[target]\nuri = \"practice\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"10/s\"\n";

fn plan(set: &[String]) -> Plan {
    scenario::parse(SCENARIO, "doctor.toml", &Overrides { set: set.to_vec(), seed: Some(1) }).unwrap()
}

/// A second is enough for spans that come, and short for those that do not. The port is the system's choice.
fn settings() -> DoctorSettings {
    DoctorSettings { within: Nanos::from_secs(1), management: Some(format!("http://{}", closed())), listen: any() }
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn doctor(set: &[String]) -> Diagnosis {
    examine(&plan(set), &settings(), &|_| None).unwrap()
}

/// An address where nobody listens, and that no other test is given: it stays bound.
fn closed() -> SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(any()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

/// A port that is free to listen on.
fn free() -> SocketAddr {
    TcpListener::bind(any()).unwrap().local_addr().unwrap()
}

fn link<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a Link {
    diagnosis.links.iter().find(|link| link.name == name).unwrap_or_else(|| panic!("no link {name}: {diagnosis:#?}"))
}

/// The first broken link is this one, and cause and fix name these.
fn assert_broken(diagnosis: &Diagnosis, name: &str, cause: &str, fix: &str) {
    let broken = diagnosis.first_broken().unwrap_or_else(|| panic!("{diagnosis:#?}"));
    let (said, change) = (broken.cause.as_deref().unwrap(), broken.fix.as_deref().unwrap());
    assert!(broken.name == name && said.contains(cause) && change.contains(fix) && !diagnosis.whole, "{broken:#?}");
}

/// Answers HTTP requests by their path, one a connection.
fn http(answer: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
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

/// A collector with a Jaeger's query API in front of what it received. `clock_ns` is how far the server's clock is ahead.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Vec<String>>>);

impl SpanSink for Store {
    fn write(&mut self, data: &TracesData) -> std::io::Result<()> {
        self.0.lock().unwrap().push(json_line(data)?);
        Ok(())
    }
}

impl Store {
    /// Jaeger's answers, for the services that it is said to know.
    fn jaeger(&self, services: &'static [&'static str]) -> SocketAddr {
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
struct Stack {
    server: practice::Server,
    exporter: Option<ServerSpanExporter>,
    collector: Collector,
    store: Store,
}

/// Where the server's spans go.
#[derive(Clone, Copy)]
enum To {
    /// To the stack's own collector.
    Own,
    Nowhere,
}

impl Stack {
    /// With server spans to where `to` says, by a clock that is ahead.
    fn new(to: To, ahead: Nanos) -> Self {
        let store = Store::default();
        let collector = Collector::start(any(), Box::new(store.clone())).unwrap();
        let anchor = Anchor::take();
        let skewed = Anchor::at(now(), anchor.unix_ns(now()) + ahead.0);
        let to = match to {
            To::Own => Some(collector.url()),
            To::Nowhere => None,
        };
        let (exporter, spans) = to.map(|to| ServerSpanExporter::start(&Destination::new(to, STANDALONE), skewed).unwrap()).unzip();
        let server = practice::Server::start(practice::Settings::default(), any(), spans).unwrap();
        Self { server, exporter, collector, store }
    }

    fn set(&self, more: &[String]) -> Vec<String> {
        let own = [format!("target.uri=http://{}", self.server.addr()), format!("trace.endpoint={}", self.collector.url())];
        own.into_iter().chain(more.iter().cloned()).collect()
    }

    fn jaeger(&self, services: &'static [&'static str]) -> String {
        format!("trace.jaeger=http://{}", self.store.jaeger(services))
    }

    fn end(self) {
        self.server.stop();
        if let Some(exporter) = self.exporter {
            let _ = exporter.finish(Nanos::from_secs(1));
        }
        let _ = self.collector.stop();
    }
}

#[test]
fn the_practice_target_and_the_built_in_collector_are_a_whole_chain() {
    let diagnosis = doctor(&["trace.endpoint=built-in".into(), "trace.sample_fraction=0.1".into()]);
    assert!(diagnosis.whole && diagnosis.notes.len() == 1, "{diagnosis:#?}");
    assert!(diagnosis.notes[0].starts_with("--management was not used"), "{diagnosis:#?}");
    assert!(link(&diagnosis, "target").seen.contains("v2.5.11-practice"), "{diagnosis:#?}");
    let names: Vec<_> = diagnosis.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["target", "collector", "propagation", "request", "client span", "server spans", "clocks"]);
    assert!(link(&diagnosis, "request").seen.contains(diagnosis.trace_id.as_deref().unwrap()));
    let unsampled = doctor(&["trace.endpoint=built-in".into()]);
    assert!(unsampled.whole && unsampled.notes[0].contains("trace.sample_fraction is 0"), "{unsampled:#?}");
}

#[test]
fn a_stack_elsewhere_is_whole_in_its_jaeger() {
    let stack = Stack::new(To::Own, Nanos::ZERO);
    let diagnosis = doctor(&stack.set(&[stack.jaeger(&[])]));
    assert!(diagnosis.whole, "{diagnosis:#?}");
    assert_eq!(link(&diagnosis, "trace settings").ok, None, "not offered, which breaks nothing");
    // Without a Jaeger to ask nobody can say.
    let blind = doctor(&stack.set(&[]));
    assert!(!blind.whole && blind.first_broken().is_none() && link(&blind, "server spans").ok.is_none(), "{blind:#?}");
    assert!(link(&blind, "server spans").seen.contains("trace.jaeger"));
    stack.end();
}

/// Milvus's spans go to a collector that keeps them to itself, and no Jaeger is named: nothing is seen to be broken, and nothing is shown
/// to be whole.
#[test]
fn what_nobody_can_look_at_is_neither_whole_nor_broken_and_has_the_status_of_what_could_not_be_checked() {
    let stack = Stack::new(To::Own, Nanos::ZERO);
    let here = folder("s.toml", SCENARIO);
    let management = format!("http://{}", closed());
    let typed = |more: &[String]| {
        let set = stack.set(more).into_iter().flat_map(|key| ["--set".to_owned(), key]);
        command(here.path(), &["doctor", "s.toml", "--within", "1s", "--management", &management, "--json"]).args(set).output().unwrap()
    };
    let blind = typed(&[]);
    let diagnosis: Diagnosis = serde_json::from_slice(&blind.stdout).unwrap_or_else(|_| panic!("{}", text(&blind.stderr)));
    assert_eq!((blind.status.code(), diagnosis.whole, link(&diagnosis, "server spans").ok), (Some(2), false, None), "{diagnosis:#?}");
    // The same chain with a Jaeger that shows what the collector took is whole.
    let seen = typed(&[stack.jaeger(&[])]);
    assert_eq!(seen.status.code(), Some(0), "{}{}", text(&seen.stdout), text(&seen.stderr));
    stack.end();
}

#[test]
fn a_closed_port_is_named_at_each_end() {
    let nobody = closed();
    assert_broken(
        &doctor(&[format!("target.uri=http://{nobody}"), "trace.endpoint=built-in".into()]),
        "target",
        "port closed",
        "target.uri",
    );
    assert_broken(&doctor(&[format!("trace.endpoint=http://{nobody}")]), "collector", "port closed", "trace.endpoint");
    let jaeger = doctor(&["trace.endpoint=built-in".into(), format!("trace.jaeger=http://{nobody}")]);
    assert_broken(&jaeger, "jaeger", "port closed", "16686");
    let unknown = doctor(&["trace.endpoint=http://no-such-host.invalid:4317".into()]);
    assert_broken(&unknown, "collector", "wrong endpoint", "trace.endpoint");
    assert!(unknown.links.iter().skip_while(|link| link.ok != Some(false)).skip(1).all(|link| link.ok != Some(false)));
}

#[test]
fn a_jaeger_without_otlp_is_told_to_enable_it() {
    let store = Store::default();
    let jaeger = store.jaeger(&[]);
    let diagnosis = doctor(&[format!("trace.endpoint=http://{}", closed()), format!("trace.jaeger=http://{jaeger}")]);
    assert_broken(&diagnosis, "collector", "COLLECTOR_OTLP_ENABLED is missing", "COLLECTOR_OTLP_ENABLED=true");
}

#[test]
fn a_wrong_endpoint_of_the_client_is_named() {
    // OTLP over HTTP, or any web server.
    let web = http(|_| "{}".to_owned());
    assert_broken(&doctor(&[format!("trace.endpoint=http://{web}")]), "collector", "wrong endpoint", ":4317");
    // gRPC, but no collector: a Milvus, for instance.
    let stack = Stack::new(To::Own, Nanos::ZERO);
    let milvus = format!("trace.endpoint=http://{}", stack.server.addr());
    assert_broken(&doctor(&stack.set(&[milvus])), "client span", "wrong endpoint", "trace.endpoint");
    // A collector, but of another Jaeger than the one that is asked.
    let other = Store::default().jaeger(&[]);
    let diagnosis = doctor(&stack.set(&[format!("trace.jaeger=http://{other}")]));
    assert_broken(&diagnosis, "client span", "does not feed", "trace.jaeger");
    stack.end();
}

#[test]
fn tls_on_one_side_only_is_named_at_each_end() {
    let tls = tls_server();
    assert_broken(&doctor(&[format!("trace.endpoint=http://{tls}")]), "collector", "TLS mismatch", "https://");
    assert_broken(
        &doctor(&[format!("target.uri=http://{}", tls_server()), "trace.endpoint=built-in".into()]),
        "target",
        "TLS mismatch",
        "https://",
    );
    let stack = Stack::new(To::Own, Nanos::ZERO);
    let secure = stack.collector.url().replace("http:", "https:");
    assert_broken(&doctor(&stack.set(&[format!("trace.endpoint={secure}")])), "collector", "TLS mismatch", "http://");
    let secure = format!("target.uri=https://{}", stack.server.addr());
    assert_broken(&doctor(&stack.set(&[secure])), "target", "TLS mismatch", "http://");
    stack.end();
}

/// Answers whatever comes with a TLS alert, as a TLS server does to what is no TLS; that is all that is looked at.
fn tls_server() -> SocketAddr {
    let listener = TcpListener::bind(any()).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 256]);
            let _ = stream.write_all(b"\x15\x03\x03\0\x02\x02\x0a");
        }
    });
    address
}

#[test]
fn a_milvus_that_speaks_tls_to_the_built_in_collector_is_told_not_to() {
    let port = free();
    // A Milvus with trace.otlp.secure: true greets with TLS, and again when that fails.
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let greeting = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            if let Ok(mut stream) = std::net::TcpStream::connect(port) {
                let _ = stream.write_all(b"\x16\x03\x01\0\x05\x01\0\0\x01\x03");
                let _ = stream.read(&mut [0; 16]);
            }
            tailtrace::clock::pause(Nanos::from_millis(20));
        }
    });
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    // Where the scenario says that it listens.
    let diagnosis = doctor(&stack.set(&["trace.endpoint=built-in".into(), format!("trace.listen={port}")]));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    greeting.join().unwrap();
    assert_broken(&diagnosis, "server spans", "TLS mismatch", "trace.otlp.secure: false");
    stack.end();
}

#[test]
fn a_milvus_that_sends_no_spans_is_told_of_its_exporter() {
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    // In Jaeger, and in the built-in collector.
    let silent = doctor(&stack.set(&[stack.jaeger(&["tailtrace"])]));
    assert_broken(&silent, "server spans", "trace.exporter is noop", "trace.exporter: otlp");
    // A second is less than a batch takes.
    assert_broken(&silent, "server spans", "not long enough waited", "--within 10s; or in milvus.yaml");
    let built_in = doctor(&stack.set(&["trace.endpoint=built-in".into()]));
    assert_broken(&built_in, "server spans", "trace.exporter is noop", "trace.exporter: otlp");
    stack.end();
}

#[test]
fn what_milvus_says_of_its_settings_is_held_against_them() {
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    let with = |text: &'static str| {
        let settings = DoctorSettings { management: Some(format!("http://{}", http(move |_| text.to_owned()))), ..settings() };
        examine(&plan(&stack.set(&[stack.jaeger(&[])])), &settings, &|_| None).unwrap()
    };
    let noop = with(r#"{"traceexporter": "noop", "traceotlpendpoint": ""}"#);
    assert_broken(&noop, "trace settings", "trace.exporter is noop", "trace.exporter: otlp");
    let elsewhere = with(r#"{"traceexporter": "otlp", "traceotlpendpoint": "elsewhere:4317", "traceotlpsecure": "false"}"#);
    assert!(link(&elsewhere, "trace settings").ok == Some(true) && link(&elsewhere, "trace settings").seen.contains("elsewhere:4317"));
    assert_broken(&elsewhere, "server spans", "wrong endpoint: Milvus sends its spans to elsewhere:4317", "trace.otlp.endpoint");
    let nowhere = with(r#"{"traceexporter": "otlp", "traceotlpendpoint": ""}"#);
    assert_broken(&nowhere, "trace settings", "wrong endpoint", "trace.otlp.endpoint");
    stack.end();
}

#[test]
fn a_trace_context_that_does_not_reach_milvus_is_named() {
    let stack = Stack::new(To::Own, Nanos::ZERO);
    let none = doctor(&stack.set(&[stack.jaeger(&[]), "trace.propagation=none".into()]));
    assert_broken(&none, "propagation", "propagation suppressed", "trace.propagation = \"traceparent\"");
    stack.end();
    // Milvus is known to Jaeger, and has no span of this request: something between has taken the header away.
    let stripped = Stack::new(To::Nowhere, Nanos::ZERO);
    let diagnosis = doctor(&stripped.set(&[stripped.jaeger(&["standalone", "tailtrace"])]));
    assert_broken(&diagnosis, "server spans", "propagation suppressed", "`traceparent`");
    // The same where the request's own id was to be its trace.
    let diagnosis = doctor(&stripped.set(&[stripped.jaeger(&["standalone"]), "trace.propagation=client-request-id".into()]));
    assert_broken(&diagnosis, "server spans", "client_request_id", "trace.propagation = \"traceparent\"");
    stripped.end();
    // A server that takes it makes a trace of that id, whose uppermost span has no parent.
    let taken = Stack::new(To::Own, Nanos::ZERO);
    let diagnosis = doctor(&taken.set(&[taken.jaeger(&[]), "trace.propagation=client-request-id".into()]));
    assert!(diagnosis.whole, "{diagnosis:#?}");
    taken.end();
}

#[test]
fn clocks_that_differ_are_named_with_how_much() {
    let stack = Stack::new(To::Own, Nanos::from_secs(5));
    let diagnosis = doctor(&stack.set(&[stack.jaeger(&[])]));
    assert_broken(&diagnosis, "clocks", "clock skew", "time service");
    let seen = &link(&diagnosis, "clocks").seen;
    assert!(seen.contains("ahead of this machine") && seen.contains(" s "), "{seen}");
    stack.end();
}
