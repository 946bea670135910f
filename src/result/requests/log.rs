//! Writes `requests.jsonl` as the run goes, in bounded memory.
//!
//! A request's *rank* in [0, 1) follows from (seed, stream, sequence) alone, and kept is who ranks below the keep
//! probability. That begins at 1 and is halved whenever more than [`CAP`] are kept, who no longer rank below it leaves, and
//! the file is replaced. So at every moment the file is a uniform random subset of all sampled requests so far, with one
//! known probability for all of them, and the same for the same seed.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::trace::{Finished, SampledSink, SpanId, TraceId};
use crate::units::Nanos;

use super::super::directory::replace;
use super::{Kept, Request, ResultError};

/// So many sampled requests are kept at most (about 6 MB of memory and 20 MB of disk); beyond it, between half of it and all of it.
pub const CAP: usize = 50_000;

/// What is written stays at most so long in the buffer, in the time of the requests themselves.
const FLUSH_EVERY: Nanos = Nanos::from_secs(1);

/// What the file holds in the end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// Lines: kept sampled requests and outliers.
    pub kept: u64,
    /// Sampled requests that could have been kept.
    pub seen: u64,
    /// The chance each of these had.
    pub keep_probability: f64,
}

/// The handle of a run on its request log. The exporter's thread holds a [`SampledSink`] of it; neither is ever on a lane.
#[derive(Debug, Clone)]
pub struct RequestLog {
    inner: Arc<Mutex<Inner>>,
}

impl RequestLog {
    pub(in crate::result) fn create(path: &Path, streams: Vec<String>, seed: u64, origin: Moment) -> Result<Self, ResultError> {
        Self::with_cap(path, streams, seed, origin, CAP)
    }

    pub(super) fn with_cap(path: &Path, streams: Vec<String>, seed: u64, origin: Moment, cap: usize) -> Result<Self, ResultError> {
        let file = File::create(path).map_err(ResultError::write(path))?;
        let inner = Inner {
            path: path.to_owned(),
            file: BufWriter::new(file),
            shape: Shape { streams, seed, origin, keep_probability: 1.0, client_only: false },
            cap,
            kept: Vec::new(),
            seen: 0,
            flushed: origin,
            lost: None,
        };
        Ok(Self { inner: Arc::new(Mutex::new(inner)) })
    }

    /// The half that the exporter calls for every sampled request that ended.
    #[must_use]
    pub fn sink(&self) -> Box<dyn SampledSink> {
        Box::new(Sink(Arc::clone(&self.inner)))
    }

    /// Puts what is buffered into the file. Called once a second by whoever writes the intervals, so that a killed run loses
    /// no more here than there.
    pub fn flush(&self) {
        self.locked(|inner| inner.file.flush().unwrap_or_else(|cause| inner.lose(cause)));
    }

    /// Writes the file for the last time, with the slowest requests of the streams: those that are kept already are marked,
    /// the others added. Where the disk was full during the run, everything is tried once more.
    ///
    /// `client_only` says that those of them which were not sampled have got a span of the client alone.
    pub fn finish(self, outliers: &[Finished], client_only: bool) -> Result<Counts, ResultError> {
        self.locked(|inner| {
            inner.shape.client_only = client_only;
            inner.finish(outliers)
        })
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Sink(Arc<Mutex<Inner>>);

impl SampledSink for Sink {
    fn sampled(&mut self, finished: &Finished) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(finished);
    }
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: BufWriter<File>,
    shape: Shape,
    cap: usize,
    kept: Vec<Finished>,
    seen: u64,
    flushed: Moment,
    /// The first write that failed. From then on requests are kept in memory only, and tried again at the end.
    lost: Option<io::Error>,
}

impl Inner {
    fn take(&mut self, finished: &Finished) {
        self.seen += 1;
        if !self.shape.keeps(finished) {
            return;
        }
        self.kept.push(*finished);
        if self.kept.len() > self.cap {
            self.thin_out();
        } else if self.lost.is_none() {
            let line = self.shape.line(finished, &[Kept::Sampled]);
            self.file.write_all(&line).unwrap_or_else(|cause| self.lose(cause));
        }
        if finished.done.since(self.flushed) >= FLUSH_EVERY {
            self.flushed = finished.done;
            self.file.flush().unwrap_or_else(|cause| self.lose(cause));
        }
    }

