//! The answer: for each stream a verdict, a sentence and the rows behind it.

use crate::stats::CONFIDENCE;

use super::Waterfall;
use super::above::Above;
use super::attribution::Oddities;
use super::estimate::{Row, rows};
use super::groups::{Group, Groups};
use super::representative::{Difference, by_stream, differences};
use super::subject::Subject;
use super::verdict::{Verdict, judge};
use super::what_if::{WhatIf, what_if};
use super::words;

/// What `explain --json` prints.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// One entry a stream.
    pub streams: Vec<Explained>,
    /// How the figures were found.
    pub method: Method,
}

/// How the figures were found.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Method {
    /// Of means.
    pub estimator: String,
    /// Of intervals.
    pub interval: String,
    /// Of every interval.
    pub confidence: f64,
    /// Of each traced request.
    pub weights: String,
    /// Where the groups begin and end.
    pub thresholds: String,
}

impl Method {
    /// `known`: whether all requests, and the chance that each had of being traced, are known.
    fn of(known: bool) -> Self {
        let (weights, thresholds) = if known {
            ("1 / (inclusion probability × keep probabilities)", "of all requests, traced or not")
        } else {
            ("equal: how requests were sampled is not known", "of the traces themselves")
        };
        Self {
            estimator: "weighted means (Hájek)".to_owned(),
            interval:
                "gamma limits of weighted Poisson sums over clumps (Fay and Feuer 1997), combined by recovered variances (Zou and Donner \
                       2008)"
                    .to_owned(),
            confidence: CONFIDENCE,
            weights: weights.to_owned(),
            thresholds: thresholds.to_owned(),
        }
    }
}

/// One stream, or one operation of a service, explained.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Explained {
    /// The stream; of other clients' traces the service.
    pub name: String,
    /// `search`, `insert`, …; of other clients' traces the name of their spans.
    pub operation: String,
    /// What can be said.
    pub verdict: Verdict,
    /// The span that holds most of the excess; `null` unless the verdict is `single`.
    pub named: Option<String>,
    /// What is found, in one sentence.
    pub sentence: String,
    /// What to try; `null` where nothing is known.
    pub advice: Option<String>,
    /// Where the tail begins, as it was asked for: `p99`, `50ms`.
    pub above: String,
    /// Slow requests.
    pub tail: Group,
    /// Typical ones.
    pub typical: Group,
    /// Every place, the largest excess first.
    pub rows: Vec<Row>,
    /// The percentile without the extra time of the named span.
    pub what_if: Option<WhatIf>,
    /// In what the traced slow requests differ from all slow ones; empty where they are alike, or where all are not known.
    pub representativeness: Vec<Difference>,
    /// What else has to be known to read the figures, in sentences.
    pub notes: Vec<String>,
    /// Sampled requests whose trace was not found.
    pub without_trace: u64,
    /// What was odd about the traces, and mended or left out.
    pub oddities: Oddities,
    /// The slowest traced request, and a typical one.
    pub waterfalls: Waterfalls,
}

/// Two requests as pictures' data.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Waterfalls {
    /// The slowest traced request.
    pub slowest: Option<Waterfall>,
    /// The traced one whose response time is next to the median.
    pub typical: Option<Waterfall>,
}

impl Explained {
    /// The sentence about [`Explained::what_if`].
    #[must_use]
    pub fn what_if_sentence(&self) -> Option<String> {
        words::what_if(self)
    }
}

/// Explains each subject. One without a single request has the verdict [`Verdict::None`] and no rows.
#[must_use]
pub fn explain(subjects: &[&Subject], above: Above) -> Explanation {
    let known = subjects.iter().any(|subject| subject.all.is_some());
    let groups: Vec<Option<Groups<'_>>> = subjects.iter().map(|subject| Groups::of(subject, above)).collect();
    let between = by_stream(subjects, &groups);
    let each = subjects.iter().zip(groups).zip(between);
    Explanation {
        streams: each.map(|((subject, groups), other)| explain_one(subject, above, groups, other)).collect(),
        method: Method::of(known),
    }
}

/// `of_others`: how it differs from the other streams.
fn explain_one(subject: &Subject, above: Above, groups: Option<Groups<'_>>, of_others: Option<Difference>) -> Explained {
    let mut explained = Explained {
        name: subject.name.clone(),
        operation: subject.operation.clone(),
        verdict: Verdict::None,
        named: None,
        sentence: "No request is known".to_owned(),
        advice: None,
        above: above.to_string(),
        tail: Group::default(),
        typical: Group::default(),
        rows: Vec::new(),
        what_if: None,
        representativeness: Vec::new(),
        notes: Vec::new(),
        without_trace: subject.without_trace,
        oddities: subject.oddities,
        waterfalls: Waterfalls::default(),
    };
    let Some(groups) = groups else { return explained };
    explained.rows = rows(subject, &groups);
    let judged = judge(subject, &groups, above, &explained.rows);
    explained.verdict = judged.verdict;
    explained.sentence = words::sentence(subject, above, &groups, &judged, &explained.rows);
    explained.advice = words::advice(subject, above, &groups, &judged, &explained.rows);
    if let Some(place) = &judged.named {
        let typical = explained.rows.iter().find(|row| row.place == *place).map_or(0, |row| row.typical_self_ns);
        explained.what_if = what_if(subject, &groups, place, typical);
    }
    explained.named = judged.named.map(|place| place.span);
    explained.representativeness = differences(subject, &groups);
    explained.representativeness.extend(of_others);
    explained.notes = words::notes(subject, &groups.thresholds, &explained);
    explained.tail = groups.tail_figures;
    explained.typical = groups.typical_figures;
    explained
}

/// The traced request whose response time is next to the median, and the slowest one: positions in `traced`.
#[must_use]
pub fn pictured(subject: &Subject, above: Above) -> Option<(usize, usize)> {
    let groups = Groups::of(subject, above)?;
    let all = || subject.traced.iter().enumerate();
    let slowest = all().max_by_key(|(_, one)| one.response_ns)?.0;
    let typical = all().min_by_key(|(_, one)| one.response_ns.abs_diff(groups.thresholds.median_ns))?.0;
    Some((slowest, typical))
}
