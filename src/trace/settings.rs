//! The `[trace]` table of a scenario.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::units::Fraction;

use super::{Burst, Propagation};

/// `[trace]`: which requests are traced, and where their spans go. Left out, nothing is sampled and nothing exported.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Trace")]
pub struct Settings {
    /// The fraction of the requests that is traced, decided by OpenTelemetry's `TraceIdRatioBased` sampler before each is
    /// sent. `sampleFraction`, Milvus's own spelling, is accepted too. Left out: 0.
    #[serde(alias = "sampleFraction")]
    pub sample_fraction: Fraction,
    /// Where spans go by OTLP over gRPC: a URL such as `http://localhost:4317`, or `built-in` for tailtrace's own collector,
    /// which writes `spans.jsonl`. Left out: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, and
    /// without them `built-in`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Where the built-in collector listens, such as `0.0.0.0:4317` for a Milvus on another machine. Left out:
    /// `127.0.0.1:4317`, and a free port where the practice target answers.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "listen_address")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// Where the built-in collector hands on what it has taken, by OTLP over gRPC: the URL of a Jaeger's collector, such as
    /// `http://localhost:4317`. Left out: nowhere.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "forward_url")]
    pub forward: Option<String>,
    /// The Jaeger whose pages links lead to, such as `http://localhost:16686`. Where spans go elsewhere than to the built-in
    /// collector, the traces of the tail and of some typical requests are fetched from it when the run is over. An `https://` one
    /// needs a certificate that the machine trusts, or that is signed by one in the PEM file that the environment variable
    /// `SSL_CERT_FILE` names.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "jaeger_url")]
    pub jaeger: Option<String>,
    /// What travels with a request, so that Milvus joins its trace. Left out: `traceparent`.
    pub propagation: Propagation,
    /// Samples more of the requests that are sent while an older one is overdue. Left out: no more than the fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
    /// Gives requests that were slow and not sampled a span of the client alone after the run, tagged
    /// `tailtrace.sampled_by = "outlier"`: they can be found in Jaeger, though the server recorded nothing of them.
    pub outliers: bool,
    /// The service under which the client's spans stand. Left out: `OTEL_SERVICE_NAME`, and without it `tailtrace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
}

/// Where spans go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// tailtrace's own collector, in the same process.
    BuiltIn,
    /// An OTLP/gRPC endpoint by its URL.
    Url(String),
}

const BUILT_IN: &str = "built-in";

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == BUILT_IN {
            return Ok(Self::BuiltIn);
        }
        if text.contains('@') {
            return Err(with_credentials("an OTLP endpoint", "http://localhost:4317"));
        }
        if is_web_url(text) {
            return Ok(Self::Url(text.to_owned()));
        }
        Err(format!("`{text}` is not an OTLP endpoint: \"built-in\", or a URL such as \"http://localhost:4317\""))
    }
}

/// Whether the text begins with http or https and names a host.
fn is_web_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty()) && has_a_port_or_none(&uri)
}

/// What stands behind the host's colon is a port, 0 to 65535.
fn has_a_port_or_none(uri: &http::Uri) -> bool {
    let behind_the_host = uri.authority().map_or("", |authority| authority.as_str().rsplit(']').next().unwrap_or_default());
    !behind_the_host.contains(':') || uri.port_u16().is_some()
}

fn jaeger_url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = web_url(deserializer, "the URL of a Jaeger", "http://localhost:16686")?;
    Ok(url.map(|text| text.trim_end_matches('/').to_owned()))
}

fn forward_url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    web_url(deserializer, "an OTLP/gRPC endpoint", "http://localhost:4317")
}

fn web_url<'de, D: serde::Deserializer<'de>>(deserializer: D, what: &str, right: &str) -> Result<Option<String>, D::Error> {
    let url = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    url.map(|text| checked_web_url(&text, what, right).map_err(serde::de::Error::custom)).transpose()
}

/// The text, where it is a URL that HTTP can be spoken to and holds no credentials; `what` it should be, with a right one, for the message.
///
/// # Errors
/// Says what it is not, and shows the right one.
pub fn checked_web_url(text: &str, what: &str, right: &str) -> Result<String, String> {
    if text.contains('@') {
        Err(with_credentials(what, right))
    } else if is_web_url(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not {what}; a right one is \"{right}\""))
    }
}

/// The text itself is not repeated: messages are shown on screens and kept in logs of CI.
fn with_credentials(what: &str, right: &str) -> String {
    format!(
        "a name or a password in {what} would be kept in the run's files, and is not used: leave out everything up to the `@`; \
         a right one is \"{right}\""
    )
}

fn listen_address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    let wrong = |text: &str| {
        serde::de::Error::custom(format!(
            "`{text}` is not an address to listen on: an IP address and a port, such as \"127.0.0.1:4317\", or \"0.0.0.0:4317\" for other machines too"
        ))
    };
    text.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

/// Keys of `[trace]` that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// The key that is at fault.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl Settings {
    /// Whether tailtrace itself samples anything.
    #[must_use]
    pub fn samples(&self) -> bool {
        self.sample_fraction > Fraction::ZERO || self.burst.is_some()
    }

    /// The first key of the built-in collector that is given.
    pub(super) const fn collector_key(&self) -> Option<&'static str> {
        match (&self.forward, &self.listen) {
            (Some(_), _) => Some("forward"),
            (None, Some(_)) => Some("listen"),
            (None, None) => None,
        }
    }

    /// What keys must keep to together.
    pub fn check(&self) -> Result<(), SettingsError> {
        if let (Some(Endpoint::Url(url)), Some(key)) = (&self.endpoint, self.collector_key()) {
            let message = format!("trace.{key} belongs to the built-in collector, and spans go to {url}");
            return Err(SettingsError { key, message, help: "set trace.endpoint = \"built-in\", or take the key out" });
        }
        Ok(())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => BUILT_IN,
            Self::Url(url) => url,
        })
    }
}

impl serde::Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Endpoint {
    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "\"built-in\", or the URL of an OTLP/gRPC endpoint such as \"http://localhost:4317\".",
            "pattern": "^(built-in|https?://.+)$"
        })
    }
}
