//! Looks figures up by their metric's name, and holds them against limits.

use crate::scenario::{self, Metric, Quantity, Statistic, Time};

use super::model::{Gate, Latency, RunDocument};

/// The value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// In ns, 0 to 1, or a second.
    pub value: f64,
    /// It is only a lower bound: censored requests would raise it had they been waited for.
    pub at_least: bool,
}

impl Figure {
    const fn exact(value: f64) -> Self {
        Self { value, at_least: false }
    }
}

impl RunDocument {
    /// The figure that a metric names; `None` where there is no such stream, nothing was measured, or the percentile is one
    /// that the document does not hold.
    #[must_use]
    pub fn figure(&self, metric: &Metric) -> Option<Figure> {
        let stream = |name: &str| self.stream(name);
        match metric {
            Metric::Time { stream: name, time, statistic } => {
                let stream = stream(name)?;
                let latency = match time {
                    Time::Response => &stream.response,
                    Time::Service => &stream.service,
                    Time::Lateness => &stream.lateness,
                };
                latency.figure(*statistic)
            }
            Metric::Recall { stream: name } => stream(name)?.recall.map(|recall| Figure::exact(recall.mean)),
            Metric::Errors { stream: Some(name) } => stream(name)?.error_fraction().map(Figure::exact),
            Metric::Errors { stream: None } => self.errors().map(Figure::exact),
            Metric::Rate { stream: name } => Some(Figure::exact(stream(name)?.achieved_per_s)),
        }
    }

    /// Holds the document against a gate. What has no value does not pass, and a lower bound passes no upper limit.
    #[must_use]
    pub fn judge(&self, gate: &scenario::Gate) -> Gate {
        let figure = self.figure(&gate.metric);
        let is_time = matches!(gate.limit.value, Quantity::Time(_));
        let value = figure.map(|figure| figure.value);
        let at_least = figure.is_some_and(|figure| figure.at_least);
        Gate {
            metric: gate.metric.to_string(),
            limit: gate.limit.to_string(),
            value_ns: value.filter(|_| is_time).map(|ns| ns as u64),
            value: value.filter(|_| !is_time),
            at_least,
            passed: value.is_some_and(|value| gate.limit.holds(value)) && !(at_least && gate.limit.is_upper()),
        }
    }
}

impl Latency {
    /// A figure of this distribution.
    #[must_use]
    pub fn figure(&self, statistic: Statistic) -> Option<Figure> {
        let key = match statistic {
            Statistic::Percentile(percentile) => percentile.key(),
            Statistic::Mean => "mean_ns".to_owned(),
            Statistic::Min => "min_ns".to_owned(),
            Statistic::Max => "max_ns".to_owned(),
        };
        let ns = self.value_ns(&key)?;
        Some(Figure { value: ns as f64, at_least: self.is_at_least(&key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::WallTime;
    use crate::result::model::{Recall, Stream};
    use crate::scenario::Percentile;

    fn document() -> RunDocument {
        let mut response = Latency { count: 9, mean_ns: Some(5), min_ns: Some(1), max_ns: Some(9), ..Latency::default() };
        response.set(Percentile::P99, 9_000_000);
        response.set(Percentile::P99_9, 20_000_000);
        response.more.insert("p99_5_ns".to_owned(), 11_000_000);
        response.at_least.push("p99_9_ns".to_owned());
        let readers = Stream {
            name: "readers".to_owned(),
            scheduled: 200,
            ok: 198,
            failed: 1,
            timed_out: 1,
            achieved_per_s: 99.0,
            response,
            recall: Some(Recall { at: 10, mean: 0.97, queries: 50, interval: None }),
            ..Stream::default()
        };
        RunDocument {
            streams: vec![readers, Stream { name: "idle".to_owned(), ..Stream::default() }],
            ..RunDocument::begun("", "", WallTime::default())
        }
    }

    #[test]
    fn every_metric_finds_its_figure() {
        for (metric, value) in [
            ("readers.response.p99", Some(9e6)),
            ("readers.response.p99.5", Some(11e6)),
            ("readers.response.p99.9", Some(20e6)),
            ("readers.response.p98", None),
            ("readers.response.mean", Some(5.0)),
            ("readers.response.min", Some(1.0)),
            ("readers.response.max", Some(9.0)),
            ("readers.service.p99", None),
            ("readers.recall", Some(0.97)),
            ("readers.errors", Some(0.01)),
            ("readers.rate", Some(99.0)),
            ("idle.errors", None),
            ("nobody.rate", None),
            ("errors", Some(0.01)),
        ] {
            let figure = document().figure(&metric.parse().unwrap());
            assert_eq!(figure.map(|figure| figure.value), value, "{metric}");
            assert_eq!(figure.is_some_and(|figure| figure.at_least), metric == "readers.response.p99.9", "{metric}");
        }
    }

    #[test]
    fn a_gate_passes_on_its_side_of_the_limit_only() {
        for (gate, passed, value_ns, value) in [
            ("readers.response.p99 < 10ms", true, Some(9_000_000), None),
            ("readers.response.p99 < 9ms", false, Some(9_000_000), None),
            ("errors <= 1%", true, None, Some(0.01)),
            ("readers.recall > 0.98", false, None, Some(0.97)),
        ] {
            let judged = document().judge(&gate.parse().unwrap());
            assert_eq!((judged.passed, judged.value_ns, judged.value), (passed, value_ns, value), "{gate}");
            assert_eq!(format!("{} {}", judged.metric, judged.limit), gate);
        }
    }

    #[test]
    fn a_lower_bound_passes_no_upper_limit_and_no_value_passes_none() {
        let judge = |gate: &str| document().judge(&gate.parse().unwrap());
        let bound = judge("readers.response.p99.9 < 1h");
        assert!(!bound.passed && bound.at_least && bound.value_ns == Some(20_000_000));
        assert!(judge("readers.response.p99.9 > 10ms").passed, "the truth can only be larger");
        let none = judge("readers.service.p50 < 1h");
        assert!(!none.passed && none.value_ns.is_none() && none.value.is_none());
    }
}
