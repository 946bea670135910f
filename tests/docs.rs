//! Documents that could drift away from the code are held to it: the tables of `docs/scenario.md` are those of the schema, and
//! `docs/result-format.md` names every key that a run writes.
//!
//! After a change of a key: `UPDATE_DOCS=1 cargo test --test docs` writes the tables anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tailtrace::experiment::capacity::{self, Beside, Capacity, Curve, ProbeRow, Purpose, Verdict};
use tailtrace::experiment::{Diagnosis, Link};
use tailtrace::result::WallTime;
use tailtrace::result::model::{
    Arrivals, ClientOnly, Evidence, Exemplar, Failures, Finding, Floor, Forward, Gate, Lane, Latency, LevelShift, Outliers,
    OutliersOfStream, Phase, PhaseName, Recall, RunDocument, Second, Severity, SlowRequest, Stationarity, Stream, Trend,
};
use tailtrace::scenario;
use tailtrace::tail::{self, About, Above, Bar, Difference, Explanation, Part, Place, Subject, Traced, Waterfall, Waterfalls};

/// Heading, and the schema's name for what stands under it; in the order of a scenario file.
const TABLES: [(&str, &str); 16] = [
    ("Top level", ""),
    ("`[target]`", "Target"),
    ("`[collection]`", "Collection"),
    ("`collection.index`", "Index"),
    ("`[load]`", "Load"),
    ("`[[stream]]`", "Stream"),
    ("`stream.stages`", "Stage"),
    ("`[trace]`", "Trace"),
    ("`trace.burst`", "Burst"),
    ("`[gates]`", "Gates"),
    ("`[practice]`", "Practice"),
    ("`practice.stall`", "Stall"),
    ("`practice.slow_span`", "SlowSpan"),
    ("`practice.slow_key`", "SlowKey"),
    ("`practice.hold`", "Hold"),
    ("Values", "-"),
];

/// Types of values that have a name and a form of their own.
const VALUES: [&str; 4] = ["Duration", "Rate", "Fraction", "ByteSize"];

const BEGIN: &str = "<!-- keys: written by `UPDATE_DOCS=1 cargo test --test docs` -->\n";
const END: &str = "<!-- end of keys -->\n";

