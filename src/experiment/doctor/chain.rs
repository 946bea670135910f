//! The chain, link after link: what listens where, and the one request.

use crate::clock::{Anchor, Clock, SystemClock};
use crate::experiment::standing::Standing;
use crate::milvus::{Address, Client, KNOCK_METHOD, has_collection, version};
use crate::scenario::Plan;
use crate::tail::jaeger::{Jaeger, LARGEST};
use crate::tail::management::{self, MANAGEMENT_PORT, TraceSettings};
use crate::trace::{
    Decider, Decision, Destination, Endpoint, Environment, Finished, Outcome, Propagation, ServerSpanExporter, context_header,
};
use crate::units::{Causes, Fraction, Nanos};

use super::arrivals::Arrivals;
use super::causes::{self, host_and_port};
use super::link::{Diagnosis, Link};
use super::links::Links;
use super::speech::{Speech, listen_to};
use super::waits::Waits;
use super::{CLIENT_SPAN, COLLECTOR, DoctorSettings, JAEGER, RunError};

/// How long one call may take.
pub(super) const CALL: Nanos = Nanos::from_secs(5);
/// How long one that said nothing has to connect all the same.
const AFTER_SILENCE: Nanos = Nanos::from_secs(2);
/// How often is looked whether spans have arrived.
pub(super) const LOOK: Nanos = Nanos::from_millis(200);
/// How long the practice target's last spans may take.
const SPANS_WITHIN: Nanos = Nanos::from_secs(2);

pub(super) struct Chain<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a DoctorSettings,
    pub(super) environment: Environment<'a>,
    pub(super) waits: Waits<'a>,
    pub(super) links: Links<'a>,
    notes: Vec<String>,
    trace_id: Option<String>,
}

/// What has been sent, and is being looked for.
pub(super) struct Sent {
    pub(super) decision: Decision,
    pub(super) finished: Finished,
}

/// What was found out on the way, for those links that are judged by it.
pub(super) struct Known<'a> {
    /// Where spans go.
    pub(super) url: &'a str,
    /// Milvus's own settings, where it tells them.
    pub(super) settings: Option<TraceSettings>,
    /// The services that Jaeger knew before anything was sent.
    pub(super) services: Vec<String>,
}

impl<'a> Chain<'a> {
    pub(super) const fn new(
        plan: &'a Plan,
        settings: &'a DoctorSettings,
        environment: Environment<'a>,
        waits: Waits<'a>,
        links: Links<'a>,
    ) -> Self {
        Self { plan, settings, environment, waits, links, notes: Vec::new(), trace_id: None }
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
        let (mut arrivals, url) = match &endpoint {
            Endpoint::BuiltIn => {
                let usual = if practice { std::net::SocketAddr::from(([127, 0, 0, 1], 0)) } else { self.settings.listen };
                let arrivals = Arrivals::built_in(trace.listen.unwrap_or(usual))?;
                let url = arrivals.url();
                (arrivals, url)
            }
            Endpoint::Url(url) => (Arrivals::Nowhere, url.clone()),
        };
        let anchor = Anchor::take();
        let (server_spans, way_out) = if practice {
            let destination = Destination { delay: LOOK, ..Destination::of_practice(url.clone(), self.environment) };
            let (exporter, way_out) = ServerSpanExporter::start(&destination, anchor)?;
            (Some(exporter), Some(way_out))
        } else {
            (None, None)
        };
        let standing = Standing::start(self.plan, self.environment, way_out)?;
        let result = self.links_of(&standing, &mut arrivals, &endpoint, &url, anchor);
        let _ = standing.end();
        if let Some(exporter) = server_spans {
            let _ = exporter.finish(if self.waits.stop().is_stopped() { Nanos::ZERO } else { SPANS_WITHIN });
        }
        arrivals.end();
        self.waits.end()?;
        result?;
        Ok(Diagnosis::new(self.links.into_all(), self.trace_id, self.notes))
    }

    fn links_of(
        &mut self,
        standing: &Standing,
        arrivals: &mut Arrivals,
        endpoint: &Endpoint,
        url: &str,
        anchor: Anchor,
    ) -> Result<(), RunError> {
        let client = self.target(standing);
        let practice = self.plan.practice.is_some();
        if self.settings.management.is_some() && (practice || client.is_none()) {
            let why = if practice { "the practice target has no such port" } else { "the target is out of reach" };
            self.notes.push(format!("--management was not used: {why}"));
        }
        let settings = if !practice && client.is_some() { self.trace_settings(standing, url) } else { None };
        let (jaeger, services) = self.jaeger().unzip();
        if self.waits.stop().is_stopped() {
            self.links.interrupted(&[COLLECTOR, "propagation", "request", CLIENT_SPAN, "server spans", "clocks"]);
            return Ok(());
        }
        self.collector(endpoint, url, jaeger.as_ref().map(Jaeger::url));
        if let (Endpoint::Url(_), Some(jaeger)) = (endpoint, jaeger) {
            *arrivals = Arrivals::Jaeger(jaeger);
        }
        self.propagation();
        // Spans that the built-in collector takes are seen without a Jaeger.
        let broken = self.links.is_broken(matches!(endpoint, Endpoint::BuiltIn).then_some(JAEGER));
        let Some(client) = client.filter(|_| !broken) else {
            let rest = ["request", CLIENT_SPAN, "server spans", "clocks"];
            if broken {
                self.links.unknown(&rest, "not looked at: a link before it is broken");
            } else {
                self.links.interrupted(&rest);
            }
            return Ok(());
        };
        let Some(sent) = self.request(client) else {
            return Ok(());
        };
        let known = Known { url, settings, services: services.unwrap_or_default() };
        self.spans(standing, arrivals, &known, &sent, anchor)
    }

