//! From what was seen to the likely cause and the line to change.

use crate::tail::jaeger::JaegerError;
use crate::tail::management::{TraceSettings, Untold};
use crate::tail::traces::Span;
use crate::trace::Propagation;
use crate::units::{Causes, Nanos};

use super::link::Link;
use super::speech::Speech;
use super::{CLIENT_SPAN, COLLECTOR, DEFAULT_WITHIN, TRACE_SETTINGS};

/// OpenTelemetry's exporters send a batch so often, where nothing else is set.
const BATCH_EVERY: Nanos = Nanos::from_secs(5);

/// Server spans that reach further than this beyond the client's are a matter of clocks: networks and queues only make them later and
/// shorter.
const CLOCKS: Nanos = Nanos::from_millis(10);

/// Why an address gives no answer at all, not even that nobody listens.
const NO_WAY: &str = "out of reach: nothing answers at that address, or no network leads there";

/// The host and port of a URL whose host was checked where the scenario was read.
pub(super) fn host_and_port(url: &str, default: u16) -> (String, u16) {
    let uri: http::Uri = url.parse().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    (host, uri.port_u16().unwrap_or(default))
}

/// What listens speaks TLS where the URL has none, or has none where the URL wants it: what is seen, and the cause.
fn tls_mismatch(who: &str, url: &str, secure: bool, speech: &Speech) -> Option<(&'static str, String)> {
    match speech {
        Speech::Tls if !secure => Some(("it speaks TLS", format!("TLS mismatch: the {who} wants TLS, and {url} begins with http"))),
        Speech::Http2 | Speech::Http1 if secure => {
            Some(("it speaks without TLS", format!("TLS mismatch: {url} begins with https, and what listens there has no TLS")))
        }
        _ => None,
    }
}

/// The target, by what listens there; `None` where a gRPC server may.
pub(super) fn target(uri: &str, speech: &Speech) -> Option<Link> {
    let broken = |seen: &str, cause: &str, fix: &str| Some(Link::broken("target", format!("{uri}: {seen}"), cause, fix));
    let secure = uri.starts_with("https:");
    if let Some((seen, cause)) = tls_mismatch("target", "`target.uri`", secure, speech).filter(|_| *speech != Speech::Http1) {
        let fix = if secure {
            "write http://… in `target.uri`, or turn TLS on in milvus.yaml: common.security.tlsMode: 1"
        } else {
            "write https://… in `target.uri` (and `target.ca_file` for a certificate of your own), or set tls off in milvus.yaml: \
             common.security.tlsMode: 0"
        };
        return broken(seen, &cause, fix);
    }
    match speech {
        Speech::Unresolved(why) => {
            broken(&format!("the name leads nowhere ({why})"), "a wrong host name, or no name service", "correct the host in `target.uri`")
        }
        Speech::Closed(why) => broken(
            &format!("no connection ({why})"),
            "port closed: no Milvus listens there, or its port is not published",
            "start Milvus; in compose publish the port (ports: [\"19530:19530\"]), or correct `target.uri`",
        ),
        Speech::OutOfReach(why) => {
            broken(&format!("no connection ({why})"), NO_WAY, "correct the host in `target.uri`, or see to the network and its firewalls")
        }
        Speech::Http1 => broken(
            "it speaks HTTP/1, not gRPC",
            "another port of Milvus or another service: gRPC is on 19530 as a rule, 9091 is for metrics",
            "correct the port in `target.uri`",
        ),
        Speech::Tls | Speech::Http2 | Speech::Silent => None,
    }
}

/// A target that takes connections and says nothing.
pub(super) fn silent_target(uri: &str) -> Link {
    Link::broken(
        "target",
        format!("{uri}: something listens and says nothing"),
        "what listens there does not answer: it is no gRPC server, or one that is still starting",
        "wait until it is up, or correct the port in `target.uri`: 19530 as a rule",
    )
}

/// A target that answers and lets no client in.
pub(super) fn no_milvus(uri: &str, why: &str) -> Link {
    Link::broken(
        "target",
        format!("{uri}: {why}"),
        "it answers, but not as a Milvus lets this client in",
        "see `target.uri`, `target.ca_file`, and `target.token_env` for a Milvus with users",
    )
}