fn document(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

fn one_line(text: &Value) -> String {
    text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The name of a referred type, through "or null".
fn referred(key: &Value) -> Option<&str> {
    let direct = key.get("$ref").or_else(|| key["anyOf"].as_array()?.iter().find_map(|one| one.get("$ref")));
    direct.and_then(Value::as_str)?.rsplit('/').next()
}

fn default(key: &Value, required: bool) -> String {
    match key.get("default") {
        _ if required => "required".to_owned(),
        None | Some(Value::Null | Value::Array(_)) => String::new(),
        // Tables have their own rows.
        Some(Value::Object(table)) if !table.contains_key("type") => String::new(),
        Some(Value::String(text)) => format!("`\"{text}\"`"),
        Some(value) => format!("`{}`", value.to_string().replace('"', "").replace(':', " = ").replace(',', ", ")),
    }
}

/// The values that a type of few values takes.
fn choices(schema: &Value, key: &Value) -> String {
    let Some(of) = referred(key).and_then(|name| schema["$defs"].get(name)) else { return String::new() };
    let mut choices = Vec::new();
    for one in of["oneOf"].as_array().into_iter().flatten().filter(|one| one.get("const").is_some()) {
        choices.push(format!("`{}`", one["const"]));
    }
    choices.extend(of["enum"].as_array().into_iter().flatten().map(|one| format!("`{one}`")));
    if choices.len() < 2 { String::new() } else { format!(" One of {}.", choices.join(", ")) }
}

fn table(schema: &Value, name: &str) -> String {
    let of = if name.is_empty() { schema } else { &schema["$defs"][name] };
    // Outside of a table `<` begins a tag and `|` is a letter.
    let plain = || one_line(&of["description"]).replace("\\|", "|").replace('<', "\\<");
    let Some(keys) = of["properties"].as_object() else { return format!("{}\n", plain()) };
    let required: Vec<&str> = of["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = String::from("| key | default | meaning |\n| --- | --- | --- |\n");
    for (key, about) in keys {
        let meaning = one_line(&about["description"]);
        let _ = writeln!(text, "| `{key}` | {} | {meaning}{} |", default(about, required.contains(&key.as_str())), choices(schema, about));
    }
    text
}

fn tables() -> String {
    let schema = serde_json::to_value(scenario::json_schema()).unwrap();
    let mut text = String::new();
    for (heading, name) in TABLES {
        let _ = writeln!(text, "## {heading}\n");
        if name == "-" {
            for name in VALUES {
                let _ = writeln!(text, "- {}", one_line(&schema["$defs"][name]["description"]));
            }
        } else {
            text.push_str(&table(&schema, name));
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_tables_of_the_scenario_document_are_those_of_the_schema() {
    let (path, text) = document("scenario.md");
    let (head, rest) = text.split_once(BEGIN).expect("docs/scenario.md holds the mark where the tables begin");
    let (found, tail) = rest.split_once(END).expect("docs/scenario.md holds the mark where the tables end");
    let right = tables();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, [head, BEGIN, &right, END, tail].concat()).unwrap();
    } else {
        assert!(found == right, "docs/scenario.md is behind the schema: UPDATE_DOCS=1 cargo test --test docs");
    }
}

#[test]
fn every_table_of_the_schema_is_in_the_scenario_document() {
    let schema = serde_json::to_value(scenario::json_schema()).unwrap();
    for (name, of) in schema["$defs"].as_object().unwrap() {
        let documented = TABLES.iter().any(|(_, table)| table == name);
        assert!(documented || of.get("properties").is_none(), "{name} has keys and is in no table of docs/scenario.md");
    }
}

/// A document in which nothing is left out.
fn full() -> RunDocument {
    let latency = || Latency {
        intervals: [("p99_ns".to_owned(), (1, Some(2)))].into(),
        more: [("p99_5_ns".to_owned(), 1)].into(),
        ..Latency::default()
    };
    let mut stream = Stream { response: latency(), service: latency(), lateness: latency(), ..Stream::default() };
    stream.recall = Some(Recall::default());
    stream.errors.insert("UNAVAILABLE".to_owned(), 1);
    stream.failures.push(Failures::default());
    stream.seconds.push(Second::default());
    stream.checks.arrivals = Some(Arrivals::default());
    stream.checks.stationarity = Some(Stationarity { seconds: 1, level_shift: Some(LevelShift::default()), trend: Some(Trend::default()) });
    stream.slowest.push(SlowRequest { client_only: true, gone: true, ..SlowRequest::default() });
    stream.exemplars.push(Exemplar { gone: true, ..Exemplar::default() });
    let finding = Finding {
        code: String::new(),
        severity: Severity::Note,
        message: String::new(),
        advice: String::new(),
        stream: Some(String::new()),
        figures: [("count".to_owned(), 1.into())].into(),
    };
    let mut document = RunDocument::begun("", "", WallTime::default());
    document.streams.push(stream);
    document.trace.outliers = Some(Outliers { streams: vec![OutliersOfStream::default()], ..Outliers::default() });
    document.trace.client_only = Some(ClientOnly::default());
    document.trace.forward = Some(Forward::default());
    document.trace.evidence = Some(Evidence::default());
    document.findings.push(finding);
    document.gates.push(Gate { value_ns: Some(1), value: Some(1.0), at_least: true, ..Gate::default() });
    document.generator.lanes.push(Lane::default());
    document.generator.floor = Some(Floor::default());
    document.phases.push(Phase { name: PhaseName::Measure, start: WallTime::default(), length_ns: None });
    document
}

/// Keys whose names come from the run, not from the format.
const FREE: [&str; 5] = ["plan", "errors", "intervals", "more", "figures"];

fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                into.push(key.clone());
                if !FREE.contains(&key.as_str()) {
                    keys(value, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_run_document_is_explained() {
    let (_, text) = document("result-format.md");
    let mut all = Vec::new();
    keys(&serde_json::from_str(&full().to_json()).unwrap(), &mut all);
    all.sort();
    all.dedup();
    assert!(all.len() > 90, "{} keys found", all.len());
    let missing: Vec<_> = all.iter().filter(|key| !text.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/result-format.md does not name {missing:?}");
}

/// An explanation in which nothing is left out.
fn full_explanation() -> Explanation {
    let parts =
        |ns| vec![Part { place: Arc::new(Place { service: String::new(), span: String::new(), path: String::new() }), self_ns: ns }];
    let of = |ns| Traced {
        trace_id: String::new(),
        sequence: None,
        at_ns: 0,
        response_ns: ns,
        weight: 1.0,
        why: None,
        joined: true,
        parts: parts(ns),
    };
    let subject = Subject { traced: (1..=2_000).map(|n| of(n * n)).collect(), ..Subject::default() };
    let mut explanation = tail::explain(&[&subject], Above::DEFAULT);
    let waterfall = || Some(Waterfall { spans: vec![Bar::default()], left_out: 1, ..Waterfall::default() });
    let stream = &mut explanation.streams[0];
    assert!(stream.what_if.is_some() && !stream.rows.is_empty(), "{stream:?}");
    stream.representativeness.push(Difference { about: About::Number, traced: 1.0, all: 1.0 });
    stream.waterfalls = Waterfalls { slowest: waterfall(), typical: waterfall() };
    explanation
}

/// A diagnosis in which nothing is left out.
fn full_diagnosis() -> Diagnosis {
    let link = Link { name: String::new(), ok: None, seen: String::new(), cause: None, fix: None };
    Diagnosis { whole: false, links: vec![link], trace_id: None, notes: Vec::new() }
}

/// A capacity in which nothing is left out.
fn full_capacity() -> Capacity {
    let explained = || capacity::Explained { rate_per_s: 1.0, sentence: String::new(), named: None, run: PathBuf::new() };
    let probe = ProbeRow {
        rate_per_s: 1.0,
        achieved_per_s: 1.0,
        passed: None,
        why: String::new(),
        purpose: Purpose::Edge,
        length_ns: 1,
        response: Curve::default(),
        slos: vec![Gate { value_ns: Some(1), value: Some(1.0), at_least: true, ..Gate::default() }],
        run: PathBuf::new(),
    };
    Capacity {
        schema: capacity::SCHEMA,
        scenario: String::new(),
        stream: String::new(),
        slos: Vec::new(),
        partial: false,
        verdict: Verdict::Found,
        rate_per_s: None,
        low_per_s: None,
        high_per_s: None,
        confidence: 0.95,
        confirmed_per_s: None,
        first_failing_per_s: None,
        reason: String::new(),
        probes: vec![probe],
        explained: Some(Beside { passing: explained(), failing: explained() }),
        trouble: vec![String::new()],
        directory: PathBuf::new(),
    }
}

/// The part of the document that begins with this text, up to the next heading of its level.
fn section<'a>(text: &'a str, begin: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("docs/result-format.md holds no `{begin}`"));
    rest.split("\n## ").next().unwrap_or_default()
}

#[test]
fn every_key_of_what_explain_doctor_and_capacity_print_is_explained_where_they_are() {
    let (_, text) = document("result-format.md");
    for (begin, printed, at_least) in [
        ("## What `explain --json` prints", serde_json::to_value(full_explanation()).unwrap(), 60),
        ("## What `doctor --json` prints", serde_json::to_value(full_diagnosis()).unwrap(), 9),
        ("`capacity.json`, schema `tailtrace.capacity/1`", serde_json::to_value(full_capacity()).unwrap(), 30),
    ] {
        let mut all = Vec::new();
        keys(&printed, &mut all);
        all.sort();
        all.dedup();
        assert!(all.len() >= at_least, "{begin}: {} keys found", all.len());
        // What begins and ends every such document, and a list of percentiles, stand for themselves.
        let known = ["schema", "streams", "p90_ns", "p95_ns", "p99_ns", "at_least"];
        let of = section(&text, begin);
        let missing: Vec<_> = all.iter().filter(|key| !known.contains(&key.as_str()) && !of.contains(&format!("`{key}`"))).collect();
        assert!(missing.is_empty(), "{begin}: {missing:?} is not explained in docs/result-format.md");
    }
}

#[test]
fn every_finding_is_in_the_method() {
    let (_, text) = document("method.md");
    let mut found = 0;
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/findings")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let codes = source.split("Statement::new(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
        for code in codes.filter(|code| code.contains('-')) {
            found += 1;
            assert!(text.contains(&format!("`{code}`")), "docs/method.md does not name {code}");
        }
    }
    assert!(found > 10, "{found} codes found in src/findings");
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["docs", "docs/adr"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    files.extend(["README.md", "CONTRIBUTING.md", "results/README.md"].map(|name| root.join(name)));
    let mut broken = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://");
            if !elsewhere && !file.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Both are said to run the same: each step of `.ci/run` but the one that installs what is missing stands in a job of the workflow.
#[test]
fn the_workflow_runs_what_the_local_script_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    let (script, workflow) = (read(".ci/run"), read(".github/workflows/ci.yml"));
    let steps: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("step \"")?.split_once("\" ")).map(|(_, run)| run).collect();
    let run: Vec<&str> = workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("run: ")).collect();
    let commands: Vec<&str> = steps.iter().copied().filter(|step| *step != "install_missing").collect();
    assert!(commands.len() >= 4, "{steps:?}");
    for command in commands {
        // The script on the real stack is run as root there.
        assert!(run.iter().any(|run| *run == command || run.ends_with(&format!(" {command}"))), "the workflow does not run `{command}`");
    }
}
