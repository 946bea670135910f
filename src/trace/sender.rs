//! Sends batches of spans through opentelemetry-otlp, one at a time, each within its time.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::{Destination, TraceError};

/// An OTLP/gRPC connection, opened when the first batch goes and again after it was lost.
#[derive(Debug)]
pub(super) struct Sender {
    exporter: opentelemetry_otlp::SpanExporter,
    timeout: std::time::Duration,
}

/// What became of one batch; exported + failed are its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) exported: u64,
    pub(super) failed: u64,
}

impl Sender {
    /// Must be called inside the runtime that will send. Connects to nothing yet, so a collector that is down is no error.
    pub(super) fn new(destination: &Destination) -> Result<Self, TraceError> {
        let wrong = |cause: String| TraceError::Endpoint { endpoint: destination.endpoint.clone(), cause };
        let timeout = destination.timeout.as_duration();
        let mut builder = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(destination.endpoint.clone())
            .with_timeout(timeout)
            .with_metadata(metadata(destination)?);
        if destination.gzip {
            builder = builder.with_compression(opentelemetry_otlp::Compression::Gzip);
        }
        if destination.endpoint.starts_with("https:") {
            builder = builder.with_tls_config(tls(destination)?);
        }
        let mut exporter = builder.build().map_err(|error| wrong(error.to_string()))?;
        exporter.set_resource(&resource(destination));
        Ok(Self { exporter, timeout })
    }

    /// Sends one batch. Ends within the destination's timeout, whatever the collector does.
    pub(super) async fn send(&self, batch: Vec<SpanData>) -> Sent {
        let spans = batch.len() as u64;
        match tokio::time::timeout(self.timeout, self.exporter.export(batch)).await {
            Ok(Ok(())) => Sent { exported: spans, failed: 0 },
            Ok(Err(_)) | Err(_) => Sent { exported: 0, failed: spans },
        }
    }
}

fn resource(destination: &Destination) -> Resource {
    let further = destination.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(further)
        .with_service_name(destination.service_name.clone())
        .build()
}

fn metadata(destination: &Destination) -> Result<MetadataMap, TraceError> {
    let mut metadata = MetadataMap::new();
    for (key, value) in &destination.headers {
        // The value may be a secret: the message names the key only.
        let wrong = |what| TraceError::Endpoint { endpoint: destination.endpoint.clone(), cause: format!("header `{key}` {what}") };
        let name = MetadataKey::from_bytes(key.to_lowercase().as_bytes()).map_err(|_| wrong("is not a header's name"))?;
        metadata.insert(name, MetadataValue::try_from(value).map_err(|_| wrong("has a value that no header may have"))?);
    }
    Ok(metadata)
}

fn tls(destination: &Destination) -> Result<ClientTlsConfig, TraceError> {
    let config = ClientTlsConfig::new();
    let Some(path) = &destination.certificate else { return Ok(config.with_native_roots()) };
    let pem = std::fs::read(path).map_err(|source| TraceError::Certificate { path: path.clone(), source })?;
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}
