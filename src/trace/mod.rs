//! Sampled tracing: the decision, W3C ids and headers, span building, OTLP export with exact accounting, the collector.
