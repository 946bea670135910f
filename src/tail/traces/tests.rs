use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::read::{Limits, read_within};
use super::*;
use crate::trace::collector::TracesData;
use crate::units::ByteSize;

/// A client's and a server's span, as tailtrace's collector writes them.
const OTLP: &str = concat!(
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"tailtrace"}}]},"scopeSpans":[{"scope":{"name":"tailtrace"},"#,
    r#""spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b173","parentSpanId":"","name":"Search","kind":3,"#,
    r#""startTimeUnixNano":"1544712660000000001","endTimeUnixNano":"1544712660001104001","attributes":[{"key":"tailtrace.sequence","value":{"intValue":"7"}},"#,
    r#"{"key":"tailtrace.inclusion_probability","value":{"doubleValue":0.01}},{"key":"tailtrace.measured","value":{"boolValue":true}},"#,
    r#"{"key":"hosts","value":{"arrayValue":{"values":[{"stringValue":"a"}]}}}],"status":{}}]}]}]}"#,
    "\n",
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"standalone"}}]},"scopeSpans":[{"scope":{},"#,
    r#""spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"7uGbfsPBsXQ=","parentSpanId":"7uGbfsPBsXM=","name":"Search","kind":"SPAN_KIND_SERVER","#,
    r#""startTimeUnixNano":1544712660000278000,"endTimeUnixNano":1544712660000920000}]}]}]}"#,
    "\n",
);

const ID: &str = "5b8efff798038103d269b633813fc60c";

/// The same trace as Jaeger's API answers; its times are whole µs.
const JAEGER: &str = r#"{
  "data": [{
    "traceID": "5b8efff798038103d269b633813fc60c",
    "spans": [
      {"traceID": "5b8efff798038103d269b633813fc60c", "spanID": "eee19b7ec3c1b173", "operationName": "Search", "references": [],
       "startTime": 1544712660000000, "duration": 1104, "tags": [{"key": "span.kind", "type": "string", "value": "client"},
       {"key": "tailtrace.sequence", "type": "int64", "value": 7}], "logs": [], "processID": "p1", "warnings": null},
      {"traceID": "5b8efff798038103d269b633813fc60c", "spanID": "eee19b7ec3c1b174", "operationName": "Search", "references": [
       {"refType": "FOLLOWS_FROM", "traceID": "5b8efff798038103d269b633813fc60c", "spanID": "1"},
       {"refType": "CHILD_OF", "traceID": "1", "spanID": "2"},
       {"refType": "CHILD_OF", "traceID": "5b8efff798038103d269b633813fc60c", "spanID": "eee19b7ec3c1b173"}],
       "startTime": 1544712660000278, "duration": 642, "tags": [{"key": "span.kind", "type": "string", "value": "server"}],
       "processID": "p2", "warnings": null}
    ],
    "processes": {"p1": {"serviceName": "tailtrace", "tags": []}, "p2": {"serviceName": "standalone"}},
    "warnings": null
  }],
  "total": 0, "limit": 0, "offset": 0, "errors": null
}"#;

fn place(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(place.path().join(name), text).unwrap();
    }
    let path = place.path().to_owned();
    (place, path)
}

fn message(error: &TracesError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[test]
fn otlp_lines_of_two_processes_are_one_trace() {
    let (_place, path) = place(&[("spans.jsonl", OTLP)]);
    let reading = read(&path.join("spans.jsonl")).unwrap();
    assert_eq!((reading.traces.len(), reading.repeated, reading.cut_files.len()), (1, 0, 0));
    let trace = &reading.traces[0];
    assert_eq!((trace.id.as_str(), trace.spans.len()), (ID, 2));
    let [client, server] = &trace.spans[..] else { panic!() };
    assert_eq!((client.service.as_str(), client.kind, client.parent.as_deref()), ("tailtrace", SpanKind::Client, None));
    assert_eq!((client.start_ns, client.duration_ns), (1_544_712_660_000_000_001, 1_104_000), "to the nanosecond");
    let attribute = |key: &str| client.attributes[key].as_str();
    assert_eq!(
        (attribute("tailtrace.sequence"), attribute("tailtrace.inclusion_probability"), attribute("tailtrace.measured")),
        ("7", "0.01", "true")
    );
    assert_eq!(attribute("hosts"), r#"{"values":[{"stringValue":"a"}]}"#);
    // Upper-case and base64 ids, times without quotes, a kind by name: the same ids all the same.
    assert_eq!((server.id.as_str(), server.parent.as_deref()), ("eee19b7ec3c1b174", Some("eee19b7ec3c1b173")));
    assert_eq!((server.service.as_str(), server.kind, server.duration_ns), ("standalone", SpanKind::Server, 642_000));
}

#[test]
fn the_collectors_own_writer_and_ours_agree() {
    let traces = read_text(OTLP).traces;
    let written = write_otlp_line(&traces[0]);
    let theirs: TracesData = serde_json::from_str(&written).unwrap();
    let span = &theirs.resource_spans[1].scope_spans[0].spans[0];
    assert_eq!((span.trace_id[0], span.span_id.len(), span.kind, span.name.as_str()), (0x5b, 8, 2, "Search"));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_544_712_660_000_278_000, 1_544_712_660_000_920_000));
    let again = serde_json::to_string(&theirs).unwrap();
    assert_eq!(read_text(&again).traces, traces);
}

