//! One run: from a plan to a run directory.
//!
//! Everything that can be wrong with target, collection, place and collector shows before the first request of the load is
//! sent; from then on nothing that happens loses what was measured.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Anchor, Moment, now, peak_rss_bytes};
use crate::findings;
use crate::load::{self, LoadError, Measured, RunSettings, Shape, Stop, StreamLoad};
use crate::milvus::MilvusTarget;
use crate::milvus::collection::Prepared;
use crate::milvus::operation::{Kept, Operation, Work};
use crate::practice::SearchMode;
use crate::result::model::{self, Phase, PhaseName, RunDocument};
use crate::result::requests;
use crate::result::{IntervalWriter, REQUESTS_FILE, RequestLog, ResultError, RunDirectory, WallTime, this_host, this_tool};
use crate::scenario::Plan;
use crate::trace::{Decider, Environment, Exporter, Propagation, RunIdentity};
use crate::units::Causes;
use crate::workload::{Purpose, Seed};

use super::error::RunError;
use super::evidence::{self, Bounds, Fetch};
use super::exemplars;
use super::figures::{self, Asked, Frame};
use super::floor;
use super::observer::{Event, Observer, Watched};
use super::outliers::{self, Tally};
use super::recall;
use super::sending::{Own, Sending};
use super::shared::Shared;
use super::standing::Standing;
use super::tracing::{self, Traced, Tracing};

/// Machines that a run is spread over.
const SHARDS: u64 = 1;

/// What a run needs beside its plan.
pub struct RunOptions<'a> {
    /// Run directories are made in here.
    pub out: PathBuf,
    /// The command line, for the result.
    pub command: Vec<String>,
    /// Ends the run early.
    pub stop: Stop,
    /// Looks up environment variables.
    pub environment: Environment<'a>,
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct RunOutcome {
    /// As it stands in `run.json`.
    pub document: RunDocument,
    /// The run directory.
    pub directory: PathBuf,
}

/// Runs a plan.
///
/// # Errors
/// Where nothing could be measured; then no run directory is left behind, but for a lane that died while measuring.
pub fn run(plan: &Plan, options: &RunOptions<'_>, observer: &mut dyn Observer) -> Result<RunOutcome, RunError> {
    run_with(plan, &Own, options, None, observer)
}

/// Runs a plan as one of a series: takes the collection that an earlier run of the series made, and leaves its own to the next.
///
/// # Errors
/// As [`run`]. What earlier runs left stands all the same; the series' end drops it.
pub fn run_sharing(
    plan: &Plan,
    options: &RunOptions<'_>,
    shared: &mut Shared,
    observer: &mut dyn Observer,
) -> Result<RunOutcome, RunError> {
    run_with(plan, &Own, options, Some(shared), observer)
}

