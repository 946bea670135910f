//! The `[practice]` table of a scenario, which is also what the flags of `tailtrace practice` set.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::clock::Wait;
use crate::units::{ByteSize, Fraction, Nanos};

use super::{Failure, ServiceTime};

/// `[practice]`: how the built-in target behaves. Left out, it searches exactly and answers as soon as it can.
///
/// Queue, stalls and faults begin with the first search, query or get, so that set-up is not hit by them, and rest again when a
/// collection is created. They meet every operation on rows: search, hybrid search, query, get, insert, upsert, delete.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Practice")]
pub struct Settings {
    /// "exact": searches what was inserted. "canned": answers every search and query at once with one fixed answer, unread:
    /// the null target that floors are measured on. Left out: "exact".
    pub search: SearchMode,
    /// How many requests are served at once; the others wait in order of arrival. Left out: all at once, no queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<NonZeroU32>,
    /// How long a request occupies its server, such as "exponential 2ms". The search itself counts into it. Left out: a
    /// request is answered as soon as its search is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTime>,
    /// How many requests may wait for a server; one more is turned away with `when_full`. Left out: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queue: Option<u32>,
    /// The failure that meets a request beyond `max_queue`. Left out: "`RESOURCE_EXHAUSTED`"; "milvus:8" is Milvus's rate limit.
    pub when_full: Failure,
    /// Stretches of time in which no server does anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
    /// The fraction of the requests that fail at once, half of them as gRPC's `UNAVAILABLE`, half as Milvus's rate limit (milvus:8).
    /// Left out: 0.
    pub error_rate: Fraction,
    /// More failures, each with the fraction of the requests that it meets: `{ UNAVAILABLE = 0.01, "milvus:100" = 0.02 }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<Failure, Fraction>,
    /// Some requests wait inside one named part of the server's work, without occupying a server meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_span: Option<SlowSpan>,
    /// Some requests are slow by nature: what they ask for decides, so the same request is slow each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_key: Option<SlowKey>,
    /// Some requests are held before they come to the server: in a trace that looks like the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// All open connections are cut so often, the first time so long after the first search. Left out: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_every: Option<Nanos>,
    /// For so long after a cut new connections are refused; needs `cut_every`. Left out: not at all.
    pub refuse_for: Nanos,
    /// The fraction of the requests without trace context that the server traces by itself, as Milvus's `trace.sampleFraction`.
    /// A caller's context decides before it. Left out: 0.
    #[serde(alias = "sampleFraction")]
    pub sample_fraction: Fraction,
    /// A request that the server traces occupies it so much longer: what tracing costs a server. Left out: nothing.
    pub trace_cost: Nanos,
    /// The most memory that inserted rows may take; beyond it inserts are refused. Left out: "4GiB".
    pub max_memory: ByteSize,
    /// How the server waits: "poll" keeps one core busy and is never late by the kernel's wake-ups, for measurements of the
    /// instrument itself where it has a core to itself. Left out: "auto", awake shortly before an answer is due.
    pub wait: Wait,
    /// What service times and faults are drawn from. Left out: the run's own seed; for a server of its own 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// What inserted rows may take where nothing else is set: 8 million vectors of 128 dimensions.
const MAX_MEMORY: ByteSize = ByteSize(4 << 30);

impl Default for Settings {
    fn default() -> Self {
        Self {
            search: SearchMode::Exact,
            servers: None,
            service: None,
            max_queue: None,
            when_full: Failure::RESOURCE_EXHAUSTED,
            stall: None,
            error_rate: Fraction::ZERO,
            errors: BTreeMap::new(),
            slow_span: None,
            slow_key: None,
            hold: None,
            cut_every: None,
            refuse_for: Nanos::ZERO,
            sample_fraction: Fraction::ZERO,
            trace_cost: Nanos::ZERO,
            max_memory: MAX_MEMORY,
            wait: Wait::Auto,
            seed: None,
        }
    }
}

/// Where the answers to searches come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// From the rows that were inserted, every one compared.
    #[default]
    Exact,
    /// A fixed answer at once: the null target that floors are measured on.
    Canned,
}

/// Stretches of time in which no server does anything: `{ every = "10s", for = "1s", first = "4s" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// From the beginning of one stall to the beginning of the next. Left out: there is one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Nanos>,
    /// How long each lasts.
    #[serde(rename = "for")]
    pub length: Nanos,
    /// When the first begins, counted from the first search. Left out: after `every`, or at once where that is left out too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Nanos>,
}

/// Some requests wait inside one named part of the server's work.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowSpan {
    /// The span it shows in, such as "Delegator-waitTSafe". One that Milvus does not have stands under `Proxy-Search-Execute`.
    pub name: String,
    /// How many of the requests it meets.
    pub fraction: Fraction,
    /// How much longer they take.
    pub by: Nanos,
}

/// Some requests are slow by nature: a hash of what they ask for (query vectors, or the expression of a query) decides, and of
/// nothing else, so the same request is slow each time and whoever serves it. It is work: it occupies a server.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowKey {
    /// How many of all possible requests it meets.
    pub fraction: Fraction,
    /// How much more work they are.
    pub by: Nanos,
}

impl SlowKey {
    /// Whether it meets a request that asks for this: FNV-1a (Fowler, Noll and Vo) with the finaliser of `MurmurHash3` behind it,
    /// whose high bits depend on every byte.
    #[must_use]
    pub fn meets(&self, asked: &[u8]) -> bool {
        let hash = asked.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        let place = ((hash ^ (hash >> 33)) >> 11) as f64 / (1_u64 << 53) as f64;
        place < self.fraction.get()
    }
}