/// The collector, by what listens there. `jaeger` is the Jaeger that answers beside it, if one does.
pub(super) fn collector(url: &str, speech: &Speech, jaeger: Option<&str>) -> Link {
    let broken = |seen: &str, cause: &str, fix: &str| Link::broken(COLLECTOR, format!("{url}: {seen}"), cause, fix);
    let secure = url.starts_with("https:");
    if let Some((seen, cause)) = tls_mismatch("collector", "the endpoint", secure, speech).filter(|_| *speech != Speech::Http1) {
        let own = if secure { "http" } else { "https" };
        return broken(
            seen,
            &cause,
            &format!("write {own}://… in `trace.endpoint`; in milvus.yaml the same is trace.otlp.secure: {}", !secure),
        );
    }
    match speech {
        Speech::Unresolved(why) => broken(
            &format!("the name leads nowhere ({why})"),
            "wrong endpoint: the host name is not known here (names of containers are known to containers only)",
            "correct the host in `trace.endpoint`",
        ),
        Speech::Closed(why) => match jaeger {
            Some(jaeger) => broken(
                &format!("no connection ({why}), while Jaeger answers at {jaeger}"),
                "COLLECTOR_OTLP_ENABLED is missing, so that Jaeger takes no OTLP, or its port is not published",
                "in the compose file give the jaeger service `environment: [COLLECTOR_OTLP_ENABLED=true]` and `ports: [\"4317:4317\"]`",
            ),
            None => broken(
                &format!("no connection ({why})"),
                "port closed: no collector listens there",
                "start the collector (or Jaeger with COLLECTOR_OTLP_ENABLED=true and port 4317 published), or correct `trace.endpoint`",
            ),
        },
        Speech::OutOfReach(why) => broken(
            &format!("no connection ({why})"),
            NO_WAY,
            "correct the host in `trace.endpoint`, or see to the network and its firewalls",
        ),
        Speech::Http1 => broken(
            "it speaks HTTP/1, not gRPC",
            "wrong endpoint: that is OTLP over HTTP (4318 as a rule) or another service, and spans go by gRPC",
            "write the gRPC port in `trace.endpoint`: http://…:4317",
        ),
        Speech::Http2 => Link::holds(COLLECTOR, format!("{url}: an HTTP/2 server listens, as gRPC needs one")),
        Speech::Tls => Link::holds(COLLECTOR, format!("{url}: a server with TLS listens")),
        // What stands before a server and tells protocols apart may wait for more before it lets it speak.
        Speech::Silent => {
            Link::unknown(COLLECTOR, format!("{url}: something listens and says nothing; whether it takes spans the client span tells"))
        }
    }
}

/// A Jaeger that did not answer as one, by what listens there.
pub(super) fn jaeger(url: &str, error: &JaegerError, speech: &Speech) -> Link {
    let broken = |seen: &str, cause: &str, fix: &str| Link::broken("jaeger", format!("{url}: {seen}"), cause, fix);
    let secure = url.starts_with("https:");
    if let Some((seen, cause)) = tls_mismatch("Jaeger", "`trace.jaeger`", secure, speech) {
        let own = if secure { "http" } else { "https" };
        return broken(seen, &cause, &format!("write {own}://… in `trace.jaeger`"));
    }
    let other = "what listens there is not Jaeger's query API, or is still starting";
    let wait = "wait until Jaeger is up, or correct `trace.jaeger`: port 16686 as a rule";
    match (speech, error) {
        (Speech::Closed(why), _) => broken(
            &format!("no connection ({why})"),
            "port closed: no Jaeger listens there, or its query port is not published",
            "start Jaeger and publish its query port (in compose ports: [\"16686:16686\"]), or correct `trace.jaeger`",
        ),
        (Speech::Unresolved(why), _) => broken(
            &format!("the name leads nowhere ({why})"),
            "a wrong host name, or no name service",
            "correct the host in `trace.jaeger`",
        ),
        (Speech::OutOfReach(why), _) => {
            broken(&format!("no connection ({why})"), NO_WAY, "correct the host in `trace.jaeger`, or see to the network and its firewalls")
        }
        (Speech::Http2, _) => broken(
            "it speaks HTTP/2, as gRPC does, and not HTTP/1",
            "another port of Jaeger, where spans go in (4317), or another service",
            "correct the port in `trace.jaeger`: 16686 as a rule, that of its web page",
        ),
        (_, JaegerError::Untrusted { next, source, .. }) => broken(
            &format!("its certificate is not good for that URL ({source})"),
            "TLS without trust between this machine and Jaeger",
            next,
        ),
        (_, JaegerError::Slow { within, .. }) => broken(&format!("no answer within {within}"), other, wait),
        (_, JaegerError::NoJaeger { what, .. }) => broken(&format!("its answer is not that of Jaeger's query API ({what})"), other, wait),
        (_, JaegerError::Refused { status, said, .. }) => broken(&format!("it answered with status {status}: {said}"), other, wait),
        _ => broken(&Causes(error).to_string(), other, wait),
    }
}

