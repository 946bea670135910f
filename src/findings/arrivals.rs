//! The requests did not leave as the arrival process says.

use crate::result::model::{RunDocument, Severity};

use super::Statement;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let off_plan = document.streams.iter().filter_map(|stream| {
        // The threshold is the check's own: `stats::arrivals`.
        let check = stream.checks.arrivals.as_ref().filter(|check| check.off_plan)?;
        let message = format!(
            "`{}` was not sent as a {} process: its send times are {:.1} times as far off the plan as is tolerated ({} looked at)",
            stream.name, check.process, check.effect_size, check.samples
        );
        let advice = "the target saw another load than the scenario asks for: lower the rate, raise `max_in_flight`, or give the generator more \
                      lanes or a quieter machine";
        let statement = Statement::new("arrivals-off-plan", Severity::Suspect, message, advice).about(&stream.name);
        Some(statement.figure("effect_size", check.effect_size).figure("p_value", check.p_value).figure("samples", check.samples))
    });
    off_plan.collect()
}