/// Some requests are held before the server's span begins.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// How many of the requests it meets.
    pub fraction: Fraction,
    /// For how long.
    pub by: Nanos,
}

/// Settings that contradict themselves. `key` is relative to the `[practice]` table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {problem}")]
pub struct SettingsError {
    /// The key at fault.
    pub key: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl Settings {
    /// Whether the settings can be kept together.
    pub fn check(&self) -> Result<(), SettingsError> {
        let error = |key, problem: &str| Err(SettingsError { key, problem: problem.to_owned() });
        if let Some(stall) = self.stall {
            if stall.length == Nanos::ZERO {
                return error("stall.for", "must be longer than nothing, such as \"1s\"");
            }
            if stall.every.is_some_and(|every| every <= stall.length) {
                return error("stall.every", "must be longer than `stall.for`, or the servers never work again");
            }
        }
        let failing = self.error_rate.get() + self.errors.values().map(|fraction| fraction.get()).sum::<f64>();
        if failing > 1.0 + 1e-9 {
            return Err(SettingsError {
                key: "errors",
                problem: format!("and `error_rate` add up to {failing}; together at most 1 can fail"),
            });
        }
        if self.cut_every.is_some_and(|every| every <= self.refuse_for) {
            return error("cut_every", "must be longer than `refuse_for`, or no connection is ever taken again");
        }
        if self.cut_every.is_none() && self.refuse_for != Nanos::ZERO {
            return error("refuse_for", "needs `cut_every`: connections are refused after a cut");
        }
        if self.slow_span.as_ref().is_some_and(|slow| slow.name.trim().is_empty()) {
            return error("slow_span.name", "must name a span, such as \"Delegator-waitTSafe\"");
        }
        if self.slow_key.is_some() && self.search == SearchMode::Canned {
            return error("slow_key", "needs `search = \"exact\"`: canned answers are given without reading what is asked for");
        }
        if self.max_queue.is_some() && self.servers.is_none() {
            return error("max_queue", "needs `servers`: without it no request waits in a queue");
        }
        Ok(())
    }

    /// Every failure with the fraction of the requests that it meets, `error_rate` split into its halves.
    pub(super) fn failures(&self) -> Vec<(Failure, f64)> {
        let half = self.error_rate.get() / 2.0;
        let mut failures = vec![(Failure::UNAVAILABLE, half), (Failure::RATE_LIMIT, half)];
        failures.extend(self.errors.iter().map(|(failure, fraction)| (*failure, fraction.get())));
        failures.retain(|(_, fraction)| *fraction > 0.0);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_design_is_read_and_written_back() {
        let text = r#"{ "servers": 1, "service": "exponential 2ms", "stall": { "every": "10s", "for": "1s", "first": "4s" },
            "error_rate": 0.0, "slow_span": { "name": "Delegator-waitTSafe", "fraction": 0.02, "by": "40ms" },
            "hold": { "fraction": "1%", "by": "20ms" }, "search": "canned",
            "errors": { "UNAVAILABLE": 0.01, "milvus:100": 0.01 } }"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.stall.unwrap().length, Nanos::from_secs(1));
        assert_eq!(settings.failures(), [(Failure::UNAVAILABLE, 0.01), (Failure::Milvus(100), 0.01)]);
        let again: Settings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn an_empty_table_is_the_default_and_an_unknown_key_is_named() {
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert_eq!(Settings::default().check(), Ok(()));
        assert!(serde_json::from_str::<Settings>(r#"{"server": 1}"#).unwrap_err().to_string().contains("`server`"));
        assert!(serde_json::from_str::<Settings>(r#"{"servers": 0}"#).is_err());
    }

    /// A count of n draws with probability p has standard deviation √(np(1−p)); five of these: once in 1.7 million.
    #[test]
    fn what_is_asked_for_decides_and_meets_its_fraction() {
        let key = SlowKey { fraction: "1%".parse().unwrap(), by: Nanos::from_millis(1) };
        let n = 100_000_u32;
        let met = (0..n).filter(|n| key.meets(&n.to_le_bytes())).count() as f64;
        let (mean, deviation) = (f64::from(n) * 0.01, (f64::from(n) * 0.01 * 0.99).sqrt());
        assert!((met - mean).abs() < 5.0 * deviation, "{met} of {n}");
        assert!((0..1_000_u32).all(|n| key.meets(&n.to_le_bytes()) == key.meets(&n.to_le_bytes())));
        assert!(SlowKey { fraction: Fraction::ONE, ..key }.meets(b""));
        assert!(!SlowKey { fraction: Fraction::ZERO, ..key }.meets(b"x"));
    }

    #[test]
    fn settings_that_contradict_themselves_are_refused_by_key() {
        for (text, key) in [
            (r#"{"stall": {"every": "1s", "for": "1s"}}"#, "stall.every"),
            (r#"{"stall": {"for": "0s"}}"#, "stall.for"),
            (r#"{"error_rate": 0.6, "errors": {"UNKNOWN": 0.5}}"#, "errors"),
            (r#"{"cut_every": "1s", "refuse_for": "1s"}"#, "cut_every"),
            (r#"{"refuse_for": "1s"}"#, "refuse_for"),
            (r#"{"slow_span": {"name": " ", "fraction": 1, "by": "1ms"}}"#, "slow_span.name"),
            (r#"{"slow_key": {"fraction": 0.1, "by": "1ms"}, "search": "canned"}"#, "slow_key"),
            (r#"{"max_queue": 1}"#, "max_queue"),
        ] {
            let settings: Settings = serde_json::from_str(text).unwrap();
            assert_eq!(settings.check().unwrap_err().key, key, "{text}");
        }
    }
}
