//! Where spans go and at what pace: the scenario's keys, OpenTelemetry's environment variables, and defaults, in that order.
//!
//! Environment variables are read through a lookup function, so that tests need not change the process's own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::units::Nanos;

use super::{Endpoint, STANDALONE, Settings, TraceError};

/// Looks an environment variable up. [`process_environment`] is the real one.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment. An empty variable counts as unset, as OpenTelemetry's specification wants it.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Under which service the client's spans stand where neither scenario nor environment says.
pub const DEFAULT_SERVICE_NAME: &str = "tailtrace";
/// Spans in one export. More would make longer bursts on a machine whose cores are all taken.
pub const DEFAULT_BATCH: usize = 512;
/// Spans that wait for export at most; beyond, they are dropped and counted. About 4 MB.
pub const DEFAULT_QUEUE: usize = 32_768;
/// How long a span waits for others to fill the batch. An export costs some 0.2 ms of CPU beside what its spans cost, and where it
/// goes to the built-in collector, which forwards it, 0.4 ms.
pub const DEFAULT_DELAY: Nanos = Nanos::from_secs(1);
/// How long one export may take, retries included; then its spans have failed.
pub const DEFAULT_TIMEOUT: Nanos = Nanos::from_secs(10);

/// Where spans go, under which name, and at what pace.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// URL of the OTLP/gRPC endpoint.
    pub endpoint: String,
    /// `service.name` of the spans.
    pub service_name: String,
    /// Further attributes of the resource.
    pub resource: BTreeMap<String, String>,
    /// Metadata of every export, such as an API key. Never shown.
    pub headers: BTreeMap<String, String>,
    /// Whether exports are compressed with gzip.
    pub gzip: bool,
    /// PEM file of the authority that signed the endpoint's certificate; `None` for the system's.
    pub certificate: Option<String>,
    /// How long one export may take, retries included.
    pub timeout: Nanos,
    /// Spans in one export at most.
    pub batch: usize,
    /// Spans that wait for export at most.
    pub queue: usize,
    /// How long a span waits for others to fill the batch.
    pub delay: Nanos,
}

/// Without the headers' values: they are secrets as a rule.
impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("endpoint", &self.endpoint)
            .field("service_name", &self.service_name)
            .field("resource", &self.resource)
            .field("headers", &self.headers.keys())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Where spans go: what the scenario says, else what the environment says, else the built-in collector.
    ///
    /// # Errors
    /// Where a variable that matters for the export holds what cannot be meant, wherever spans go.
    pub fn resolve(settings: &Settings, environment: Environment<'_>) -> Result<Self, TraceError> {
        check_values(environment)?;
        if let Some(endpoint) = &settings.endpoint {
            return Ok(endpoint.clone());
        }
        for variable in ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            let Some(value) = environment(variable) else { continue };
            if let Some(key) = settings.collector_key() {
                return Err(TraceError::NoCollector { key, endpoint: value });
            }
            for protocol in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
                match environment(protocol).as_deref() {
                    Some("grpc") | None => {}
                    Some(other) => {
                        let cause = "spans are sent by grpc only; set it to grpc and the endpoint to the gRPC port (4317 by default)";
                        return Err(TraceError::Environment { variable: protocol, value: other.to_owned(), cause });
                    }
                }
            }
            let url = if value.contains("://") {
                value.clone()
            } else {
                // The specification's rule for gRPC endpoints without a scheme.
                let insecure = environment("OTEL_EXPORTER_OTLP_TRACES_INSECURE").or_else(|| environment("OTEL_EXPORTER_OTLP_INSECURE"));
                let scheme = if insecure.is_some_and(|text| text.eq_ignore_ascii_case("true")) { "http" } else { "https" };
                format!("{scheme}://{value}")
            };
            let cause = "not an OTLP/gRPC endpoint; a right one is http://localhost:4317";
            return url.parse().map_err(|_| TraceError::Environment { variable, value, cause });
        }
        Ok(Self::BuiltIn)
    }
}

