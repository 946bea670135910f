use std::path::{Path, PathBuf};

use super::*;
use crate::clock::Moment;
use crate::trace::{Decision, Finished, Outcome, SpanId, TraceId, Why};

const ORIGIN: Moment = Moment::from_ns(1_000_000);

fn finished(stream: u16, sequence: u64) -> Finished {
    let intended = ORIGIN.as_ns() + sequence * 1_000;
    Finished {
        stream,
        phase_measured: true,
        sequence,
        intended: Moment::from_ns(intended),
        sent: Moment::from_ns(intended + 10),
        done: Moment::from_ns(intended + 500),
        outcome: Outcome::Ok,
        decision: Decision {
            trace_id: TraceId::from(u128::from(sequence) + 1),
            span_id: SpanId::from(sequence + 1),
            sampled: Some(Why::Ratio),
            inclusion_probability: 0.25,
            ..Decision::UNSAMPLED
        },
    }
}

fn log(path: &Path, cap: usize) -> RequestLog {
    RequestLog::with_cap(path, vec!["readers".to_owned(), "writers".to_owned()], 7, ORIGIN, cap).unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("requests.jsonl");
    (place, path)
}

#[test]
fn a_sampled_request_stands_in_the_file_with_all_that_is_known_of_it() {
    let (_place, path) = place();
    let log = log(&path, 10);
    log.sink().sampled(&Finished { outcome: Outcome::Milvus(100), ..finished(1, 41) });
    log.flush();
    let expected = Request {
        stream: "writers".to_owned(),
        sequence: 41,
        measured: true,
        intended_ns: 41_000,
        sent_ns: 41_010,
        done_ns: 41_500,
        outcome: "milvus:100".to_owned(),
        trace_id: Some("0000000000000000000000000000002a".to_owned()),
        span_id: Some("000000000000002a".to_owned()),
        sampled: true,
        why: Some("ratio".to_owned()),
        inclusion_probability: 0.25,
        kept: vec![Kept::Sampled],
        keep_probability: 1.0,
        traced_keep_probability: 1.0,
        client_only: false,
    };
    assert_eq!(read(&path).unwrap(), std::slice::from_ref(&expected));
    assert_eq!((expected.response_ns(), expected.service_ns()), (500, 490));
}

#[test]
fn a_request_stands_for_the_inverse_of_its_chances_or_for_nothing() {
    let line = r#"{"stream":"readers","sequence":1,"measured":true,"intended_ns":0,"sent_ns":0,"done_ns":9,"outcome":"ok","trace_id":null,
        "span_id":null,"sampled":true,"why":"burst","inclusion_probability":0.5,"kept":["sampled"],"keep_probability":0.25}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    assert_eq!((request.traced_keep_probability, request.client_only), (1.0, false), "older files do not have the keys");
    assert_eq!(request.weight(), Some(8.0));
    assert_eq!(Request { traced_keep_probability: 0.5, ..request.clone() }.weight(), Some(16.0));
    for none in [
        Request { traced_keep_probability: 0.0, ..request.clone() },
        Request { kept: vec![Kept::Outlier], ..request.clone() },
        Request { sampled: false, ..request },
    ] {
        assert_eq!(none.weight(), None);
    }
}

#[test]
fn up_to_the_cap_all_are_kept_and_beyond_it_the_same_subset_every_time() {
    let subset = |sent: u64, reversed: bool| {
        let (_place, path) = place();
        let log = log(&path, 100);
        let mut sink = log.sink();
        let numbers: Vec<u64> = if reversed { (0..sent).rev().collect() } else { (0..sent).collect() };
        for n in numbers {
            sink.sampled(&finished(0, n));
        }
        let counts = log.finish(&[], false).unwrap();
        let mut kept: Vec<_> = read(&path).unwrap().iter().map(|request| (request.sequence, request.keep_probability)).collect();
        kept.sort_by_key(|(sequence, _)| *sequence);
        (counts, kept)
    };
    let (counts, kept) = subset(100, false);
    assert_eq!((counts, kept.len()), (Counts { kept: 100, seen: 100, keep_probability: 1.0 }, 100));
    let (counts, kept) = subset(10_000, false);
    assert_eq!((counts.seen, counts.kept as usize), (10_000, kept.len()));
    // The probability is a power of two, and stands in every line.
    assert!(counts.keep_probability.log2().fract() == 0.0 && kept.iter().all(|(_, p)| *p == counts.keep_probability));
    // Halved only when over 100: 10,000 p lies between 50 and 100 up to chance; 2^-7 gives 78.
    assert!(kept.len() <= 100 && kept.len() > 25, "{}", kept.len());
    assert_eq!(subset(10_000, true).1, kept, "the order in which they ended does not matter");
}

