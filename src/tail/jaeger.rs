//! Jaeger's query API over HTTP: services, traces by id, traces by search. Blocking, bounded in time and in bytes; for Jaeger
//! 1.46 and later, and Jaeger 2, whose HTTP API is the same.
//!
//! Reads and nothing else: how a trace is read from Jaeger's JSON says [`super::traces`], what is asked for and how often says
//! who calls. Never on a lane.
//!
//! ```no_run
//! use tailtrace::tail::jaeger::Jaeger;
//! let jaeger = Jaeger::new("http://localhost:16686")?;
//! assert!(jaeger.services()?.iter().any(|service| service == "standalone"));
//! # Ok::<(), tailtrace::tail::jaeger::JaegerError>(())
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::CertificateError;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::units::{ByteSize, Nanos};

use super::traces::{self, Trace};

/// How long one answer may take, from looking up the name to the last byte.
pub const WITHIN: Nanos = Nanos::from_secs(10);
/// How large one answer may be: about five thousand traces of Milvus's.
pub const LARGEST: ByteSize = ByteSize(64 << 20);
/// Ids in one request: more would make a line that servers in between refuse.
pub const IDS_AT_ONCE: usize = 25;
/// A server's own words are cut after so many characters.
const LONGEST_REASON: usize = 200;

/// Why Jaeger gave no traces. The URL never holds credentials: those are refused.
#[derive(Debug, thiserror::Error)]
pub enum JaegerError {
    /// Not the URL of a Jaeger.
    #[error("`{url}` is not the URL of a Jaeger: {what}; a right one is \"http://localhost:16686\"")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nobody answers there.
    #[error("no answer from Jaeger at {url}; see that it is up, and that this is its query port (16686 as a rule, not 4317)")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// Its certificate is not good for that URL.
    #[error("cannot trust the certificate of Jaeger at {url}; {next}")]
    Untrusted {
        /// What was asked for.
        url: String,
        /// What to do.
        next: &'static str,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// It took too long.
    #[error(
        "Jaeger did not answer {url} within {within}; ask for less (fewer traces, a shorter time), or see what its storage is busy with"
    )]
    Slow {
        /// What was asked for.
        url: String,
        /// How long it had.
        within: String,
    },
    /// The answer is larger than can be taken.
    #[error("Jaeger's answer to {url} is larger than {limit}; ask for fewer traces or a shorter time")]
    Large {
        /// What was asked for.
        url: String,
        /// What is taken at most.
        limit: ByteSize,
    },
    /// It refused.
    #[error("Jaeger answered {url} with status {status}: {said}; see its log, and that the URL is that of its web page")]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// Something that is no Jaeger answered.
    #[error(
        "what answers at {url} is not Jaeger's query API ({what}); give the URL of Jaeger's web page, such as \"http://localhost:16686\""
    )]
    NoJaeger {
        /// What was asked for.
        url: String,
        /// What came.
        what: String,
    },
}

/// What to look for. Times are µs since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// The service, as [`Jaeger::services`] names it.
    pub service: String,
    /// Only traces in which that service has a span of this name.
    pub operation: Option<String>,
    /// Traces that began from here …
    pub start_us: u64,
    /// … to here.
    pub end_us: u64,
    /// So many at most; Jaeger takes the latest.
    pub limit: usize,
    /// Only traces with a span of the service that took at least so long.
    pub min_duration: Option<Nanos>,
    /// Only traces with a span that has all of these.
    pub tags: BTreeMap<String, String>,
}

/// A Jaeger to ask.
#[derive(Debug, Clone)]
pub struct Jaeger {
    url: String,
    agent: ureq::Agent,
    within: Nanos,
    largest: ByteSize,
}

impl Jaeger {
    /// A Jaeger by the URL of its web page. Asks nothing yet.
    pub fn new(url: &str) -> Result<Self, JaegerError> {
        Self::bounded(url, WITHIN, LARGEST)
    }

