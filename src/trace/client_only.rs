//! Spans of the client alone, made after the run for requests that were slow and not sampled (`trace.outliers`). They can be
//! found in Jaeger; the server recorded nothing of them, and estimates leave them out: their inclusion probability is 0.

use crate::clock::{Anchor, now};
use crate::units::Nanos;

use super::rejected::Rejected;
use super::sender::Sender;
use super::span::SpanBuilder;
use super::{Decision, Destination, Finished, Ids, RunIdentity, SpanId, TraceError, TraceId};

/// What became of these spans: made = exported + failed. They do not stand in [`super::Accounting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientOnly {
    /// Spans that were made.
    pub made: u64,
    /// Spans that the collector said it has taken.
    pub exported: u64,
    /// Spans that were refused, or not sent within the limit.
    pub failed: u64,
}

/// Gives an unsampled request ids of its own where it has none; a sampled one is left as it is.
pub fn name_unsampled(finished: &mut Finished, ids: &mut Ids) {
    let Decision { trace_id, span_id, sampled, .. } = &mut finished.decision;
    if sampled.is_none() {
        if *trace_id == TraceId::INVALID {
            *trace_id = ids.trace_id();
        }
        if *span_id == SpanId::INVALID {
            *span_id = ids.span_id();
        }
    }
}

/// Sends a span of the client alone for each of these requests. Call it when the lanes have ended; takes no longer than the
/// limit, and one export of the destination's timeout beyond it.
pub fn export_client_only(
    destination: &Destination,
    identity: &RunIdentity,
    anchor: Anchor,
    requests: &[Finished],
    limit: Nanos,
) -> Result<ClientOnly, TraceError> {
    let failed = |source| TraceError::Thread { thread: "the runtime for outliers' spans", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let builder = SpanBuilder::new(identity, anchor);
    let sender = {
        let _inside = runtime.enter();
        Sender::new(&Destination { timeout: destination.timeout.min(limit), ..destination.clone() })?
    };
    let rejected = Rejected::listen();
    let deadline = now().plus(limit);
    let mut exported = 0;
    for batch in requests.chunks(destination.batch.max(1)) {
        let spans = batch.iter().map(|finished| builder.build(finished)).collect();
        let sent = runtime.block_on(sender.send(spans, &rejected));
        exported += sent.exported;
        // A collector that does not take spans is not asked again: the end of the run must not wait for it.
        if sent.failed > 0 || now() >= deadline {
            break;
        }
    }
    let made = requests.len() as u64;
    Ok(ClientOnly { made, exported, failed: made - exported })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;
    use crate::clock::Moment;
    use crate::trace::collector::{Collector, SpanSink, TracesData, json_line};
    use crate::trace::{Outcome, StreamIdentity};

    struct Lines(SyncSender<String>);

    impl SpanSink for Lines {
        fn write(&mut self, data: &TracesData) -> std::io::Result<()> {
            self.0.try_send(json_line(data)?).map_err(std::io::Error::other)
        }
    }

    fn identity() -> RunIdentity {
        let stream = StreamIdentity {
            name: "readers".into(),
            operation: "Search".into(),
            db_operation: "search".into(),
            collection: "tailtrace".into(),
        };
        RunIdentity { run_id: "run-1".into(), server_address: "localhost".into(), server_port: 19530, streams: vec![stream] }
    }

    fn slow(sequence: u64) -> Finished {
        let [intended, sent, done] = [10, 20, 1_020].map(|ns| Moment::from_ns(sequence * 1_000 + ns));
        let decision = Decision { inclusion_probability: 0.01, ..Decision::UNSAMPLED };
        Finished { stream: 0, phase_measured: true, sequence, intended, sent, done, outcome: Outcome::Ok, decision }
    }

    #[test]
    fn only_what_has_no_name_gets_one() {
        let mut ids = Ids::seeded(1);
        let mut named = slow(1);
        name_unsampled(&mut named, &mut ids);
        assert!(named.decision.trace_id != TraceId::INVALID && named.decision.span_id != SpanId::INVALID);
        let before = named;
        name_unsampled(&mut named, &mut ids);
        assert_eq!(named, before, "a name is given once");
        assert!(!named.decision.is_sampled());
    }

    #[test]
    fn a_slow_unsampled_request_is_found_by_its_tag_and_stands_for_nothing() {
        let (way, lines) = sync_channel(100);
        let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Box::new(Lines(way))).unwrap();
        let mut ids = Ids::seeded(1);
        let mut requests: Vec<_> = (0..30).map(slow).collect();
        for finished in &mut requests {
            name_unsampled(finished, &mut ids);
        }
        let destination = Destination { batch: 8, ..Destination::new(collector.url(), "tailtrace") };
        let sent = export_client_only(&destination, &identity(), Anchor::take(), &requests, Nanos::from_secs(5)).unwrap();
        assert_eq!(sent, ClientOnly { made: 30, exported: 30, failed: 0 });
        assert_eq!(collector.stop().spans, 30);
        let lines: Vec<String> = lines.try_iter().collect();
        assert_eq!(lines.len(), 4, "30 in batches of 8");
        let all = lines.concat();
        assert_eq!(all.matches(r#"{"key":"tailtrace.sampled_by","value":{"stringValue":"outlier"}}"#).count(), 30);
        let chances = all.split(r#""tailtrace.inclusion_probability","value":{"doubleValue":"#).skip(1);
        assert!(chances.clone().count() == 30 && chances.clone().all(|rest| rest.starts_with('0') && !rest.starts_with("0.01")));
        assert!(requests.iter().all(|finished| all.contains(&finished.decision.trace_id.to_string())));
    }

    #[test]
    fn a_collector_that_is_down_costs_these_spans_and_no_wait() {
        let destination = Destination { batch: 1, ..Destination::new("http://127.0.0.1:9", "tailtrace") };
        let requests: Vec<_> = (0..100).map(slow).collect();
        let sent = export_client_only(&destination, &identity(), Anchor::take(), &requests, Nanos::from_secs(5)).unwrap();
        assert_eq!(sent, ClientOnly { made: 100, exported: 0, failed: 100 });
    }
}
