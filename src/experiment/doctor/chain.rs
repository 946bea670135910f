//! The chain, link after link.

use crate::clock::{Anchor, Clock, SystemClock, now};
use crate::load::Stop;
use crate::milvus::{Address, Client, KNOCK_METHOD, has_collection, version};
use crate::scenario::Plan;
use crate::tail::jaeger::Jaeger;
use crate::tail::management::{self, MANAGEMENT_PORT, TraceSettings};
use crate::tail::traces::{Span, Trace};
use crate::trace::{
    Decider, Decision, Destination, Endpoint, Environment, ExportSettings, Exporter, Finished, Outcome, Propagation, RunIdentity,
    STANDALONE, ServerSpanExporter, StreamIdentity, context_header,
};
use crate::units::{Causes, Fraction, Nanos};

use super::arrivals::Arrivals;
use super::causes::{self, Missing, host_and_port};
use super::link::{Diagnosis, Link};
use super::speech::{Speech, listen_to};
use super::{DoctorSettings, RunError};
use crate::experiment::standing::Standing;

/// How long one call may take.
const CALL: Nanos = Nanos::from_secs(5);
/// How often is looked whether spans have arrived.
const LOOK: Nanos = Nanos::from_millis(200);
/// How long the practice target's last spans may take.
const SPANS_WITHIN: Nanos = Nanos::from_secs(2);
/// Of what comes after it.
const STOPPED: &str = "not looked at: the doctor was stopped";
/// Services that a Milvus has spans under: standalone, or its roles in a cluster.
const MILVUS_SERVICES: [&str; 8] = [STANDALONE, "proxy", "rootcoord", "querycoord", "datacoord", "querynode", "datanode", "indexnode"];

pub(super) struct Chain<'a> {
    plan: &'a Plan,
    settings: &'a DoctorSettings,
    environment: Environment<'a>,
    stop: &'a Stop,
    links: Vec<Link>,
    notes: Vec<String>,
    trace_id: Option<String>,
}

/// What has been sent, and is being looked for.
struct Sent {
    decision: Decision,
    finished: Finished,
}

/// What was found out on the way, for those links that are judged by it.
struct Known<'a> {
    /// Where spans go.
    url: &'a str,
    /// Milvus's own settings, where it tells them.
    settings: Option<&'a TraceSettings>,
    /// The services that Jaeger knew before anything was sent.
    services: Option<&'a [String]>,
}

impl<'a> Chain<'a> {
    pub(super) const fn new(plan: &'a Plan, settings: &'a DoctorSettings, environment: Environment<'a>, stop: &'a Stop) -> Self {
        Self { plan, settings, environment, stop, links: Vec::new(), notes: Vec::new(), trace_id: None }
    }

    pub(super) fn follow(mut self) -> Result<Diagnosis, RunError> {
        let trace = &self.plan.trace;
        if trace.sample_fraction.get() == 0.0 && trace.burst.is_none() {
            self.notes.push(
                "trace.sample_fraction is 0: a run of this scenario traces nothing; this one request was traced all the same".to_owned(),
            );
        }
        let practice = self.plan.practice.is_some();
        let endpoint = Endpoint::resolve(trace, self.environment)?;
        let jaeger = trace.jaeger.as_deref().map(jaeger);
        let answering = jaeger.as_ref().and_then(|(jaeger, _)| jaeger.clone());
        let (arrivals, url) = match &endpoint {
            Endpoint::BuiltIn => {
                let usual = if practice { std::net::SocketAddr::from(([127, 0, 0, 1], 0)) } else { self.settings.listen };
                let listen = trace.listen.unwrap_or(usual);
                let arrivals = Arrivals::built_in(listen)?;
                let url = arrivals.url();
                (arrivals, url)
            }
            Endpoint::Url(url) => (answering.clone().map_or(Arrivals::Nowhere, Arrivals::Jaeger), url.clone()),
        };
        let anchor = Anchor::take();
        let (server_spans, way_out) = if practice {
            let destination = Destination { delay: LOOK, ..Destination::new(url.clone(), STANDALONE) };
            let (exporter, way_out) = ServerSpanExporter::start(&destination, anchor)?;
            (Some(exporter), Some(way_out))
        } else {
            (None, None)
        };
        let standing = Standing::start(self.plan, self.environment, way_out)?;
        let result = self.links_of(&standing, &arrivals, &endpoint, &url, jaeger, anchor);
        let _ = standing.end();
        if let Some(exporter) = server_spans {
            let _ = exporter.finish(SPANS_WITHIN);
        }
        arrivals.end();
        result?;
        Ok(Diagnosis::new(self.links, self.trace_id, self.notes))
    }

