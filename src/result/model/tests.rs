use super::*;
use crate::scenario::Percentile;
use serde_json::json;

/// A document as the format's own description gives it: the keys that tools rely on, and nothing else.
fn bare() -> serde_json::Value {
    let latency = json!({
        "count": 3, "censored": 1, "effective_count": 2, "min_ns": 1, "mean_ns": 2, "p50_ns": 2, "p90_ns": 3, "p95_ns": 3, "p99_ns": 3,
        "p99_9_ns": 3, "p99_99_ns": 3, "max_ns": 3, "intervals": {"p99_ns": [2, 4], "p99_9_ns": [3, null]}, "at_least": ["p99_9_ns"]
    });
    json!({
        "schema": "tailtrace.run/1", "id": "x", "partial": false, "trust": "suspect",
        "findings": [{"code": "c", "severity": "suspect", "message": "m", "advice": "a"}],
        "seed": 7, "plan": {}, "host": {}, "target": {"uri": "practice", "version": "v"},
        "streams": [{
            "name": "readers", "operation": "search", "loop": "open", "asked_per_s": 1.0, "achieved_per_s": 1.0, "scheduled": 4, "sent": 4,
            "ok": 2, "failed": 1, "timed_out": 1, "unfinished": 0, "errors": {"UNAVAILABLE": 1},
            "response": latency, "service": latency, "lateness": latency, "recall": {"at": 10, "mean": 0.97, "queries": 500}
        }],
        "trace": {
            "sample_fraction": 0.5, "propagation": "traceparent", "decided": 4, "sampled": 2,
            "sampled_by": {"ratio": 2, "burst": 0, "forced": 0}, "ended": 2, "exported": 1, "dropped": 1, "failed": 0
        },
        "generator": {"lanes": [{"cpu_share": 0.5}], "floor": {"p50_ns": 1, "p99_ns": 2}, "cpu_ns_per_request": 10, "peak_rss_bytes": 20},
        "gates": [{"metric": "readers.response.p99", "limit": "< 20ms", "value_ns": 3, "passed": true}, {"metric": "errors", "limit": "< 1%", "value": 0.5, "passed": false}]
    })
}

/// Every key and value of `part` stands in `whole`, at the same place.
fn assert_within(part: &serde_json::Value, whole: &serde_json::Value, place: &str) {
    match (part, whole) {
        (serde_json::Value::Object(part), serde_json::Value::Object(whole)) => {
            for (key, value) in part {
                assert_within(value, whole.get(key).unwrap_or_else(|| panic!("{place}.{key} is missing")), &format!("{place}.{key}"));
            }
        }
        (serde_json::Value::Array(part), serde_json::Value::Array(whole)) if part.len() == whole.len() => {
            part.iter().zip(whole).for_each(|(part, whole)| assert_within(part, whole, place));
        }
        _ => assert_eq!(part, whole, "{place}"),
    }
}

#[test]
fn the_keys_that_tools_rely_on_are_read_and_written_as_they_are_named() {
    let document = RunDocument::from_json(&bare().to_string()).unwrap();
    assert_within(&bare(), &serde_json::from_str(&document.to_json()).unwrap(), "run");
    assert_eq!(RunDocument::from_json(&document.to_json()).unwrap(), document);
    assert_eq!(document.broken_equations(), Vec::<String>::new());
}

#[test]
fn keys_of_a_later_version_are_ignored() {
    let mut later = bare();
    later["colour"] = json!("blue");
    later["streams"][0]["response"]["p99_999_ns"] = json!(5);
    assert_eq!(RunDocument::from_json(&later.to_string()).unwrap(), RunDocument::from_json(&bare().to_string()).unwrap());
}

#[test]
fn another_schema_and_no_run_at_all_are_told_apart() {
    for (schema, says) in
        [(json!("tailtrace.run/2"), "another version"), (json!("k6"), "not a tailtrace run"), (json!(null), "not a tailtrace run")]
    {
        let mut other = bare();
        other["schema"] = schema;
        // The rest may be anything: the schema is judged first.
        other["streams"] = json!("else");
        assert!(RunDocument::from_json(&other.to_string()).unwrap_err().to_string().contains(says), "{says}");
    }
    assert!(matches!(RunDocument::from_json("{\"schema\": \"tailtrace.run/1\", "), Err(ModelError::Json(_))));
}

