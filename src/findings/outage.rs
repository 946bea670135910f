//! Seconds on end in which no request ended ok, while requests were due.

use crate::result::model::{PhaseName, RunDocument, Severity, Stream};

use super::Statement;
use super::statement::time;

const SECOND_NS: u64 = 1_000_000_000;

/// A pause of one or two seconds (garbage collection, a segment that is loaded) is a tail, which percentiles are there to show. From
/// three on a target was down for a while, and percentiles mix two states.
const FEWEST_SECONDS: usize = 3;

/// So many requests should have ended in the gap: by chance alone, with Poisson arrivals, that happens in one of e²⁰ = 5e8 gaps.
const LEAST_EXPECTED: f64 = 20.0;

/// A target whose usual request takes seconds has gaps of this length between clumps of answers.
const USUAL_TIMES: u64 = 2;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let measure = document.phases.iter().find(|phase| phase.name == PhaseName::Measure);
    let Some(length) = measure.and_then(|phase| phase.length_ns) else { return Vec::new() };
    document.streams.iter().filter_map(|stream| of_stream(stream, length / SECOND_NS)).collect()
}

/// The longest gap within the whole seconds of the measured phase.
struct Gap {
    from: u64,
    seconds: u64,
    expected: f64,
}

fn of_stream(stream: &Stream, whole_seconds: u64) -> Option<Statement> {
    let gap = longest(stream, whole_seconds)?;
    let usual = stream.response.p50_ns.unwrap_or(0);
    let long_enough = gap.seconds as usize >= FEWEST_SECONDS && gap.seconds * SECOND_NS > usual.saturating_mul(USUAL_TIMES);
    // Where nothing ended ok at all the rule of failures speaks.
    if !long_enough || gap.expected < LEAST_EXPECTED || stream.ok == 0 {
        return None;
    }
    let message = format!(
        "no request of `{}` ended ok for {} s, from {} on, in which {:.0} should have",
        stream.name,
        gap.seconds,
        time(gap.from * SECOND_NS),
        gap.expected
    );
    let advice = "the percentiles mix a target that answers with one that does not: see its log for a restart, a failover or a lost node at that \
                  time, and measure again without it (or, where it is what you measure, read `seconds` in `run.json`)";
    let statement = Statement::new("outage", Severity::Suspect, message, advice).about(&stream.name);
    Some(statement.figure("from_s", gap.from).figure("seconds", gap.seconds).figure("expected", gap.expected))
}

fn longest(stream: &Stream, whole_seconds: u64) -> Option<Gap> {
    let mut longest: Option<Gap> = None;
    let mut open: Option<Gap> = None;
    for second in stream.seconds.iter().filter(|second| second.second < whole_seconds) {
        let expected = second.asked_per_s.unwrap_or(stream.achieved_per_s);
        // A pause in the plan is none of the target's, and a second that no lane handed over by itself is not known to be empty.
        if second.ok > 0 || expected == 0.0 {
            open = None;
            continue;
        }
        let gap = match open.take() {
            Some(gap) if gap.from + gap.seconds == second.second => {
                Gap { seconds: gap.seconds + 1, expected: gap.expected + expected, ..gap }
            }
            _ => Gap { from: second.second, seconds: 1, expected },
        };
        if longest.as_ref().is_none_or(|known| known.seconds < gap.seconds) {
            longest = Some(Gap { ..gap });
        }
        open = Some(gap);
    }
    longest
}