/// Milvus's own settings, where it tells them. `asked` is who was asked for them, `goes_to` where spans are expected.
pub(super) fn trace_settings(settings: Result<&TraceSettings, &Untold>, asked: &str, goes_to: &str) -> Link {
    let settings = match settings {
        Ok(settings) => settings,
        Err(why) => {
            let seen =
                format!("none told by {asked}: {why}. Milvus 2.5 and later tell them, on port 9091 where --management names no other");
            return Link::unknown(TRACE_SETTINGS, format!("{seen}; of others the spans decide"));
        }
    };
    let said = |value: &Option<String>| value.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "not said".to_owned());
    let seen = format!(
        "exporter {}, otlp.endpoint {}, otlp.secure {}, sampleFraction {}",
        said(&settings.exporter),
        said(&settings.endpoint),
        said(&settings.secure),
        said(&settings.sample_fraction)
    );
    let secure = settings.secure.as_deref().and_then(|text| text.trim().parse::<bool>().ok());
    match settings.exporter.as_deref() {
        Some("noop" | "") => Link::broken(
            TRACE_SETTINGS,
            seen,
            "trace.exporter is noop, its default: Milvus makes spans and throws them away",
            format!("in milvus.yaml: trace.exporter: otlp, trace.otlp.endpoint: {}; then restart Milvus", bare(goes_to)),
        ),
        Some("otlp") if settings.endpoint.as_deref().is_none_or(str::is_empty) => Link::broken(
            TRACE_SETTINGS,
            seen,
            "wrong endpoint: trace.otlp.endpoint is empty, so Milvus sends its spans nowhere",
            format!("in milvus.yaml: trace.otlp.endpoint: {}; then restart Milvus", bare(goes_to)),
        ),
        // What is sent in the clear cannot be meant for TLS, and the other way round: both go to one collector as a rule.
        Some("otlp") if secure == Some(true) && goes_to.starts_with("http:") && same_port(settings, goes_to) => Link::broken(
            TRACE_SETTINGS,
            seen,
            "TLS mismatch: Milvus speaks TLS to the collector (trace.otlp.secure), which has none",
            "in milvus.yaml: trace.otlp.secure: false; then restart Milvus",
        ),
        _ => Link::holds(TRACE_SETTINGS, seen),
    }
}

fn same_port(settings: &TraceSettings, goes_to: &str) -> bool {
    let own = settings.endpoint.as_deref().and_then(|endpoint| endpoint.rsplit_once(':')?.1.parse::<u16>().ok());
    own == Some(host_and_port(goes_to, 4317).1)
}

/// An endpoint as milvus.yaml has it.
fn bare(url: &str) -> String {
    let (host, port) = host_and_port(url, 4317);
    format!("{host}:{port}")
}

/// Why a span was sent and did not get through, from what the exporter said.
pub(super) fn client_span(url: &str, why: Option<&str>) -> Link {
    let why = why.unwrap_or("no answer in time");
    let cause = if why.to_ascii_lowercase().contains("unimplemented") {
        "wrong endpoint: what listens there takes no OTLP traces over gRPC"
    } else if why.to_ascii_lowercase().contains("unauth") || why.to_ascii_lowercase().contains("permission") {
        "the collector wants credentials"
    } else {
        "the collector did not take the span: it is no OTLP/gRPC endpoint, or is not ready"
    };
    let fix = if cause.contains("credentials") {
        "export OTEL_EXPORTER_OTLP_HEADERS with what it asks for"
    } else {
        "correct `trace.endpoint`: the gRPC port of the collector, 4317 as a rule"
    };
    Link::broken(CLIENT_SPAN, format!("not taken by {url}: {why}"), cause, fix)
}

/// What is known where the server's spans did not come.
pub(super) struct Missing<'a> {
    /// Where they were looked for, whether that is the built-in collector, and where they were to go.
    pub(super) place: &'a str,
    pub(super) built_in: bool,
    pub(super) goes_to: &'a str,
    pub(super) waited: Nanos,
    /// The server is the practice target in this process.
    pub(super) practice: bool,
    pub(super) settings: Option<&'a TraceSettings>,
    pub(super) propagation: Propagation,
    /// Connections to the built-in collector that began with TLS.
    pub(super) in_tls: u64,
    /// Spans of other traces came there, or services of a Milvus are known to the Jaeger.
    pub(super) others: Option<String>,
}

