//! How many outliers a run has seen, how many of them it traced, and what the ratio alone would have caught.
//!
//! An outlier is here a request of the measured phase whose response took longer than a stated time: `trace.burst.above` where
//! there are bursts, else the stream's p99.9. Counted in histograms over the sampled requests, on the exporter's thread.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::load::StreamMeasured;
use crate::result::model::{Caught, Outliers, OutliersOfStream};
use crate::result::requests::{self, Request};
use crate::result::{REQUESTS_FILE, SPANS_FILE};
use crate::scenario::Plan;
use crate::stats::histogram::Histogram;
use crate::tail::traces;
use crate::trace::{Decisions, Finished, Outcome, SampledSink, Why};

/// The quantile that an outlier lies above where nothing else says.
const QUANTILE: f64 = 0.999;
/// A longer `spans.jsonl` is not read through for a count.
const LONGEST_READ: u64 = 256 << 20;

/// Response times of the sampled requests of one stream.
#[derive(Debug, Default)]
struct OfStream {
    all: Histogram,
    ratio: Histogram,
}

/// Counts sampled requests on their way into `requests.jsonl`.
#[derive(Debug, Clone)]
pub(super) struct Tally(Arc<Mutex<Vec<OfStream>>>);

impl Tally {
    pub(super) fn new(streams: usize) -> Self {
        Self(Arc::new(Mutex::new(std::iter::repeat_with(OfStream::default).take(streams).collect())))
    }

    /// The sink that counts and hands on.
    pub(super) fn before(&self, sink: Box<dyn SampledSink>) -> Box<dyn SampledSink> {
        Box::new(Counting { tally: self.clone(), sink })
    }

    fn see(&self, finished: &Finished) {
        // The same requests as in the streams' response times.
        let counts = matches!(finished.outcome, Outcome::Ok | Outcome::TimedOut | Outcome::Unfinished);
        if !finished.phase_measured || !counts {
            return;
        }
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = streams.get_mut(usize::from(finished.stream)) else { return };
        stream.all.record(finished.response().0);
        if finished.decision.sampled == Some(Why::Ratio) {
            stream.ratio.record(finished.response().0);
        }
    }

    /// What the run has seen and traced. `client_only` are the spans that were made after the fact.
    pub(super) fn outliers(&self, plan: &Plan, measured: &[StreamMeasured], decisions: &Decisions, client_only: u64) -> Outliers {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stream = |((stream, measured), tally): ((&crate::scenario::Stream, &StreamMeasured), &OfStream)| {
            let above_ns = match plan.trace.burst {
                Some(burst) => burst.above.0,
                None if measured.response.is_empty() => return None,
                None => measured.response.quantile_ns(QUANTILE),
            };
            let unsampled = measured.record.slowest.iter().filter(|finished| !finished.decision.is_sampled());
            let with_client_span = unsampled.filter(|finished| finished.response().0 > above_ns).count() as u64;
            Some(OutliersOfStream {
                name: stream.name.clone(),
                above_ns,
                seen: measured.response.count_above(above_ns),
                sampled: tally.all.count_above(above_ns),
                sampled_ratio: tally.ratio.count_above(above_ns),
                client_only: if plan.trace.outliers { with_client_span } else { 0 },
            })
        };
        let streams: Vec<_> = plan.streams.iter().zip(measured).zip(tally.iter()).filter_map(of_stream).collect();
        let sum = |of: fn(&OutliersOfStream) -> u64| streams.iter().map(of).sum();
        Outliers {
            seen: sum(|stream| stream.seen),
            client_only: sum(|stream| stream.client_only),
            caught: Caught { sampled: sum(|stream| stream.sampled), with_server_spans: None, spans: decisions.sampled() + client_only },
            ratio: Caught { sampled: sum(|stream| stream.sampled_ratio), with_server_spans: None, spans: decisions.sampled_ratio },
            streams,
        }
    }
}

struct Counting {
    tally: Tally,
    sink: Box<dyn SampledSink>,
}

impl SampledSink for Counting {
    fn sampled(&mut self, finished: &Finished) {
        self.tally.see(finished);
        self.sink.sampled(finished);
    }

    fn close(&mut self) {
        self.sink.close();
    }
}

/// Counts the outliers whose server spans lie in the run directory, where the traces of all of them were kept.
pub(super) fn count_server_spans(outliers: &mut Outliers, directory: &Path) {
    let spans = directory.join(SPANS_FILE);
    if !std::fs::metadata(&spans).is_ok_and(|file| file.len() <= LONGEST_READ) {
        return;
    }
    let Ok(kept) = requests::read(&directory.join(REQUESTS_FILE)) else { return };
    let above = |request: &Request| {
        let stream = outliers.streams.iter().find(|stream| stream.name == request.stream);
        stream.is_some_and(|stream| request.measured && request.sampled && request.response_ns() > stream.above_ns)
    };
    let slow: Vec<_> = kept.iter().filter(|request| above(request)).collect();
    if slow.iter().any(|request| request.keep_probability < 1.0 || request.traced_keep_probability < 1.0) {
        return;
    }
    let by_id: HashMap<&str, &Request> = slow.iter().filter_map(|request| Some((request.trace_id.as_deref()?, *request))).collect();
    let Ok(reading) = traces::read_where(&spans, |id| by_id.contains_key(id)) else { return };
    let (mut all, mut ratio) = (0, 0);
    for trace in &reading.traces {
        let Some(request) = by_id.get(trace.id.as_str()) else { continue };
        if trace.spans.iter().any(|span| Some(&span.id) != request.span_id.as_ref()) {
            all += 1;
            ratio += u64::from(request.why.as_deref() == Some(Why::Ratio.as_str()));
        }
    }
    outliers.caught.with_server_spans = Some(all);
    outliers.ratio.with_server_spans = Some(ratio);
}
