//! Whole runs whose spans go elsewhere: what the Jaeger there gives at the end is kept in the run directory, and what it does not
//! give is told. The OTLP endpoint and the Jaeger behind it are in this process.

mod jaeger_server;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use jaeger_server::{Answer, JaegerServer};
use serde_json::{Value, json};
use tailtrace::experiment::{Event, Nobody, Observer, RunError, RunOptions, RunOutcome, run};
use tailtrace::load::Stop;
use tailtrace::practice::{self, Server};
use tailtrace::result::requests::Request;
use tailtrace::scenario::{self, Overrides};
use tailtrace::tail::traces;
use tailtrace::trace::collector::{Collector, SpanSink, TracesData, json_line};

const SCENARIO: &str = r#"
seed = 7
[target]
uri = "practice"
[collection]
dim = 8
rows = 100
[load]
warmup = "200ms"
duration = "1s"
drain = "2s"
[[stream]]
name = "readers"
operation = "search"
rate = "400/s"
[trace]
sample_fraction = 0.5
outliers = true
"#;

/// Every span by its trace: service, span.
type Store = Arc<Mutex<BTreeMap<String, Vec<(String, Value)>>>>;

struct Stored(Store);

impl SpanSink for Stored {
    fn write(&mut self, data: &TracesData) -> std::io::Result<()> {
        let data: Value = serde_json::from_str(&json_line(data)?)?;
        let mut store = self.0.lock().unwrap();
        for resource in data["resourceSpans"].as_array().unwrap() {
            let attributes = resource["resource"]["attributes"].as_array().unwrap();
            let service = attributes.iter().find(|attribute| attribute["key"] == "service.name").unwrap()["value"]["stringValue"].clone();
            for span in resource["scopeSpans"].as_array().unwrap().iter().flat_map(|scope| scope["spans"].as_array().unwrap()) {
                let id = span["traceId"].as_str().unwrap().to_owned();
                store.entry(id).or_default().push((service.as_str().unwrap().to_owned(), span.clone()));
            }
        }
        Ok(())
    }
}

/// A trace as Jaeger's API gives it.
fn as_jaeger(id: &str, spans: &[(String, Value)]) -> Value {
    let micros = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap() / 1_000;
    let span = |(service, span): &(String, Value)| {
        let parent = span["parentSpanId"].as_str().unwrap_or_default();
        let references = if parent.is_empty() { json!([]) } else { json!([{"refType": "CHILD_OF", "traceID": id, "spanID": parent}]) };
        let (start, end) = (micros(span, "startTimeUnixNano"), micros(span, "endTimeUnixNano"));
        json!({"traceID": id, "spanID": span["spanId"], "operationName": span["name"], "references": references, "startTime": start,
            "duration": end - start, "tags": [], "logs": [], "processID": service})
    };
    let processes: serde_json::Map<_, _> =
        spans.iter().map(|(service, _)| (service.clone(), json!({"serviceName": service, "tags": []}))).collect();
    json!({"traceID": id, "spans": spans.iter().map(span).collect::<Vec<_>>(), "processes": processes})
}

fn ids(path: &str) -> Vec<String> {
    path.split(['?', '&']).filter_map(|part| part.strip_prefix("traceID=")).map(str::to_owned).collect()
}

/// The collector and the Jaeger that shares its store; `shows` says which spans of a trace it gives when it is asked the nth time.
fn elsewhere(shows: impl Fn(&str, u32, &str) -> bool + Send + Sync + 'static) -> (Collector, JaegerServer) {
    let store = Store::default();
    let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Box::new(Stored(store.clone()))).unwrap();
    let times = Mutex::new(HashMap::<String, u32>::new());
    let server = JaegerServer::start(move |path| {
        let (store, mut times) = (store.lock().unwrap(), times.lock().unwrap());
        let mut data = Vec::new();
        for id in ids(path) {
            let nth = times.entry(id.clone()).and_modify(|nth| *nth += 1).or_insert(1);
            let spans = store.get(&id).cloned().unwrap_or_default();
            let given: Vec<_> = spans.into_iter().filter(|(service, _)| shows(&id, *nth, service)).collect();
            if !given.is_empty() {
                data.push(as_jaeger(&id, &given));
            }
        }
        Answer::Says(200, json!({"data": data, "errors": null}).to_string())
    });
    (collector, server)
}

fn run_with(folder: &Path, endpoint: &str, jaeger: &str) -> RunOutcome {
    try_run(folder, &format!("endpoint = \"{endpoint}\"\njaeger = \"{jaeger}\"\n")).unwrap()
}

fn try_run(folder: &Path, more: &str) -> Result<RunOutcome, RunError> {
    let file = folder.join("short.toml");
    std::fs::write(&file, SCENARIO.to_owned() + more).unwrap();
    let plan = scenario::read(&file, &Overrides::default()).unwrap();
    let options = RunOptions { out: folder.join("results"), command: Vec::new(), stop: Stop::default(), environment: &|_| None };
    run(&plan, &options, &mut Nobody)
}

fn requests(outcome: &RunOutcome) -> Vec<Request> {
    tailtrace::result::read(&outcome.directory).unwrap().requests().unwrap()
}

