//! Which figures are compared, and where they stand in a stored run.

use crate::result::StoredRun;
use crate::result::model::{PhaseName, RunDocument};
use crate::scenario::{Metric, Percentile, Statistic, Time};
use crate::stats::log_ratio::Estimate;
use crate::stats::one_run::{self, OneRun};
use crate::stats::{CONFIDENCE, interval};

use super::CompareError;
use super::decision::{Question, Worse};

/// Errors and recall are compared as shares of good answers, and may get worse by this part of the tolerance for times: a twentieth
/// of slowness is hardly noticed, a twentieth of the answers is.
pub const SHARE_OF_TOLERANCE: f64 = 0.1;

/// What nothing is counted as, so that it has a logarithm: far below every figure that is measured.
const ALMOST_NOTHING: f64 = 1e-9;

/// The figures that are compared where none is named: of each stream the response time's median and p99 (of closed loops the rate
/// besides), and the errors.
#[must_use]
pub fn default_metrics(document: &RunDocument) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for stream in &document.streams {
        for percentile in [Percentile::P50, Percentile::P99] {
            let statistic = Statistic::Percentile(percentile);
            metrics.push(Metric::Time { stream: stream.name.clone(), time: Time::Response, statistic });
        }
        if stream.asked_per_s.is_none() {
            metrics.push(Metric::Rate { stream: stream.name.clone() });
        }
    }
    metrics.push(Metric::Errors { stream: None });
    metrics
}

/// What is asked of a metric.
#[must_use]
pub fn question(metric: &Metric, tolerance: f64) -> Question {
    match metric {
        Metric::Time { .. } => Question { worse: Worse::More, tolerance },
        _ if is_of_answers(metric) => Question { worse: Worse::Less, tolerance: tolerance * SHARE_OF_TOLERANCE },
        _ => Question { worse: Worse::Less, tolerance },
    }
}

/// Whether a metric is compared as a share of good answers.
pub(super) const fn is_of_answers(metric: &Metric) -> bool {
    matches!(metric, Metric::Recall { .. } | Metric::Errors { .. })
}

/// A figure of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// As the run has it: in ns, a second, or 0 to 1.
    pub value: f64,
    /// It is a lower bound.
    pub at_least: bool,
}

impl Reading {
    /// The logarithm that is compared: of errors, that of the share of good answers.
    #[must_use]
    pub fn ln(&self, metric: &Metric) -> f64 {
        let good = if let Metric::Errors { .. } = metric { 1.0 - self.value } else { self.value };
        good.max(ALMOST_NOTHING).ln()
    }
}

/// Looks a metric up; percentiles that the document does not hold come from the interval log.
///
/// # Errors
/// Where the run has no such figure.
pub fn reading(run: &StoredRun, metric: &Metric) -> Result<Reading, CompareError> {
    if let Some(figure) = run.document.figure(metric) {
        return Ok(Reading { value: figure.value, at_least: figure.at_least });
    }
    if let Metric::Time { stream, time, statistic: Statistic::Percentile(percentile) } = metric
        && let Some(times) = run.times.get(stream)
    {
        let histogram = match time {
            Time::Response => Some((&times.response, run.document.stream(stream).map(|stream| stream.response.censored))),
            Time::Service => Some((&times.service, run.document.stream(stream).map(|stream| stream.service.censored))),
            Time::Lateness => None,
        };
        if let Some((histogram, censored)) = histogram.filter(|(histogram, _)| !histogram.is_empty()) {
            // Which ones hung is not in the log: with any of them the percentile may be a bound.
            let at_least = censored.unwrap_or(0) > 0;
            return Ok(Reading { value: histogram.quantile_ns(percentile.quantile()) as f64, at_least });
        }
    }
    Err(CompareError::NoFigure { path: run.path.clone(), metric: metric.to_string(), why: why_not(&run.document, metric) })
}

fn why_not(document: &RunDocument, metric: &Metric) -> String {
    match metric.stream() {
        Some(name) if document.stream(name).is_none() => {
            let names: Vec<&str> = document.streams.iter().map(|stream| stream.name.as_str()).collect();
            format!("it has no stream `{name}`, only {}", names.join(", "))
        }
        Some(name) => format!("no request of `{name}` gave one"),
        None => "no request was scheduled".to_owned(),
    }
}