#[test]
fn a_broken_equation_is_named() {
    let sound = RunDocument::from_json(&bare().to_string()).unwrap();
    let broken = |change: fn(&mut RunDocument)| {
        let mut document = sound.clone();
        change(&mut document);
        document.broken_equations().join("; ")
    };
    assert!(broken(|d| d.streams[0].scheduled += 1).contains("readers: scheduled 5 is not"));
    assert!(broken(|d| d.streams[0].errors.clear()).contains("errors add up to 0, not to failed = 1"));
    let without_times = |d: &mut RunDocument| {
        d.streams[0].failures = vec![Failures { status: "UNAVAILABLE".to_owned(), count: 1, ..Failures::default() }];
    };
    assert!(broken(without_times).contains("1 ended as UNAVAILABLE, and 0 times are kept"));
    assert!(broken(|d| d.streams[0].sent = 5).contains("sent 5 ≤ scheduled 4"));
    assert!(broken(|d| d.trace.sampled = 3).contains("sampled 3 is not ratio"));
    assert!(broken(|d| d.trace.exported = 0).contains("ended 2 is not"));
    assert!(broken(|d| d.trust = Trust::Valid).contains("trust is valid while the findings say suspect"));
}

#[test]
fn a_run_that_has_only_begun_is_partial_and_not_to_be_trusted() {
    let begun = RunDocument::begun("id", "quickstart", WallTime::from_unix_ns(1));
    let read = RunDocument::from_json(&begun.to_json()).unwrap();
    assert!(read.partial && read.trust == Trust::Invalid && read.errors().is_none());
}

#[test]
fn a_histogram_without_values_has_no_percentiles_rather_than_zeros() {
    let mut histogram = crate::stats::histogram::Histogram::new();
    assert_eq!(Latency::of(&histogram), Latency::default());
    for ns in 1..=100 {
        histogram.record(ns);
    }
    let latency = Latency::of(&histogram);
    let figures = Percentile::SUMMARY.map(|percentile| latency.get(percentile));
    assert_eq!(figures, [50, 90, 95, 99, 100, 100].map(Some));
    assert_eq!((latency.count, latency.min_ns, latency.mean_ns, latency.max_ns), (100, Some(1), Some(51), Some(100)));
}

#[test]
fn the_worst_finding_decides_on_trust() {
    let finding = |severity| Finding {
        code: String::new(),
        severity,
        message: String::new(),
        advice: String::new(),
        stream: None,
        figures: std::collections::BTreeMap::new(),
    };
    assert_eq!(Trust::of(&[]), Trust::Valid);
    assert_eq!(Trust::of(&[finding(Severity::Note)]), Trust::Valid);
    assert_eq!(Trust::of(&[finding(Severity::Suspect), finding(Severity::Note)]), Trust::Suspect);
    assert_eq!(Trust::of(&[finding(Severity::Invalid), finding(Severity::Suspect)]), Trust::Invalid);
}

#[test]
fn an_invalid_run_says_why_in_the_words_and_with_the_code_of_its_finding() {
    let finding = |severity, code: &str| Finding {
        code: code.to_owned(),
        severity,
        message: format!("words of {code}"),
        advice: String::new(),
        stream: None,
        figures: std::collections::BTreeMap::new(),
    };
    let mut document = RunDocument::begun("id", "x", WallTime::default());
    assert_eq!(document.distrust().as_deref(), Some("its trust is `invalid`"));
    document.findings = vec![finding(Severity::Suspect, "odd"), finding(Severity::Invalid, "clock-jumped")];
    assert_eq!(document.distrust().as_deref(), Some("words of clock-jumped (clock-jumped)"));
    document.trust = Trust::Suspect;
    assert_eq!(document.distrust(), None);
}

#[test]
fn a_plan_is_kept_with_its_seed_and_can_be_run_again() {
    let text = "seed = 11\ntarget.uri = \"practice\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"500/s\"\n";
    let plan = crate::scenario::parse(text, "x.toml", &crate::scenario::Overrides::default()).unwrap();
    let mut document = RunDocument::begun("id", "x", WallTime::default());
    assert!(matches!(document.plan(), Err(ModelError::Plan(_))));
    document.set_plan(&plan);
    let read = RunDocument::from_json(&document.to_json()).unwrap();
    assert_eq!((read.plan().unwrap(), read.seed), (plan, 11));
}