fn has_finding(outcome: &RunOutcome, code: &str) -> bool {
    outcome.document.findings.iter().any(|finding| finding.code == code)
}

#[test]
fn traces_whose_server_spans_come_late_are_asked_for_again_and_kept_whole() {
    // The client's spans at once, the server's from the second time on.
    let (collector, jaeger) = elsewhere(|_, nth, service| service == "tailtrace" || nth > 1);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_with(folder.path(), &collector.url(), &jaeger.url());
    drop(collector.stop());
    let evidence = outcome.document.trace.evidence.clone().unwrap();
    assert_eq!((evidence.why.as_deref(), evidence.missing), (None, 0), "{evidence:?}");
    assert!(evidence.asked > 50 && evidence.asked == evidence.kept && evidence.kept == evidence.with_server_spans, "{evidence:?}");
    let reading = traces::read(&outcome.directory.join("spans.jsonl")).unwrap();
    assert_eq!(reading.traces.len() as u64, evidence.kept);
    assert!(reading.traces.iter().all(|trace| trace.spans.iter().any(|span| span.service == "standalone")));
    let kept: HashSet<&str> = reading.traces.iter().map(|trace| trace.id.as_str()).collect();
    let measured: Vec<_> = requests(&outcome).into_iter().filter(|request| request.measured && request.sampled).collect();
    let p99 = outcome.document.streams[0].response.p99_ns.unwrap();
    for request in &measured {
        let has_trace = kept.contains(request.trace_id.as_deref().unwrap());
        assert!(!has_trace || request.traced_keep_probability > 0.0);
        assert!(
            request.response_ns() <= p99 || (request.traced_keep_probability == 1.0 && has_trace),
            "all of the tail is there: {request:?}"
        );
    }
    // About 200 sampled requests: no stratum is larger than its limit, so all are there, each with chance 1.
    assert!(measured.iter().all(|request| request.traced_keep_probability == 1.0));
    let slowest = &outcome.document.streams[0].slowest;
    assert!(slowest.iter().all(|slow| slow.link.as_ref().is_some_and(|link| link.starts_with(&jaeger.url())) && !slow.gone));
}

/// Is told to stop when the traces are about to be fetched.
struct Stopping(Stop);

impl Observer for Stopping {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Fetching) {
            self.0.stop();
        }
    }
}

/// A server that is no practice target of this process sends its spans up to 6 s later; nobody waits for them who was told to stop.
#[test]
fn a_stop_ends_the_wait_for_the_servers_spans() {
    let server = Server::start(practice::Settings::default(), "127.0.0.1:0".parse().unwrap(), None).unwrap();
    let (collector, jaeger) = elsewhere(|_, _, _| true);
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = SCENARIO.replace("\"practice\"", &format!("\"http://{}\"", server.addr()));
    let spans = format!("endpoint = \"{}\"\njaeger = \"{}\"\n", collector.url(), jaeger.url());
    let plan = scenario::parse(&(elsewhere + &spans), "short.toml", &Overrides::default()).unwrap();
    let stop = Stop::default();
    let options = RunOptions { out: folder.path().join("results"), command: Vec::new(), stop: stop.clone(), environment: &|_| None };
    let outcome = run(&plan, &options, &mut Stopping(stop)).unwrap();
    drop(collector.stop());
    let evidence = outcome.document.trace.evidence.clone().unwrap();
    assert_eq!((evidence.why.as_deref(), evidence.asked, evidence.kept), (Some("the run was stopped"), 0, 0));
    // Half of the time that the server's spans may take.
    assert!(evidence.took_ns < 3_000_000_000, "{evidence:?}");
    assert!(!outcome.directory.join("spans.jsonl").exists(), "explain may ask Jaeger again later");
}

#[test]
fn what_jaeger_has_forgotten_is_counted_and_not_linked() {
    let forgotten = |id: &str| id.ends_with(['0', '1', '2', '3']);
    let (collector, jaeger) = elsewhere(move |id, _, _| !forgotten(id));
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_with(folder.path(), &collector.url(), &jaeger.url());
    drop(collector.stop());
    let evidence = outcome.document.trace.evidence.clone().unwrap();
    assert!(evidence.missing > 10 && evidence.asked == evidence.kept + evidence.missing, "{evidence:?}");
    assert!(has_finding(&outcome, "traces-missing"));
    let stream = &outcome.document.streams[0];
    for slow in stream.slowest.iter().filter(|slow| !slow.client_only) {
        let gone = forgotten(slow.trace_id.as_deref().unwrap());
        assert_eq!((slow.gone, slow.link.is_none()), (gone, gone), "{slow:?}");
    }
    for exemplar in &stream.exemplars {
        assert_eq!(exemplar.gone, forgotten(&exemplar.trace_id), "{exemplar:?}");
    }
}