fn read_text(text: &str) -> Reading {
    let (_place, path) = place(&[("x", text)]);
    read(&path.join("x")).unwrap()
}

#[test]
fn jaegers_answer_and_otlp_of_one_trace_are_the_same_tree() {
    let [jaeger] = &from_json(JAEGER.as_bytes()).unwrap()[..] else { panic!() };
    let otlp = &read_text(OTLP).traces[0];
    let tree = |trace: &Trace| -> Vec<_> {
        trace.spans.iter().map(|s| (s.id.clone(), s.parent.clone(), s.service.clone(), s.kind, s.start_ns / 1_000, s.duration_ns)).collect()
    };
    assert_eq!((tree(jaeger), &jaeger.id), (tree(otlp), &otlp.id));
    assert_eq!(jaeger.spans[0].attributes, [("tailtrace.sequence".to_owned(), "7".to_owned())].into(), "the kind is no attribute");
}

#[test]
fn a_single_jaeger_trace_with_short_ids_is_read_and_its_missing_parts_are_named_unknown() {
    let text = r#"{"traceID":"1f","spans":[{"traceID":"1f","spanID":"A","startTime":1,"duration":2,"references":null,"tags":null,"processID":"p9"},
        {"traceID":"1f","spanID":"b","parentSpanID":"a","operationName":"x","startTime":1,"duration":1}],"processes":null}"#;
    let [trace] = &from_json(text.as_bytes()).unwrap()[..] else { panic!() };
    assert_eq!(trace.id, format!("{:0>32}", "1f"));
    assert_eq!(
        (trace.spans[0].service.as_str(), trace.spans[0].name.as_str(), trace.spans[0].parent.as_deref()),
        (UNKNOWN_SERVICE, "", None)
    );
    assert_eq!(trace.spans[1].parent.as_deref(), Some(format!("{:0>16}", "a").as_str()));
}

#[test]
fn an_answer_without_traces_has_none_and_other_json_is_refused() {
    for text in [r#"{"data":[],"total":0}"#, r#"{"data":null,"errors":[{"code":404}]}"#, r#"{"resourceSpans":[]}"#] {
        assert_eq!(from_json(text.as_bytes()).unwrap(), [], "{text}");
        assert_eq!(read_text(text).traces, [], "{text}");
    }
    assert!(matches!(from_json(b"{\"streams\":[]}"), Err(DocumentError::NotTraces)));
    assert!(matches!(from_json(b"<html>"), Err(DocumentError::Json(_))));
}

#[test]
fn a_pretty_printed_document_and_several_one_after_the_other_are_read() {
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(OTLP.lines().next().unwrap()).unwrap()).unwrap();
    assert_eq!(read_text(&pretty).traces[0].spans.len(), 1);
    let both = format!("\u{feff}{JAEGER}\n{pretty}\n");
    let reading = read_text(&both);
    assert_eq!((reading.traces.len(), reading.traces[0].spans.len()), (1, 3), "one differs in its nanoseconds");
    let cut = read_text(&both[..both.len() - 40]);
    assert_eq!((cut.traces[0].spans.len(), cut.cut_files.len()), (2, 1));
}

#[test]
fn a_span_that_comes_again_is_dropped_and_counted_and_others_of_its_id_stay() {
    let (_place, path) = place(&[("a.jsonl", OTLP), ("b.jsonl", OTLP), ("c.jsonl", &OTLP.replace("\"Search\"", "\"Query\""))]);
    let reading = read(&path).unwrap();
    assert_eq!((reading.traces.len(), reading.traces[0].spans.len(), reading.repeated, reading.files.len()), (1, 4, 2, 3));
}

#[test]
fn only_wanted_traces_are_held() {
    let other = OTLP.replace(ID, "1111111111111111111111111111111a").replace(&ID.to_uppercase(), "1111111111111111111111111111111A");
    let (_place, path) = place(&[("spans.jsonl", &format!("{OTLP}{other}"))]);
    let reading = read_where(&path.join("spans.jsonl"), |id| id == ID).unwrap();
    assert_eq!(reading.traces, read_text(OTLP).traces);
    assert_eq!(read(&path).unwrap().traces.len(), 2);
}

#[test]
fn a_run_that_was_killed_leaves_a_cut_line_which_is_left_out_and_counted() {
    for end in [OTLP.len() - 2, OTLP.len() - 100, OTLP.find('\n').unwrap() + 2] {
        let reading = read_text(&OTLP[..end]);
        assert_eq!((reading.traces[0].spans.len(), reading.cut_files.len()), (1, 1), "cut at {end}");
    }
    assert_eq!(read_text(&OTLP[..OTLP.len() - 1]).cut_files.len(), 0, "only the line end is missing");
    assert_eq!(read_text("").traces, [], "killed before its first span");
}

