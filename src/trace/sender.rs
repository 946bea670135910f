//! Sends batches of spans through opentelemetry-otlp, one at a time, each within its time.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig};

use crate::units::Nanos;

use super::encoded::Encoded;
use super::rejected::Rejected;
use super::{Destination, TraceError};

/// An OTLP/gRPC connection, opened when the first batch goes and again after it was lost.
#[derive(Debug)]
pub(super) struct Sender {
    exporter: opentelemetry_otlp::SpanExporter,
    encoded: Encoded,
    timeout: Nanos,
}

/// What became of one batch; exported + failed are its spans.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) exported: u64,
    pub(super) failed: u64,
    /// Why they failed, where some have.
    pub(super) why: Option<String>,
}

impl Sender {
    /// Must be called inside the runtime that will send. Connects to nothing yet, so a collector that is down is no error.
    pub(super) fn new(destination: &Destination) -> Result<Self, TraceError> {
        let wrong = |cause: String| TraceError::Endpoint { endpoint: destination.endpoint.clone(), cause };
        let timeout = destination.timeout;
        let mut builder = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(destination.endpoint.clone())
            .with_timeout(timeout.as_duration())
            .with_metadata(metadata(destination)?);
        if destination.gzip {
            builder = builder.with_compression(opentelemetry_otlp::Compression::Gzip);
        }
        if destination.endpoint.starts_with("https:") {
            builder = builder.with_tls_config(tls(destination)?);
        }
        let mut exporter = builder.build().map_err(|error| wrong(error.to_string()))?;
        let resource = resource(destination);
        exporter.set_resource(&resource);
        Ok(Self { exporter, encoded: Encoded::of(&resource), timeout })
    }

    /// Bytes of the request that carries a batch, before compression.
    pub(super) fn bytes(&self, batch: &[SpanData]) -> u64 {
        self.encoded.request(batch) as u64
    }

    /// Sends one batch. Ends within the destination's timeout, whatever the collector does.
    pub(super) async fn send(&self, batch: Vec<SpanData>, rejected: &Rejected) -> Sent {
        let spans = batch.len() as u64;
        rejected.take();
        let result = tokio::time::timeout(self.timeout.as_duration(), self.exporter.export(batch)).await;
        let (failed, why) = match result {
            Ok(Ok(())) => match rejected.take().min(spans) {
                0 => (0, None),
                refused => (refused, Some(format!("the collector took an export and refused {refused} of {spans} spans in it"))),
            },
            Ok(Err(error)) => (spans, Some(error.to_string())),
            Err(_) => (spans, Some(format!("the collector did not answer within {}", self.timeout.human()))),
        };
        Sent { exported: spans - failed, failed, why }
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

pub(super) fn metadata(destination: &Destination) -> Result<MetadataMap, TraceError> {
    let mut metadata = MetadataMap::new();
    for (key, value) in &destination.headers {
        // The value may be a secret: the message names the key only.
        let wrong = |what| TraceError::Endpoint { endpoint: destination.endpoint.clone(), cause: format!("header `{key}` {what}") };
        let name = MetadataKey::from_bytes(key.to_lowercase().as_bytes()).map_err(|_| wrong("is not a header's name"))?;
        metadata.insert(name, MetadataValue::try_from(value).map_err(|_| wrong("has a value that no header may have"))?);
    }
    Ok(metadata)
}

pub(super) fn tls(destination: &Destination) -> Result<ClientTlsConfig, TraceError> {
    let config = ClientTlsConfig::new();
    let Some(path) = &destination.certificate else { return Ok(config.with_native_roots()) };
    let pem = std::fs::read(path).map_err(|source| TraceError::Certificate { path: path.clone(), source })?;
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}
