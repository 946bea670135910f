//! Traces that other clients made: no run, no sampling facts, so each counts alike.

use std::collections::BTreeMap;

use crate::tail::traces::{Span, Trace};
use crate::tail::{ClientSpan, FEWEST_TRACED, Places, Subject, Traced, attribute, client_spans};
use crate::trace;
use crate::units::count;

use super::{Answer, ExplainError, Of, Question, Source};

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
    let clients = |trace| client_spans(trace, &whose.service, whose.operation.as_deref());
    // Of a run of tailtrace's own: its warm-up, whose requests no figure counts.
    let unmeasured = |span: &Span| span.attributes.get(trace::MEASURED).is_some_and(|measured| measured == "false");
    let mut left_out: BTreeMap<&str, u64> = BTreeMap::new();
    let only_warmup = traces.iter().flat_map(clients).all(unmeasured);
    for (at, trace) in traces.iter().enumerate() {
        for client in clients(trace) {
            if !only_warmup && unmeasured(client) {
                *left_out.entry(client.name.as_str()).or_default() += 1;
                continue;
            }
            let source = by_operation.entry(client.name.as_str()).or_default();
            let Ok(attribution) = attribute(trace, ClientSpan::Id(&client.id), &mut places) else {
                source.subject.oddities.cut += 1;
                continue;
            };
            source.subject.oddities += attribution.oddities;
            source.of.push(Of { trace: at, client: client.id.clone(), answered: true });
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
    by_operation.values_mut().for_each(Source::leave_out_cut);
    // A client makes calls on the side (connects, describes); those are told only where there is nothing else.
    let enough = |source: &Source| source.subject.traced.len() as u64 >= FEWEST_TRACED;
    let any = by_operation.values().any(enough);
    let mut sources: Vec<Source> = by_operation
        .into_iter()
        .filter(|(_, source)| !any || enough(source))
        .map(|(operation, source)| named(source, &whose.service, operation))
        .collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.subject.traced.len()));
    let mut answer = Answer::of(sources, traces, question.above);
    for stream in &mut answer.explanation.streams {
        if let Some(number) = left_out.get(stream.operation.as_str()) {
            stream.notes.push(format!(
                "sent by tailtrace outside of a measured phase (a warm-up) and left out: {}; `tailtrace explain RUN` knows how the others \
                 were sampled",
                count(*number)
            ));
        }
    }
    Ok(answer)
}