    fn links_of(
        &mut self,
        standing: &Standing,
        arrivals: &Arrivals,
        endpoint: &Endpoint,
        url: &str,
        jaeger: Option<(Option<Jaeger>, Link)>,
        anchor: Anchor,
    ) -> Result<(), RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Start)?;
        let client = self.target(standing, &runtime);
        let practice = self.plan.practice.is_some();
        if self.settings.management.is_some() && (practice || client.is_none()) {
            let why = if practice { "the practice target has no such port" } else { "the target is out of reach" };
            self.notes.push(format!("--management was not used: {why}"));
        }
        let settings = if !practice && client.is_some() { self.trace_settings(standing, url) } else { None };
        let services = jaeger.as_ref().and_then(|(jaeger, _)| jaeger.as_ref()?.services().ok());
        let answering = jaeger.as_ref().and_then(|(jaeger, _)| jaeger.as_ref().map(|jaeger| jaeger.url().to_owned()));
        self.links.extend(jaeger.map(|(_, link)| link));
        let link = match endpoint {
            Endpoint::BuiltIn => Link::holds("collector", format!("the built-in one, at {url}")),
            Endpoint::Url(_) => {
                let (host, port) = host_and_port(url, 4317);
                causes::collector(url, &listen_to(&host, port), answering.as_deref())
                    .unwrap_or_else(|| Link::holds("collector", format!("{url}: something listens")))
            }
        };
        self.links.push(link);
        self.propagation();
        let broken = self.links.iter().any(|link| link.ok == Some(false));
        let Some(client) = client.filter(|_| !broken) else {
            for name in ["request", "client span", "server spans", "clocks"] {
                self.links.push(Link::unknown(name, "not looked at: a link before it is broken"));
            }
            return Ok(());
        };
        if self.stop.is_stopped() {
            for name in ["request", "client span", "server spans", "clocks"] {
                self.links.push(Link::unknown(name, STOPPED));
            }
            return Ok(());
        }
        let Some(sent) = self.request(client, &runtime) else {
            for name in ["client span", "server spans", "clocks"] {
                self.links.push(Link::unknown(name, "not looked at: the request failed"));
            }
            return Ok(());
        };
        let known = Known { url, settings: settings.as_ref(), services: services.as_deref() };
        self.spans(standing, arrivals, &known, &sent, anchor)
    }

    /// Connects, and asks for the version.
    fn target(&mut self, standing: &Standing, runtime: &tokio::runtime::Runtime) -> Option<Client> {
        let uri = match &self.plan.target.uri {
            Address::Practice => standing.connection().uri().to_owned(),
            uri @ Address::Remote { .. } => uri.to_string(),
        };
        let (host, port) = standing.address();
        let speech = listen_to(host, port);
        if let Some(link) = causes::target(&uri, &speech) {
            self.links.push(link);
            return None;
        }
        let connected = runtime.block_on(async {
            let mut client = standing.connection().client().await.map_err(|error| Causes(&error).to_string())?;
            let version = version(&mut client, CALL).await.map_err(|failure| format!("{}: {}", failure.outcome, failure.reason))?;
            Ok::<_, String>((client, version))
        });
        match connected {
            Ok((client, version)) => {
                let what =
                    if version.is_empty() { "a Milvus that does not tell its version".to_owned() } else { format!("Milvus {version}") };
                self.links.push(Link::holds("target", format!("{uri}: {what}")));
                Some(client)
            }
            Err(why) => {
                let (cause, fix) = if speech == Speech::Silent {
                    (
                        "what listens there does not answer: it is no gRPC server, or one that is still starting",
                        "wait until it is up, or correct the port in `target.uri`: 19530 as a rule",
                    )
                } else {
                    (
                        "it answers, but not as a Milvus lets this client in",
                        "see `target.uri`, `target.ca_file`, and `target.token_env` for a Milvus with users",
                    )
                };
                self.links.push(Link::broken("target", format!("{uri}: {why}"), cause, fix));
                None
            }
        }
    }

    fn trace_settings(&mut self, standing: &Standing, goes_to: &str) -> Option<TraceSettings> {
        let (host, _) = standing.address();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = self.settings.management.clone().unwrap_or_else(|| format!("http://{host}:{MANAGEMENT_PORT}"));
        let settings = management::trace_settings(&url);
        self.links.push(causes::trace_settings(settings.as_ref(), &url, goes_to));
        settings.ok()
    }

    fn propagation(&mut self) {
        let propagation = self.plan.trace.propagation;
        self.links.push(match propagation {
            Propagation::None => Link::broken(
                "propagation",
                "trace.propagation is none",
                "propagation suppressed: no request says which trace it belongs to, so Milvus's spans never join the client's",
                "in the scenario: trace.propagation = \"traceparent\"",
            ),
            _ => Link::holds("propagation", format!("{propagation}, the request is marked as sampled")),
        });
    }

    /// Sends the one request.
    fn request(&mut self, mut client: Client, runtime: &tokio::runtime::Runtime) -> Option<Sent> {
        let clock = SystemClock::default();
        let decision = Decider::new(Fraction::ZERO).force(clock.now());
        let trace_id = decision.trace_id.to_string();
        let context = context_header(self.plan.trace.propagation, &decision);
        let name = &self.plan.collection.name;
        let (sent, answer, done) = runtime.block_on(async {
            let sent = clock.now();
            let answer = has_collection(&mut client, name, context, CALL).await;
            (sent, answer, clock.now())
        });
        let took = done.since(sent).human();
        match answer {
            Ok(there) => {
                let there = if there { "exists" } else { "does not exist, which does not matter" };
                self.links
                    .push(Link::holds("request", format!("{KNOCK_METHOD} took {took}, trace {trace_id}; the collection `{name}` {there}")));
            }
            Err(failure) => {
                self.links.push(Link::broken(
                    "request",
                    format!("{KNOCK_METHOD} after {took}: {}: {}", failure.outcome, failure.reason),
                    "the target refuses the request",
                    "see `target.token_env` and `target.database`, and Milvus's log",
                ));
                return None;
            }
        }
        self.trace_id = Some(trace_id);
        let finished =
            Finished { stream: 0, phase_measured: false, sequence: 0, intended: sent, sent, done, outcome: Outcome::Ok, decision };
        Some(Sent { decision, finished })
    }

    /// Sends the client's span, and waits until both sides' have arrived.
    fn spans(&mut self, standing: &Standing, arrivals: &Arrivals, known: &Known<'_>, sent: &Sent, anchor: Anchor) -> Result<(), RunError> {
        let url = known.url;
        let destination = Destination::of_client(url, &self.plan.trace, self.environment);
        let service = destination.service_name.clone();
        let export = ExportSettings { finish_limit: CALL, ..ExportSettings::new(Some(destination), self.identity(standing)) };
        let (exporter, mut lanes) = Exporter::start(&export, anchor, 1, None)?;
        lanes[0].end(sent.finished);
        let failure = exporter.failure();
        let account = exporter.finish();
        if account.exported == 0 {
            self.links.push(causes::client_span(url, failure.get().map(String::as_str)));
            for name in ["server spans", "clocks"] {
                self.links.push(Link::unknown(name, "not looked at: the client's span did not get through"));
            }
            return Ok(());
        }
        if matches!(arrivals, Arrivals::Nowhere) {
            self.links.push(Link::holds("client span", format!("taken by {url}")));
            let seen = "could not be looked at: set `trace.jaeger` to the URL of its web page, or `trace.endpoint` to \"built-in\"";
            self.links.extend(["server spans", "clocks"].map(|name| Link::unknown(name, seen)));
            return Ok(());
        }
        let (trace, others) = self.wait(arrivals, &sent.decision, &service);
        let arrived = sides(&trace, &service);
        if self.stop.is_stopped() && arrived != [true, true] {
            for (name, arrived) in ["client span", "server spans"].into_iter().zip(arrived) {
                self.links.push(if arrived {
                    Link::holds(name, format!("arrived in {}", arrivals.name()))
                } else {
                    Link::unknown(name, "not there yet when the doctor was stopped")
                });
            }
            self.links.push(Link::unknown("clocks", STOPPED));
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

    /// Looks until both sides' spans are there, the time is up, or the doctor is stopped.
    fn wait(&self, arrivals: &Arrivals, decision: &Decision, service: &str) -> (Trace, bool) {
        let trace_id = decision.trace_id.to_string();
        let until = now().plus(self.settings.within);
        loop {
            let (trace, others) = arrivals.of(&trace_id);
            if sides(&trace, service) == [true, true] || now() >= until || self.stop.is_stopped() {
                return (trace, others);
            }
            self.stop.pause(LOOK);
        }
    }

    fn judge(&mut self, arrivals: &Arrivals, known: &Known<'_>, service: &str, trace: &Trace, others: bool) {
        let url = known.url;
        let place = arrivals.name();
        let client: Option<&Span> = trace.spans.iter().find(|span| span.service == service);
        let server: Vec<&Span> = trace.spans.iter().filter(|span| span.service != service).collect();
        self.links.push(if client.is_some() {
            Link::holds("client span", format!("arrived in {place} under the service `{service}`"))
        } else {
            causes::missed(
                "client span",
                format!("taken by {url}, and not in {place} within {}", self.settings.within.human()),
                self.settings.within,
                format!("wrong endpoint: what listens at {url} does not feed {place}"),
                "correct `trace.endpoint`, or `trace.jaeger`, so that they are of one Jaeger; for a collector between them see its exporters"
                    .to_owned(),
            )
        });
        if client.is_none() && server.is_empty() {
            for name in ["server spans", "clocks"] {
                self.links.push(Link::unknown(name, "nothing to be said: the client's own span is not there either"));
            }
            return;
        }
        if server.is_empty() {
            // A service of Milvus's that Jaeger knew before anything was sent.
            let milvus = known.services.and_then(|all| all.iter().find(|service| MILVUS_SERVICES.contains(&service.as_str())));
            let milvus = milvus.map(|service| format!("Jaeger knows its service `{service}`"));
            let missing = Missing {
                place: &place,
                built_in: matches!(arrivals, Arrivals::BuiltIn { .. }),
                goes_to: url,
                waited: self.settings.within,
                practice: self.plan.practice.is_some(),
                settings: known.settings,
                propagation: self.plan.trace.propagation,
                in_tls: arrivals.in_tls(),
                others: milvus.or_else(|| others.then(|| "spans of other traces came".to_owned())),
            };
            self.links.push(causes::server_spans(&missing));
            self.links.push(Link::unknown("clocks", "not looked at: there are no server spans"));
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

/// Whether the Jaeger of the scenario answers.
fn jaeger(url: &str) -> (Option<Jaeger>, Link) {
    let broken = |error: &dyn std::error::Error| {
        let (host, port) = host_and_port(url, 80);
        causes::jaeger(Causes(error).to_string(), &listen_to(&host, port))
    };
    match Jaeger::bounded(url, CALL, crate::tail::jaeger::LARGEST) {
        Ok(jaeger) => match jaeger.services() {
            Ok(services) => {
                let seen = format!("{url} answers; {} services have spans", services.len());
                (Some(jaeger), Link::holds("jaeger", seen))
            }
            Err(error) => (None, broken(&error)),
        },
        Err(error) => (None, broken(&error)),
    }
}