    /// The same with other bounds for one answer.
    pub fn bounded(url: &str, within: Nanos, largest: ByteSize) -> Result<Self, JaegerError> {
        let wrong = |what| JaegerError::Url { url: without_credentials(url), what };
        let uri: http::Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("it holds credentials, which results must not"));
        }
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(within.as_duration()))
            .http_status_as_error(false)
            .user_agent(concat!("tailtrace/", env!("CARGO_PKG_VERSION")));
        if is_loopback(host) {
            // A proxy that the environment names leads out of this machine, not back into it.
            config = config.proxy(None);
        }
        if secure {
            config = config.tls_config(tls());
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), agent: config.build().new_agent(), within, largest })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The services that it has spans of.
    pub fn services(&self) -> Result<Vec<String>, JaegerError> {
        #[derive(serde::Deserialize)]
        struct Services {
            // `null` where it has none.
            data: Option<Vec<String>>,
        }
        let (url, body) = self.get("/api/services", &[])?;
        let services: Services = serde_json::from_slice(&body).map_err(|error| no_jaeger(&url, &error.to_string()))?;
        Ok(services.data.unwrap_or_default())
    }

    /// The traces with these ids; those that it does not have are left out. Ids are 32 hex digits, up to [`IDS_AT_ONCE`] of
    /// them.
    pub fn traces(&self, ids: &[&str]) -> Result<Vec<Trace>, JaegerError> {
        self.get_traces(&ids.iter().map(|id| ("traceID", (*id).to_owned())).collect::<Vec<_>>())
    }

    /// The traces that a search finds, up to its limit.
    pub fn search(&self, search: &Search) -> Result<Vec<Trace>, JaegerError> {
        let mut query = vec![
            ("service", search.service.clone()),
            ("start", search.start_us.to_string()),
            ("end", search.end_us.to_string()),
            ("limit", search.limit.to_string()),
            // Jaeger 1 overlooks it; the API's description names it beside start and end.
            ("lookback", "custom".to_owned()),
        ];
        query.extend(search.operation.clone().map(|operation| ("operation", operation)));
        // Go's notation of a duration.
        query.extend(search.min_duration.map(|least| ("minDuration", format!("{}us", least.0 / 1_000))));
        if !search.tags.is_empty() {
            query.push(("tags", serde_json::Value::from_iter(search.tags.clone()).to_string()));
        }
        self.get_traces(&query)
    }

    fn get_traces(&self, query: &[(&str, String)]) -> Result<Vec<Trace>, JaegerError> {
        let (url, body) = self.get("/api/traces", query)?;
        traces::from_json(&body).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            no_jaeger(&url, &format!("{error}{cause}"))
        })
    }

    /// What was asked for, for messages, and the answer.
    fn get(&self, path: &str, query: &[(&str, String)]) -> Result<(String, Vec<u8>), JaegerError> {
        let url = format!("{}{path}", self.url);
        let request = query.iter().fold(self.agent.get(&url), |request, (key, value)| request.query(key, value));
        let failed = |error| self.failed(&url, error);
        let mut answer = request.call().map_err(failed)?;
        let status = answer.status().as_u16();
        let read = answer.body_mut().with_config().limit(self.largest.0).read_to_vec();
        match status {
            200 => Ok((url.clone(), read.map_err(failed)?)),
            // Where all ids are unknown some versions say so by status; every other body of a 404 is somebody else's page.
            404 if is_traces_not_found(read.as_deref().unwrap_or_default()) => Ok((url, br#"{"data":[]}"#.to_vec())),
            404 => Err(no_jaeger(&url, "it has no such page")),
            status => Err(JaegerError::Refused { said: words(&read.unwrap_or_default()), url, status }),
        }
    }

    fn failed(&self, url: &str, error: ureq::Error) -> JaegerError {
        let url = url.to_owned();
        match tls_error(&error) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                return JaegerError::Untrusted { url, next: next_step(why), source: Box::new(why.clone().into()) };
            }
            Some(rustls::Error::InvalidMessage(_)) => return no_jaeger(&url, "it speaks no TLS, and the URL begins with https://"),
            _ => {}
        }
        match error {
            ureq::Error::Timeout(_) => JaegerError::Slow { url, within: self.within.human() },
            ureq::Error::BodyExceedsLimit(_) => JaegerError::Large { url, limit: self.largest },
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => no_jaeger(&url, &error.to_string()),
            source => JaegerError::Unreachable { url, source: Box::new(source) },
        }
    }
}

/// The error of TLS in one of the HTTP client.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What to do about a certificate.
fn next_step(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer => {
            "add who signed it to the certificates of this machine, or name a PEM file of theirs in the environment variable SSL_CERT_FILE"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "write the URL with a name that the certificate holds"
        }
        _ => "have it renewed, and see that this machine's clock is right",
    }
}

fn no_jaeger(url: &str, what: &str) -> JaegerError {
    JaegerError::NoJaeger { url: url.to_owned(), what: what.to_owned() }
}

/// What a server says of itself under `errors`, or the beginning of its text.
fn words(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(json) => json["errors"][0]["msg"].as_str().map(str::to_owned),
        Err(_) => None,
    };
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    if text.trim().is_empty() { "nothing said".to_owned() } else { text.trim().to_owned() }
}

fn is_traces_not_found(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|json| json["errors"].is_array())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A URL for a message, without what stands before an `@`.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

/// The machine's certificates, as OTLP's exporter trusts them.
pub(super) fn tls() -> TlsConfig {
    // What could not be loaded shows when a certificate is not trusted.
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> = found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build()
}