/// What one run knows by itself of the logarithm that is compared, from its seconds.
pub(super) fn alone(run: &StoredRun, metric: &Metric, seed: u64) -> Result<Estimate, CompareError> {
    let unknown = |why: &str| CompareError::OneRunOnly { metric: metric.to_string(), why: why.to_owned() };
    let short = || unknown(&format!("it has fewer than {} seconds; give longer runs, or several a side", one_run::FEWEST_INTERVALS));
    let several = "give several runs a side";
    let read = reading(run, metric)?;
    let found = match metric {
        Metric::Time { stream, time, statistic: Statistic::Percentile(percentile) } if *time != Time::Lateness => {
            let seconds = seconds(run, stream, *time)?;
            seconds.ln_quantile(percentile.quantile(), seed).ok_or_else(short)?
        }
        Metric::Time { stream, time: Time::Response, statistic: Statistic::Mean } => {
            let seconds = run.document.stream(stream).map(|stream| stream.seconds.as_slice()).unwrap_or_default();
            let sums: Vec<(f64, f64)> =
                seconds.iter().filter_map(|second| Some((second.mean_ns? as f64 * second.ok as f64, second.ok as f64))).collect();
            one_run::ln_ratio_of_sums(&sums, seed).ok_or_else(short)?
        }
        Metric::Rate { stream } => one_run::ln_ratio_of_sums(&answered(run, Some(stream), false), seed).ok_or_else(short)?,
        // Nothing failed: nothing scatters.
        Metric::Errors { .. } if read.value == 0.0 => Estimate { value: 0.0, standard_error: 0.0, degrees: f64::INFINITY },
        Metric::Errors { stream } => one_run::ln_ratio_of_sums(&answered(run, stream.as_deref(), true), seed).ok_or_else(short)?,
        Metric::Recall { stream } => {
            let recall = run.document.stream(stream).and_then(|stream| stream.recall?.interval);
            let [low, high] = recall.ok_or_else(|| unknown(several))?;
            let z = interval::normal_quantile(f64::midpoint(1.0, CONFIDENCE));
            let share = read.value.max(ALMOST_NOTHING);
            Estimate { value: 0.0, standard_error: (high - low) / 2.0 / z / share, degrees: f64::INFINITY }
        }
        Metric::Time { .. } => return Err(unknown(several)),
    };
    // The document's own figure is the one that is told.
    Ok(Estimate { value: read.ln(metric), ..found })
}

fn seconds(run: &StoredRun, stream: &str, time: Time) -> Result<OneRun, CompareError> {
    let Some(log) = run.latency_file() else {
        let what = "`latency.hlog` is missing, which a single run is judged by".to_owned();
        return Err(CompareError::HalfWritten { path: run.path.clone(), what });
    };
    let kind = if time == Time::Response { crate::result::hlog::Kind::Response } else { crate::result::hlog::Kind::Service };
    let mut seconds = OneRun::new();
    crate::result::hlog::read(&log, |interval| {
        if interval.stream == stream && interval.kind == kind {
            seconds.push(interval.histogram);
        }
    })?;
    Ok(seconds)
}

/// Per second of the measured phase: ok requests, and either one second or all that came to an end in it, unanswered ones too. What
/// came to an end in the drain belongs to the last second where all are counted: its errors are the phase's own.
fn answered(run: &StoredRun, stream: Option<&str>, of_all: bool) -> Vec<(f64, f64)> {
    let measure = run.document.phases.iter().find(|phase| phase.name == PhaseName::Measure).and_then(|phase| phase.length_ns);
    let seconds = measure.map_or(u64::MAX, |ns| ns / 1_000_000_000);
    let mut sums: std::collections::BTreeMap<u64, (f64, f64)> = std::collections::BTreeMap::new();
    for stream in run.document.streams.iter().filter(|own| stream.is_none_or(|name| own.name == name)) {
        for second in stream.seconds.iter().filter(|second| of_all || second.second < seconds) {
            let sum = sums.entry(second.second.min(seconds.saturating_sub(1))).or_default();
            sum.0 += second.ok as f64;
            sum.1 += if of_all { (second.ok + second.failed + second.given_up) as f64 } else { 1.0 };
        }
    }
    sums.into_values().filter(|(_, all)| *all > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::WallTime;
    use crate::result::hlog::Ending;
    use crate::result::model::{Phase, Second, Stream};

    /// Thirty seconds and a drain of 100 requests each; the last of each `every`-th second's, and five of the drain's, were given up.
    fn run(every: u64) -> StoredRun {
        let second = |second: u64| {
            let given_up = if second == 30 { 5 } else { 10 * u64::from(second.is_multiple_of(every)) };
            Second { second, ok: 100 - given_up, given_up, ..Second::default() }
        };
        let seconds: Vec<Second> = (0..=30).map(second).collect();
        let timed_out = seconds.iter().map(|second| second.given_up).sum();
        let readers =
            Stream { name: "readers".to_owned(), scheduled: 3_100, ok: 3_100 - timed_out, timed_out, seconds, ..Stream::default() };
        let mut document = RunDocument { streams: vec![readers], ..RunDocument::begun("", "", WallTime::default()) };
        document.phases.push(Phase { name: PhaseName::Measure, start: WallTime::default(), length_ns: Some(30_000_000_000) });
        StoredRun { path: "nowhere".into(), document, times: std::collections::BTreeMap::new(), ending: Ending::Whole }
    }

    #[test]
    fn requests_that_were_given_up_scatter_as_those_that_failed_do() {
        let errors = Metric::Errors { stream: None };
        let estimate = alone(&run(3), &errors, 1).unwrap();
        // Ten of thirty seconds with a tenth given up: independent ones would scatter by 0.1 × √(1/3 × 2/3 / 30) = 0.0086. A bootstrap of
        // thirty is off by some √(2/30) = 26 %, and blocks see that two good seconds follow a bad one, which makes it less.
        assert!((0.001..0.02).contains(&estimate.standard_error), "{estimate:?}");
        let all: f64 = answered(&run(3), None, true).iter().map(|(_, all)| all).sum();
        assert_eq!(all, 3_100.0, "the drain's stand in the last second");
        assert_eq!(answered(&run(3), None, true).len(), 30);
    }
}