impl Destination {
    /// A destination with this URL and name, and defaults for all else.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, service_name: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            service_name: service_name.into(),
            resource: BTreeMap::new(),
            headers: BTreeMap::new(),
            gzip: false,
            certificate: None,
            timeout: DEFAULT_TIMEOUT,
            batch: DEFAULT_BATCH,
            queue: DEFAULT_QUEUE,
            delay: DEFAULT_DELAY,
        }
    }

    /// The destination of the client's spans: `url` is that of [`Endpoint::resolve`], or of the built-in collector.
    #[must_use]
    pub fn of_client(url: impl Into<String>, settings: &Settings, environment: Environment<'_>) -> Self {
        let mut resource = environment("OTEL_RESOURCE_ATTRIBUTES").map(|text| pairs(&text)).unwrap_or_default();
        let in_resource = resource.remove("service.name");
        let name = settings.service_name.clone().or_else(|| environment("OTEL_SERVICE_NAME")).or(in_resource);
        let either = |traces: &str, all: &str| environment(traces).or_else(|| environment(all));
        let number = |name: &str| environment(name).and_then(|text| text.trim().parse::<u64>().ok()).filter(|number| *number > 0);
        let millis = |value: Option<u64>, default| value.map_or(default, |millis| Nanos(millis.saturating_mul(1_000_000)));
        let count = |value: Option<u64>, default, most| value.map_or(default, |n| n as usize).clamp(1, most);
        let queue = count(number("OTEL_BSP_MAX_QUEUE_SIZE"), DEFAULT_QUEUE, MOST_QUEUED);
        Self {
            resource,
            headers: either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS").map(|text| pairs(&text)).unwrap_or_default(),
            gzip: either("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION").as_deref() == Some("gzip"),
            certificate: either("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
            timeout: millis(
                number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
                    .or_else(|| number("OTEL_EXPORTER_OTLP_TIMEOUT"))
                    .or_else(|| number("OTEL_BSP_EXPORT_TIMEOUT")),
                DEFAULT_TIMEOUT,
            ),
            batch: count(number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), DEFAULT_BATCH, queue),
            queue,
            delay: millis(number("OTEL_BSP_SCHEDULE_DELAY"), DEFAULT_DELAY),
            ..Self::new(url, name.unwrap_or_else(|| DEFAULT_SERVICE_NAME.to_owned()))
        }
    }

    /// The destination of the practice target's spans: as the client's, with its headers and its trust, under Milvus's name. What else
    /// the environment says of the client is not true of the target.
    #[must_use]
    pub fn of_practice(url: impl Into<String>, environment: Environment<'_>) -> Self {
        let client = Self::of_client(url, &Settings::default(), environment);
        Self { service_name: STANDALONE.to_owned(), resource: BTreeMap::new(), ..client }
    }
}

/// Variables that [`Destination::of_client`] reads as a whole number.
const NUMBERS: [&str; 6] = [
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
];

/// Refuses what an exporter in a long-lived program would warn of and pass over: a measurement is made as it was asked for, or not.
fn check_values(environment: Environment<'_>) -> Result<(), TraceError> {
    let wrong = |variable, value, cause| Err(TraceError::Environment { variable, value, cause });
    for variable in NUMBERS {
        let Some(value) = environment(variable) else { continue };
        if value.trim().parse::<u64>().ok().is_none_or(|number| number == 0) {
            return wrong(variable, value, "not a whole number from 1 (times are in milliseconds); correct it, or unset it");
        }
    }
    for variable in ["OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"] {
        if let Some(value) = environment(variable).filter(|value| !matches!(value.as_str(), "gzip" | "none")) {
            return wrong(variable, value, "spans are sent with gzip or none; set it to one of the two, or unset it");
        }
    }
    for variable in ["OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_TRACES_INSECURE"] {
        if let Some(value) = environment(variable).filter(|value| !["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word))) {
            return wrong(variable, value, "neither true nor false; correct it, or unset it");
        }
    }
    Ok(())
}

/// However large a queue is asked for, it holds no more: about 128 MB.
const MOST_QUEUED: usize = 1 << 20;

/// Reads `key=value,key=value` with percent-encoded values, as W3C Baggage writes them; what is no pair is left out, as the
/// specification allows.
fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decoded(key.trim()), decoded(value.trim())))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

