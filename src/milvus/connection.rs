//! The way to a Milvus: address, encryption, credentials, and channels whose writes are gathered.

use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper_util::rt::TokioIo;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::units::ByteSize;
use crate::wire::milvus::milvus_service_client::MilvusServiceClient;

use super::gather::Gathered;
use super::operation::MAX_MESSAGE;
use super::settings::TargetSettings;

/// What a server may send on one request before it has to wait for the client to read. HTTP/2's default of 64 KiB caps a
/// large answer at a few MB/s over a few ms of round trip.
pub const STREAM_WINDOW: ByteSize = ByteSize(1 << 20);
/// The same for all requests of one connection together.
pub const CONNECTION_WINDOW: ByteSize = ByteSize(16 << 20);

/// A client for set-up: every call by its name, with credentials.
pub type Client = MilvusServiceClient<InterceptedService<Channel, Credentials>>;

/// Why there is no connection. Never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nobody answers.
    #[error("cannot connect to {uri}: is a Milvus listening there? (docker ps, or the port in `target.uri`)")]
    Unreachable {
        /// Where to.
        uri: String,
        /// What the network said.
        source: tonic::transport::Error,
    },
    /// The encryption was not agreed on.
    #[error(
        "cannot encrypt the connection to {uri}; write http:// in `target.uri` where that Milvus has no TLS, or name its certificate in \
         `target.ca_file`"
    )]
    Tls {
        /// Where to.
        uri: String,
        /// What TLS said.
        source: tonic::transport::Error,
    },
    /// The URI or its TLS settings make no endpoint.
    #[error("cannot make a connection to {uri} with these settings of [target]")]
    Endpoint {
        /// Where to.
        uri: String,
        /// Why not.
        source: tonic::transport::Error,
    },
    /// The file with certificates cannot be read.
    #[error("cannot read the certificates in {path} (target.ca_file)")]
    Certificates {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The environment variable with the token is not set.
    #[error("the environment variable {variable} (target.token_env) is not set; export it with \"user:password\" or an API key")]
    NoToken {
        /// Its name.
        variable: String,
    },
    /// The token or the database cannot go into a header.
    #[error("{what} holds characters that cannot be sent in a header")]
    NotAHeader {
        /// Which setting.
        what: String,
    },
}

/// How to reach one Milvus; makes as many channels as lanes want.
#[derive(Debug, Clone)]
pub struct Connection {
    uri: String,
    endpoint: Endpoint,
    credentials: Credentials,
}

impl Connection {
    /// Resolves settings to a way to `uri`. Nothing is sent. `environment` looks up variables.
    ///
    /// # Errors
    /// Where certificates, token or URI are not usable.
    pub fn new(target: &TargetSettings, uri: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectionError> {
        let wrong = |source| ConnectionError::Endpoint { uri: uri.to_owned(), source };
        let mut endpoint = Endpoint::from_shared(uri.to_owned())
            .map_err(wrong)?
            .connect_timeout(target.connect_within.as_duration())
            .initial_stream_window_size(STREAM_WINDOW.0 as u32)
            .initial_connection_window_size(CONNECTION_WINDOW.0 as u32);
        if uri.starts_with("https:") {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(path) = &target.ca_file {
                let pem =
                    std::fs::read(path).map_err(|source| ConnectionError::Certificates { path: path.display().to_string(), source })?;
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        Ok(Self { uri: uri.to_owned(), endpoint, credentials: Credentials::new(target, environment)? })
    }

    /// A channel that is connected, for up to `in_flight` requests at a time. Call it in the runtime that will use it: its
    /// tasks stay there.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn channel(&self, in_flight: usize) -> Result<Channel, ConnectionError> {
        self.endpoint.clone().buffer_size(in_flight.max(64)).connect_with_connector(Connector).await.map_err(|source| {
            let uri = self.uri.clone();
            if is_tls(&source) { ConnectionError::Tls { uri, source } } else { ConnectionError::Unreachable { uri, source } }
        })
    }

    /// A client for set-up over a channel of its own.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn client(&self) -> Result<Client, ConnectionError> {
        let service = InterceptedService::new(self.channel(1).await?, self.credentials.clone());
        Ok(MilvusServiceClient::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE))
    }

