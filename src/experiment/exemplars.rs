//! Sampled requests that stand for each range between percentiles, so that every part of a distribution has a trace to look at.

use std::path::Path;

use crate::result::model::{Exemplar, Stream};
use crate::result::requests::{self, Request};
use crate::result::{REQUESTS_FILE, ResultError};
use crate::scenario::Percentile;

use super::figures::link;

/// Exemplars of each range.
const OF_EACH: usize = 2;

/// Chooses from the run's kept requests. Where these cannot be read there are none: what is lost has been told already.
pub(super) fn choose(streams: &mut [Stream], directory: &Path, jaeger: Option<&str>) {
    let kept: Result<Vec<Request>, ResultError> = requests::read(&directory.join(REQUESTS_FILE));
    let kept = kept.unwrap_or_default();
    for stream in streams {
        stream.exemplars = of_kept(&kept, stream, jaeger);
    }
}

/// Those of one stream: its sampled requests of the measured phase that ended ok.
fn of_kept(kept: &[Request], stream: &Stream, jaeger: Option<&str>) -> Vec<Exemplar> {
    let own = |request: &&Request| request.stream == stream.name && request.sampled && request.measured && request.outcome == "ok";
    let mut sampled: Vec<&Request> = kept.iter().filter(own).collect();
    sampled.sort_by_key(|request| std::cmp::Reverse(request.response_ns()));
    of_stream(&sampled, stream, jaeger)
}

/// The ranges of a stream, the highest first: each ends where the one before it begins.
fn of_stream(slowest_first: &[&Request], stream: &Stream, jaeger: Option<&str>) -> Vec<Exemplar> {
    let percentiles =
        Percentile::SUMMARY.iter().rev().filter_map(|percentile| Some((percentile.to_string(), stream.response.get(*percentile)?)));
    let ranges = percentiles.chain(std::iter::once(("min".to_owned(), 0)));
    let mut rest = slowest_first;
    let mut exemplars = Vec::new();
    for (above, from_ns) in ranges {
        let (inside, below) = rest.split_at(rest.partition_point(|request| request.response_ns() > from_ns));
        rest = below;
        // The slowest of the range, and the one in its middle.
        let chosen = [0, inside.len() / 2].into_iter().take(OF_EACH.min(inside.len())).filter_map(|at| inside.get(at));
        exemplars.extend(chosen.filter_map(|request| {
            let trace_id = request.trace_id.clone()?;
            let (sequence, response_ns) = (request.sequence, request.response_ns());
            Some(Exemplar { above: above.clone(), from_ns, sequence, response_ns, link: link(jaeger, &trace_id), trace_id, gone: false })
        }));
    }
    exemplars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::requests::sketch;

    #[test]
    fn only_sampled_requests_of_the_stream_that_counted_and_ended_ok_stand_for_it() {
        let others = [
            Request { stream: "writers".to_owned(), ..sketch(1, 91) },
            Request { sampled: false, ..sketch(2, 92) },
            Request { measured: false, ..sketch(3, 93) },
            Request { outcome: "UNAVAILABLE".to_owned(), ..sketch(4, 94) },
            Request { trace_id: None, ..sketch(5, 95) },
        ];
        let kept: Vec<Request> = others.into_iter().chain([sketch(6, 40), sketch(7, 60)]).collect();
        let mut stream = Stream { name: "readers".to_owned(), ..Stream::default() };
        stream.response.set(Percentile::P50, 50);
        let chosen: Vec<_> = of_kept(&kept, &stream, None).iter().map(|exemplar| exemplar.sequence).collect();
        assert_eq!(chosen, [7, 6], "the slowest of each range, whatever order they were kept in");
    }

    #[test]
    fn every_range_has_exemplars_of_its_own() {
        let requests: Vec<Request> = (1..=100).rev().map(|n| sketch(n, n)).collect();
        let mut stream = Stream { name: "readers".to_owned(), ..Stream::default() };
        stream.response.set(Percentile::P50, 50);
        stream.response.set(Percentile::P99, 99);
        let chosen = of_stream(&requests.iter().collect::<Vec<_>>(), &stream, Some("http://jaeger/"));
        let found: Vec<_> = chosen.iter().map(|exemplar| (exemplar.above.as_str(), exemplar.response_ns)).collect();
        assert_eq!(found, [("p99", 100), ("p50", 99), ("p50", 75), ("min", 50), ("min", 25)]);
        assert_eq!(chosen[0].link.as_deref(), Some("http://jaeger/trace/00000000000000000000000000000064"));
    }
}
