//! `compare` of stored runs from outside: verdicts, documents for CI systems, and what it refuses.

mod stored_runs;
mod typed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use stored_runs::Made;
use tailtrace::result::model::{Finding, Severity, Trust};
use tailtrace::scenario::{self, Overrides};
use typed::{command, text};

fn compare(arguments: &[&str]) -> Output {
    command(Path::new("."), &["compare"]).args(arguments).output().unwrap()
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().unwrap()).collect()
}

/// Runs with these medians (ms); seeds from `first` on.
fn runs(place: &Path, first: u64, medians: &[f64]) -> Vec<PathBuf> {
    (first..).zip(medians).map(|(seed, median)| Made::new(seed, *median).write(place)).collect()
}

fn compared(base: &[PathBuf], candidate: &[PathBuf], more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&names(base)[..], &["--candidate"], &names(candidate)[..], &["--json"], more].concat();
    let ended = compare(&arguments);
    let document = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&ended.stderr)));
    (ended.status.code(), document)
}

fn metric<'a>(document: &'a Value, name: &str) -> &'a Value {
    let metrics = document["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["metric"] == name).unwrap_or_else(|| panic!("{name} is not in {document}"))
}

#[test]
fn several_runs_a_side_are_judged_by_how_they_scatter() {
    let here = tempfile::tempdir().unwrap();
    let base = runs(here.path(), 1, &[10.0, 10.1, 9.9, 10.05]);
    for (medians, status, verdict) in [
        (&[10.02, 9.95, 10.1, 10.0][..], Some(0), "ok"),
        (&[12.0, 12.2, 11.9, 12.1], Some(1), "regression"),
        (&[8.0, 8.1, 7.9, 8.0], Some(0), "ok"),
        (&[10.0, 14.0, 9.0, 12.0], Some(3), "undecided"),
    ] {
        let (code, document) = compared(&base, &runs(here.path(), 10, medians), &[]);
        assert_eq!((code, document["verdict"].as_str()), (status, Some(verdict)), "{medians:?}: {document:#}");
        let p50 = metric(&document, "readers.response.p50");
        let (low, high) = (p50["low"].as_f64().unwrap(), p50["high"].as_f64().unwrap());
        let truth = medians.iter().product::<f64>().powf(0.25) / (10.0_f64 * 10.1 * 9.9 * 10.05).powf(0.25);
        assert!(low < truth && truth < high && (p50["ratio"].as_f64().unwrap() / truth - 1.0).abs() < 0.02, "{truth}: {p50}");
        assert_eq!((p50["rounds"].as_u64(), document["method"].as_str()), (Some(4), Some("runs")));
    }
}

#[test]
fn one_run_a_side_is_judged_by_its_seconds_and_says_what_that_leaves_out() {
    let here = tempfile::tempdir().unwrap();
    let [base, same, slower] = &runs(here.path(), 1, &[10.0, 10.0, 12.0])[..] else { unreachable!() };
    let one = |path: &PathBuf| vec![path.clone()];
    let (code, document) = compared(&one(base), &one(same), &[]);
    assert_eq!((code, document["method"].as_str()), (Some(0), Some("seconds")), "{document:#}");
    assert!(document["notes"].to_string().contains("what drifts from run to run is not covered"), "{document:#}");
    // 6,000 lognormal values with σ = 0.3: the median's standard error is 1.2533 · 0.3/√6000 = 0.49 %, that of a ratio 0.69 %.
    let half = |document: &Value| {
        let p50 = metric(document, "readers.response.p50");
        (p50["high"].as_f64().unwrap() / p50["low"].as_f64().unwrap()).ln() / 2.0
    };
    let alone = half(&document);
    assert!((0.010..0.030).contains(&alone), "about 2.5 of these, as one of three metrics: {alone}");
    let (code, document) = compared(&one(base), &one(slower), &[]);
    assert_eq!(code, Some(1), "{document:#}");
    let (code, document) = compared(&one(base), &one(slower), &["--noise", "10%"]);
    assert_eq!(code, Some(3), "20 % slower is nothing to be sure of where runs scatter by 10 %: {document:#}");
    // √2 · ln 1.1 in quadrature, 2.39 deviations of a normal law (one of three metrics).
    let widened = half(&document);
    let expected = 2.394 * (2.0_f64.sqrt() * 1.1_f64.ln()).hypot(alone / 2.5);
    assert!((widened / expected - 1.0).abs() < 0.05, "{widened} is not {expected}");
}