#[test]
fn what_is_damaged_before_the_last_line_is_told_with_its_place() {
    let first = OTLP.lines().next().unwrap();
    for (text, place_and_cause) in [
        (format!("{first}\n{}\n{first}\n", &first[..200]), "line 2; take that line out, or save the traces again: it is damaged"),
        (
            format!("{first}\n\n{}\n", first.replace(ID, "xyz")),
            "line 3; take that line out, or save the traces again: `xyz` is no trace id",
        ),
        (JAEGER.replace("1104", "\"soon\""), "line 6;"),
        (JAEGER.replace("eee19b7ec3c1b174", "?"), "line 1;"),
        (JAEGER[..JAEGER.len() - 90].to_owned(), "it is damaged"),
    ] {
        let (_place, path) = place(&[("spans.jsonl", &text)]);
        let error = message(&read(&path.join("spans.jsonl")).unwrap_err());
        assert!(error.contains("spans.jsonl` line ") && error.contains(place_and_cause), "{error}");
    }
}

#[test]
fn other_files_of_a_directory_are_passed_over_and_a_directory_without_traces_is_refused() {
    let others = [
        ("run.json", "{\n  \"schema\": \"tailtrace.run/1\"\n}"),
        ("latency.hlog", "#[hlog]\n"),
        ("requests.jsonl", "{\"trace_id\":\"1\"}\n"),
    ];
    let (_place, path) = place(&[others.as_slice(), &[("spans.jsonl", OTLP)]].concat());
    let reading = read(&path).unwrap();
    assert_eq!((reading.traces.len(), reading.files), (1, vec![path.join("spans.jsonl")]));
    let (_place, path) = place(&others);
    let error = read(&path).unwrap_err().to_string();
    assert!(error.starts_with("none of the 3 files in ") && error.contains("resourceSpans"), "{error}");
    let (_empty, path_of_none) = place(&[]);
    assert!(read(&path_of_none).unwrap_err().to_string().starts_with("no file in `"));
    let error = read(&path.join("run.json")).unwrap_err().to_string();
    assert!(error.contains("run.json` holds no traces: expected OTLP/JSON"), "{error}");
    assert!(message(&read(&path.join("none")).unwrap_err()).contains("none`; name a file or a folder"));
}

#[test]
fn what_is_too_much_for_memory_is_refused_with_its_place() {
    let (_place, path) = place(&[("spans.jsonl", OTLP), ("jaeger.json", JAEGER)]);
    let within = |file: &str, longest, spans| read_within(&path.join(file), &|_| true, Limits { longest: ByteSize(longest), spans });
    let longest = OTLP.lines().map(str::len).max().unwrap() as u64 + 1;
    assert!(within("spans.jsonl", longest, 2).is_ok());
    assert!(within("spans.jsonl", longest - 1, 2).unwrap_err().to_string().contains("line 1 is longer than"));
    assert!(within("spans.jsonl", longest, 1).unwrap_err().to_string().contains("more than 1 spans"));
    assert!(within("jaeger.json", JAEGER.len() as u64, 2).is_ok());
    assert!(within("jaeger.json", JAEGER.len() as u64 - 1, 2).unwrap_err().to_string().contains("line 1 is longer than"));
}

fn some_span() -> impl Strategy<Value = Span> {
    let text = "[ -~µ\n\"]{0,8}";
    (
        1..u64::MAX,
        proptest::option::of(1..u64::MAX),
        "[a-c]{1,2}",
        text,
        0..6_usize,
        any::<u64>(),
        any::<u64>(),
        proptest::collection::btree_map(text, text, 0..3),
    )
        .prop_map(|(id, parent, service, name, kind, start_ns, length, attributes)| Span {
            id: format!("{id:016x}"),
            parent: parent.map(|id| format!("{id:016x}")),
            service,
            name,
            kind: [SpanKind::Unspecified, SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer]
                [kind],
            start_ns,
            duration_ns: length.min(u64::MAX - start_ns),
            attributes,
        })
}

proptest! {
    #[test]
    fn a_trace_that_was_written_is_read_back_the_same(id in 1..u128::MAX, spans in proptest::collection::vec(some_span(), 1..12)) {
        let trace = Trace { id: format!("{id:032x}"), spans };
        let line = write_otlp_line(&trace);
        prop_assert_eq!((line.lines().count(), line.ends_with('\n')), (1, true));
        prop_assert_eq!(from_json(line.as_bytes()).unwrap(), vec![trace]);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at in 0..OTLP.len(), byte in any::<u8>(), cut in 0..OTLP.len()) {
        let mut text = OTLP.as_bytes().to_vec();
        text[at] = byte;
        text.truncate(cut.max(1));
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("spans.jsonl");
        fs::write(&path, &text).unwrap();
        let _ = read(&path);
        let _ = from_json(&text);
    }
}
