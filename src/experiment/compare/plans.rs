//! What two plans differ in, of what matters to a comparison.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Keys that do not change what is measured: names, seeds, limits, places, waiting times. A key stands for all below it.
const DOES_NOT_MATTER: [&str; 16] = [
    "name",
    "seed",
    "gates",
    "target.uri",
    "target.token_env",
    "target.database",
    "target.ca_file",
    "target.connect_within",
    "collection.name",
    "collection.keep",
    "collection.reuse",
    "collection.ready_within",
    "trace.endpoint",
    "trace.jaeger",
    "trace.service_name",
    "practice.seed",
];

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As `--set` writes it: `readers.rate`.
    pub key: String,
    /// The baseline's value as JSON; `None` where it has none.
    pub base: Option<String>,
    /// The candidate's.
    pub candidate: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        write!(f, "{} ({} and {})", self.key, of(&self.base), of(&self.candidate))
    }
}

/// Keys of two stored plans that differ, matter, and are not allowed to differ.
#[must_use]
pub fn differences(base: &Value, candidate: &Value, allowed: &[String]) -> Vec<Difference> {
    let (base, candidate) = (flat(base), flat(candidate));
    let keys: std::collections::BTreeSet<&String> = base.keys().chain(candidate.keys()).collect();
    let differs = |key: &&String| {
        let pair = (base.get(*key), candidate.get(*key));
        !matches!(pair, (Some(one), Some(other)) if same(one, other))
    };
    let forgiven = |key: &str| DOES_NOT_MATTER.iter().any(|known| covers(known, key)) || allowed.iter().any(|allowed| covers(allowed, key));
    let text = |value: Option<&Value>| value.map(ToString::to_string);
    keys.into_iter()
        .filter(differs)
        .filter(|key| !forgiven(key))
        .map(|key| Difference { key: key.clone(), base: text(base.get(key)), candidate: text(candidate.get(key)) })
        .collect()
}

/// Whether `key` is `known`, or stands below it.
fn covers(known: &str, key: &str) -> bool {
    key.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Every value under its path with dots; streams stand under their names.
fn flat(plan: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    walk(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, into);
                }
            }
            // Left out and null are the same.
            Value::Null => {}
            _ => {
                into.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    let Some(tables) = plan.as_object() else { return all };
    for (key, value) in tables {
        match (key.as_str(), value.as_array()) {
            ("stream", Some(streams)) => {
                for stream in streams {
                    walk(stream, stream["name"].as_str().unwrap_or("stream"), &mut all);
                }
            }
            _ => walk(value, key, &mut all),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(base: &Value, candidate: &Value, allowed: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = allowed.iter().map(|key| (*key).to_owned()).collect();
        differences(base, candidate, &allowed).into_iter().map(|difference| difference.key).collect()
    }

    #[test]
    fn what_matters_is_named_by_the_key_that_sets_it() {
        let base = json!({ "name": "a", "seed": 1, "load": { "duration": "30s" }, "target": { "uri": "http://a:1" },
            "stream": [{ "name": "readers", "rate": "500/s", "params": { "ef": 64 } }, { "name": "writers", "workers": 1 }] });
        let mut other = base.clone();
        other["name"] = json!("b");
        other["seed"] = json!(2);
        other["target"]["uri"] = json!("http://b:1");
        assert_eq!(keys(&base, &other, &[]), [""; 0], "names, seeds and places do not matter");
        other["load"]["duration"] = json!("60s");
        other["stream"][0]["params"]["ef"] = json!(128);
        other["stream"][1] = json!({ "name": "loaders", "workers": 1 });
        let all = ["load.duration", "loaders.name", "loaders.workers", "readers.params.ef", "writers.name", "writers.workers"];
        assert_eq!(keys(&base, &other, &[]), all);
        assert_eq!(keys(&base, &other, &["load.duration", "loaders", "writers"]), ["readers.params.ef"]);
        assert_eq!(keys(&base, &other, &["load.dur", "reader", "loaders", "writers"]), ["load.duration", "readers.params.ef"]);
        let shown = differences(&base, &other, &[])[0].to_string();
        assert_eq!(shown, r#"load.duration ("30s" and "60s")"#);
    }

    #[test]
    fn a_number_is_itself_however_it_is_written_and_null_is_left_out() {
        assert_eq!(keys(&json!({ "a": 1, "b": null }), &json!({ "a": 1.0 }), &[]), [""; 0]);
        assert_eq!(keys(&json!({ "a": 1 }), &json!({ "a": 2 }), &[]), ["a"]);
    }
}
