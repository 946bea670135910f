//! Whether both sides' spans of the one request arrive where traces are looked at.

use crate::clock::{Anchor, now};
use crate::experiment::standing::Standing;
use crate::milvus::KNOCK_METHOD;
use crate::tail::traces::{Span, Trace};
use crate::trace::{Decision, Destination, ExportSettings, Exporter, RunIdentity, STANDALONE, StreamIdentity};

use super::arrivals::Arrivals;
use super::causes::{self, Missing};
use super::chain::{CALL, Chain, Known, LOOK, Sent};
use super::link::Link;
use super::links::STOPPED;
use super::{CLIENT_SPAN, RunError};

/// Services that a Milvus has spans under: standalone, or its roles in a cluster.
const MILVUS_SERVICES: [&str; 8] = [STANDALONE, "proxy", "rootcoord", "querycoord", "datacoord", "querynode", "datanode", "indexnode"];

impl Chain<'_> {
    /// Sends the client's span, and waits until both sides' have arrived.
    pub(super) fn spans(
        &mut self,
        standing: &Standing,
        arrivals: &Arrivals,
        known: &Known<'_>,
        sent: &Sent,
        anchor: Anchor,
    ) -> Result<(), RunError> {
        let url = known.url;
        let destination = Destination::of_client(url, &self.plan.trace, self.environment);
        let service = destination.service_name.clone();
        let export = ExportSettings { finish_limit: CALL, ..ExportSettings::new(Some(destination), self.identity(standing)) };
        let (exporter, mut lanes) = Exporter::start(&export, anchor, 1, None)?;
        lanes[0].end(sent.finished);
        let failure = exporter.failure();
        let Some(account) = self.waits.of_blocking(move || exporter.finish()) else {
            self.links.interrupted(&[CLIENT_SPAN, "server spans", "clocks"]);
            return Ok(());
        };
        if account.exported == 0 {
            self.links.push(causes::client_span(url, failure.get().map(String::as_str)));
            self.links.unknown(&["server spans", "clocks"], "not looked at: the client's span did not get through");
            return Ok(());
        }
        if matches!(arrivals, Arrivals::Nowhere) {
            self.links.push(Link::holds(CLIENT_SPAN, format!("taken by {url}")));
            let seen = "could not be looked at: set `trace.jaeger` to the URL of its web page, or `trace.endpoint` to \"built-in\"";
            self.links.unknown(&["server spans", "clocks"], seen);
            return Ok(());
        }
        let (trace, others) = self.wait(arrivals, &sent.decision, &service);
        let arrived = sides(&trace, &service);
        if self.waits.stop().is_stopped() && arrived != [true, true] {
            for (name, arrived) in [CLIENT_SPAN, "server spans"].into_iter().zip(arrived) {
                if self.links.has(name) {
                    continue;
                }
                self.links.push(if arrived {
                    Link::holds(name, format!("arrived in {}", arrivals.name()))
                } else {
                    Link::unknown(name, "not there yet when the doctor was stopped")
                });
            }
            self.links.unknown(&["clocks"], STOPPED);
            return Ok(());
        }
        self.judge(arrivals, known, &service, &trace, others);
        Ok(())
    }

    fn identity(&self, standing: &Standing) -> RunIdentity {
        let (host, port) = standing.address();
        let stream = StreamIdentity {
            name: "doctor".to_owned(),
            operation: KNOCK_METHOD.to_owned(),
            db_operation: "has_collection".to_owned(),
            collection: self.plan.collection.name.clone(),
        };
        RunIdentity { run_id: "doctor".to_owned(), server_address: host.to_owned(), server_port: port, streams: vec![stream] }
    }

    /// Looks until both sides' spans are there, the time is up, or the doctor is stopped. That the client's is there is told at once: the
    /// server's may take long.
    fn wait(&mut self, arrivals: &Arrivals, decision: &Decision, service: &str) -> (Trace, bool) {
        let trace_id = decision.trace_id.to_string();
        let until = now().plus(self.settings.within);
        let mut seen = (Trace::default(), false);
        while let Some(found) = arrivals.of(&trace_id, &self.waits) {
            seen = found;
            if sides(&seen.0, service)[0] {
                self.tell_client_span(&arrivals.name(), service);
            }
            if sides(&seen.0, service) == [true, true] || now() >= until {
                return seen;
            }
            self.waits.stop().pause(LOOK);
        }
        // What one hurried look does not find may have been there before.
        let last = arrivals.at_once(&trace_id);
        if last.0.spans.len() >= seen.0.spans.len() { last } else { seen }
    }

    /// Once.
    fn tell_client_span(&mut self, place: &str, service: &str) {
        if !self.links.has(CLIENT_SPAN) {
            self.links.push(Link::holds(CLIENT_SPAN, format!("arrived in {place} under the service `{service}`")));
        }
    }

    fn judge(&mut self, arrivals: &Arrivals, known: &Known<'_>, service: &str, trace: &Trace, others: bool) {
        let url = known.url;
        let place = arrivals.name();
        let client: Option<&Span> = trace.spans.iter().find(|span| span.service == service);
        let server: Vec<&Span> = trace.spans.iter().filter(|span| span.service != service).collect();
        if client.is_some() {
            self.tell_client_span(&place, service);
        } else {
            self.links.push(causes::missed(
                CLIENT_SPAN,
                format!("taken by {url}, and not in {place} within {}", self.settings.within.human()),
                self.settings.within,
                format!("wrong endpoint: what listens at {url} does not feed {place}"),
                "correct `trace.endpoint`, or `trace.jaeger`, so that they are of one Jaeger; for a collector between them see its exporters"
                    .to_owned(),
            ));
        }
        if client.is_none() && server.is_empty() {
            self.links.unknown(&["server spans", "clocks"], "nothing to be said: the client's own span is not there either");
            return;
        }
        if server.is_empty() {
            // A service of Milvus's that Jaeger knew before anything was sent.
            let milvus = known.services.iter().find(|service| MILVUS_SERVICES.contains(&service.as_str()));
            let milvus = milvus.map(|service| format!("Jaeger knows its service `{service}`"));
            let missing = Missing {
                place: &place,
                built_in: matches!(arrivals, Arrivals::BuiltIn { .. }),
                goes_to: url,
                waited: self.settings.within,
                practice: self.plan.practice.is_some(),
                settings: known.settings.as_ref(),
                propagation: self.plan.trace.propagation,
                in_tls: arrivals.in_tls(),
                others: milvus.or_else(|| others.then(|| "spans of other traces came".to_owned())),
            };
            self.links.push(causes::server_spans(&missing));
            self.links.unknown(&["clocks"], "not looked at: there are no server spans");
            return;
        }
        let names: std::collections::BTreeSet<&str> = server.iter().map(|span| span.service.as_str()).collect();
        let names = names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.links.push(Link::holds("server spans", format!("{} of {names} arrived in {place}", server.len())));
        self.links.push(client.map_or_else(
            || Link::unknown("clocks", "not looked at: the client's span is missing"),
            |client| causes::clocks(client, &server),
        ));
    }
}

/// Whether spans of the client have arrived, which are of this service, and of others.
fn sides(trace: &Trace, service: &str) -> [bool; 2] {
    [true, false].map(|own| trace.spans.iter().any(|span| (span.service == service) == own))
}