#[test]
fn noise_that_is_given_is_that_of_times_and_rates_and_leaves_errors_to_be_decided() {
    let here = tempfile::tempdir().unwrap();
    let [base, same] = &runs(here.path(), 1, &[10.0, 10.0])[..] else { unreachable!() };
    let given = |more: &[&str]| compared(std::slice::from_ref(base), std::slice::from_ref(same), more).1;
    let (without, with) = (given(&[]), given(&["--noise", "3%"]));
    assert_eq!(metric(&with, "errors"), metric(&without, "errors"));
    assert_eq!(metric(&with, "errors")["verdict"], "ok", "{with:#}");
    assert_eq!(metric(&with, "readers.response.p50")["verdict"], "undecided", "10 % to either side: {with:#}");
    assert!(with["notes"].to_string().contains("times and rates are widened by 3 %"), "{with:#}");
}

#[test]
fn noise_is_learned_from_past_runs_of_the_same_plan_alone() {
    let here = tempfile::tempdir().unwrap();
    let past = here.path().join("past");
    runs(&past, 20, &[10.0, 12.0, 9.0, 11.0, 10.5]);
    // What does not belong there is passed over.
    Made::new(30, 99.0).set("load.duration=60s").write(&past);
    Made::new(31, 99.0).write_as(&past, |document| document.partial = true);
    fs::write(past.join("notes.txt"), "x").unwrap();
    let [base, slower] = &runs(here.path(), 1, &[10.0, 11.5])[..] else { unreachable!() };
    let arguments = |more: &[&str]| compared(std::slice::from_ref(base), std::slice::from_ref(slower), more);
    assert_eq!(arguments(&[]).0, Some(1));
    let (code, document) = arguments(&["--noise-from", past.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{document:#}");
    assert!(document["notes"].to_string().contains("the noise between 5 past runs"), "{document:#}");
    let few = here.path().join("few");
    runs(&few, 40, &[10.0, 10.0]);
    let ended = compare(
        &[&names(std::slice::from_ref(base))[..], &["--candidate", slower.to_str().unwrap(), "--noise-from", few.to_str().unwrap()]]
            .concat(),
    );
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("holds 2 of the at least 4 past runs"), "{}", text(&ended.stderr));
}

#[test]
fn runs_that_are_compared_are_no_past_runs_of_each_other() {
    let here = tempfile::tempdir().unwrap();
    let (results, copies) = (here.path().join("results"), here.path().join("copies"));
    let all = runs(&results, 1, &[10.0, 10.1, 9.9, 10.05, 9.95, 12.0]);
    let (base, slower) = (&all[..1], &all[5..]);
    let learned = |candidate: &[PathBuf]| compared(base, candidate, &["--noise-from", results.to_str().unwrap()]);
    // Beside the four others the slower run would make a spread of 8 %, in which its own 20 % are lost.
    let (code, document) = learned(slower);
    assert_eq!(code, Some(1), "{document:#}");
    assert!(document["notes"].to_string().contains("the noise between 4 past runs"), "{document:#}");
    let copy = copies.join(slower[0].file_name().unwrap());
    fs::create_dir_all(&copy).unwrap();
    for file in ["run.json", "latency.hlog"] {
        fs::copy(slower[0].join(file), copy.join(file)).unwrap();
    }
    let (code, of_copy) = learned(&[copy]);
    assert_eq!((code, &of_copy["metrics"]), (Some(1), &document["metrics"]), "a run is itself wherever it lies");
    fs::remove_dir_all(&all[4]).unwrap();
    let arguments = [names(base), vec!["--candidate"], names(slower), vec!["--noise-from", results.to_str().unwrap()]].concat();
    let ended = compare(&arguments);
    assert!(text(&ended.stderr).contains("holds 3 of the at least 4 past runs of this plan"), "{}", text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn the_outcome_is_there_for_people_and_for_ci_systems() {
    let here = tempfile::tempdir().unwrap();
    let (base, slower) = (runs(here.path(), 1, &[10.0, 10.1, 9.9]), runs(here.path(), 5, &[12.0, 12.1, 11.9]));
    let (markdown, junit) = (here.path().join("summary.md"), here.path().join("compare.xml"));
    fs::write(&markdown, "# what an earlier step wrote\n").unwrap();
    let places = ["--markdown", markdown.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let arguments = [&["compare"], &names(&base)[..], &["--candidate"], &names(&slower)[..], &places].concat();
    let mut command = command(Path::new("."), &arguments);
    let ended = command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &markdown).output().unwrap();
    let (shown, annotated) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        shown.contains("readers.response.p99") && shown.contains("+20 %") && shown.contains("verdict     regression: worse"),
        "{shown}"
    );
    assert!(annotated.contains("::error title=tailtrace%3A regression::readers.response.p50: 9.99 ms to 12.0 ms, +20 %25"), "{annotated}");
    assert_eq!(annotated.lines().filter(|line| line.starts_with("::")).count(), 2, "errors are ok: {annotated}");
    let summary = fs::read_to_string(&markdown).unwrap();
    assert!(summary.starts_with("# what an earlier step wrote\n### ❌ tailtrace: regression"), "{summary}");
    assert!(summary.contains("| `readers.response.p50` | 9.99 ms | 12.0 ms | +20 % |"), "{summary}");
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"2\" errors=\"0\"") && xml.contains("name=\"readers.response.p99\""), "{xml}");
    assert_eq!((xml.matches("<failure ").count(), xml.matches("</failure>").count()), (2, 2));
    let again = compare(&[&names(&base)[..], &["--candidate"], &names(&slower)[..], &["--markdown", "-"]].concat());
    assert!(text(&again.stdout).starts_with("### ❌"), "standard output holds nothing else: {}", text(&again.stdout));
}

#[test]
fn what_would_be_told_twice_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let (base, candidate) = (runs(here.path(), 1, &[10.0, 10.1]), runs(here.path(), 10, &[10.0, 10.1]));
    let p50 = "readers.response.p50";
    for (more, words) in [(vec!["--metric", p50, "--metric", p50], "given twice"), (vec!["--markdown", "-", "--json"], "standard output")] {
        let ended = compare(&[&names(&base)[..], &["--candidate"], &names(&candidate)[..], &more].concat());
        assert_eq!((ended.status.code(), ended.stdout.is_empty()), (Some(2), true), "{more:?}");
        assert!(text(&ended.stderr).contains(words), "{}", text(&ended.stderr));
    }
}