#[test]
fn the_subset_is_spread_evenly_over_the_run() {
    let (_place, path) = place();
    let log = log(&path, 1_000);
    let mut sink = log.sink();
    (0..64_000).for_each(|n| sink.sampled(&finished((n % 2) as u16, n)));
    let counts = log.finish(&[], false).unwrap();
    // Given that n are kept, each lies in the first half with chance 1/2, independently: 4.5 standard deviations, which one
    // seed in 150,000 would leave. The seed is fixed; a kept set that favours early or late requests is far outside.
    let n = counts.kept as f64;
    let requests = read(&path).unwrap();
    for early in [requests.iter().filter(|r| r.sequence < 32_000).count(), requests.iter().filter(|r| r.stream == "readers").count()] {
        assert!((early as f64 - n / 2.0).abs() < 4.5 * (n / 4.0).sqrt(), "{early} of {n}");
    }
    let expected = 64_000.0 * counts.keep_probability;
    assert!((n - expected).abs() < 4.5 * expected.sqrt(), "{n} of {expected}");
}

#[test]
fn outliers_are_added_once_and_marked_where_they_were_kept_already() {
    let (_place, path) = place();
    let log = log(&path, 10);
    log.sink().sampled(&finished(0, 1));
    log.sink().sampled(&finished(0, 2));
    let unsampled = Finished { decision: Decision::UNSAMPLED, ..finished(1, 2) };
    let counts = log.finish(&[finished(0, 2), unsampled], true).unwrap();
    let kept: Vec<_> = read(&path).unwrap().into_iter().map(|r| (r.stream, r.sequence, r.sampled, r.trace_id.is_some(), r.kept)).collect();
    let (readers, writers) = ("readers".to_owned(), "writers".to_owned());
    assert_eq!(
        kept,
        [
            (readers.clone(), 1, true, true, vec![Kept::Sampled]),
            (readers, 2, true, true, vec![Kept::Sampled, Kept::Outlier]),
            (writers, 2, false, false, vec![Kept::Outlier]),
        ]
    );
    assert_eq!(counts.kept, 3);
    let client_only: Vec<bool> = read(&path).unwrap().iter().map(|request| request.client_only).collect();
    assert_eq!(client_only, [false, false, true], "who was sampled has a span already");
}

#[test]
fn a_second_later_the_buffer_is_on_its_way_to_the_disk() {
    let (_place, path) = place();
    let log = log(&path, 10);
    let mut sink = log.sink();
    sink.sampled(&finished(0, 0));
    assert_eq!(read(&path).unwrap().len(), 0, "still in the buffer");
    sink.sampled(&finished(0, 1_000_000));
    assert_eq!(read(&path).unwrap().len(), 2);
}

#[test]
fn a_killed_run_leaves_its_whole_lines_and_damage_before_them_is_named() {
    let (_place, path) = place();
    let log = log(&path, 10);
    (0..3).for_each(|n| log.sink().sampled(&finished(0, n)));
    log.flush();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(read(&path).unwrap().len(), 2);
    std::fs::write(&path, [b"{}\n", whole.as_slice()].concat()).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("line 1 is damaged"));
}

#[test]
fn what_a_full_disk_refused_is_written_at_the_end() {
    let (_place, path) = place();
    let log = log(&path, 10);
    // The path is a directory's for a while: replacing the file fails, whoever runs the test.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    (0..11).for_each(|n| log.sink().sampled(&finished(0, n)));
    std::fs::remove_dir(&path).unwrap();
    let counts = log.finish(&[], false).unwrap();
    assert_eq!((read(&path).unwrap().len() as u64, counts.seen), (counts.kept, 11));
}
