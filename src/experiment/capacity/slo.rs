//! An SLO: a gate, and the figure that is estimated for it over all probes.

use crate::scenario::{Gate, Metric, Plan, Statistic, Time};

use super::error::CapacityError;

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// As typed, read.
    pub gate: Gate,
    /// What is estimated of it.
    pub(super) figure: Figure,
}

/// A figure that is a mean of what single requests show, so that short probes are right on average.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Figure {
    /// The share of requests slower than the limit, which may be so large.
    Beyond { stream: String, time: Time, limit_ns: u64, share: f64 },
    /// The mean time, over its limit: 1 is the limit.
    Mean { stream: String, time: Time, limit_ns: f64 },
    /// The share that failed; of all streams where none is named.
    Errors { stream: Option<String>, share: f64 },
    /// None: a probe meets the SLO or does not.
    Plain,
}

impl Slo {
    fn of(gate: Gate) -> Self {
        let limit = gate.limit.value.number();
        let figure = match (&gate.metric, gate.limit.is_upper() && limit > 0.0) {
            (Metric::Time { stream, time: time @ (Time::Response | Time::Service), statistic }, true) => match statistic {
                Statistic::Percentile(percentile) if percentile.quantile() < 1.0 => {
                    Figure::Beyond { stream: stream.clone(), time: *time, limit_ns: limit as u64, share: 1.0 - percentile.quantile() }
                }
                Statistic::Mean => Figure::Mean { stream: stream.clone(), time: *time, limit_ns: limit },
                _ => Figure::Plain,
            },
            (Metric::Errors { stream }, true) => Figure::Errors { stream: stream.clone(), share: limit },
            _ => Figure::Plain,
        };
        Self { gate, figure }
    }

    /// The limit of the figure that is estimated; `None` where a probe only passes or fails.
    pub(super) fn limit(&self) -> Option<f64> {
        match &self.figure {
            Figure::Beyond { share, .. } | Figure::Errors { share, .. } => Some(*share),
            Figure::Mean { .. } => Some(1.0),
            Figure::Plain => None,
        }
    }
}

/// Reads SLOs and holds them against the plan and against each other.
///
/// # Errors
/// The first that cannot be read, speaks of what is not there, or cannot hold beside another.
pub fn read(texts: &[String], plan: &Plan) -> Result<Vec<Slo>, CapacityError> {
    let mut slos: Vec<Slo> = Vec::with_capacity(texts.len());
    for text in texts {
        let gate: Gate = text.parse().map_err(|source| CapacityError::Slo { text: text.clone(), source })?;
        check_stream(text, &gate, plan)?;
        if let Some(other) = slos.iter().find(|other| contradict(&other.gate, &gate)) {
            return Err(CapacityError::Contradiction { one: other.gate.to_string(), other: gate.to_string() });
        }
        if !slos.iter().any(|other| other.gate == gate) {
            slos.push(Slo::of(gate));
        }
    }
    if slos.is_empty() {
        return Err(CapacityError::NoSlo);
    }
    if let Some(slo) = slos.iter().find(|slo| never(&slo.gate)) {
        return Err(CapacityError::Never { slo: slo.gate.to_string() });
    }
    // Beside another one it may say what is wanted of a tail; alone it limits nothing.
    if let Some(slo) = slos.first().filter(|_| slos.iter().all(|slo| wants_worse(&slo.gate))) {
        return Err(CapacityError::WrongWay { slo: slo.gate.to_string() });
    }
    Ok(slos)
}

fn check_stream(text: &str, gate: &Gate, plan: &Plan) -> Result<(), CapacityError> {
    let Some(name) = gate.metric.stream() else { return Ok(()) };
    let Some(stream) = plan.streams.iter().find(|stream| stream.name == name) else {
        return Err(CapacityError::NoStream { what: format!("--slo '{text}'"), name: name.to_owned(), known: super::names(plan) });
    };
    if matches!(gate.metric, Metric::Recall { .. }) && stream.operation.name() != "search" {
        return Err(CapacityError::NoRecall { slo: text.to_owned(), name: name.to_owned(), operation: stream.operation.name().to_owned() });
    }
    Ok(())
}

/// Whether nothing can hold it: less than nothing, more than all.
fn never(gate: &Gate) -> bool {
    let limit = gate.limit.value.number();
    let strict = matches!(gate.limit.comparison, crate::scenario::Comparison::Below | crate::scenario::Comparison::Above);
    match (&gate.metric, gate.limit.is_upper()) {
        (Metric::Time { .. } | Metric::Rate { .. } | Metric::Errors { .. } | Metric::Recall { .. }, true) => strict && limit <= 0.0,
        (Metric::Errors { .. } | Metric::Recall { .. }, false) => strict && limit >= 1.0,
        _ => false,
    }
}

