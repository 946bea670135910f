//! From what the lanes measured to the figures of a run document.

use std::collections::BTreeMap;

use crate::load::{Measured, Shape, Stage, StreamLoad, StreamMeasured};
use crate::result::model::{self, ClientOnly, Forward, Latency, SampledBy, TimerError, Trace};
use crate::scenario::{Gate, Metric, Percentile, Statistic, Time};
use crate::stats::CONFIDENCE;
use crate::stats::arrivals;
use crate::stats::batches::Batches;
use crate::stats::censored::Censored;
use crate::stats::histogram::Histogram;
use crate::stats::stationarity;
use crate::trace::{Decisions, Finished, Forwarded, Outcome};
use crate::units::Nanos;

use super::tracing::Traced;

/// The slowest requests that stand in the document; `requests.jsonl` holds more.
const SLOWEST_SHOWN: usize = 10;

/// What a stream is called, and what was asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) operation: &'a str,
    pub(super) load: &'a StreamLoad,
}

/// Where times are counted from, and where traces are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// When the run began: requests are counted from here.
    pub(super) origin: crate::clock::Moment,
    /// How long the measured phase lasted.
    pub(super) duration: Nanos,
    /// Over how many machines the load is spread: this one has each so many-th request.
    pub(super) shards: u64,
    /// The Jaeger whose pages are linked; `None` too where it cannot have the traces.
    pub(super) jaeger: Option<&'a str>,
    /// Whether unsampled ones among the slowest have a span of the client alone.
    pub(super) client_only: bool,
    /// Percentiles that the document has to hold beside its own.
    pub(super) gates: &'a [Gate],
}

/// All figures of one stream, but for recall and exemplars, which need more than the lanes kept.
pub(super) fn stream(asked: Asked<'_>, measured: &StreamMeasured, frame: Frame<'_>) -> model::Stream {
    let seconds = frame.duration.as_secs_f64().max(1e-9);
    let record = &measured.record;
    let counts = record.counts;
    let open = match &asked.load.shape {
        Shape::Open { stages, .. } => Some(stages),
        Shape::Closed { .. } => None,
    };
    let latency = |time: Time, all: &Histogram, censored: &Histogram, batches| {
        let sample = Censored::new(all.without(censored), censored);
        with_gated(of_censored(&sample, batches), &sample, asked.name, time, frame.gates)
    };
    model::Stream {
        name: asked.name.to_owned(),
        operation: asked.operation.to_owned(),
        load_loop: if open.is_some() { model::Loop::Open } else { model::Loop::Closed },
        repeats: asked.load.forced,
        asked_per_s: open.map(|stages| mean_rate(stages) / frame.shards as f64),
        achieved_per_s: counts.ok as f64 / seconds,
        scheduled: counts.scheduled,
        sent: counts.sent,
        ok: counts.ok,
        failed: counts.failed,
        timed_out: counts.timed_out,
        unfinished: counts.unfinished,
        errors: record.failures.iter().map(|failures| (failures.outcome.to_string(), failures.count)).collect(),
        response: latency(Time::Response, &measured.response, &record.censored_response(), &measured.series.response),
        service: latency(Time::Service, &measured.service, &record.censored_service, &measured.series.service),
        lateness: lateness(&measured.lateness, asked.name, frame.gates),
        service_sampled: summary(&record.sampled_service),
        service_unsampled: summary(&measured.service.without(&record.sampled_service)),
        recall: None,
        failures: failures(measured),
        seconds: per_second(measured, open, frame.shards),
        checks: model::Checks {
            arrivals: open.and_then(|_| check_arrivals(asked.load, measured, frame.shards)),
            stationarity: check_stationarity(measured, open),
        },
        slowest: record.slowest.iter().take(SLOWEST_SHOWN).map(|finished| slow_request(finished, frame)).collect(),
        exemplars: Vec::new(),
    }
}

