//! The client of Jaeger's query API against a server in this process that answers well, badly, slowly, and too much.

mod jaeger_server;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};

use assert_cmd::cargo::cargo_bin;
use jaeger_server::{AUTHORITY, Answer, JaegerServer};
use serde_json::{Value, json};
use tailtrace::experiment::explain::{self, Period, Question, Whose};
use tailtrace::tail::jaeger::{Jaeger, JaegerError, Search};
use tailtrace::units::{ByteSize, Nanos};

const EMPTY: &str = r#"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#;

fn answering(status: u16, body: &str) -> JaegerServer {
    let body = body.to_owned();
    JaegerServer::start(move |_| Answer::Says(status, body.clone()))
}

fn jaeger(server: &JaegerServer) -> Jaeger {
    Jaeger::bounded(&server.url(), Nanos::from_secs(5), ByteSize(1 << 16)).unwrap()
}

/// What was asked for, one path each.
fn recording() -> (JaegerServer, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let server = JaegerServer::start(move |path| {
        kept.lock().unwrap().push(path.to_owned());
        Answer::Says(200, EMPTY.to_owned())
    });
    (server, asked)
}

#[test]
fn services_are_read_and_there_may_be_none() {
    let server = answering(200, r#"{"data":["standalone","milvus-client"],"total":2,"limit":0,"offset":0,"errors":null}"#);
    assert_eq!(jaeger(&server).services().unwrap(), ["standalone", "milvus-client"]);
    let server = answering(200, r#"{"data":null,"total":0,"limit":0,"offset":0,"errors":null}"#);
    assert!(jaeger(&server).services().unwrap().is_empty());
}

#[test]
fn a_search_is_written_as_jaeger_reads_it() {
    let (server, asked) = recording();
    let search = Search {
        service: "milvus client".to_owned(),
        operation: Some("/milvus.proto.milvus.MilvusService/Search".to_owned()),
        start_us: 1,
        end_us: 2,
        limit: 50,
        min_duration: Some(Nanos::from_micros(1_500)),
        tags: [("tailtrace.run_id".to_owned(), "a&b".to_owned())].into(),
    };
    jaeger(&server).search(&search).unwrap();
    jaeger(&server).search(&Search { service: "s".to_owned(), ..Search::default() }).unwrap();
    let asked = asked.lock().unwrap();
    let query: Vec<_> = asked[0].strip_prefix("/api/traces?").unwrap().split('&').collect();
    let slashes = "operation=/milvus.proto.milvus.MilvusService/Search";
    for part in ["start=1", "end=2", "limit=50", "minDuration=1500us"] {
        assert!(query.contains(&part), "{part} in {query:?}");
    }
    assert!(query.iter().any(|part| part.replace("%2F", "/") == slashes), "{query:?}");
    assert!(query.iter().any(|part| part.replace('+', "%20") == "service=milvus%20client"), "{query:?}");
    assert!(query.iter().any(|part| part.starts_with("tags=%7B") && part.contains("a%26b")), "{query:?}");
    assert!(!asked[1].contains("operation") && !asked[1].contains("tags") && !asked[1].contains("minDuration"), "{}", asked[1]);
}

#[test]
fn traces_are_asked_for_by_all_their_ids_at_once() {
    let (server, asked) = recording();
    let (one, other) = ("0a".repeat(16), "0b".repeat(16));
    assert!(jaeger(&server).traces(&[&one, &other]).unwrap().is_empty());
    assert_eq!(*asked.lock().unwrap(), [format!("/api/traces?traceID={one}&traceID={other}")]);
}

#[test]
fn traces_that_jaeger_does_not_have_are_no_error_whatever_the_status() {
    let not_found = r#"{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}"#;
    assert!(jaeger(&answering(404, not_found)).traces(&["0a"]).unwrap().is_empty());
    assert!(jaeger(&answering(200, not_found)).traces(&["0a"]).unwrap().is_empty());
}

#[test]
fn a_jaeger_under_a_path_is_asked_there() {
    let (server, asked) = recording();
    let jaeger = Jaeger::new(&format!("{}/jaeger/", server.url())).unwrap();
    let _ = jaeger.services();
    assert_eq!(*asked.lock().unwrap(), ["/jaeger/api/services"]);
}

/// What is wrong, and what the message has to name besides the URL.
#[test]
fn every_way_to_go_wrong_has_a_message_with_a_next_step() {
    let other_page = answering(404, "<html>nginx</html>");
    let garbage = answering(200, "<html>Grafana</html>");
    let broken = answering(500, r#"{"data":null,"errors":[{"code":500,"msg":"storage is down"}]}"#);
    let too_large = answering(200, &" ".repeat((1 << 16) + 1));
    let not_http = JaegerServer::start(|_| Answer::Raw(b"\x00\x00\x12\x04\x00\x00\x00"));
    for (server, kind, part) in [
        (&other_page, "NoJaeger", "16686"),
        (&garbage, "NoJaeger", "16686"),
        (&broken, "Refused", "storage is down"),
        (&too_large, "Large", "fewer traces"),
        (&not_http, "NoJaeger", "16686"),
    ] {
        let error = jaeger(server).services().unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&server.url()) && text.contains(part), "{text}");
    }
}

#[test]
fn a_jaeger_that_hangs_is_left_alone_after_its_time() {
    let server = JaegerServer::start(|_| Answer::Hangs(100));
    let error = Jaeger::bounded(&server.url(), Nanos::from_millis(200), ByteSize(1 << 16)).unwrap().services().unwrap_err();
    assert!(matches!(error, JaegerError::Slow { .. }), "{error:?}");
    assert!(error.to_string().contains("within 200 ms"), "{error}");
}

#[test]
fn nobody_there_is_told_with_its_cause() {
    // A free port may be another test's a moment later; this one no ordinary process is given.
    let error = Jaeger::new("http://127.0.0.1:9").unwrap().services().unwrap_err();
    assert!(matches!(error, JaegerError::Unreachable { .. }), "{error:?}");
    assert!(std::error::Error::source(&error).is_some() && error.to_string().contains("16686"));
}

#[test]
fn what_is_no_url_of_a_jaeger_is_refused_without_showing_a_secret() {
    for (url, part) in [
        ("localhost:16686", "begins with neither"),
        ("ftp://x", "begins with neither"),
        ("http://", "not a URL"),
        ("http://user:s3cret@jaeger", "credentials"),
    ] {
        let text = Jaeger::new(url).unwrap_err().to_string();
        assert!(text.contains(part) && text.contains("http://localhost:16686") && !text.contains("s3cret"), "{text}");
    }
}

/// What a TLS server with a certificate of its own authority is asked through, as it is typed; who is trusted is in the environment.
fn explained(url: &str, trusting: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(cargo_bin!("tailtrace"));
    command.args(["explain", "--jaeger", url, "--service", "milvus-client"]).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    if let Some(file) = trusting {
        command.env("SSL_CERT_FILE", file);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_jaeger_behind_tls_is_asked_where_its_certificate_is_trusted_and_else_it_is_said_what_to_do() {
    let server = JaegerServer::start_secure(|_| Answer::Says(200, r#"{"data":["standalone"],"errors":null}"#.to_owned()));
    // Asked, and answered: it has no such service.
    let (status, said) = explained(&server.url_by_name(), Some(AUTHORITY));
    assert!(status == Some(2) && said.contains("no span of service `milvus-client`") && said.contains("`standalone`"), "{said}");
    let (status, said) = explained(&server.url_by_name(), None);
    assert!(status == Some(2) && said.contains("cannot trust the certificate") && said.contains("SSL_CERT_FILE"), "{said}");
    let (status, said) = explained(&server.url(), Some(AUTHORITY));
    assert!(status == Some(2) && said.contains("a name that the certificate holds") && said.contains("localhost"), "{said}");
}

#[test]
fn https_where_there_is_no_tls_and_http_where_there_is_are_told_apart_from_an_untrusted_certificate() {
    let (plain, secure) = (answering(200, EMPTY), JaegerServer::start_secure(|_| Answer::Says(200, EMPTY.to_owned())));
    let asked = |url: &str| Jaeger::new(url).unwrap().services().unwrap_err();
    let untrusted = asked(&secure.url_by_name());
    assert!(matches!(untrusted, JaegerError::Untrusted { .. }) && std::error::Error::source(&untrusted).is_some(), "{untrusted:?}");
    let no_tls = asked(&plain.url().replace("http://", "https://"));
    assert!(matches!(no_tls, JaegerError::NoJaeger { .. }) && no_tls.to_string().contains("speaks no TLS"), "{no_tls:?}");
    let no_http = asked(&secure.url().replace("https://", "http://"));
    assert!(matches!(no_http, JaegerError::NoJaeger { .. }), "{no_http:?}");
}

/// A trace in Jaeger's JSON, of spans of a service each that begin at such a second and last 1 ms.
fn trace(number: usize, spans: &[(&str, u64)]) -> Value {
    let span = |(at, (service, second)): (usize, &(&str, u64))| {
        json!({"traceID": format!("{number:x}"), "spanID": format!("{:x}", at + 1), "operationName": "Search", "references": [],
            "startTime": second * 1_000_000, "duration": 1_000, "tags": [], "processID": service})
    };
    let processes: serde_json::Map<String, Value> =
        spans.iter().map(|(service, _)| ((*service).to_owned(), json!({"serviceName": service}))).collect();
    let spans: Vec<Value> = spans.iter().enumerate().map(span).collect();
    json!({"traceID": format!("{number:x}"), "spans": spans, "processes": processes})
}

/// A Jaeger with these traces, each with the seconds at which its spans of `client` begin. It searches as Jaeger does: for traces with a
/// span of the service in the time that is asked for, and of these the latest. What it gave is kept.
fn searched(traces: Vec<(Vec<u64>, Value)>) -> (JaegerServer, Arc<Mutex<BTreeSet<String>>>) {
    let given = Arc::new(Mutex::new(BTreeSet::new()));
    let kept = given.clone();
    let server = JaegerServer::start(move |path| {
        let Some(query) = path.strip_prefix("/api/traces?") else {
            return Answer::Says(200, json!({"data": ["client"]}).to_string());
        };
        let number = |key: &str| query.split('&').find_map(|part| part.strip_prefix(key)?.parse::<u64>().ok()).unwrap();
        let asked = number("start=")..=number("end=");
        let in_time = |of: &[u64]| of.iter().map(|second| second * 1_000_000).filter(|us| asked.contains(us)).max();
        let mut found: Vec<(u64, &Value)> = traces.iter().filter_map(|(of, trace)| Some((in_time(of)?, trace))).collect();
        found.sort_by_key(|(latest, _)| std::cmp::Reverse(*latest));
        let data: Vec<&Value> = found.into_iter().take(number("limit=") as usize).map(|(_, trace)| trace).collect();
        kept.lock().unwrap().extend(data.iter().map(|trace| trace["traceID"].as_str().unwrap().to_owned()));
        Answer::Says(200, json!({ "data": data }).to_string())
    });
    (server, given)
}

/// 2,400 calls, one a second, and among them a batch job that began before them all and calls in the end: Jaeger gives a thousand traces
/// at a time, and the job is one of the first thousand.
#[test]
fn traces_that_began_while_a_long_one_went_on_are_found_whosever_that_is() {
    for owner in ["client", "scheduler"] {
        let mut traces: Vec<(Vec<u64>, Value)> =
            (100..2_500).map(|second| (vec![second], trace(second as usize, &[("client", second)]))).collect();
        let own = if owner == "client" { vec![50, 2_490] } else { vec![2_490] };
        traces.push((own, trace(0xba7c, &[(owner, 50), ("client", 2_490)])));
        let (server, given) = searched(traces);
        let period = Period { from_ns: 0, to_ns: 3_600_000_000_000 };
        let whose = Whose { service: "client".to_owned(), operation: None };
        explain::explain_jaeger(&server.url(), &whose, period, &Question::default()).unwrap();
        assert_eq!(given.lock().unwrap().len(), 2_401, "the job is `{owner}`'s");
    }
}