fn named(source: Source, service: &str, operation: &str) -> Source {
    let subject = Subject { name: service.to_owned(), operation: operation.to_owned(), ..source.subject };
    Source { subject, ..source }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Verdict;
    use crate::tail::sketch::sketch;

    /// Searches of another client, told apart by their ids, of these drawings.
    fn explained(drawings: impl Iterator<Item = String>) -> Answer {
        let drawn = drawings.enumerate().map(|(at, drawing)| Trace { id: format!("{:032x}", at + 1), ..sketch(&drawing) });
        let whose = Whose { service: "client".to_owned(), operation: None };
        let question = Question { above: "p90".parse().unwrap(), stream: None };
        explain(&drawn.collect::<Vec<_>>(), &whose, &question, "here").unwrap()
    }

    /// A search of so many µs, of which the server waits all but 200 in its inner span.
    fn whole(us: u64) -> String {
        format!(
            "client Search 0 {us} client\n standalone Proxy-Search 100 {} server\n  standalone Wait 100 {} internal",
            us - 200,
            us - 200
        )
    }

    /// The same without what the server knows of it.
    fn cut(us: u64) -> String {
        format!("client Search 0 {us} client")
    }

    /// Of 20 slow searches 8 have lost the server's spans: counted as they are, two fifths of the excess would be the network's.
    #[test]
    fn a_trace_without_the_servers_spans_says_nothing_where_others_have_them() {
        let slow = (0..20).map(|at| if at % 5 < 2 { cut(100_000 + at) } else { whole(100_000 + at) });
        let answer = explained((0..180).map(|at| whole(5_000 + at)).chain(slow));
        let search = &answer.explanation.streams[0];
        assert_eq!((search.verdict, search.named.as_deref()), (Verdict::Single, Some("Wait")), "{}", search.sentence);
        assert!(search.rows[0].share.unwrap() > 0.99, "{:?}", search.rows);
        assert_eq!(search.oddities.cut, 8);
        assert!(search.notes.iter().any(|note| note.starts_with("8 cut traces are left out")), "{:?}", search.notes);
        assert_eq!(answer.sources[0].of.len(), 192, "each of the others keeps its trace");
        assert_eq!(search.waterfalls.slowest.as_ref().unwrap().spans.len(), 3, "the slowest whole one is drawn");
    }

    /// Of searches that take about 5 ms most take longer than 1 ms: whoever asks for these gets no verdict about a tail.
    #[test]
    fn a_time_that_most_requests_exceed_begins_no_tail() {
        let traces: Vec<Trace> = (0..40).map(|at| Trace { id: format!("{:032x}", at + 1), ..sketch(&whole(5_000 + at)) }).collect();
        let whose = Whose { service: "client".to_owned(), operation: None };
        let asked = |above: &str| {
            let question = Question { above: above.parse().unwrap(), stream: None };
            explain(&traces, &whose, &question, "here").and_then(Answer::with_a_tail)
        };
        for above in ["1ms", "0s", "5018us"] {
            let refused = asked(above).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("--above {above} is no tail")) && refused.contains("median of `client` 5.02 ms"),
                "{refused}"
            );
        }
        let tail = asked("5030us").unwrap();
        let group = &tail.explanation.streams[0].typical;
        assert_eq!((group.to_ns, group.traced), (Some(5_029_000), 21), "typical ones end at p75, and below the tail");
        let lower = asked("5025us").unwrap();
        assert_eq!(lower.explanation.streams[0].typical.to_ns, Some(5_025_000), "where the tail begins among them, before it");
    }

    #[test]
    fn too_few_whole_traces_are_told_with_the_cut_ones() {
        let slow = (0..20).map(|at| if at < 15 { cut(100_000 + at) } else { whole(100_000 + at) });
        let answer = explained((0..20).map(|at| whole(5_000 + at)).chain(slow));
        let search = &answer.explanation.streams[0];
        assert_eq!((search.verdict, search.oddities.cut), (Verdict::TooFew, 15), "{}", search.sentence);
        assert!(search.advice.as_ref().unwrap().starts_with("see first why 15 traces have lost spans"), "{:?}", search.advice);
    }

    /// Of 240 searches of tailtrace's own the first 40, slow as beginnings are, were its warm-up.
    #[test]
    fn the_warm_up_of_a_run_of_tailtraces_own_is_left_out_and_counted() {
        let of = |from: usize, to: usize, us: u64, measured: &str| {
            (from..to)
                .map(|at| {
                    let mut trace = Trace { id: format!("{:032x}", at + 1), ..sketch(&whole(us + at as u64)) };
                    trace.spans[0].attributes.insert(trace::MEASURED.to_owned(), measured.to_owned());
                    trace
                })
                .collect::<Vec<_>>()
        };
        let whose = Whose { service: "client".to_owned(), operation: None };
        let question = Question { above: "p90".parse().unwrap(), stream: None };
        let warmup = of(0, 40, 900_000, "false");
        let all = [warmup.clone(), of(40, 220, 5_000, "true"), of(220, 240, 100_000, "true")].concat();
        let answer = explain(&all, &whose, &question, "here").unwrap();
        let search = &answer.explanation.streams[0];
        assert_eq!(answer.sources[0].of.len(), 200);
        assert!(search.notes.iter().any(|note| note.contains("(a warm-up) and left out: 40;")), "{:?}", search.notes);
        // Nothing but warm-up is what was asked for.
        assert_eq!(explain(&warmup, &whose, &question, "here").unwrap().sources[0].of.len(), 40);
    }

    #[test]
    fn where_no_trace_has_them_nothing_is_left_out() {
        let answer = explained((0..180).map(|at| cut(5_000 + at)).chain((0..20).map(|at| cut(100_000 + at))));
        let search = &answer.explanation.streams[0];
        assert_eq!((search.oddities.cut, answer.sources[0].subject.traced.len()), (0, 200));
        assert!(search.notes.iter().any(|note| note.contains("no trace holds a span of the server's")), "{:?}", search.notes);
    }
}