/// The summary of a histogram with censored values: what is only a lower bound, and what the percentiles are worth.
fn of_censored(sample: &Censored, batches: &Batches) -> Latency {
    let mut latency = Latency::of(sample.all());
    latency.censored = sample.censored();
    if sample.all().is_empty() {
        return latency;
    }
    // One number for the reader: what the median is worth. Each interval takes its own percentile's.
    let median = batches.effective_count(0.5);
    latency.effective_count = (median > 0.0).then_some(median as u64);
    let mut intervals = BTreeMap::new();
    for percentile in Percentile::SUMMARY {
        let (key, q) = (percentile.key(), percentile.quantile());
        let figure = sample.quantile(q);
        latency.set(percentile, figure.ns);
        if figure.at_least {
            latency.at_least.push(key.clone());
        }
        match sample.interval(q, batches.effective_count(q), CONFIDENCE) {
            Some(interval) => {
                intervals.insert(key, interval);
            }
            None => latency.too_few.push(key),
        }
    }
    if sample.censored() > 0 {
        latency.at_least.extend(["mean_ns", "max_ns"].map(str::to_owned));
    }
    latency.intervals = intervals;
    latency
}

/// Adds the percentiles that gates speak of and that every summary does not hold anyway.
fn with_gated(mut latency: Latency, sample: &Censored, stream: &str, time: Time, gates: &[Gate]) -> Latency {
    for gate in gates {
        let Metric::Time { stream: of, time: at, statistic: Statistic::Percentile(percentile) } = &gate.metric else { continue };
        if of != stream || *at != time || sample.all().is_empty() || Percentile::SUMMARY.contains(percentile) {
            continue;
        }
        let figure = sample.quantile(percentile.quantile());
        if figure.at_least {
            latency.at_least.push(percentile.key());
        }
        latency.set(*percentile, figure.ns);
    }
    latency
}

/// The figures of a part of the requests; `None` where it is empty.
fn summary(histogram: &Histogram) -> Option<Latency> {
    (!histogram.is_empty()).then(|| Latency::of(histogram))
}

fn lateness(histogram: &Histogram, stream: &str, gates: &[Gate]) -> Latency {
    let sample = Censored::new(histogram.clone(), &Histogram::new());
    with_gated(Latency::of(histogram), &sample, stream, Time::Lateness, gates)
}

/// The accounting of traces, from what the lanes decided and what became of the spans.
pub(super) fn trace(begun: &Trace, decisions: &Decisions, traced: &Traced) -> Trace {
    let accounting = &traced.accounting;
    let forward = |forwarded: &Forwarded| Forward {
        endpoint: forwarded.endpoint.clone(),
        taken: forwarded.taken,
        forwarded: forwarded.forwarded,
        dropped: forwarded.dropped,
        failed: forwarded.failed,
        why: forwarded.why.clone(),
    };
    let client_only = |spans: crate::trace::ClientOnly| ClientOnly { made: spans.made, exported: spans.exported, failed: spans.failed };
    Trace {
        decided: decisions.decided,
        sampled: decisions.sampled(),
        sampled_by: SampledBy { ratio: decisions.sampled_ratio, burst: decisions.sampled_burst, forced: decisions.sampled_forced },
        ended: accounting.ended,
        exported: accounting.exported,
        dropped: accounting.dropped,
        failed: accounting.failed,
        why: traced.why.clone(),
        export_bytes: Some(accounting.bytes),
        client_only: traced.client_only.map(client_only),
        forward: traced.received.as_ref().and_then(|received| received.forwarded.as_ref()).map(forward),
        ..begun.clone()
    }
}

/// The instrument's own health, as far as the lanes tell it.
pub(super) fn generator<L>(measured: &Measured<L>) -> model::Generator {
    let timer_error = |histogram: &Histogram| match histogram.count() {
        0 => TimerError::default(),
        _ => TimerError {
            p50_ns: Some(histogram.quantile_ns(0.5)),
            p99_ns: Some(histogram.quantile_ns(0.99)),
            max_ns: Some(histogram.max_ns()),
        },
    };
    let lane = |lane: &crate::load::LaneHealth| model::Lane {
        cpu_share: lane.cpu_share,
        wait_share: lane.wait_share,
        timer_error: timer_error(&lane.timer_error),
        merged_intervals: lane.merged_intervals,
    };
    let completed: u64 = measured.streams.iter().map(|stream| stream.record.counts).map(|counts| counts.ok + counts.failed).sum();
    // The process's CPU was read over a time that differs from the measured phase by some ms: per second it is the same.
    let cpu_per_s = measured.cpu_used.0 as f64 / measured.cpu_over.as_secs_f64().max(1e-9);
    let per_s = completed as f64 / measured.duration().as_secs_f64().max(1e-9);
    model::Generator {
        lanes: measured.lanes.iter().map(lane).collect(),
        cpu_ns_per_request: (completed > 0 && measured.cpu_over > Nanos::ZERO).then(|| (cpu_per_s / per_s) as u64),
        ..model::Generator::default()
    }
}

