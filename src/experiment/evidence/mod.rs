//! Keeps the evidence: Jaeger in memory forgets, so at the end of a run the traces worth having are fetched from it into the run
//! directory, in the format of the built-in collector's `spans.jsonl`.
//!
//! Bounded in number and in time, off the lanes, after everything else of the run has been written. A Jaeger that is down, slow
//! or empty costs a note.

mod choice;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::clock::{Moment, now};
use crate::load::{Stop, StreamMeasured};
use crate::result::requests::{self, Request};
use crate::result::{ResultError, SPANS_FILE, model, spans};
use crate::tail::jaeger::{IDS_AT_ONCE, Jaeger, JaegerError};
use crate::tail::traces::{self, Trace};
use crate::units::{Causes, Nanos};

pub(super) use choice::Bounds;

/// OpenTelemetry's SDKs send their spans every 5 s: a server's are complete so long after the answer.
pub(super) const SERVERS_BATCH: Nanos = Nanos::from_secs(6);
/// A practice target in this process has sent its spans before they are asked for.
pub(super) const NO_BATCH: Nanos = Nanos::ZERO;
/// What has not arrived so long after the last answer and the server's batch does not come any more.
const ARRIVES_WITHIN: Nanos = Nanos::from_secs(4);
/// All of it takes no longer.
const WITHIN: Nanos = Nanos::from_secs(30);
/// Between two looks at traces that were not there yet.
const LOOK_AGAIN: Nanos = Nanos::from_millis(500);
/// A Jaeger that fails so often in a row is left alone.
const FAILURES: u32 = 3;

/// What to fetch, and from where.
pub(super) struct Fetch<'a> {
    pub(super) jaeger: &'a str,
    pub(super) directory: &'a Path,
    /// What the requests' times are counted from.
    pub(super) origin: Moment,
    pub(super) seed: u64,
    pub(super) bounds: &'a [Bounds],
    /// Trace ids that the report shows.
    pub(super) shown: &'a HashSet<String>,
    /// How long after its answer a request's server spans may come in.
    pub(super) batch: Nanos,
    /// Whether the server was asked to join the traces at all.
    pub(super) joins: bool,
    pub(super) stop: &'a Stop,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) figures: model::Evidence,
    /// Trace ids that were asked for and are not in Jaeger.
    pub(super) gone: HashSet<String>,
    pub(super) spans: u64,
}

/// A trace that was asked for.
struct Wanted {
    stratum: usize,
    request: usize,
    /// Complete no sooner.
    ready: Moment,
    /// What was there when it was looked at last: without the server's spans.
    seen: Option<Trace>,
}

impl Fetch<'_> {
    /// Fetches, writes `spans.jsonl`, and gives each request in `file` the chance that its trace had.
    pub(super) fn keep(&self, file: &Path, requests: &mut [Request]) -> Result<Fetched, ResultError> {
        let path = self.directory.join(SPANS_FILE);
        let kept = self.fetch(&path, requests).and_then(|fetched| requests::write(file, requests).map(|()| fetched));
        if kept.as_ref().map_or(true, |fetched| fetched.figures.kept == 0) {
            // Nothing is there, or a part that would pass for all: whoever asks Jaeger later finds the requests as they were.
            let _ = std::fs::remove_file(&path);
        }
        kept
    }

    fn fetch(&self, path: &Path, requests: &mut [Request]) -> Result<Fetched, ResultError> {
        let begin = now();
        let strata = choice::strata(requests, self.bounds, self.shown, self.seed);
        let order = choice::order(&strata);
        let figures = model::Evidence { jaeger: self.jaeger.to_owned(), ..model::Evidence::default() };
        let mut fetched = Fetched { figures, ..Fetched::default() };
        let mut out = BufWriter::new(File::create(path).map_err(cannot_write(path))?);
        let mut asked = vec![0_usize; strata.len()];
        let looked =
            self.look(requests, order, begin, &mut asked, &mut |requested, trace| fetched.take(requested, trace, self.joins, &mut out));
        fetched.figures.why = looked.and_then(|why| out.flush().map(|()| why)).map_err(cannot_write(path))?;
        fetched.figures.took_ns = now().since(begin).0;
        // Where nothing was kept, nothing is known of a subset.
        if fetched.figures.kept > 0 {
            choice::set_chances(requests, &strata, &asked);
        }
        Ok(fetched)
    }

    /// Asks until every trace is complete, or nothing more can come, or the time is over. `Some`: why it ended early.
    fn look(
        &self,
        requests: &[Request],
        order: Vec<(usize, usize)>,
        begin: Moment,
        asked: &mut [usize],
        take: &mut dyn FnMut(&Request, Option<Trace>) -> io::Result<()>,
    ) -> io::Result<Option<String>> {
        let jaeger = match Jaeger::new(self.jaeger) {
            Ok(jaeger) => jaeger,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let done = |at: usize| self.origin.plus(Nanos(requests[at].done_ns));
        let wanted = |(stratum, request)| Wanted { stratum, request, ready: done(request).plus(self.batch), seen: None };
        let mut pending: Vec<Wanted> = order.into_iter().map(wanted).collect();
        let last = pending.iter().map(|wanted| done(wanted.request)).max().unwrap_or(begin);
        let (arrived, deadline) = (last.plus(self.batch).plus(ARRIVES_WITHIN).max(begin.plus(LOOK_AGAIN)), begin.plus(WITHIN));
        let mut first_time = HashSet::new();
        let mut failures = 0;
        while !pending.is_empty() {
            let round = now();
            let (ready, mut waiting): (Vec<_>, Vec<_>) = pending.into_iter().partition(|wanted| wanted.ready <= round);
            let mut ready = ready.into_iter().peekable();
            let over = loop {
                if let Some(why) = self.is_over(deadline) {
                    break Some(why);
                }
                if ready.peek().is_none() {
                    break None;
                }
                let chunk: Vec<Wanted> = ready.by_ref().take(IDS_AT_ONCE).collect();
                match ask(&jaeger, requests, &chunk) {
                    Ok(found) => {
                        failures = 0;
                        for wanted in chunk {
                            if first_time.insert(wanted.request) {
                                asked[wanted.stratum] += 1;
                            }
                            self.sort(requests, wanted, &found, &mut waiting, take)?;
                        }
                    }
                    Err(error) => {
                        failures += 1;
                        waiting.extend(chunk);
                        if failures == FAILURES {
                            break Some(Causes(&error).to_string());
                        }
                    }
                }
            };
            // Who had a turn stands with what there was, the others had none.
            let had = |wanted: &Wanted| first_time.contains(&wanted.request);
            if over.is_some() {
                give_up(ready.chain(waiting).filter(had), requests, take)?;
                return Ok(over);
            }
            if now() >= arrived && waiting.iter().all(had) {
                return give_up(waiting, requests, take).map(|()| None);
            }
            pending = waiting;
            if !pending.is_empty() {
                self.stop.pause(LOOK_AGAIN);
            }
        }
        Ok(None)
    }

    /// Why nothing more is to be asked, though not all is there.
    fn is_over(&self, deadline: Moment) -> Option<String> {
        if self.stop.is_stopped() {
            return Some("the run was stopped".to_owned());
        }
        (now() >= deadline).then(|| "the time for it was over".to_owned())
    }

    /// Takes a complete trace; one that is not stays to be looked at again.
    fn sort(
        &self,
        requests: &[Request],
        wanted: Wanted,
        found: &HashMap<String, Trace>,
        waiting: &mut Vec<Wanted>,
        take: &mut dyn FnMut(&Request, Option<Trace>) -> io::Result<()>,
    ) -> io::Result<()> {
        let request = &requests[wanted.request];
        let trace = request.trace_id.as_ref().and_then(|id| found.get(id)).cloned();
        match trace {
            Some(trace) if has_client(&trace, request) && (!self.joins || has_server(&trace, request)) => take(request, Some(trace)),
            seen => {
                waiting.push(Wanted { seen: seen.or(wanted.seen), ..wanted });
                Ok(())
            }
        }
    }
}