/// Undoes percent-encoding; a `%` that begins none stands for itself, and what decodes to no text is left as it is.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn resolved(scenario: Option<&str>, variables: &'static [(&'static str, &'static str)]) -> Result<String, String> {
        let settings = Settings { endpoint: scenario.map(|text| text.parse().unwrap()), ..Settings::default() };
        Endpoint::resolve(&settings, &environment(variables)).map(|endpoint| endpoint.to_string()).map_err(|error| error.to_string())
    }

    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    #[test]
    fn scenario_then_environment_then_built_in() {
        assert_eq!(resolved(None, &[]).unwrap(), "built-in");
        assert_eq!(resolved(None, &[(ALL, "http://all:4317")]).unwrap(), "http://all:4317");
        assert_eq!(resolved(None, &[(ALL, "http://all:4317"), (TRACES, "http://traces:4317")]).unwrap(), "http://traces:4317");
        assert_eq!(resolved(Some("http://mine:4317"), &[(ALL, "http://all:4317")]).unwrap(), "http://mine:4317");
        assert_eq!(resolved(Some("built-in"), &[(TRACES, "http://traces:4317")]).unwrap(), "built-in");
    }

    #[test]
    fn keys_of_the_built_in_collector_and_an_endpoint_elsewhere_exclude_each_other() {
        let elsewhere = environment(&[(ALL, "http://all:4317")]);
        let forward = Settings { forward: Some("http://jaeger:4317".to_owned()), ..Settings::default() };
        let listen = Settings { listen: Some("127.0.0.1:4319".parse().unwrap()), ..Settings::default() };
        for (key, settings) in [("trace.forward", forward), ("trace.listen", listen)] {
            assert_eq!(Endpoint::resolve(&settings, &environment(&[])).unwrap(), Endpoint::BuiltIn);
            let error = Endpoint::resolve(&settings, &elsewhere).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("http://all:4317") && error.contains("built-in"), "{error}");
            let given = Settings { endpoint: Some("http://mine:4317".parse().unwrap()), ..settings.clone() };
            assert!(given.check().unwrap_err().message.contains(key));
            let named = Settings { endpoint: Some(Endpoint::BuiltIn), ..settings };
            assert_eq!((named.check(), Endpoint::resolve(&named, &elsewhere).unwrap()), (Ok(()), Endpoint::BuiltIn));
        }
    }

    #[test]
    fn an_endpoint_without_a_scheme_is_secure_unless_said_otherwise() {
        assert_eq!(resolved(None, &[(ALL, "otel:4317")]).unwrap(), "https://otel:4317");
        assert_eq!(resolved(None, &[(ALL, "otel:4317"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")]).unwrap(), "http://otel:4317");
    }

    #[test]
    fn what_cannot_work_names_the_variable_and_what_would() {
        let error = resolved(None, &[(ALL, "http://otel:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).unwrap_err();
        assert!(error.contains("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf") && error.contains("4317"), "{error}");
        let error = resolved(None, &[(ALL, "http://")]).unwrap_err();
        assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT=http://") && error.contains("http://localhost:4317"), "{error}");
    }

    #[test]
    fn the_name_comes_from_scenario_environment_or_resource() {
        let named = |name: Option<&str>, variables| {
            let settings = Settings { service_name: name.map(str::to_owned), ..Settings::default() };
            Destination::of_client("http://x", &settings, &environment(variables)).service_name
        };
        assert_eq!(named(None, &[]), "tailtrace");
        assert_eq!(named(None, &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=res,a=b")]), "res");
        assert_eq!(named(None, &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=res"), ("OTEL_SERVICE_NAME", "env")]), "env");
        assert_eq!(named(Some("mine"), &[("OTEL_SERVICE_NAME", "env")]), "mine");
    }

    #[test]
    fn every_other_variable_is_honoured() {
        let variables = &[
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=ci, team = a%20b%2Cc ,nonsense,=x,rate=5%"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-all=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20t0p,x-tenant=7"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
        ];
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let expected = Destination {
            endpoint: "http://x".into(),
            service_name: "tailtrace".into(),
            resource: map(&[("deployment.environment", "ci"), ("rate", "5%"), ("team", "a b,c")]),
            headers: map(&[("authorization", "Bearer t0p"), ("x-tenant", "7")]),
            gzip: true,
            certificate: Some("/etc/ca.pem".into()),
            timeout: Nanos::from_millis(2_500),
            batch: 100,
            queue: 4_096,
            delay: Nanos::from_secs(1),
        };
        assert_eq!(Destination::of_client("http://x", &Settings::default(), &environment(variables)), expected);
        let practice = Destination { service_name: "standalone".into(), resource: BTreeMap::new(), ..expected };
        assert_eq!(Destination::of_practice("http://x", &environment(variables)), practice, "the same way, another service");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let destination =
            Destination::of_client("http://x", &Settings::default(), &environment(&[("OTEL_EXPORTER_OTLP_HEADERS", "key=s3cret")]));
        let shown = format!("{destination:?}");
        assert!(shown.contains("key") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_refused_wherever_spans_go() {
        for (variable, value) in [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
            ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "yes"),
        ] {
            let environment = |name: &str| (name == variable).then(|| value.to_owned());
            for scenario in [None, Some("built-in")] {
                let settings = Settings { endpoint: scenario.map(|text| text.parse().unwrap()), ..Settings::default() };
                let error = Endpoint::resolve(&settings, &environment).unwrap_err().to_string();
                assert!(error.contains(&format!("{variable}={value}")) && error.contains("unset it"), "{error}");
            }
        }
        let right =
            &[("OTEL_BSP_SCHEDULE_DELAY", " 200 "), ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"), ("OTEL_EXPORTER_OTLP_INSECURE", "False")];
        assert_eq!(resolved(None, right).unwrap(), "built-in");
    }

    #[test]
    fn a_number_that_is_too_large_is_capped() {
        let of = |variables| Destination::of_client("http://x", &Settings::default(), &environment(variables));
        let large = of(&[("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999999999")]);
        assert_eq!((large.queue, large.batch), (MOST_QUEUED, MOST_QUEUED));
    }
}