fn mean_rate(stages: &[Stage]) -> f64 {
    let seconds: f64 = stages.iter().map(|stage| stage.length.as_secs_f64()).sum();
    stages.iter().map(Stage::requests).sum::<f64>() / seconds.max(1e-9)
}

fn failures(measured: &StreamMeasured) -> Vec<model::Failures> {
    let record = &measured.record;
    let by_status = record.failures.iter().map(|failures| model::Failures {
        status: failures.outcome.to_string(),
        count: failures.count,
        response: Latency::of(&failures.response),
        sample: Some(failures.reason.clone()).filter(|reason| !reason.is_empty()),
    });
    let waited = |outcome: Outcome, count: u64, response: &Histogram| {
        (count > 0).then(|| model::Failures { status: outcome.to_string(), count, response: Latency::of(response), sample: None })
    };
    by_status
        .chain(waited(Outcome::TimedOut, record.counts.timed_out, &record.timed_out_response))
        .chain(waited(Outcome::Unfinished, record.counts.unfinished, &record.unfinished_response))
        .collect()
}

fn per_second(measured: &StreamMeasured, open: Option<&Vec<Stage>>, shards: u64) -> Vec<model::Second> {
    let of = |second: &crate::load::Second| model::Second {
        second: second.index,
        asked_per_s: open.map(|stages| asked_in_second(stages, second.index) / shards as f64),
        ok: second.ok,
        failed: second.failed,
        given_up: second.given_up,
        mean_ns: second.mean_ns,
        p50_ns: second.p50_ns,
        p99_ns: second.p99_ns,
    };
    measured.series.seconds.iter().map(of).collect()
}

fn check_arrivals(load: &StreamLoad, measured: &StreamMeasured, shards: u64) -> Option<model::Arrivals> {
    let Shape::Open { arrivals: process, stages, .. } = &load.shape else { return None };
    let sends: Vec<(u64, u64)> = measured.record.sends.iter().map(|send| (send.intended_ns, send.sent_ns)).collect();
    let windows = arrivals::windows(&sends, measured.record.sends_window.0, |at| shards as f64 * 1e9 / rate_at(stages, at).max(1e-9));
    // All lanes together sent every request of this machine's, which is each `shards`-th of the stream's.
    let check = arrivals::check(*process, u32::try_from(shards).unwrap_or(u32::MAX), &windows);
    (check.samples >= arrivals::FEWEST_GAPS).then(|| model::Arrivals {
        process: process.to_string(),
        samples: check.samples as u64,
        effect_size: check.effect_size,
        p_value: check.p_value,
        off_plan: check.off_plan,
    })
}

/// The mean of the planned rate over a second of the measured phase, or of the drain, where nothing is due.
fn asked_in_second(stages: &[Stage], second: u64) -> f64 {
    const SECOND: u64 = 1_000_000_000;
    let (mut begin, mut asked) = (0, 0.0);
    for stage in stages {
        let end = begin + stage.length.0;
        let (from, to) = ((second * SECOND).max(begin), ((second + 1) * SECOND).min(end));
        if from < to {
            // A stage is linear: its mean over a part is its value in the middle of it.
            asked += stage.rate_at(Nanos(from.midpoint(to) - begin)) * Nanos(to - from).as_secs_f64();
        }
        begin = end;
    }
    asked
}

/// The planned rate so many ns into the measured phase.
fn rate_at(stages: &[Stage], at_ns: u64) -> f64 {
    let mut begin = 0;
    for stage in stages {
        if at_ns < begin + stage.length.0 {
            return stage.rate_at(Nanos(at_ns - begin));
        }
        begin += stage.length.0;
    }
    stages.last().map_or(0.0, |stage| stage.to.per_second())
}

