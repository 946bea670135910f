//! Traces that other clients made: no run, no sampling facts, so each counts alike.

use std::collections::BTreeMap;

use crate::tail::traces::Trace;
use crate::tail::{ClientSpan, FEWEST_TRACED, Places, Subject, Traced, attribute, client_spans};

use super::{Answer, ExplainError, Question, Source};

/// Whose requests are explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The service that sent them.
    pub service: String,
    /// Only spans of this name, or with it behind the last `/` of theirs; left out: each name of its own.
    pub operation: Option<String>,
}

pub(super) fn explain(traces: &[Trace], whose: &Whose, question: &Question, place: &str) -> Result<Answer, ExplainError> {
    check(traces, whose, place)?;
    let mut places = Places::default();
    let mut by_operation: BTreeMap<&str, Source> = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate() {
        for client in client_spans(trace, &whose.service, whose.operation.as_deref()) {
            let source = by_operation.entry(client.name.as_str()).or_default();
            let Ok(attribution) = attribute(trace, ClientSpan::Id(&client.id), &mut places) else {
                source.subject.oddities.cut += 1;
                continue;
            };
            source.subject.oddities += attribution.oddities;
            source.of.push((at, client.id.clone()));
            source.subject.traced.push(Traced {
                trace_id: trace.id.clone(),
                sequence: None,
                at_ns: client.start_ns,
                response_ns: attribution.total_ns,
                weight: 1.0,
                why: None,
                joined: attribution.joined,
                parts: attribution.parts,
            });
        }
    }
    // A client makes calls on the side (connects, describes); those are told only where there is nothing else.
    let enough = |source: &Source| source.subject.traced.len() as u64 >= FEWEST_TRACED;
    let any = by_operation.values().any(enough);
    let mut sources: Vec<Source> = by_operation
        .into_iter()
        .filter(|(_, source)| !any || enough(source))
        .map(|(operation, source)| named(source, &whose.service, operation))
        .collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.subject.traced.len()));
    Ok(Answer::of(sources, traces, question.above))
}

fn named(source: Source, service: &str, operation: &str) -> Source {
    let mut subject = Subject { name: service.to_owned(), operation: operation.to_owned(), ..source.subject };
    count_cut(&mut subject);
    Source { subject, ..source }
}

/// Where others hold a server's span, a trace without one is cut.
pub(super) fn count_cut(subject: &mut Subject) {
    let joined = subject.traced.iter().filter(|one| one.joined).count();
    if joined > 0 {
        subject.oddities.cut += (subject.traced.len() - joined) as u64;
    }
}

/// What was asked for must be there; else what is there is said.
fn check(traces: &[Trace], whose: &Whose, place: &str) -> Result<(), ExplainError> {
    let of_service = |trace: &Trace| -> Vec<String> {
        trace.spans.iter().filter(|span| span.service == whose.service).map(|span| span.name.clone()).collect()
    };
    if !traces.iter().any(|trace| trace.spans.iter().any(|span| span.service == whose.service)) {
        let known = traces.iter().flat_map(|trace| &trace.spans).map(|span| span.service.clone()).collect();
        return Err(ExplainError::no_service(&whose.service, place, known));
    }
    if let Some(operation) = &whose.operation
        && !traces.iter().any(|trace| !client_spans(trace, &whose.service, Some(operation)).is_empty())
    {
        let mut known: Vec<String> = traces.iter().flat_map(of_service).collect();
        known.sort_unstable();
        known.dedup();
        let (service, operation, place) = (whose.service.clone(), operation.clone(), place.to_owned());
        return Err(ExplainError::NoOperation { service, operation, place, known });
    }
    Ok(())
}