    /// What listens there; `None` where the doctor was stopped, which is then said of this link.
    fn listen(&mut self, link: &str, host: &str, port: u16) -> Option<Speech> {
        let host = host.to_owned();
        let speech = self.waits.of_blocking(move || listen_to(&host, port));
        if speech.is_none() {
            self.links.interrupted(&[link]);
        }
        speech
    }

    /// Connects, and asks for the version.
    fn target(&mut self, standing: &Standing) -> Option<Client> {
        let uri = match &self.plan.target.uri {
            Address::Practice => standing.connection().uri().to_owned(),
            uri @ Address::Remote { .. } => uri.to_string(),
        };
        let (host, port) = standing.address();
        let speech = self.listen("target", host, port)?;
        if let Some(link) = causes::target(&uri, &speech) {
            self.links.push(link);
            return None;
        }
        let connecting = async {
            let mut client = standing.connection().client().await.map_err(|error| Causes(&error).to_string())?;
            let version = version(&mut client, CALL).await.map_err(|failure| format!("{}: {}", failure.outcome, failure.reason))?;
            Ok::<_, String>((client, version))
        };
        let connected = if speech == Speech::Silent {
            // It has been given time already.
            self.waits.of(async { tokio::time::timeout(AFTER_SILENCE.as_duration(), connecting).await.ok() })
        } else {
            self.waits.of(connecting).map(Some)
        };
        match connected {
            None => {
                self.links.interrupted(&["target"]);
                None
            }
            Some(None) => {
                self.links.push(causes::silent_target(&uri));
                None
            }
            Some(Some(Ok((client, version)))) => {
                let what =
                    if version.is_empty() { "a Milvus that does not tell its version".to_owned() } else { format!("Milvus {version}") };
                self.links.push(Link::holds("target", format!("{uri}: {what}")));
                Some(client)
            }
            Some(Some(Err(why))) => {
                self.links.push(causes::no_milvus(&uri, &why));
                None
            }
        }
    }

    fn trace_settings(&mut self, standing: &Standing, goes_to: &str) -> Option<TraceSettings> {
        let (host, _) = standing.address();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = self.settings.management.clone().unwrap_or_else(|| format!("http://{host}:{MANAGEMENT_PORT}"));
        let asked = url.clone();
        let Some(settings) = self.waits.of_blocking(move || management::trace_settings(&asked)) else {
            self.links.interrupted(&[super::TRACE_SETTINGS]);
            return None;
        };
        self.links.push(causes::trace_settings(settings.as_ref(), &url, goes_to));
        settings.ok()
    }

    /// The Jaeger of the scenario, where it names one that answers, and the services that it knows.
    fn jaeger(&mut self) -> Option<(Jaeger, Vec<String>)> {
        let url = self.plan.trace.jaeger.clone()?;
        let asked = Jaeger::bounded(&url, CALL, LARGEST).and_then(|jaeger| {
            let client = jaeger.clone();
            let services = self.waits.of_blocking(move || client.services()).transpose()?;
            Ok(services.map(|services| (jaeger, services)))
        });
        match asked {
            Ok(Some((jaeger, services))) => {
                self.links.push(Link::holds(JAEGER, format!("{url} answers; {} services have spans", services.len())));
                Some((jaeger, services))
            }
            Ok(None) => {
                self.links.interrupted(&[JAEGER]);
                None
            }
            Err(error) => {
                let (host, port) = host_and_port(&url, if url.starts_with("https:") { 443 } else { 80 });
                let speech = self.listen(JAEGER, &host, port)?;
                self.links.push(causes::jaeger(&url, &error, &speech));
                None
            }
        }
    }

    /// Where spans go. `jaeger` is the Jaeger that answers, if one does.
    fn collector(&mut self, endpoint: &Endpoint, url: &str, jaeger: Option<&str>) {
        let link = match endpoint {
            Endpoint::BuiltIn => Link::holds("collector", format!("the built-in one, at {url}")),
            Endpoint::Url(_) => {
                let (host, port) = host_and_port(url, 4317);
                let Some(speech) = self.listen("collector", &host, port) else { return };
                causes::collector(url, &speech, jaeger)
            }
        };
        self.links.push(link);
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

    /// Sends the one request; `None` where it failed, which is said, and where the doctor was stopped.
    fn request(&mut self, mut client: Client) -> Option<Sent> {
        let clock = SystemClock::default();
        let decision = Decider::new(Fraction::ZERO).force(clock.now());
        let trace_id = decision.trace_id.to_string();
        let context = context_header(self.plan.trace.propagation, &decision);
        let name = &self.plan.collection.name;
        let asked = self.waits.of(async {
            let sent = clock.now();
            let answer = has_collection(&mut client, name, context, CALL).await;
            (sent, answer, clock.now())
        });
        let Some((sent, answer, done)) = asked else {
            self.links.interrupted(&["request", CLIENT_SPAN, "server spans", "clocks"]);
            return None;
        };
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
                self.links.unknown(&[CLIENT_SPAN, "server spans", "clocks"], "not looked at: the request failed");
                return None;
            }
        }
        self.trace_id = Some(trace_id);
        let finished =
            Finished { stream: 0, phase_measured: false, sequence: 0, intended: sent, sent, done, outcome: Outcome::Ok, decision };
        Some(Sent { decision, finished })
    }
}