#[test]
fn a_jaeger_that_is_down_or_none_costs_a_note_and_nothing_that_was_measured() {
    let other = JaegerServer::start(|_| Answer::Says(200, "<html>Grafana</html>".to_owned()));
    for jaeger in ["http://127.0.0.1:9".to_owned(), other.url()] {
        let (collector, _unasked) = elsewhere(|_, _, _| true);
        let folder = tempfile::tempdir().unwrap();
        let outcome = run_with(folder.path(), &collector.url(), &jaeger);
        drop(collector.stop());
        let document = &outcome.document;
        let evidence = document.trace.evidence.clone().unwrap();
        assert!(evidence.kept == 0 && evidence.why.as_ref().is_some_and(|why| why.contains(&jaeger)), "{evidence:?}");
        assert!(has_finding(&outcome, "traces-not-fetched") && !document.partial);
        assert_eq!(document.trace.ended, document.trace.exported);
        assert!(!outcome.directory.join("spans.jsonl").exists(), "explain may ask Jaeger again later");
        assert!(requests(&outcome).iter().filter(|request| request.sampled).all(|request| request.traced_keep_probability == 1.0));
    }
}

#[test]
fn a_collector_that_is_down_costs_spans_and_the_run_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = try_run(folder.path(), "endpoint = \"http://127.0.0.1:9\"\n").unwrap();
    let trace = &outcome.document.trace;
    assert!(trace.ended > 0 && trace.failed == trace.ended, "{trace:?}");
    let why = trace.why.as_deref().unwrap();
    let finding = outcome.document.findings.iter().find(|finding| finding.code == "spans-failed").unwrap();
    assert!(why.contains("refused") && finding.message.contains(why) && finding.message.contains("http://127.0.0.1:9"), "{finding:?}");
    assert!(!outcome.document.partial && outcome.document.streams[0].ok > 0);
}

#[test]
fn outliers_have_a_span_of_the_client_alone_and_their_own_account() {
    let (collector, jaeger) = elsewhere(|_, _, _| true);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_with(folder.path(), &collector.url(), &jaeger.url());
    let received = collector.stop();
    let trace = &outcome.document.trace;
    let made = trace.client_only.unwrap();
    // The stream's 100 slowest, half of them sampled: binomial(100, 1/2) within 6 deviations.
    assert!((20..=80).contains(&made.made) && made.failed == 0, "{made:?}");
    assert_eq!(trace.ended, trace.exported + trace.dropped + trace.failed);
    assert_eq!(trace.ended, trace.sampled, "outliers' spans are counted apart");
    assert!(received.spans >= trace.exported + made.exported);
    let kept = requests(&outcome);
    let client_only: Vec<_> = kept.iter().filter(|request| request.client_only).collect();
    assert_eq!(client_only.len() as u64, made.made);
    assert!(client_only.iter().all(|request| !request.sampled && request.trace_id.is_some() && request.weight().is_none()));
    let outliers = trace.outliers.clone().unwrap();
    assert_eq!(outliers.caught.spans, trace.sampled + made.made);
    assert_eq!(outliers.ratio.spans, trace.sampled_by.ratio);
    assert!(outliers.caught.sampled + outliers.client_only == outliers.seen, "each of the slowest has a span of some kind: {outliers:?}");
}

#[test]
fn the_built_in_collector_keeps_the_spans_and_hands_them_on() {
    let (second, jaeger) = elsewhere(|_, _, _| true);
    let folder = tempfile::tempdir().unwrap();
    let more = format!("endpoint = \"built-in\"\nforward = \"{}\"\njaeger = \"{}\"\n", second.url(), jaeger.url());
    let outcome = try_run(folder.path(), &more).unwrap();
    let arrived = second.stop().spans;
    let document = &outcome.document;
    let forward = document.trace.forward.clone().unwrap();
    assert_eq!(
        (forward.taken, forward.forwarded, forward.dropped + forward.failed),
        (document.output.spans_kept, arrived, 0),
        "{forward:?}"
    );
    assert_eq!(document.trace.evidence, None, "what is here already is not fetched");
    assert!(document.streams[0].slowest.iter().all(|slow| slow.link.is_some()), "a Jaeger behind the collector has the traces");
    let outliers = document.trace.outliers.clone().unwrap();
    assert_eq!(outliers.caught.with_server_spans, Some(outliers.caught.sampled), "counted from the spans that are here");
}

#[test]
fn links_lead_nowhere_where_no_jaeger_can_have_the_traces() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = try_run(folder.path(), "endpoint = \"built-in\"\njaeger = \"http://localhost:16686\"\n").unwrap();
    let stream = &outcome.document.streams[0];
    assert!(stream.slowest.iter().all(|slow| slow.link.is_none() && slow.trace_id.is_some()));
    assert!(!stream.exemplars.is_empty() && stream.exemplars.iter().all(|exemplar| exemplar.link.is_none()));
}

#[test]
fn a_port_that_is_taken_or_leads_back_is_told_before_any_load() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (more, part) in [
        (format!("endpoint = \"built-in\"\nlisten = \"{address}\"\n"), "trace.listen"),
        (format!("listen = \"{address}\"\nforward = \"http://localhost:{}\"\n", address.port()), "leads back"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = try_run(folder.path(), &more).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(&address.to_string()), "{error}");
        assert_eq!(std::fs::read_dir(folder.path().join("results")).unwrap().count(), 0, "nothing was measured, nothing is left");
    }
}
