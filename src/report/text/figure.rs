//! Figures of metrics, and changes between them, as people read them.

use crate::experiment::compare::decision::Worse;
use crate::experiment::compare::{Compared, metrics};
use crate::scenario::Metric;
use crate::units::Nanos;

use super::layout;

/// One metric's comparison as every view writes it.
pub(in crate::report) struct Cells {
    /// The baseline's figure.
    pub(in crate::report) base: String,
    /// The candidate's.
    pub(in crate::report) candidate: String,
    /// From the one to the other.
    pub(in crate::report) change: String,
    /// Where the change may lie.
    pub(in crate::report) interval: String,
    /// What it may get worse by, with the sign of worse.
    pub(in crate::report) allowed: String,
}

impl Cells {
    pub(in crate::report) fn of(metric: &Compared) -> Self {
        let figure = |figure: f64| format!("{}{}", if metric.at_least { "≥ " } else { "" }, value(&metric.metric, figure));
        let worst = match metrics::question(&metric.metric, metric.tolerance).worse {
            Worse::More => 1.0 + metric.tolerance,
            Worse::Less => 1.0 - metric.tolerance,
        };
        Self {
            base: figure(metric.base),
            candidate: figure(metric.candidate),
            change: change(metric.ratio),
            interval: interval(metric.low, metric.high),
            allowed: change(worst),
        }
    }
}

/// A metric's figure in its own unit: `1.23 ms`, `498.7/s`, `0.1 %`.
pub(super) fn value(metric: &Metric, value: f64) -> String {
    match metric {
        Metric::Time { .. } => Nanos(value.max(0.0).round() as u64).human(),
        Metric::Rate { .. } => layout::rate(value),
        Metric::Errors { .. } => layout::percent(value),
        Metric::Recall { .. } => format!("{value:.4}"),
    }
}

/// A factor as a change: `+3.2 %`, `−10 %`, `×2.5`.
pub(super) fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let sign = if percent < 0.0 { "−" } else { "+" };
    match percent.abs() {
        _ if !ratio.is_finite() => "?".to_owned(),
        size if size >= 199.5 => format!("×{ratio:.1}"),
        size if size >= 9.95 => format!("{sign}{size:.0} %"),
        size if size >= 0.05 => format!("{sign}{size:.1} %"),
        size if size >= 0.005 => format!("{sign}{size:.2} %"),
        _ => "0 %".to_owned(),
    }
}

/// An interval of factors: `−1.2 % to +3.4 %`.
pub(super) fn interval(low: f64, high: f64) -> String {
    if low <= 0.0 || !high.is_finite() { "not yet".to_owned() } else { format!("{} to {}", change(low), change(high)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::compare::{Figures, Verdict};

    #[test]
    fn changes_have_a_sign_and_never_more_digits_than_mean_something() {
        for (ratio, text) in
            [(1.0, "0 %"), (1.0321, "+3.2 %"), (0.9, "−10 %"), (1.0004, "+0.04 %"), (2.5, "+150 %"), (3.04, "×3.0"), (f64::INFINITY, "?")]
        {
            assert_eq!(change(ratio), text);
        }
        assert_eq!(interval(0.99, 1.02), "−1.0 % to +2.0 %");
        assert_eq!(interval(0.0, f64::INFINITY), "not yet");
    }

    #[test]
    fn lower_bounds_are_marked_and_what_is_allowed_has_the_sign_of_worse() {
        let of = |metric: &str, at_least| Compared {
            metric: metric.parse().unwrap(),
            verdict: Verdict::Ok,
            ratio: 1.0,
            low: 0.99,
            high: 1.01,
            rounds: 4,
            tolerance: 0.05,
            base: 1e6,
            candidate: 2e6,
            at_least,
            more_rounds: None,
            bound_of: None,
            figures: Figures::default(),
        };
        let bounded = Cells::of(&of("r.response.p99", true));
        assert_eq!((bounded.base.as_str(), bounded.candidate.as_str()), ("≥ 1.00 ms", "≥ 2.00 ms"));
        assert_eq!(Cells::of(&of("r.response.p99", false)).base, "1.00 ms");
        assert_eq!(["r.response.p99", "r.rate"].map(|metric| Cells::of(&of(metric, false)).allowed), ["+5.0 %", "−5.0 %"]);
    }

    #[test]
    fn every_kind_of_metric_has_its_unit() {
        let of = |metric: &str, figure: f64| value(&metric.parse().unwrap(), figure);
        assert_eq!(of("r.response.p99", 1_234_000.0), "1.23 ms");
        assert_eq!((of("r.rate", 500.0), of("errors", 0.001), of("r.recall", 0.97)), ("500/s".into(), "0.1 %".into(), "0.9700".into()));
    }
}
