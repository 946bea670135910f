//! What of tracing a run needs standing: the built-in collector where spans go there, and the exporter.

use std::net::{Ipv4Addr, SocketAddr};

use crate::clock::Anchor;
use crate::result::RunDirectory;
use crate::scenario::Plan;
use crate::trace::collector::{Collector, DEFAULT_LISTEN, Received};
use crate::trace::{
    Accounting, Destination, Endpoint, Environment, ExportSettings, Exporter, RunIdentity, STANDALONE, SampledSink, ServerSpanExporter,
    ServerSpans, SpanLane, StreamIdentity,
};
use crate::units::Nanos;

use super::RunError;

/// How long the practice target's last spans may take.
const SERVER_SPANS_LIMIT: Nanos = Nanos::from_secs(2);

/// The standing parts of tracing.
pub(super) struct Tracing {
    collector: Option<Collector>,
    /// Where client spans go; `None` where nothing is traced.
    destination: Option<Destination>,
    server_spans: Option<ServerSpanExporter>,
}

/// What tracing has to say at the end.
pub(super) struct Traced {
    pub(super) accounting: Accounting,
    pub(super) received: Option<Received>,
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
        let sampling = forced || settings.sample_fraction.get() > 0.0 || settings.burst.is_some();
        // A collector that is asked for by name stands even where tailtrace samples nothing: Milvus may.
        if !sampling && settings.endpoint.is_none() {
            return Ok((Self { collector: None, destination: None, server_spans: None }, None));
        }
        let (collector, url) = match Endpoint::resolve(settings, environment)? {
            Endpoint::Url(url) => (None, url),
            Endpoint::BuiltIn => {
                // The practice target is told the port; a Milvus has OTLP's own in its configuration.
                let listen = if plan.practice.is_some() { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) } else { DEFAULT_LISTEN };
                let collector = Collector::start(listen, Box::new(directory.span_log()?))?;
                let url = collector.url();
                (Some(collector), url)
            }
        };
        let (server_spans, way_out) = match &plan.practice {
            Some(_) => {
                let (exporter, way_out) = ServerSpanExporter::start(&Destination::new(url.clone(), STANDALONE), anchor)?;
                (Some(exporter), Some(way_out))
            }
            None => (None, None),
        };
        let destination = sampling.then(|| Destination::of_client(url, settings, environment));
        Ok((Self { collector, destination, server_spans }, way_out))
    }

    /// The exporter of client spans, and each lane's way in.
    pub(super) fn exporter(
        &self,
        identity: RunIdentity,
        anchor: Anchor,
        lanes: usize,
        sink: Box<dyn SampledSink>,
    ) -> Result<(Exporter, Vec<SpanLane>), RunError> {
        let Some(destination) = self.destination.clone() else { return Ok(Exporter::disabled(lanes)) };
        Ok(Exporter::start(&ExportSettings::new(Some(destination), identity), anchor, lanes, Some(sink))?)
    }

    /// Where client spans go, and under which service.
    pub(super) fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// Lets every span that is on its way arrive, within limits, and gives the account. The practice target must have stopped.
    pub(super) fn finish(self, exporter: Exporter) -> Traced {
        let accounting = exporter.finish();
        if let Some(server_spans) = self.server_spans {
            let _ = server_spans.finish(SERVER_SPANS_LIMIT);
        }
        Traced { accounting, received: self.collector.map(Collector::stop) }
    }
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
