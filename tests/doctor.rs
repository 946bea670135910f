//! `doctor` against chains that are whole, and chains that are broken on purpose at each link.

#![cfg(unix)]

mod stack;
mod typed;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use stack::{Stack, Store, To, any, http};
use tailtrace::clock::{now, pause};
use tailtrace::experiment::{Diagnosis, DoctorSettings, Link, examine};
use tailtrace::load::Stop;
use tailtrace::scenario::{self, Overrides, Plan};
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

/// Every link that is in the diagnosis has been told before, in the same order.
fn doctor(set: &[String]) -> Diagnosis {
    let mut told = Vec::new();
    let diagnosis = examine(&plan(set), &settings(), &|_| None, &Stop::default(), &mut |link| told.push(link.clone())).unwrap();
    assert_eq!(told, diagnosis.links);
    diagnosis
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

/// Milvus's spans do not come, and somebody does not want to wait for them any longer.
#[test]
fn a_doctor_that_is_stopped_says_what_it_has_seen_and_calls_nothing_broken() {
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    let here = folder("s.toml", SCENARIO);
    let management = format!("http://{}", closed());
    let set = stack.set(&[stack.jaeger(&[])]).into_iter().flat_map(|key| ["--set".to_owned(), key]);
    let mut doctor = command(here.path(), &["doctor", "s.toml", "--within", "1m", "--management", &management, "--json"]);
    let mut child = doctor.args(set).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while stack.store.0.lock().unwrap().is_empty() && child.try_wait().unwrap().is_none() {
        pause(Nanos::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let diagnosis: Diagnosis = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!((output.status.code(), diagnosis.first_broken()), (Some(2), None), "{diagnosis:#?}");
    assert_eq!(link(&diagnosis, "client span").ok, Some(true), "{diagnosis:#?}");
    assert!(link(&diagnosis, "server spans").seen.contains("not there yet when the doctor was stopped"), "{diagnosis:#?}");
    assert!(link(&diagnosis, "trace settings").seen.contains("nobody listens there"), "{diagnosis:#?}");
    stack.end();
}

/// The target takes connections and says nothing; nobody waits for it once it is clear that somebody does not want to.
#[test]
fn a_doctor_that_is_stopped_while_it_connects_says_so() {
    let silent = TcpListener::bind(any()).unwrap();
    let here = folder("s.toml", SCENARIO);
    let target = format!("target.uri=http://{}", silent.local_addr().unwrap());
    let mut doctor = command(here.path(), &["doctor", "s.toml", "--set", "trace.endpoint=built-in", "--set", "trace.listen=127.0.0.1:0"]);
    let child = doctor.args(["--set", &target, "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _held = silent.accept().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let diagnosis: Diagnosis = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!((output.status.code(), diagnosis.first_broken()), (Some(2), None), "{diagnosis:#?}");
    assert_eq!(link(&diagnosis, "target").seen, "no answer yet when the doctor was stopped", "{diagnosis:#?}");
    for name in ["collector", "propagation", "request", "client span", "server spans", "clocks"] {
        assert_eq!(link(&diagnosis, name).seen, "not looked at: the doctor was stopped", "{diagnosis:#?}");
    }
}

#[test]
fn who_listens_and_says_nothing_is_no_target_and_no_collector() {
    let silent = TcpListener::bind(any()).unwrap();
    let silent = silent.local_addr().unwrap();
    let target = doctor(&[format!("target.uri=http://{silent}"), "trace.endpoint=built-in".into()]);
    assert_broken(&target, "target", "it is no gRPC server", "19530");
    assert!(link(&target, "target").seen.ends_with("something listens and says nothing"), "{target:#?}");
    // It may be one that waits for more: what it makes of a span decides.
    let collector = doctor(&[format!("trace.endpoint=http://{silent}")]);
    assert_broken(&collector, "client span", "no OTLP/gRPC endpoint", "trace.endpoint");
    assert_eq!(link(&collector, "collector").ok, None, "{collector:#?}");
}

/// The built-in collector shows what it takes without a Jaeger.
#[test]
fn a_broken_jaeger_hides_no_spans_that_the_built_in_collector_takes() {
    let nobody = closed();
    let diagnosis = doctor(&["trace.endpoint=built-in".into(), format!("trace.jaeger=http://{nobody}")]);
    assert_broken(&diagnosis, "jaeger", "port closed", "16686");
    assert_eq!((link(&diagnosis, "client span").ok, link(&diagnosis, "server spans").ok), (Some(true), Some(true)), "{diagnosis:#?}");
}

/// Milvus's spans do not come to the built-in collector, for a minute.
#[test]
fn a_doctor_that_waits_at_the_built_in_collector_is_stopped_as_any_other() {
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    let stop = Stop::default();
    let settings = DoctorSettings { within: Nanos::from_secs(60), ..settings() };
    let begun = now();
    let set = stack.set(&["trace.endpoint=built-in".into(), format!("trace.listen={}", free())]);
    let mut tell = |link: &Link| {
        // The client's own is told as soon as it is there.
        if link.name == "client span" {
            stop.stop();
        }
    };
    let diagnosis = examine(&plan(&set), &settings, &|_| None, &stop, &mut tell).unwrap();
    assert!(now().since(begun) < Nanos(settings.within.0 / 2), "it was waited for all the same");
    assert_eq!((diagnosis.first_broken(), link(&diagnosis, "server spans").ok), (None, None), "{diagnosis:#?}");
    assert!(link(&diagnosis, "server spans").seen.contains("the doctor was stopped"), "{diagnosis:#?}");
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
    let secure = stack.jaeger(&[]).replace("http:", "https:");
    assert_broken(&doctor(&stack.set(&[secure])), "jaeger", "TLS mismatch", "http://");
    let grpc = format!("trace.jaeger={}", stack.collector.url());
    assert_broken(&doctor(&stack.set(&[grpc])), "jaeger", "where spans go in (4317)", "16686");
    // What speaks HTTP/1 is the wrong port, with TLS or without.
    let web = format!("target.uri=https://{}", http(|_| "{}".to_owned()));
    assert_broken(&doctor(&[web, "trace.endpoint=built-in".into()]), "target", "another port of Milvus", "target.uri");
    assert_broken(&doctor(&stack.set(&[format!("trace.jaeger=http://{}", tls_server())])), "jaeger", "TLS mismatch", "https://");
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
    assert_broken(&built_in, "server spans", "trace.exporter is noop", "trace.listen = \"0.0.0.0:4317\"");
    stack.end();
}

#[test]
fn what_milvus_says_of_its_settings_is_held_against_them() {
    let stack = Stack::new(To::Nowhere, Nanos::ZERO);
    let with = |text: &'static str| {
        let settings = DoctorSettings { management: Some(format!("http://{}", http(move |_| text.to_owned()))), ..settings() };
        examine(&plan(&stack.set(&[stack.jaeger(&[])])), &settings, &|_| None, &Stop::default(), &mut |_| {}).unwrap()
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
