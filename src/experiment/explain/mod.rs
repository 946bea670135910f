//! Where the slow requests waited: from a run directory, from saved traces, from Jaeger.
//!
//! Gathers what `tail` explains: traces, taken apart, and what is known of all requests beside them.

mod again;
mod error;
mod foreign;
mod jaeger;
mod stored;

use std::collections::HashMap;
use std::path::Path;

use crate::result::SPANS_FILE;
use crate::result::model::RunDocument;
use crate::tail::jaeger::JaegerError;
use crate::tail::traces::{self, Trace};
use crate::tail::{self, Above, ClientSpan, Explanation, FoldedBy, Subject, Thresholds, Verdict, WAITING_IN_THE_GENERATOR, Weighted};
use crate::units::Nanos;

pub use error::ExplainError;
pub use foreign::Whose;
pub use jaeger::Period;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Where the tail begins.
    pub above: Above,
    /// Only this stream of a run; left out: all.
    pub stream: Option<String>,
}

/// An explanation, and what it was made from.
#[derive(Debug)]
pub struct Answer {
    /// What is found.
    pub explanation: Explanation,
    /// In the order of `explanation.streams`.
    sources: Vec<Source>,
    above: Above,
}

/// One stream's or operation's traced requests, and where their traces are.
#[derive(Debug, Default)]
struct Source {
    subject: Subject,
    /// Of each traced request, in the same order.
    of: Vec<Of>,
}

/// Where a traced request's trace is.
#[derive(Debug)]
struct Of {
    /// Its place in the list of all.
    trace: usize,
    /// The client span's id.
    client: String,
    /// Whether a server must have had a span of it; one that was given up may never have arrived.
    answered: bool,
}

impl Source {
    /// Leaves out traces of answered requests without a server's span where others have one: it was lost, or its batch has not come
    /// yet, and what the client waited for in them is not known. To count it as the network's would name the wrong one.
    fn leave_out_cut(&mut self) {
        let traced = std::mem::take(&mut self.subject.traced);
        let joined = traced.iter().filter(|one| one.joined).count();
        let all = traced.len();
        let pairs = traced.into_iter().zip(std::mem::take(&mut self.of));
        (self.subject.traced, self.of) = pairs.filter(|(one, of)| one.joined || joined == 0 || !of.answered).unzip();
        self.subject.oddities.cut += (all - self.subject.traced.len()) as u64;
    }
}

impl Answer {
    fn of(sources: Vec<Source>, traces: &[Trace], above: Above) -> Self {
        let subjects: Vec<&Subject> = sources.iter().map(|source| &source.subject).collect();
        let mut explanation = tail::explain(&subjects, above);
        for (explained, source) in explanation.streams.iter_mut().zip(&sources) {
            let Some((slowest, typical)) = tail::pictured(&source.subject, above) else { continue };
            // Where nothing is slow there is no slow one to look at.
            if explained.verdict == Verdict::None && explained.tail.requests == 0 {
                continue;
            }
            let picture = |at: usize| {
                let (of, one) = (source.of.get(at)?, source.subject.traced.get(at)?);
                let waited = one.parts.iter().find(|part| part.place.span == WAITING_IN_THE_GENERATOR);
                let picture = tail::waterfall(traces.get(of.trace)?, ClientSpan::Id(&of.client)).ok()?;
                Some(picture.after_waiting(waited.map_or(0, |part| part.self_ns)))
            };
            explained.waterfalls.slowest = picture(slowest);
            explained.waterfalls.typical = picture(typical);
        }
        Self { explanation, sources, above }
    }

    /// Itself, where the tail is one in some stream: where most requests of each lie above its beginning, nothing can be said.
    fn with_a_tail(self) -> Result<Self, ExplainError> {
        let known = || self.sources.iter().filter_map(|source| Some((source, Thresholds::of(&source.subject, self.above)?)));
        let median = |(source, thresholds): (&Source, Thresholds)| {
            format!("median of `{}` {}", source.subject.name, Nanos(thresholds.median_ns).human())
        };
        if known().next().is_some() && known().all(|(source, thresholds)| thresholds.is_mostly_tail() && !source.subject.repeats) {
            let medians = known().map(median).collect::<Vec<_>>().join(", ");
            return Err(ExplainError::NoTail { above: self.above.to_string(), medians });
        }
        Ok(self)
    }

    /// Whether too few slow requests are traced in every stream that has any.
    #[must_use]
    pub fn is_too_few(&self) -> bool {
        self.explanation.streams.iter().all(|stream| stream.verdict == Verdict::TooFew)
    }