#[test]
fn what_more_it_would_take_is_counted_in_runs_a_side_where_runs_were_compared() {
    let here = tempfile::tempdir().unwrap();
    let (base, candidate) = (runs(here.path(), 1, &[10.0, 10.5, 9.5, 10.0]), runs(here.path(), 10, &[10.0, 10.5, 9.5]));
    let asked = ["--metric", "readers.response.p50", "--markdown", "-"];
    let ended = compare(&[&names(&base)[..], &["--candidate"], &names(&candidate)[..], &asked].concat());
    let shown = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(3), "{shown}");
    assert_eq!((shown.matches(" more runs a side").count(), shown.contains("round")), (2, false), "in the sentence and the row: {shown}");
}

#[test]
fn a_candidate_whose_requests_timed_out_is_undecided_for_that_reason() {
    let here = tempfile::tempdir().unwrap();
    let base = runs(here.path(), 1, &[10.0, 10.01, 9.99]);
    let timed_out = |document: &mut tailtrace::result::model::RunDocument| {
        document.streams[0].response.censored = 80;
        document.streams[0].response.at_least.push("p99_ns".to_owned());
    };
    let candidate: Vec<PathBuf> = (10..13).map(|seed| Made::new(seed, 10.0).write_as(here.path(), timed_out)).collect();
    let (code, document) = compared(&base, &candidate, &["--metric", "readers.response.p99"]);
    assert_eq!((code, document["verdict"].as_str()), (Some(3), Some("undecided")), "{document:#}");
    let p99 = metric(&document, "readers.response.p99");
    assert_eq!((p99["bound_of"].as_str(), &p99["more_rounds"]), (Some("candidate"), &Value::Null), "{p99}");
    let reason = document["reason"].as_str().unwrap();
    assert!(reason.starts_with("requests of the candidate timed out") && reason.contains("raise `timeout`"), "{reason}");
}