    /// The headers that every request carries: credentials and database.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        self.credentials.headers.clone()
    }

    /// Where it leads.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

/// Whether the connection stood and its encryption failed: `rustls` tells that as invalid data.
fn is_tls(error: &tonic::transport::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == std::io::ErrorKind::InvalidData)
}

/// Token and database as headers; the token is never shown.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    headers: HeaderMap,
}

impl Credentials {
    /// Milvus takes the token base64-encoded in `authorization`, and the database's name in `dbname`.
    fn new(target: &TargetSettings, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectionError> {
        let mut headers = HeaderMap::new();
        if let Some(variable) = &target.token_env {
            let token = environment(variable).ok_or_else(|| ConnectionError::NoToken { variable: variable.clone() })?;
            let mut value = HeaderValue::from_str(&base64::engine::general_purpose::STANDARD.encode(token))
                .map_err(|_| ConnectionError::NotAHeader { what: format!("the token in {variable}") })?;
            value.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, value);
        }
        if let Some(database) = &target.database {
            let value = HeaderValue::from_str(database).map_err(|_| ConnectionError::NotAHeader { what: "target.database".to_owned() })?;
            headers.insert(HeaderName::from_static("dbname"), value);
        }
        Ok(Self { headers })
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        for (name, value) in &self.headers {
            let value =
                MetadataValue::<Ascii>::try_from(value.as_bytes()).map_err(|_| tonic::Status::internal("a credential is no header"))?;
            let name = tonic::metadata::MetadataKey::<Ascii>::from_bytes(name.as_str().as_bytes())
                .map_err(|_| tonic::Status::internal("a credential is no header"))?;
            request.metadata_mut().insert(name, value);
        }
        Ok(request)
    }
}

/// Connects over TCP, without Nagle's delay and with gathered writes.
#[derive(Debug, Clone, Copy)]
struct Connector;

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Gathered>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let stream = tokio::net::TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(Gathered::new(stream)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> TargetSettings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_token_comes_from_the_environment_and_is_not_shown() {
        let target = settings(r#"{"uri": "http://localhost:1", "token_env": "MILVUS_TOKEN", "database": "books"}"#);
        let connection =
            Connection::new(&target, "http://localhost:1", |name| (name == "MILVUS_TOKEN").then(|| "root:Milvus".to_owned())).unwrap();
        // base64 of "root:Milvus", from another implementation.
        assert_eq!(connection.headers()["authorization"].as_bytes(), b"cm9vdDpNaWx2dXM=");
        assert_eq!(connection.headers()["dbname"].as_bytes(), b"books");
        let shown = format!("{connection:?}");
        assert!(!shown.contains("cm9vdDpNaWx2dXM=") && !shown.contains("root:Milvus"), "{shown}");
    }

    #[test]
    fn a_token_that_is_not_there_is_named() {
        let target = settings(r#"{"uri": "http://localhost:1", "token_env": "MILVUS_TOKEN"}"#);
        let error = Connection::new(&target, "http://localhost:1", |_| None).unwrap_err().to_string();
        assert!(error.contains("MILVUS_TOKEN") && error.contains("not set"), "{error}");
    }

    #[test]
    fn an_address_where_nobody_listens_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let uri = format!("http://{free}");
        let target = settings(&format!(r#"{{"uri": "{uri}"}}"#));
        let connection = Connection::new(&target, &uri, |_| None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(connection.channel(1)).unwrap_err().to_string();
        assert!(error.contains(&free.to_string()) && error.contains("is a Milvus listening"), "{error}");
    }
}