/// Whether it asks for times or errors above a limit: those grow with the rate, so that a search would end at its first overload.
fn wants_worse(gate: &Gate) -> bool {
    matches!(gate.metric, Metric::Time { .. } | Metric::Errors { .. }) && !gate.limit.is_upper()
}

/// Whether no run can meet both: one wants more of a figure than the other allows of it, or of one that is never smaller.
fn contradict(a: &Gate, b: &Gate) -> bool {
    let (upper, lower) = match (a.limit.is_upper(), b.limit.is_upper()) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return false,
    };
    let (most, least) = (upper.limit.value.number(), lower.limit.value.number());
    let both_may_be_met = upper.limit.holds(least) && lower.limit.holds(least);
    never_larger(&lower.metric, &upper.metric) && (least > most || (least == most && !both_may_be_met))
}

/// Whether the first figure of a run is never larger than the second.
fn never_larger(small: &Metric, large: &Metric) -> bool {
    let (
        Metric::Time { stream: a, time: time_a, statistic: small_statistic },
        Metric::Time { stream: b, time: time_b, statistic: large_statistic },
    ) = (small, large)
    else {
        return small == large;
    };
    // A request's service time is a part of its response time.
    let times = time_a == time_b || (*time_a != Time::Response && *time_b == Time::Response);
    let order = match (small_statistic, large_statistic) {
        (Statistic::Min, _) | (_, Statistic::Max) => true,
        (Statistic::Percentile(a), Statistic::Percentile(b)) => a.quantile() <= b.quantile(),
        (a, b) => a == b,
    };
    a == b && times && order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{self, Overrides};

    fn plan() -> Plan {
        let text = "target.uri = \"practice\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"9/s\"\n\
                    [[stream]]\nname = \"writers\"\noperation = \"insert\"\nworkers = 1\n";
        scenario::parse(text, "s.toml", &Overrides::default()).unwrap()
    }

    fn slos(texts: &[&str]) -> Result<Vec<Slo>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        read(&texts, &plan()).map_err(|error| crate::units::Causes(&error).to_string())
    }

    #[test]
    fn what_can_be_estimated_is_estimated() {
        let found =
            slos(&["readers.response.p99 < 20ms", "errors < 0.1%", "readers.service.mean < 3ms", "readers.response.max < 1s"]).unwrap();
        let limits: Vec<Option<f64>> = found.iter().map(Slo::limit).collect();
        assert!((limits[0].unwrap() - 0.01).abs() < 1e-12);
        assert_eq!(limits[1..], [Some(0.001), Some(1.0), None]);
        assert_eq!(slos(&["errors < 1%", "errors < 1%"]).unwrap().len(), 1);
    }

    #[test]
    fn slos_that_cannot_hold_together_are_refused() {
        for pair in [
            ["readers.response.p99 < 20ms", "readers.response.p99 > 30ms"],
            ["readers.response.p99 < 20ms", "readers.response.p50 > 30ms"],
            ["readers.service.p99 > 20ms", "readers.response.p99 < 20ms"],
            ["readers.response.min >= 2ms", "readers.response.mean < 2ms"],
            ["errors > 2%", "errors <= 1%"],
        ] {
            let error = slos(&pair).unwrap_err();
            assert!(error.contains("contradict") && error.contains(pair[0]) && error.contains(pair[1]), "{error}");
        }
        for pair in [
            ["readers.response.p50 < 20ms", "readers.response.p99 > 30ms"],
            ["readers.response.p99 <= 20ms", "readers.response.p99 >= 20ms"],
            ["readers.response.p99 < 20ms", "readers.response.p99 < 30ms"],
        ] {
            assert!(slos(&pair).is_ok(), "{pair:?}");
        }
    }

    #[test]
    fn what_no_run_can_meet_or_no_stream_has_is_refused() {
        for (text, part) in [
            ("raeders.response.p99 < 20ms", "streams of this scenario: readers, writers"),
            ("writers.recall > 0.9", "only searches have a recall"),
            ("readers.response.p99 < 0ms", "no run can meet"),
            ("errors < 0%", "no run can meet"),
            ("readers.recall > 1", "no run can meet"),
            ("readers.response.p99 < 20", "must look like"),
        ] {
            let error = slos(&[text]).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(slos(&[]).unwrap_err().contains("--slo"));
    }
}