    /// Folded stacks of each stream, one below the other.
    #[must_use]
    pub fn folded(&self, by: FoldedBy) -> String {
        let mut text = String::new();
        for source in &self.sources {
            let Some(thresholds) = Thresholds::of(&source.subject, self.above) else { continue };
            let group = |inside: &dyn Fn(u64) -> bool| -> Vec<Weighted<'_>> {
                let chosen = source.subject.traced.iter().filter(|one| inside(one.response_ns));
                chosen.map(|one| Weighted { parts: &one.parts, weight: one.weight }).collect()
            };
            let (slow, typical) = (group(&|ns| thresholds.is_tail(ns)), group(&|ns| thresholds.is_typical(ns)));
            // A difference to nothing would show everything as gone.
            if slow.is_empty() && by != FoldedBy::Typical {
                continue;
            }
            text.push_str(&tail::folded(by, &source.subject.name, &slow, &typical));
        }
        text
    }
}

/// Explains a run from its directory; its traces are those in it, or else those in the Jaeger that its plan names.
pub fn explain_run(path: &Path, question: &Question) -> Result<Answer, ExplainError> {
    stored::explain(path, question)?.with_a_tail()
}

/// As [`explain_run`] where the run's traces are at hand, in its directory; `None` where nothing was sampled or its spans went elsewhere.
#[must_use]
pub fn explain_at_hand(path: &Path, run: &RunDocument, question: &Question) -> Option<Result<Answer, ExplainError>> {
    let at_hand = run.trace.sampled > 0 && path.join(SPANS_FILE).exists();
    at_hand.then(|| explain_run(path, question))
}

/// Explains traces of any client, saved in a file or in the files of a directory.
pub fn explain_traces(path: &Path, whose: &Whose, question: &Question) -> Result<Answer, ExplainError> {
    let reading = traces::read(path)?;
    let place = path.display().to_string();
    if reading.cut_files.is_empty() {
        return explain_reading(&reading.traces, whose, question, &place);
    }
    // What is left of a cut file may be explained; that it is cut is said beside whatever comes of it.
    let cut = reading.cut_files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ");
    let mut answer = explain_reading(&reading.traces, whose, question, &place)
        .map_err(|source| ExplainError::OfCut { source: Box::new(source), cut: cut.clone() })?;
    for stream in &mut answer.explanation.streams {
        stream.notes.push(format!("{cut} ends in the middle of a line, which is left out: save the traces again to have it whole"));
    }
    Ok(answer)
}

fn explain_reading(traces: &[Trace], whose: &Whose, question: &Question, place: &str) -> Result<Answer, ExplainError> {
    if traces.is_empty() {
        return Err(ExplainError::NoSpans { place: place.to_owned(), next: "save the traces when their spans have been sent" });
    }
    foreign::explain(traces, whose, question, place)?.with_a_tail()
}

/// Explains traces of any client that a Jaeger holds.
pub fn explain_jaeger(url: &str, whose: &Whose, period: Period, question: &Question) -> Result<Answer, ExplainError> {
    let jaeger = tail::jaeger::Jaeger::new(url).map_err(ExplainError::from)?;
    let known = jaeger.services()?;
    if !known.contains(&whose.service) {
        return Err(ExplainError::no_service(&whose.service, jaeger.url(), known));
    }
    let traces = jaeger::search(&jaeger, whose, period)?;
    if traces.is_empty() {
        return Err(ExplainError::NoSpans { place: jaeger.url().to_owned(), next: "look further back (--last)" });
    }
    foreign::explain(&traces, whose, question, jaeger.url())?.with_a_tail()
}

/// Places of traces by their ids.
fn by_id(traces: &[Trace]) -> HashMap<&str, usize> {
    traces.iter().enumerate().map(|(at, trace)| (trace.id.as_str(), at)).collect()
}

impl From<JaegerError> for ExplainError {
    fn from(error: JaegerError) -> Self {
        Self::Jaeger(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Traced;

    /// What never arrived has no span of the server either, and that it did not is what is to be explained.
    #[test]
    fn a_request_that_was_given_up_is_not_cut_for_want_of_a_servers_span() {
        let mut source = Source::default();
        for (trace, (joined, answered)) in [(true, true), (false, true), (false, false)].into_iter().enumerate() {
            source.subject.traced.push(Traced {
                trace_id: trace.to_string(),
                sequence: None,
                at_ns: 0,
                response_ns: 1,
                weight: 1.0,
                why: None,
                joined,
                parts: Vec::new(),
            });
            source.of.push(Of { trace, client: String::new(), answered });
        }
        source.leave_out_cut();
        let kept: Vec<&str> = source.subject.traced.iter().map(|one| one.trace_id.as_str()).collect();
        assert_eq!((kept, source.subject.oddities.cut), (vec!["0", "2"], 1));
        assert_eq!(source.of.iter().map(|of| of.trace).collect::<Vec<_>>(), [0, 2]);
    }
}
