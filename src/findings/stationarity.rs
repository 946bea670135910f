//! The measured phase did not stand still.

use crate::result::model::{RunDocument, Severity, Stream};
use crate::stats::ALPHA_EACH;
use crate::stats::stationarity::{LEVEL_SHIFT_LIMIT, TREND_LIMIT};

use super::Statement;
use super::statement::{percent, time};

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    // A new level is a slope too: one of the two is enough.
    document.streams.iter().filter_map(|stream| level_shift(stream).or_else(|| trend(stream))).collect()
}

/// Whether a relative change is over `limit`, up or by the same ratio down.
fn is_over(change: f64, limit: f64) -> bool {
    change.ln_1p().abs() > limit.ln_1p()
}

fn level_shift(stream: &Stream) -> Option<Statement> {
    let shift = stream.checks.stationarity?.level_shift?;
    if !is_over(shift.change, LEVEL_SHIFT_LIMIT) || shift.p_value > ALPHA_EACH {
        return None;
    }
    let message = format!(
        "`{}` changed its level {} into the measured phase: from {} to {} ({:+.0} %)",
        stream.name,
        time(shift.at_ns),
        time(shift.before_ns),
        time(shift.after_ns),
        shift.change * 100.0
    );
    let advice = "the percentiles mix two states: look for a compaction, an index build, a cold cache or a neighbour at that time; lengthen \
                  `load.warmup`, or measure each state by itself";
    let statement = Statement::new("level-shift", Severity::Suspect, message, advice).about(&stream.name);
    let statement = statement.figure("at_ns", shift.at_ns).figure("before_ns", shift.before_ns).figure("after_ns", shift.after_ns);
    Some(statement.figure("change", shift.change).figure("p_value", shift.p_value))
}

fn trend(stream: &Stream) -> Option<Statement> {
    let trend = stream.checks.stationarity?.trend?;
    if !is_over(trend.change, TREND_LIMIT) || trend.p_value > ALPHA_EACH {
        return None;
    }
    let way = if trend.change > 0.0 { "slower" } else { "faster" };
    let message = format!("`{}` grew {way} all through the measured phase, by {} in all", stream.name, percent(trend.change.abs()));
    let advice = "percentiles of a run twice as long would be others: let the target warm up for longer (`load.warmup`), or lower the rate if \
                  a backlog grows";
    let statement = Statement::new("trend", Severity::Note, message, advice).about(&stream.name);
    Some(statement.figure("change", trend.change).figure("p_value", trend.p_value))
}