fn cannot_write(path: &Path) -> impl Fn(io::Error) -> ResultError + '_ {
    |source| ResultError::Write { path: path.to_owned(), source }
}

/// What is still incomplete counts as it was seen last.
fn give_up(
    pending: impl IntoIterator<Item = Wanted>,
    requests: &[Request],
    take: &mut dyn FnMut(&Request, Option<Trace>) -> io::Result<()>,
) -> io::Result<()> {
    pending.into_iter().try_for_each(|wanted| take(&requests[wanted.request], wanted.seen))
}

fn ask(jaeger: &Jaeger, requests: &[Request], chunk: &[Wanted]) -> Result<HashMap<String, Trace>, JaegerError> {
    let ids: Vec<&str> = chunk.iter().filter_map(|wanted| requests[wanted.request].trace_id.as_deref()).collect();
    Ok(jaeger.traces(&ids)?.into_iter().map(|trace| (trace.id.clone(), trace)).collect())
}

fn has_client(trace: &Trace, request: &Request) -> bool {
    trace.spans.iter().any(|span| Some(&span.id) == request.span_id.as_ref())
}

fn has_server(trace: &Trace, request: &Request) -> bool {
    trace.spans.iter().any(|span| Some(&span.id) != request.span_id.as_ref())
}

impl Fetched {
    fn take(&mut self, request: &Request, trace: Option<Trace>, joins: bool, out: &mut dyn Write) -> io::Result<()> {
        self.figures.asked += 1;
        let Some(trace) = trace else {
            self.figures.missing += 1;
            self.gone.extend(request.trace_id.clone());
            return Ok(());
        };
        let line = traces::write_otlp_line(&trace);
        self.figures.bytes += line.len() as u64;
        if self.figures.bytes > spans::LIMIT.0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.figures.kept += 1;
        self.spans += trace.spans.len() as u64;
        self.figures.with_server_spans += u64::from(joins && has_server(&trace, request));
        out.write_all(line.as_bytes())
    }
}

/// Where a stream's strata begin and end.
pub(super) fn bounds(stream: &str, measured: &StreamMeasured) -> Bounds {
    let at = |quantile| measured.response.quantile_ns(quantile);
    Bounds { stream: stream.to_owned(), typical_from: at(0.25), typical_to: at(0.75), tail_above: at(0.99) }
}

/// Says of the requests that the report shows whether Jaeger still had their traces: a link to what is gone is none.
pub(super) fn mark_gone(streams: &mut [model::Stream], gone: &HashSet<String>) {
    for stream in streams {
        for slow in stream.slowest.iter_mut().filter(|slow| slow.trace_id.as_ref().is_some_and(|id| gone.contains(id))) {
            (slow.gone, slow.link) = (true, None);
        }
        for exemplar in stream.exemplars.iter_mut().filter(|exemplar| gone.contains(&exemplar.trace_id)) {
            (exemplar.gone, exemplar.link) = (true, None);
        }
    }
}

#[cfg(test)]
mod tests;