    /// Halves the keep probability until it is enough, and replaces the file by what stays.
    fn thin_out(&mut self) {
        while self.kept.len() > self.cap {
            self.shape.keep_probability /= 2.0;
            let shape = &self.shape;
            self.kept.retain(|finished| shape.keeps(finished));
        }
        let replaced = replace(&self.path, |file| {
            self.kept.iter().try_for_each(|finished| file.write_all(&self.shape.line(finished, &[Kept::Sampled])))
        })
        .and_then(|()| OpenOptions::new().append(true).open(&self.path).map_err(ResultError::write(&self.path)));
        match replaced {
            Ok(file) => {
                // What the old buffer still holds is in the new file already.
                let old = std::mem::replace(&mut self.file, BufWriter::new(file));
                drop(old.into_parts());
                self.lost = None;
            }
            Err(ResultError::Write { source, .. }) => self.lose(source),
            Err(other) => self.lose(io::Error::other(other)),
        }
    }

    fn lose(&mut self, cause: io::Error) {
        self.lost.get_or_insert(cause);
    }

    fn finish(&mut self, outliers: &[Finished]) -> Result<Counts, ResultError> {
        let name = |finished: &Finished| (finished.stream, finished.sequence);
        let slow: HashSet<_> = outliers.iter().map(name).collect();
        let known: HashSet<_> = self.kept.iter().map(name).filter(|name| slow.contains(name)).collect();
        let added: Vec<_> = outliers.iter().filter(|finished| !known.contains(&name(finished))).collect();
        replace(&self.path, |file| {
            for finished in &self.kept {
                let kept: &[Kept] = if slow.contains(&name(finished)) { &[Kept::Sampled, Kept::Outlier] } else { &[Kept::Sampled] };
                file.write_all(&self.shape.line(finished, kept))?;
            }
            added.iter().try_for_each(|finished| file.write_all(&self.shape.line(finished, &[Kept::Outlier])))
        })?;
        Ok(Counts { kept: (self.kept.len() + added.len()) as u64, seen: self.seen, keep_probability: self.shape.keep_probability })
    }
}

/// What a line depends on beside its request.
#[derive(Debug)]
struct Shape {
    streams: Vec<String>,
    seed: u64,
    origin: Moment,
    keep_probability: f64,
    client_only: bool,
}

impl Shape {
    fn keeps(&self, finished: &Finished) -> bool {
        rank(self.seed, finished.stream, finished.sequence) < self.keep_probability
    }

    fn line(&self, finished: &Finished, kept: &[Kept]) -> Vec<u8> {
        let decision = &finished.decision;
        let request = Request {
            stream: self.streams.get(usize::from(finished.stream)).cloned().unwrap_or_default(),
            sequence: finished.sequence,
            measured: finished.phase_measured,
            intended_ns: finished.intended.since(self.origin).0,
            sent_ns: finished.sent.since(self.origin).0,
            done_ns: finished.done.since(self.origin).0,
            outcome: finished.outcome.to_string(),
            trace_id: (decision.trace_id != TraceId::INVALID).then(|| decision.trace_id.to_string()),
            span_id: (decision.span_id != SpanId::INVALID).then(|| decision.span_id.to_string()),
            sampled: decision.is_sampled(),
            why: decision.sampled.map(|why| why.as_str().to_owned()),
            inclusion_probability: decision.inclusion_probability,
            kept: kept.to_vec(),
            keep_probability: self.keep_probability,
            traced_keep_probability: 1.0,
            client_only: self.client_only && !decision.is_sampled(),
        };
        // Plain data with text keys: serialising it has no way to fail.
        let mut line = serde_json::to_vec(&request).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// A number in [0, 1) that looks random and follows from its arguments: the finaliser of `SplitMix64` (Steele, Lea and Flood,
/// OOPSLA 2014), once for each.
fn rank(seed: u64, stream: u16, sequence: u64) -> f64 {
    let mixed = [u64::from(stream), sequence].into_iter().fold(mix(seed), |state, next| mix(state ^ mix(next)));
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
