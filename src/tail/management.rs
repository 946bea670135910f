//! What a Milvus says of its own trace settings, over the HTTP of its metrics and management port (9091).
//!
//! Milvus 2.5 and later give all their settings as JSON under `/api/v1/_cluster/configs`, where no password is asked for; older ones
//! give none. Only the four that matter to traces are read.

use serde_json::Value;

use crate::units::Nanos;

use super::jaeger::tls;

/// The port that Milvus has it on.
pub const MANAGEMENT_PORT: u16 = 9091;
/// How long the answer may take.
const WITHIN: Nanos = Nanos::from_secs(2);
/// All settings of a Milvus are some 100 KB.
const LARGEST: u64 = 4 << 20;
const PATH: &str = "/api/v1/_cluster/configs";

/// The settings under `trace` in milvus.yaml, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceSettings {
    /// `noop`, `otlp`, `jaeger` or `stdout`.
    pub exporter: Option<String>,
    /// `trace.sampleFraction`.
    pub sample_fraction: Option<String>,
    /// `trace.otlp.endpoint`.
    pub endpoint: Option<String>,
    /// `trace.otlp.secure`.
    pub secure: Option<String>,
}

/// Why no trace settings were told. No error of the doctor's: not every Milvus tells them.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// The port is closed.
    #[error("nobody listens there")]
    Closed,
    /// The name leads nowhere.
    #[error("its host name is not known here")]
    Unresolved,
    /// Nothing came in time.
    #[error("no answer within {WITHIN}")]
    Silent,
    /// A Milvus before 2.5, or something else.
    #[error("it has no {PATH} (status 404)")]
    NotOffered,
    /// It refused.
    #[error("it answered with status {0}")]
    Refused(u16),
    /// What came is not Milvus's settings.
    #[error("what answers there gives no settings")]
    NoSettings,
    /// They are, without those of traces.
    #[error("no trace settings are among those that it gives")]
    NoneOfTraces,
    /// No way there, or another cause.
    #[error("{0}")]
    Other(Box<ureq::Error>),
}

/// Asks the Milvus whose management port is at `url`.
///
/// # Errors
/// Why it told none.
pub fn trace_settings(url: &str) -> Result<TraceSettings, Untold> {
    let mut config = ureq::Agent::config_builder().timeout_global(Some(WITHIN.as_duration())).proxy(None);
    if url.starts_with("https:") {
        config = config.tls_config(tls());
    }
    let mut answer = config.build().new_agent().get(format!("{}{PATH}", url.trim_end_matches('/'))).call().map_err(untold)?;
    let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(untold)?;
    read(&serde_json::from_slice(&body).map_err(|_| Untold::NoSettings)?).ok_or(Untold::NoneOfTraces)
}

fn untold(error: ureq::Error) -> Untold {
    match error {
        ureq::Error::StatusCode(404) => Untold::NotOffered,
        ureq::Error::StatusCode(status) => Untold::Refused(status),
        ureq::Error::Timeout(_) => Untold::Silent,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Untold::Closed,
        // The standard library has no kind for it.
        ureq::Error::Io(error) if error.to_string().contains("failed to lookup address") => Untold::Unresolved,
        ureq::Error::HostNotFound => Untold::Unresolved,
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
            Untold::NoSettings
        }
        other => Untold::Other(Box::new(other)),
    }
}

/// Milvus writes keys without case, dots and underscores in some versions, and in one table or in several.
fn read(document: &Value) -> Option<TraceSettings> {
    let mut found = TraceSettings::default();
    look(document, "", &mut found);
    (found != TraceSettings::default()).then_some(found)
}

fn look(value: &Value, key: &str, found: &mut TraceSettings) {
    if let Value::Object(table) = value {
        for (name, inner) in table {
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            // A table within a table goes on with its name; a list of components begins anew.
            look(inner, &if name.starts_with("trace") { name } else { format!("{key}{name}") }, found);
        }
        return;
    }
    if let Value::Array(list) = value {
        for inner in list {
            look(inner, "", found);
        }
        return;
    }
    let place = match key {
        "traceexporter" => &mut found.exporter,
        "tracesamplefraction" => &mut found.sample_fraction,
        "traceotlpendpoint" => &mut found.endpoint,
        "traceotlpsecure" => &mut found.secure,
        _ => return,
    };
    *place = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn settings_are_found_however_their_keys_are_written() {
        let right = TraceSettings {
            exporter: Some("otlp".into()),
            sample_fraction: Some("0.1".into()),
            endpoint: Some("jaeger:4317".into()),
            secure: Some("false".into()),
        };
        for text in [
            r#"{"traceexporter": "otlp", "tracesamplefraction": "0.1", "traceotlpendpoint": "jaeger:4317", "traceotlpsecure": "false", "x": "1"}"#,
            r#"{"trace.exporter": "otlp", "trace.sampleFraction": 0.1, "trace.otlp.endpoint": "jaeger:4317", "trace.otlp.secure": false}"#,
            r#"[{"config": {"trace": {"exporter": "otlp", "sampleFraction": 0.1, "otlp": {"endpoint": "jaeger:4317", "secure": "false"}}}}]"#,
        ] {
            assert_eq!(read(&serde_json::from_str(text).unwrap()), Some(right.clone()), "{text}");
        }
        assert_eq!(read(&serde_json::from_str(r#"{"log.level": "info", "exporter": "x"}"#).unwrap()), None);
    }

    /// What is said of a server that answers so.
    fn said(answer: String) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let said = trace_settings(&url).unwrap_err().to_string();
        server.join().unwrap();
        said
    }

    #[test]
    fn who_offers_nothing_says_why() {
        // Bound, so that nobody else is given the port, and nobody listens.
        let closed = tokio::net::TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", closed.local_addr().unwrap());
        assert_eq!(trace_settings(&url).unwrap_err().to_string(), "nobody listens there");
        // What speaks no TLS is not understood, and that is all.
        let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", plain.local_addr().unwrap());
        let server = std::thread::spawn(move || plain.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        assert!(matches!(trace_settings(&url), Err(Untold::Other(_))));
        server.join().unwrap().unwrap();
        let head = "content-type: application/json\r\nconnection: close\r\n";
        for (status, body, expected) in [
            ("404 Not Found", "", "it has no /api/v1/_cluster/configs (status 404)"),
            ("401 Unauthorized", "", "it answered with status 401"),
            ("200 OK", "OK", "what answers there gives no settings"),
            ("200 OK", "{}", "no trace settings are among those that it gives"),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
            assert_eq!(said(answer), expected);
        }
        assert_eq!(said("no HTTP at all\r\n\r\n".to_owned()), "what answers there gives no settings");
        let unresolved = std::io::Error::other("failed to lookup address information: Name or service not known");
        for error in [ureq::Error::Io(unresolved), ureq::Error::HostNotFound] {
            assert_eq!(untold(error).to_string(), "its host name is not known here");
        }
        assert!(trace_settings("no url").is_err());
    }
}
