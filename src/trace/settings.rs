//! The `[trace]` table of a scenario.

use std::borrow::Cow;
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
    /// The Jaeger whose pages links lead to, such as `http://localhost:16686`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "jaeger_url")]
    pub jaeger: Option<String>,
    /// What travels with a request, so that Milvus joins its trace. Left out: `traceparent`.
    pub propagation: Propagation,
    /// Samples more of the requests that are sent while an older one is overdue. Left out: no more than the fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
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
        if is_web_url(text) {
            return Ok(Self::Url(text.to_owned()));
        }
        Err(format!("`{text}` is not an OTLP endpoint: \"built-in\", or a URL such as \"http://localhost:4317\""))
    }
}

/// Whether the text begins with http or https and names a host.
fn is_web_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}

fn jaeger_url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    match url {
        Some(text) if !is_web_url(&text) => {
            Err(serde::de::Error::custom(format!("`{text}` is not the URL of a Jaeger; a right one is \"http://localhost:16686\"")))
        }
        url => Ok(url.map(|text| text.trim_end_matches('/').to_owned())),
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