/// Stationarity is asked of loads that are meant to be: not where stages move the rate.
fn check_stationarity(measured: &StreamMeasured, open: Option<&Vec<Stage>>) -> Option<model::Stationarity> {
    let steady =
        open.is_none_or(|stages| stages.windows(2).all(|pair| pair[0].from == pair[1].from) && stages.iter().all(|s| s.from == s.to));
    let timed = measured.series.response.timed_medians_ns();
    let medians: Vec<f64> = timed.iter().map(|(_, median)| *median).collect();
    if !steady || medians.len() < stationarity::FEWEST_FIGURES {
        return None;
    }
    let each = u64::from(measured.series.response.seconds_each());
    let shift = stationarity::level_shift(&medians).filter(|shift| shift.shifted);
    let trend = stationarity::trend(&medians).filter(|trend| trend.trending);
    Some(model::Stationarity {
        seconds: medians.len() as u64 * each,
        level_shift: shift.map(|shift| model::LevelShift {
            at_ns: timed.get(shift.at).map_or(0, |(seconds, _)| *seconds) * 1_000_000_000,
            before_ns: shift.before as u64,
            after_ns: shift.after as u64,
            change: shift.change,
            p_value: shift.p_value,
        }),
        trend: trend.map(|trend| model::Trend { change: trend.change, p_value: trend.p_value }),
    })
}

fn slow_request(finished: &Finished, frame: Frame<'_>) -> model::SlowRequest {
    let client_only = frame.client_only && !finished.decision.is_sampled();
    let trace_id = (finished.decision.is_sampled() || client_only).then(|| finished.decision.trace_id.to_string());
    model::SlowRequest {
        sequence: finished.sequence,
        intended_ns: finished.intended.since(frame.origin).0,
        response_ns: finished.response().0,
        service_ns: finished.service().0,
        lateness_ns: finished.lateness().0,
        outcome: finished.outcome.to_string(),
        link: trace_id.as_deref().and_then(|id| link(frame.jaeger, id)),
        trace_id,
        client_only,
        gone: false,
    }
}

/// A trace's page in Jaeger.
pub(super) fn link(jaeger: Option<&str>, trace_id: &str) -> Option<String> {
    jaeger.map(|jaeger| format!("{}/trace/{trace_id}", jaeger.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Part, Schedule, Send};
    use crate::units::Rate;

    /// What one of two machines sends of a Poisson stream of 1,000/s over 20 s, exactly as planned.
    #[test]
    fn one_machines_part_of_the_arrivals_is_on_the_plan() {
        let rate = Rate::from_per_second(1_000.0).unwrap();
        let stages = vec![Stage::steady(rate, Nanos::from_secs(20))];
        let shape = Shape::Open { arrivals: arrivals::Process::Poisson, warmup: rate, stages, max_in_flight: 1 };
        let part = Part { shards: 2, ..Part::WHOLE };
        let sends = Schedule::new(&shape, Nanos::ZERO, 7, part).unwrap();
        let mut measured = StreamMeasured::default();
        measured.record.sends = sends.map(|arrival| Send { intended_ns: arrival.due.0, sent_ns: arrival.due.0 }).collect();
        measured.record.sends_window = Nanos::from_secs(1);
        let load = StreamLoad { shape, timeout: Nanos::from_secs(1), forced: false };
        let off_plan = |shards| check_arrivals(&load, &measured, shards).unwrap().off_plan;
        assert!(!off_plan(2));
        assert!(off_plan(1), "half of a stream is not the whole of one");
    }

    #[test]
    fn the_seconds_ask_for_what_the_stages_do_and_for_nothing_after_them() {
        let rate = |per_second| Rate::from_per_second(per_second).unwrap();
        let stage = |from, to, ms| Stage { from: rate(from), to: rate(to), length: Nanos::from_millis(ms) };
        // 100/s for 1.5 s; a ramp to 300/s within 1 s; a pause of 1.5 s.
        let stages = [stage(100.0, 100.0, 1_500), stage(100.0, 300.0, 1_000), stage(0.0, 0.0, 1_500)];
        let asked: Vec<f64> = (0..6).map(|second| asked_in_second(&stages, second)).collect();
        // Second 1 holds 50 and the ramp's first half (100 to 200 over 0.5 s: 75); second 2 its other half, 125.
        for (asked, expected) in asked.iter().zip([100.0, 125.0, 125.0, 0.0, 0.0, 0.0]) {
            assert!((asked - expected).abs() < 1e-9, "{asked} for {expected}");
        }
        let whole: f64 = stages.iter().map(Stage::requests).sum();
        assert!((asked.iter().sum::<f64>() - whole).abs() < 1e-9);
    }
}
