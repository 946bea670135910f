//! A run directory from its first document to its last, and what is left of one that was killed in between.

use std::path::Path;

use tailtrace::clock::Moment;
use tailtrace::load::{Interval, IntervalSink};
use tailtrace::result::hlog::Ending;
use tailtrace::result::model::{RunDocument, Stream, Trust};
use tailtrace::result::{self, IntervalWriter, RunDirectory, WallTime};
use tailtrace::trace::{Decision, Finished, Outcome, SpanId, TraceId, Why};

const STARTED: WallTime = WallTime::from_unix_ns(1_772_357_400_000_000_000);

fn second(index: u64) -> Interval {
    let mut interval = Interval::empty(1);
    interval.index = index;
    for ms in 1..=100 {
        interval.streams[0].response.record(ms * 1_000_000);
        interval.streams[0].service.record(ms * 500_000);
    }
    interval
}

fn finished(sequence: u64) -> Finished {
    let intended = Moment::from_ns(sequence * 1_000_000);
    Finished {
        stream: 0,
        phase_measured: true,
        sequence,
        intended,
        sent: intended,
        done: Moment::from_ns(sequence * 1_000_000 + 7),
        outcome: Outcome::Ok,
        decision: Decision { trace_id: TraceId::from(1), span_id: SpanId::from(1), sampled: Some(Why::Ratio), ..Decision::UNSAMPLED },
    }
}

/// Three seconds of a run, up to the moment before its end is written.
fn three_seconds(place: &Path) -> (RunDirectory, IntervalWriter, result::RequestLog) {
    let run = RunDirectory::create(place, "quickstart", STARTED).unwrap();
    run.write_document(&RunDocument::begun(run.id(), "quickstart", STARTED)).unwrap();
    let requests = run.request_log(vec!["readers".to_owned()], 7, Moment::default()).unwrap();
    let mut writer = IntervalWriter::new(run.interval_log(STARTED).unwrap(), vec!["readers".to_owned()], Some(requests.clone()));
    let mut sink = requests.sink();
    for index in 0..3 {
        sink.sampled(&finished(index));
        writer.interval(&second(index));
    }
    (run, writer, requests)
}

#[test]
fn a_run_that_ended_reads_back_as_it_was_written() {
    let place = tempfile::tempdir().unwrap();
    let (run, writer, requests) = three_seconds(place.path());
    let counts = requests.finish(&[finished(1), finished(9)], false).unwrap();
    let mut document = RunDocument::begun(run.id(), "quickstart", STARTED);
    document.partial = false;
    document.trust = Trust::Valid;
    document.output.intervals = Some(writer.finish().unwrap());
    document.output.requests_kept = Some(counts.kept);
    document.streams.push(Stream { name: "readers".to_owned(), ..Stream::default() });
    run.finish(&document).unwrap();

    let stored = result::read(run.path()).unwrap();
    assert_eq!((&stored.document, stored.ending), (&document, Ending::Whole));
    assert_eq!((stored.document.output.intervals, stored.times["readers"].response.count()), (Some(6), 300));
    assert_eq!(stored.requests().unwrap().iter().map(|request| request.sequence).collect::<Vec<_>>(), [0, 1, 2, 9]);
    assert_eq!(stored.spans_file(), None);
    assert_eq!(result::read(&run.path().join("run.json")).unwrap(), stored, "the document's own path will do");

    stored.check_whole().unwrap();
    let requests = run.path().join("requests.jsonl");
    let lines = std::fs::read_to_string(&requests).unwrap();
    std::fs::write(&requests, &lines[..lines.len() - 3]).unwrap();
    assert!(stored.requests().unwrap_err().to_string().contains("`requests.jsonl` holds 3 of 4 requests; copy the whole"));
    std::fs::write(run.path().join("latency.hlog"), "").unwrap();
    let mut counted = document.clone();
    counted.streams[0].response.count = 300;
    run.write_document(&counted).unwrap();
    let error = result::read(run.path()).unwrap().check_whole().unwrap_err().to_string();
    assert!(error.contains("`latency.hlog` holds 0 of 300 requests of `readers`"), "{error}");
    run.write_document(&document).unwrap();
    std::fs::remove_file(run.path().join("latency.hlog")).unwrap();
    let error = result::read(run.path()).unwrap().check_whole().unwrap_err().to_string();
    assert!(error.contains("only half there: `latency.hlog` is missing"), "{error}");
}

#[test]
fn a_run_that_was_killed_keeps_its_seconds_and_says_that_it_is_partial() {
    let place = tempfile::tempdir().unwrap();
    let (run, writer, requests) = three_seconds(place.path());
    let mut begun = RunDocument::begun(run.id(), "quickstart", STARTED);
    begun.plan = serde_json::json!({ "stream": [{ "name": "readers", "operation": "search" }] });
    run.write_document(&begun).unwrap();
    // Killed: nothing is finished, nothing is dropped in order.
    std::mem::forget((writer, requests));
    let log = run.path().join("latency.hlog");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, &whole[..whole.len() - 10]).unwrap();

    let stored = result::read(run.path()).unwrap();
    assert!(stored.document.partial && stored.document.trust == Trust::Invalid);
    assert_eq!(stored.ending, Ending::HalfLine);
    // The last line is the third second's service time: of response times all three are there.
    let stream = stored.document.stream("readers").unwrap();
    assert_eq!((stream.operation.as_str(), stream.response.count, stream.service.count), ("search", 300, 200));
    stored.check_whole().unwrap();
    let p50 = stream.response.p50_ns.unwrap();
    assert!(p50.abs_diff(50_000_000) <= 50_000, "{p50} within a bucket");
    assert_eq!(stored.requests().unwrap().len(), 3);
}

#[test]
fn what_is_no_run_directory_gets_one_clear_message() {
    let place = tempfile::tempdir().unwrap();
    let error = result::read(place.path()).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("run.json") && error.contains("name a run directory"), "{error}");
    let file = place.path().join("notes.md");
    std::fs::write(&file, "").unwrap();
    let error = result::read(&file).unwrap_err().to_string();
    assert!(error.contains("notes.md` is no run directory; name one, such as ") && !error.contains("notes.md/run.json"), "{error}");
    std::fs::write(place.path().join("run.json"), "{\"schema\": \"tailtrace.run/9\"}").unwrap();
    let error = result::read(place.path()).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.to_string().contains("cannot understand") && cause.contains("tailtrace.run/9"), "{error}: {cause}");
}