/// Spans that did not come. Where less was waited than a batch takes, that is said before any other cause: nothing else is known then.
pub(super) fn missed(link: &str, seen: String, waited: Nanos, cause: String, fix: String) -> Link {
    if waited >= BATCH_EVERY {
        return Link::broken(link, seen, cause, fix);
    }
    let early = "not long enough waited: spans come in batches, every five seconds as a rule";
    Link::broken(link, seen, format!("{early}; or {cause}"), format!("--within {DEFAULT_WITHIN}; or {fix}"))
}

/// Why the server's spans did not come.
pub(super) fn server_spans(missing: &Missing<'_>) -> Link {
    let seen = format!("none in {} within {}", missing.place, missing.waited.human());
    let goes_to = bare(missing.goes_to);
    let container = if missing.built_in {
        "from inside a container, this machine's address, and in the scenario trace.listen = \"0.0.0.0:4317\""
    } else {
        "from inside a container, the collector's name there"
    };
    let broken = |cause: String, fix: String| missed("server spans", seen.clone(), missing.waited, cause, fix);
    if missing.in_tls > 0 {
        return Link::broken(
            "server spans",
            seen,
            format!(
                "TLS mismatch: {} connections to the collector began with TLS, which it has not: Milvus's trace.otlp.secure is true",
                missing.in_tls
            ),
            "in milvus.yaml: trace.otlp.secure: false; then restart Milvus",
        );
    }
    if missing.practice {
        return broken(
            format!("the practice target was to send its spans to {}, and they do not arrive in {}", missing.goes_to, missing.place),
            "see the log of what listens there, or set `trace.endpoint` to \"built-in\"".to_owned(),
        );
    }
    if missing.propagation == Propagation::ClientRequestId && missing.others.is_some() {
        return broken(
            "propagation suppressed: this Milvus does not take its trace id from `client_request_id` (2.3 does not), or its own \
             trace.sampleFraction passed the request over (2.6 asks it)"
                .to_owned(),
            "in the scenario: trace.propagation = \"traceparent\"".to_owned(),
        );
    }
    if let Some(others) = &missing.others {
        return broken(
            format!(
                "propagation suppressed: Milvus's spans do come ({others}), but not for this request: its `traceparent` did not reach Milvus"
            ),
            "let what stands between (a proxy, a gateway) pass the header `traceparent`; connect to Milvus itself to see the difference"
                .to_owned(),
        );
    }
    if let Some(TraceSettings { endpoint: Some(endpoint), .. }) = missing.settings {
        return broken(
            format!(
                "wrong endpoint: Milvus sends its spans to {endpoint}, as it sees that name, and they do not arrive in {}",
                missing.place
            ),
            format!("in milvus.yaml: trace.otlp.endpoint: {goes_to} ({container}); then restart Milvus"),
        );
    }
    broken(
        "trace.exporter is noop (its default), or trace.otlp.endpoint is wrong: Milvus has sent nothing at all".to_owned(),
        format!(
            "in milvus.yaml: trace.exporter: otlp, trace.otlp.endpoint: {goes_to} ({container}), \
             trace.otlp.secure: false; then restart Milvus. Of a `tailtrace practice` elsewhere: --otlp {}",
            missing.goes_to
        ),
    )
}

/// Whether the server's spans lie within the client's. Only the uppermost: what they do below may go on after the answer.
pub(super) fn clocks(client: &Span, server: &[&Span]) -> Link {
    let of_server = |id: &str| server.iter().any(|span| span.id == id);
    let answering = server.iter().filter(|span| !span.parent.as_deref().is_some_and(of_server));
    let beyond = |span: &&Span| {
        let early = client.start_ns.saturating_sub(span.start_ns);
        let late = (span.start_ns + span.duration_ns).saturating_sub(client.start_ns + client.duration_ns);
        (Nanos(early.max(late)), if early > late { "behind" } else { "ahead of" })
    };
    let Some((most, side)) = answering.map(beyond).max_by_key(|(most, _)| *most) else {
        return Link::unknown("clocks", "no server span is the uppermost");
    };
    if most <= CLOCKS {
        return Link::holds("clocks", "the server's spans lie within the client's");
    }
    Link::broken(
        "clocks",
        format!("Milvus's clock is at least {} {side} this machine's", most.human()),
        "clock skew: the two machines' clocks differ, so in Jaeger the server's spans lie outside the client's",
        "let both machines follow one time service (chrony, systemd-timesyncd); figures of tailtrace do not depend on it",
    )
}
