//! What of tracing a run needs standing: the built-in collector where spans go there, and the exporter.

use std::net::{Ipv4Addr, SocketAddr};

use crate::clock::{Anchor, pause};
use crate::load::StreamMeasured;
use crate::result::RunDirectory;
use crate::scenario::Plan;
use crate::trace::collector::{Collector, DEFAULT_LISTEN, Received, leads_to};
use crate::trace::{
    Accounting, ClientOnly, DEFAULT_FINISH_LIMIT, Destination, Endpoint, Environment, ExportSettings, Exporter, Finished, Forwarder, Ids,
    RunIdentity, SampledSink, ServerSpanExporter, ServerSpans, SpanLane, StreamIdentity, TraceError, export_client_only, name_unsampled,
};
use crate::units::Nanos;

use super::RunError;

/// How long the practice target's last spans may take.
const SERVER_SPANS_LIMIT: Nanos = Nanos::from_secs(2);

/// How long the collector stays for the spans of a server that sends them here: OpenTelemetry's exporters, and Milvus's, send a
/// batch every five seconds.
const OTHERS_BATCH: Nanos = Nanos::from_secs(6);

/// The standing parts of tracing.
pub(super) struct Tracing {
    collector: Option<Collector>,
    /// Where client spans go; `None` where there are none.
    destination: Option<Destination>,
    /// Whether any request is sampled; else only outliers get spans.
    sampling: bool,
    anchor: Anchor,
    server_spans: Option<ServerSpanExporter>,
}

/// What tracing has to say at the end.
pub(super) struct Traced {
    pub(super) accounting: Accounting,
    /// Why the first client spans failed.
    pub(super) why: Option<String>,
    pub(super) client_only: Option<ClientOnly>,
    pub(super) received: Option<Received>,
    /// What went wrong without harm to anything measured.
    pub(super) trouble: Option<TraceError>,
}

impl Tracing {
    /// Starts the built-in collector, where spans go there, and gives the practice target its way out.
    pub(super) fn start(
        plan: &Plan,
        directory: &RunDirectory,
        anchor: Anchor,
        environment: Environment<'_>,
    ) -> Result<(Self, Option<ServerSpans>), RunError> {
        let settings = &plan.trace;
        let forced = plan.streams.iter().any(|stream| stream.load.forced);
        let sampling = forced || settings.samples();
        // A collector that is asked for by name stands even where tailtrace samples nothing: Milvus may.
        let asked_for = settings.endpoint.is_some() || settings.forward.is_some() || settings.listen.is_some();
        if !sampling && !settings.outliers && !asked_for {
            return Ok((Self { collector: None, destination: None, sampling, anchor, server_spans: None }, None));
        }
        let (collector, url) = match Endpoint::resolve(settings, environment)? {
            Endpoint::Url(url) => (None, url),
            Endpoint::BuiltIn => {
                // The practice target is told the port; a Milvus has OTLP's own in its configuration.
                let usual = if plan.practice.is_some() { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) } else { DEFAULT_LISTEN };
                let listen = settings.listen.unwrap_or(usual);
                if settings.forward.as_deref().is_some_and(|forward| leads_to(forward, listen)) {
                    return Err(TraceError::ToItself { address: listen }.into());
                }
                let to = |url: &String| Forwarder::start(&Destination::of_client(url, settings, environment));
                let forward = settings.forward.as_ref().map(to).transpose()?;
                let collector = Collector::start_forwarding(listen, Box::new(directory.span_log()?), forward)?;
                let url = collector.url();
                (Some(collector), url)
            }
        };
        let (server_spans, way_out) = match &plan.practice {
            Some(_) => {
                let (exporter, way_out) = ServerSpanExporter::start(&Destination::of_practice(url.clone(), environment), anchor)?;
                (Some(exporter), Some(way_out))
            }
            None => (None, None),
        };
        let destination = (sampling || settings.outliers).then(|| Destination::of_client(url, settings, environment));
        Ok((Self { collector, destination, sampling, anchor, server_spans }, way_out))
    }

    /// The exporter of client spans, and each lane's way in.
    pub(super) fn exporter(
        &self,
        identity: RunIdentity,
        lanes: usize,
        sink: Box<dyn SampledSink>,
    ) -> Result<(Exporter, Vec<SpanLane>), RunError> {
        let Some(destination) = self.destination.clone().filter(|_| self.sampling) else { return Ok(Exporter::disabled(lanes)) };
        Ok(Exporter::start(&ExportSettings::new(Some(destination), identity), self.anchor, lanes, Some(sink))?)
    }

    /// Where client spans go, and under which service.
    pub(super) fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// Whether the traces stand where `trace.jaeger` may be believed to have them.
    pub(super) fn leave_this_process(&self, plan: &Plan) -> bool {
        self.destination.is_some() && (self.collector.is_none() || plan.trace.forward.is_some())
    }

    /// Whether no span comes into the run directory by itself.
    pub(super) const fn leaves_no_spans_here(&self) -> bool {
        self.collector.is_none()
    }

    /// Lets every span that is on its way arrive, within limits, and gives the account. The practice target must have stopped.
    /// Unsampled ones of the `outliers` get a span of the client alone.
    pub(super) fn finish(self, exporter: Exporter, identity: &RunIdentity, outliers: Option<&[Finished]>) -> Traced {
        let failure = exporter.failure();
        let accounting = exporter.finish();
        let slow = |outliers: &[Finished]| outliers.iter().filter(|slow| !slow.decision.is_sampled()).copied().collect::<Vec<_>>();
        let export = |(outliers, destination): (&[Finished], &Destination)| {
            export_client_only(destination, identity, self.anchor, &slow(outliers), DEFAULT_FINISH_LIMIT)
        };
        let (client_only, trouble) = match outliers.zip(self.destination.as_ref()).map(export).transpose() {
            Ok(client_only) => (client_only, None),
            Err(error) => (None, Some(error)),
        };
        if let Some(server_spans) = self.server_spans {
            let _ = server_spans.finish(SERVER_SPANS_LIMIT);
        } else if let Some(collector) = &self.collector
            && collector.received() > accounting.exported + client_only.map_or(0, |spans| spans.exported)
        {
            // Others send their spans here, and the last requests' are still in their batches.
            pause(OTHERS_BATCH);
        }
        Traced { accounting, why: failure.get().cloned(), client_only, received: self.collector.map(Collector::stop), trouble }
    }
}

/// Gives those of the slowest requests that were not sampled a name, so that their spans and their lines in `requests.jsonl`
/// say the same.
pub(super) fn name_outliers(streams: &mut [StreamMeasured]) -> Vec<Finished> {
    let mut ids = Ids::new();
    let slowest = streams.iter_mut().flat_map(|stream| &mut stream.record.slowest);
    slowest
        .map(|finished| {
            name_unsampled(finished, &mut ids);
            *finished
        })
        .collect()
}

/// What all client spans of a run say.
pub(super) fn identity(plan: &Plan, run_id: &str, host: &str, port: u16) -> RunIdentity {
    let streams = plan.streams.iter().map(|stream| StreamIdentity {
        name: stream.name.clone(),
        operation: stream.operation.method().to_owned(),
        db_operation: stream.operation.name().to_owned(),
        collection: plan.collection.name.clone(),
    });
    RunIdentity { run_id: run_id.to_owned(), server_address: host.to_owned(), server_port: port, streams: streams.collect() }
}
