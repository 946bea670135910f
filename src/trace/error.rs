//! What can be wrong before the first span is sent. Later nothing is an error: spans are counted as dropped or failed.

use std::io;

/// Why tracing could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The endpoint, or something beside it, is not usable.
    #[error("spans cannot be sent to {endpoint}: {cause}; give [trace] endpoint a URL such as \"http://localhost:4317\", or \"built-in\"")]
    Endpoint {
        /// Where spans were to go.
        endpoint: String,
        /// What is wrong with it.
        cause: String,
    },
    /// An environment variable holds what it must not.
    #[error("{variable}={value} in the environment: {cause}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong, and what to set instead.
        cause: &'static str,
    },
    /// The certificate to trust cannot be read.
    #[error("the certificate {path} for the OTLP endpoint cannot be read; set OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file")]
    Certificate {
        /// Its file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A thread or its runtime could not be started.
    #[error("the thread `{thread}` could not be started; too many threads or open files?")]
    Thread {
        /// Its name.
        thread: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The built-in collector is to hand on what it never gets.
    #[error(
        "trace.{key} belongs to the built-in collector, and the environment sends spans to {endpoint}; set trace.endpoint = \"built-in\""
    )]
    NoCollector {
        /// The key that is given.
        key: &'static str,
        /// Where spans go.
        endpoint: String,
    },
    /// The built-in collector is to hand on to itself.
    #[error(
        "trace.forward leads back to the built-in collector, which listens on {address}; set trace.listen to another address, such as \"127.0.0.1:4319\", and point Milvus there"
    )]
    ToItself {
        /// Where it listens.
        address: std::net::SocketAddr,
    },
    /// The collector cannot listen.
    #[error(
        "the collector cannot listen on {address}; set trace.listen to another address, such as \"127.0.0.1:4319\", or end what listens there"
    )]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
}
