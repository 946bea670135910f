//! From a run's figures to typed findings and trust; one rule a file.
//!
//! A rule reads the run document and says what it means for whoever relies on it: with the figures, and with what to do next.
//! Rules measure nothing and change nothing. `invalid` is kept for runs whose figures are not about the target; `suspect` for
//! figures that may mislead; all else worth knowing is a `note`. Thresholds are constants beside their rule, each with its
//! reason; `docs/method.md` gives them in one table.
//!
//! A new rule is a new file, one line in [`RULES`], and one row in the tests.

mod arrivals;
mod bottleneck;
mod bounds;
mod clock;
mod collection;
mod evidence;
mod failures;
mod floor;
mod intervals;
mod lanes;
mod lateness;
mod outage;
mod output;
mod partial;
mod precision;
mod recall;
mod sampling;
mod spans;
mod statement;
mod stationarity;
mod timeouts;
mod unfinished;

use crate::result::model::{Finding, RunDocument, Trust};

use statement::Statement;

/// What a rule says about a run; nothing where all is well.
type Rule = fn(&RunDocument) -> Vec<Statement>;

/// Every rule. Those that take most from a run stand first; findings of one severity keep this order.
const RULES: [Rule; 21] = [
    partial::check,
    clock::check,
    bottleneck::check,
    unfinished::check,
    outage::check,
    timeouts::check,
    failures::check,
    lateness::check,
    arrivals::check,
    stationarity::check,
    floor::check,
    lanes::check,
    bounds::check,
    precision::check,
    recall::check,
    spans::check,
    evidence::check,
    sampling::check,
    intervals::check,
    output::check,
    collection::check,
];

/// What is to be said about a run, the worst first.
#[must_use]
pub fn assess(document: &RunDocument) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(document)).map(Finding::from).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Puts the findings and the trust they leave into the document.
pub fn judge(document: &mut RunDocument) {
    document.findings = assess(document);
    document.trust = Trust::of(&document.findings);
}

#[cfg(test)]
mod tests;
