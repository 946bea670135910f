//! A stream so fast that the instrument reads itself.

use crate::result::model::{RunDocument, Severity};

use super::Statement;
use super::statement::time;

/// Below so many floors, a fifth or more of the median is what the instrument reads for a server that answers at once.
const FLOORS: u64 = 5;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let Some(floor) = document.generator.floor.map(|floor| floor.p50_ns) else { return Vec::new() };
    let near = document.streams.iter().filter_map(|stream| {
        let median = stream.response.p50_ns?;
        if median >= floor.saturating_mul(FLOORS) {
            return None;
        }
        let message = format!(
            "the median of `{}`, {}, is under five floors: for a server that answers at once the instrument reads {}",
            stream.name,
            time(median),
            time(floor)
        );
        let advice =
            "take differences to the floor, not ratios; `load.wait = \"poll\"` or cores of its own for the generator lower the floor";
        let statement = Statement::new("near-floor", Severity::Suspect, message, advice).about(&stream.name);
        Some(statement.figure("response_p50_ns", median).figure("floor_p50_ns", floor))
    });
    near.collect()
}