#[test]
fn what_says_nothing_about_the_target_is_refused_with_one_message() {
    let here = tempfile::tempdir().unwrap();
    let base = Made::new(1, 10.0).write(here.path());
    let invalid = |document: &mut tailtrace::result::model::RunDocument| {
        document.trust = Trust::Invalid;
        document.findings.push(Finding {
            code: "generator-bottleneck".to_owned(),
            severity: Severity::Invalid,
            message: "the generator was too slow".to_owned(),
            advice: String::new(),
            stream: None,
            figures: std::collections::BTreeMap::new(),
        });
    };
    let cut = Made::new(2, 10.0).write(here.path());
    let log = fs::read(cut.join("latency.hlog")).unwrap();
    fs::write(cut.join("latency.hlog"), &log[..log.len() / 2]).unwrap();
    let torn = Made::new(3, 10.0).write(here.path());
    fs::write(torn.join("run.json"), "{\"schema\": \"tailtrace.run/1\",").unwrap();
    let lost = Made::new(4, 10.0).write(here.path());
    fs::remove_file(lost.join("latency.hlog")).unwrap();
    let elsewhere = Made::new(9, 10.0).write_as(here.path(), |document| {
        let other = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/search-and-insert.toml")).unwrap();
        let plan = scenario::parse(&other, "search-and-insert.toml", &Overrides { set: Vec::new(), seed: Some(9) }).unwrap();
        document.scenario = plan.name.clone();
        document.set_plan(&plan);
    });
    let nothing = here.path().join("nowhere");
    let copied = here.path().join("copied");
    fs::create_dir(&copied).unwrap();
    for file in fs::read_dir(&base).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), copied.join(file.file_name())).unwrap();
    }
    for (candidate, status, part) in [
        (Made::new(5, 10.0).write_as(here.path(), |document| document.partial = true), 2, "did not end as planned"),
        (Made::new(6, 10.0).write_as(here.path(), invalid), 3, "not to be trusted: the generator was too slow (generator-bottleneck)"),
        (
            Made::new(7, 10.0).write_as(here.path(), |document| document.schema = "tailtrace.run/9".to_owned()),
            2,
            "another version of tailtrace",
        ),
        (Made::new(8, 10.0).set("readers.rate=300/s").write(here.path()), 2, "differ: readers.rate (\"200/s\" and \"300/s\")"),
        (elsewhere, 2, "differ: "),
        (cut, 2, "`latency.hlog` ends in the middle of a line"),
        (torn, 2, "not a run document"),
        (lost, 2, "`latency.hlog` is missing"),
        (nothing, 2, "name a run directory"),
        (base.clone(), 2, "is the same run as"),
        (copied, 2, "is the same run as"),
    ] {
        let ended = compare(&[base.to_str().unwrap(), "--candidate", candidate.to_str().unwrap()]);
        let told = text(&ended.stderr);
        assert!(told.contains(part) && told.matches("error:").count() == 1, "{part}: {told}");
        assert_eq!((ended.status.code(), ended.stdout.len()), (Some(status), 0), "{told}");
    }
}

#[test]
fn differences_that_are_meant_are_allowed_and_metrics_that_are_not_there_are_named() {
    let here = tempfile::tempdir().unwrap();
    let base = Made::new(1, 10.0).write(here.path());
    let other = Made::new(2, 10.0).set("readers.params={ ef = 64 }").write(here.path());
    let runs = [base.to_str().unwrap(), "--candidate", other.to_str().unwrap()];
    let told = text(&compare(&runs).stderr);
    assert!(told.contains("readers.params.ef (not set and 64)") && told.contains("--allow-different readers.params.ef"), "{told}");
    let allowed = [&runs[..], &["--allow-different", "readers.params"]].concat();
    assert_eq!(compare(&allowed).status.code(), Some(0));
    for (name, part) in [
        ("writers.response.p99", "it has no stream `writers`, only readers"),
        ("readers.respons.p99", "did you mean `readers.response.p99`?"),
        ("readers.response.max", "give several runs a side"),
        ("readers.recall", "no request of `readers` gave one"),
    ] {
        let ended = compare(&[&allowed[..], &["--metric", name]].concat());
        assert!(text(&ended.stderr).contains(part), "{name}: {}", text(&ended.stderr));
        assert_eq!(ended.status.code(), Some(2));
    }
    // A percentile that no document holds comes from the interval log.
    let (code, document) = compared(&[base], &[other], &["--allow-different", "readers.params", "--metric", "readers.service.p97.5"]);
    assert_eq!((code, document["metrics"].as_array().unwrap().len()), (Some(0), 1), "{document:#}");
}

#[test]
fn flags_of_one_kind_of_comparison_are_refused_in_the_other() {
    for (arguments, part) in [
        (&["a"][..], "give `--candidate RUN`"),
        (&["a", "--candidate", "b", "--max-rounds", "9"], "--max-rounds is for a live comparison"),
        (&["s.toml", "--a", "x=1"], "`--a KEY=VALUE --b KEY=VALUE`"),
        (&["s.toml", "--a", "x=1", "--b", "x=2", "--noise", "3%"], "--noise is for stored runs"),
        (&["a", "--candidate", "b", "--tolerance", "0"], "--tolerance must lie between"),
        (&["a", "--candidate", "b", "--tolerance", "5"], "a fraction from 0 to 1"),
        (&["a", "--candidate", "b", "--junit", "/nowhere/x.xml"], "cannot write `/nowhere/x.xml`"),
        (&["s.toml", "--a", "x=1", "--b", "x=2"], "cannot read the scenario `s.toml`"),
    ] {
        let ended = compare(arguments);
        assert!(text(&ended.stderr).contains(part), "{arguments:?}: {}", text(&ended.stderr));
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
    }
}