/// Runs a plan whose streams send what `sending` says.
pub(super) fn run_with(
    plan: &Plan,
    sending: &dyn Sending,
    options: &RunOptions<'_>,
    shared: Option<&mut Shared>,
    observer: &mut dyn Observer,
) -> Result<RunOutcome, RunError> {
    let anchor = Anchor::take();
    let origin = now();
    let started = WallTime::from_unix_ns(anchor.unix_ns(origin));
    let directory = RunDirectory::create(&options.out, &plan.name, started)?;
    let document = RunDocument::begun("", &plan.name, started);
    let mut run = Run { plan, sending, options, anchor, origin, directory, document, bounds: Vec::new() };
    run.begin();
    let begun = run.check_in_flight().and_then(|()| Ok(run.directory.write_document(&run.document)?));
    let result = begun.and_then(|()| run.measure(shared, observer));
    match result {
        Ok(()) => Ok(RunOutcome { document: run.document, directory: run.directory.path().to_owned() }),
        Err(error) => {
            if run.document.phases.iter().all(|phase| phase.name == PhaseName::SetUp) {
                // Nothing was measured: an empty directory would only be in the way. That it cannot be removed adds nothing.
                let _ = std::fs::remove_dir_all(run.directory.path());
            }
            Err(error)
        }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    sending: &'a dyn Sending,
    options: &'a RunOptions<'a>,
    anchor: Anchor,
    origin: Moment,
    directory: RunDirectory,
    document: RunDocument,
    /// Where each stream's typical requests and its tail begin and end.
    bounds: Vec<Bounds>,
}

impl Run<'_> {
    fn lanes(&self) -> usize {
        self.plan.load.lanes.count(self.document.host.cores.unwrap_or(1) as u32) as usize
    }

    /// A limit on requests in flight holds over all lanes only where each lane has a part of it.
    fn check_in_flight(&self) -> Result<(), RunError> {
        let lanes = self.lanes();
        for stream in &self.plan.streams {
            if let Shape::Open { max_in_flight, .. } = stream.load.shape
                && max_in_flight < lanes
            {
                return Err(RunError::TooFewInFlight { stream: stream.name.clone(), max_in_flight, lanes });
            }
        }
        Ok(())
    }

    /// What is known before anything stands.
    fn begin(&mut self) {
        let document = &mut self.document;
        self.directory.id().clone_into(&mut document.id);
        document.set_plan(self.plan);
        document.host = this_host();
        document.tool = this_tool(self.options.command.clone());
        document.target.uri = self.plan.target.uri.to_string();
        document.target.in_process = self.plan.practice.is_some();
        document.trace.sample_fraction = self.plan.trace.sample_fraction.get();
        document.trace.propagation = self.plan.trace.propagation.to_string();
    }

    fn wall(&self, moment: Moment) -> WallTime {
        WallTime::from_unix_ns(self.anchor.unix_ns(moment))
    }

    fn phase(&mut self, name: PhaseName, begin: Moment, end: Option<Moment>) {
        let phase = Phase { name, start: self.wall(begin), length_ns: end.map(|end| end.since(begin).0) };
        self.document.phases.retain(|known| known.name != name);
        self.document.phases.push(phase);
    }

    /// Everything between the directory's making and the last document.
    fn measure(&mut self, mut shared: Option<&mut Shared>, observer: &mut dyn Observer) -> Result<(), RunError> {
        let set_up = now();
        self.phase(PhaseName::SetUp, set_up, None);
        observer.event(&Event::Phase(PhaseName::SetUp));
        let (tracing, server_spans) = Tracing::start(self.plan, &self.directory, self.anchor, self.options.environment)?;
        if let Some(destination) = tracing.destination() {
            self.document.trace.endpoint = Some(destination.endpoint.clone());
            self.document.trace.service_name = Some(destination.service_name.clone());
        }
        let mut standing = Standing::start(self.plan, self.options.environment, server_spans)?;
        let made_before = shared.as_ref().is_some_and(|shared| shared.holds(self.plan));
        let result = standing.prepare(self.plan, made_before, &self.options.stop, observer).and_then(|prepared| {
            self.document.target.version = standing.version();
            self.phase(PhaseName::SetUp, set_up, Some(now()));
            Ok((self.load(&standing, &prepared, &tracing, shared.as_deref_mut(), observer)?, prepared))
        });
        // The collection is dropped, or left to the series, and the practice target stopped whatever happened; a failure to drop
        // is told, not fatal.
        let trouble = match shared {
            Some(shared) if standing.made_a_collection() => {
                shared.keep(self.plan, standing);
                None
            }
            _ => standing.end(),
        };
        let (Loaded { mut measured, exporter, requests, log, identity, tally }, prepared) = result?;
        let elsewhere = tracing.leave_this_process(self.plan);
        let fetchable = elsewhere && tracing.leaves_no_spans_here();
        let slowest = self.plan.trace.outliers.then(|| tracing::name_outliers(&mut measured.streams));
        let traced = tracing.finish(exporter, &identity, slowest.as_deref());
        self.document.target.not_dropped = trouble;
        match log {
            Ok(intervals) => self.document.output.intervals = Some(intervals),
            Err(error) => self.document.output.lost.push(Causes(&error).to_string()),
        }
        self.conclude(&prepared, measured, &traced, Told { requests, tally, elsewhere });
        if let Some(jaeger) = self.plan.trace.jaeger.as_deref().filter(|_| fetchable) {
            // What was measured stands on the disk before anybody is asked for anything.
            self.directory.write_document(&self.document)?;
            observer.event(&Event::Fetching);
            self.keep_evidence(jaeger);
        }
        if let Some(outliers) = &mut self.document.trace.outliers {
            outliers::count_server_spans(outliers, self.directory.path());
        }
        findings::judge(&mut self.document);
        self.directory.finish(&self.document)?;
        Ok(())
    }

    /// Fetches the traces worth having from Jaeger. What goes wrong is told in the document.
    fn keep_evidence(&mut self, jaeger: &str) {
        let file = self.directory.path().join(REQUESTS_FILE);
        // Where the requests cannot be read that has been told already.
        let Ok(mut kept) = requests::read(&file) else { return };
        let streams = &self.document.streams;
        let slowest = streams.iter().flat_map(|stream| stream.slowest.iter().filter_map(|slow| slow.trace_id.clone()));
        let shown = slowest.chain(streams.iter().flat_map(|stream| stream.exemplars.iter().map(|exemplar| exemplar.trace_id.clone())));
        let fetch = Fetch {
            jaeger,
            directory: self.directory.path(),
            origin: self.origin,
            seed: self.plan.seed,
            bounds: &self.bounds,
            shown: &shown.collect(),
            batch: if self.plan.practice.is_some() { evidence::NO_BATCH } else { evidence::SERVERS_BATCH },
            joins: self.plan.trace.propagation != Propagation::None,
            stop: &self.options.stop,
        };
        match fetch.keep(&file, &mut kept) {
            Ok(fetched) => {
                evidence::mark_gone(&mut self.document.streams, &fetched.gone);
                self.document.output.spans_kept = fetched.spans;
                self.document.output.spans_received = fetched.spans;
                self.document.trace.evidence = Some(fetched.figures);
            }
            Err(error) => self.document.output.lost.push(Causes(&error).to_string()),
        }
    }

    /// Drives the load, once everything stands.
    fn load(
        &mut self,
        standing: &Standing,
        prepared: &Prepared,
        tracing: &Tracing,
        mut shared: Option<&mut Shared>,
        observer: &mut dyn Observer,
    ) -> Result<Loaded, RunError> {
        let plan = self.plan;
        let lanes = self.lanes();
        let collection = Arc::new(prepared.collection.clone());
        let written = shared.as_ref().map_or_else(|| vec![0; plan.streams.len()], |shared| shared.written(plan));
        let work = |stream: usize| Work {
            collection: Arc::clone(&collection),
            vectors: prepared.vectors.clone(),
            stream: stream as u16,
            written: written[stream],
        };
        // What Milvus would refuse of every request is told now, not by every lane.
        let sending = self.sending;
        operations(plan, sending, &work)?;
        let loads: Vec<StreamLoad> = plan.streams.iter().map(|stream| stream.load.clone()).collect();
        let conditions = floor::Conditions::of(&loads, lanes, plan.load.wait, prepared.collection.dim);
        self.document.generator.floor = floor::known(conditions, shared.as_deref_mut(), &work(0), &self.options.stop, observer)?;
        if self.options.stop.is_stopped() {
            return Err(RunError::Interrupted);
        }
        let names: Vec<String> = plan.streams.iter().map(|stream| stream.name.clone()).collect();
        let requests = self.directory.request_log(names.clone(), plan.seed, self.origin)?;
        let (host, port) = standing.address();
        let identity = tracing::identity(plan, self.directory.id(), host, port);
        let tally = Tally::new(loads.len());
        let sink = sending.sink(tally.before(requests.sink()));
        let (exporter, spans) = tracing.exporter(identity.clone(), lanes, sink)?;
        let arrivals = |stream: usize| Seed(plan.seed).draws(Purpose::Arrivals, stream as u16).at(0);
        let settings = RunSettings {
            streams: loads.into_iter().enumerate().map(|(stream, load)| (load, arrivals(stream))).collect(),
            warmup: plan.load.warmup,
            duration: plan.load.duration,
            drain: plan.load.drain,
            lanes,
            shard: 0,
            shards: SHARDS,
            wait: plan.load.wait,
            propagation: plan.trace.propagation,
        };
        let in_flight = settings.streams.iter().map(|(load, _)| load.most_in_flight()).sum::<usize>();
        let connection = standing.connection();
        let connect = async |_: usize| -> Result<MilvusTarget, RunError> {
            Ok(MilvusTarget::connect(connection, operations(plan, sending, &work)?, plan.load.channels as usize, in_flight).await?)
        };
        let deciders = std::iter::repeat_with(|| Decider::of(&plan.trace)).take(lanes).collect();
        observer.event(&Event::Phase(PhaseName::WarmUp));
        let log = self.directory.interval_log(self.wall(now().plus(plan.load.warmup)))?;
        let mut watched = Watched::new(IntervalWriter::new(log, names, Some(requests.clone())), observer, self.anchor);
        let begun = now();
        let measured = load::run(&settings, connect, deciders, spans, &mut watched, &self.options.stop);
        if let Err(LoadError::Died { .. }) = &measured {
            // What had been measured by then is there, and stays.
            self.phase(PhaseName::WarmUp, begun, None);
            let _ = self.directory.write_document(&self.document);
        }
        let measured = measured.map_err(RunError::from_load)?;
        if let Some(shared) = shared {
            shared.wrote(plan, &measured.leftovers);
        }
        let phases = measured.phases;
        self.phase(PhaseName::WarmUp, phases.begin, Some(phases.measure));
        self.phase(PhaseName::Measure, phases.measure, Some(phases.drain));
        self.phase(PhaseName::Drain, phases.drain, Some(now()));
        let log = watched.writer.finish();
        Ok(Loaded { measured, exporter, requests, log, identity, tally })
    }

    /// From what was measured to a document, whole but for what others have to be asked for.
    fn conclude(&mut self, prepared: &Prepared, mut measured: Measured<Vec<Kept>>, traced: &Traced, told: Told) {
        let plan = self.plan;
        // Links lead to a Jaeger that can have the traces, or nowhere.
        let jaeger = plan.trace.jaeger.as_deref().filter(|_| told.elsewhere);
        let client_only = traced.client_only.is_some();
        let frame = Frame { origin: self.origin, duration: measured.duration(), shards: SHARDS, jaeger, client_only, gates: &plan.gates };
        let asked = |stream: &crate::scenario::Stream, of: &load::StreamMeasured| {
            figures::stream(Asked { name: &stream.name, operation: stream.operation.name(), load: &stream.load }, of, frame)
        };
        self.document.streams = plan.streams.iter().zip(&measured.streams).map(|(stream, of)| asked(stream, of)).collect();
        let kept = std::mem::take(&mut measured.leftovers);
        // A canned answer names rows that nobody compared.
        if plan.practice.as_ref().is_none_or(|practice| practice.search != SearchMode::Canned) {
            recall::judge(&mut self.document.streams, kept, plan, prepared);
        }
        self.document.trace = figures::trace(&self.document.trace, &measured.decisions, traced);
        if measured.decisions.sampled() > 0 || plan.trace.samples() || client_only {
            let made = traced.client_only.map_or(0, |spans| spans.made);
            self.document.trace.outliers = Some(told.tally.outliers(plan, &measured.streams, &measured.decisions, made));
        }
        self.bounds = plan.streams.iter().zip(&measured.streams).map(|(stream, of)| evidence::bounds(&stream.name, of)).collect();
        let floor = self.document.generator.floor;
        self.document.generator =
            model::Generator { floor, clock_step_ns: self.anchor.wall_clock_step_ns(), ..figures::generator(&measured) };
        self.document.generator.peak_rss_bytes = peak_rss_bytes();
        let slowest: Vec<_> = measured.streams.iter().flat_map(|stream| stream.record.slowest.iter().copied()).collect();
        let output = &mut self.document.output;
        match told.requests.finish(&slowest, client_only) {
            Ok(counts) => {
                output.requests_kept = Some(counts.kept);
                output.requests_seen = Some(counts.seen);
                output.keep_probability = Some(counts.keep_probability);
            }
            Err(error) => output.lost.push(Causes(&error).to_string()),
        }
        if let Some(received) = &traced.received {
            output.spans_received = received.spans + received.refused;
            output.spans_kept = received.spans;
            output.lost.extend(received.error.as_ref().map(|error| Causes(error).to_string()));
        }
        output.lost.extend(traced.trouble.as_ref().map(|error| Causes(error).to_string()));
        exemplars::choose(&mut self.document.streams, self.directory.path(), jaeger);
        self.document.partial = measured.stopped;
        self.document.gates = plan.gates.iter().map(|gate| self.document.judge(gate)).collect();
        findings::judge(&mut self.document);
    }
}

/// One lane's operations, one a stream.
fn operations(plan: &Plan, sending: &dyn Sending, work: &dyn Fn(usize) -> Work) -> Result<Vec<Box<dyn Operation>>, RunError> {
    let make = |(index, stream): (usize, &crate::scenario::Stream)| {
        sending.operation(index, stream, work).map_err(|source| RunError::Operation { stream: stream.name.clone(), source })
    };
    plan.streams.iter().enumerate().map(make).collect()
}

/// What the load leaves.
struct Loaded {
    measured: Measured<Vec<Kept>>,
    exporter: Exporter,
    requests: RequestLog,
    /// How the interval log ended.
    log: Result<u64, ResultError>,
    identity: RunIdentity,
    tally: Tally,
}

/// What is known of single requests.
struct Told {
    requests: RequestLog,
    tally: Tally,
    /// Their traces went to where `trace.jaeger` may have them.
    elsewhere: bool,
}

#[cfg(test)]
mod tests;
