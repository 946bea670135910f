//! What each value's runs measured, and what follows from it.

use std::path::PathBuf;

use crate::result::StoredRun;
use crate::result::model::{Latency, PhaseName, Stream};
use crate::result::spans::{SpanAccount, account_of_others};

use super::document::{Cost, SampledApart, StreamCost};

/// One run of a value.
#[derive(Debug, Clone)]
pub(super) struct OneCell {
    pub(super) path: PathBuf,
    pub(super) cost: Cost,
    pub(super) distrust: Option<String>,
}

/// What a run cost.
pub(super) fn cost(run: &StoredRun) -> Cost {
    let document = &run.document;
    let busy = [PhaseName::WarmUp, PhaseName::Measure, PhaseName::Drain];
    let busy_ns: u64 = document.phases.iter().filter(|phase| busy.contains(&phase.name)).filter_map(|phase| phase.length_ns).sum();
    let seconds = busy_ns as f64 / 1e9;
    let per_s = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
    let service = document.trace.service_name.as_deref().unwrap_or_default();
    // A file that cannot be read leaves the figures out; what was lost of it stands in the run's own document.
    let received = run.spans_file().and_then(|path| account_of_others(&path, service).ok());
    let of = |count: fn(&SpanAccount) -> u64| received.as_ref().and_then(|received| per_s(count(received)));
    Cost {
        client_cpu_ns_per_request: document.generator.cpu_ns_per_request.map(|ns| ns as f64),
        client_spans_per_s: per_s(document.trace.exported),
        client_bytes_per_s: document.trace.export_bytes.and_then(per_s),
        server_spans_per_s: of(|received| received.spans),
        server_bytes_per_s: of(|received| received.bytes),
        streams: document.streams.iter().map(stream_cost).collect(),
    }
}

fn stream_cost(stream: &Stream) -> StreamCost {
    StreamCost {
        name: stream.name.clone(),
        rate_per_s: stream.achieved_per_s,
        errors: stream.error_fraction().unwrap_or(0.0),
        service_unsampled: apart(stream.service_unsampled.as_ref()),
        service_sampled: apart(stream.service_sampled.as_ref()),
    }
}

fn apart(latency: Option<&Latency>) -> Option<SampledApart> {
    let latency = latency?;
    Some(SampledApart { p50_ns: latency.p50_ns? as f64, p99_ns: latency.p99_ns? as f64 })
}

/// The medians over a value's runs.
pub(super) fn typical(cells: &[OneCell]) -> Cost {
    let costs = || cells.iter().map(|cell| &cell.cost);
    let of = |figure: fn(&Cost) -> Option<f64>| median(costs().filter_map(figure).collect());
    let streams = cells.first().map(|cell| cell.cost.streams.as_slice()).unwrap_or_default();
    let stream = |(at, first): (usize, &StreamCost)| {
        let all = || costs().filter_map(move |cost| cost.streams.get(at));
        let apart = |of: fn(&StreamCost) -> Option<SampledApart>| {
            let all: Vec<SampledApart> = all().filter_map(of).collect();
            let p50_ns = median(all.iter().map(|apart| apart.p50_ns).collect())?;
            Some(SampledApart { p50_ns, p99_ns: median(all.iter().map(|apart| apart.p99_ns).collect())? })
        };
        StreamCost {
            name: first.name.clone(),
            rate_per_s: median(all().map(|stream| stream.rate_per_s).collect()).unwrap_or(0.0),
            errors: median(all().map(|stream| stream.errors).collect()).unwrap_or(0.0),
            service_unsampled: apart(|stream| stream.service_unsampled),
            service_sampled: apart(|stream| stream.service_sampled),
        }
    };
    Cost {
        client_cpu_ns_per_request: of(|cost| cost.client_cpu_ns_per_request),
        client_spans_per_s: of(|cost| cost.client_spans_per_s),
        client_bytes_per_s: of(|cost| cost.client_bytes_per_s),
        server_spans_per_s: of(|cost| cost.server_spans_per_s),
        server_bytes_per_s: of(|cost| cost.server_bytes_per_s),
        streams: streams.iter().enumerate().map(stream).collect(),
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        n if n % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}
