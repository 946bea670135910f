//! Why there is nothing to explain.

use std::path::{Path, PathBuf};

use crate::result::ResultError;
use crate::tail::jaeger::JaegerError;
use crate::tail::traces::TracesError;

/// So many names are listed at most.
const MOST_LISTED: usize = 20;

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The run cannot be read.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The traces cannot be read.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// Jaeger gave none.
    #[error(transparent)]
    Jaeger(Box<JaegerError>),
    /// A file where a run should be.
    #[error("`{path}` is no run directory; {}", instead(.path))]
    NoRun {
        /// What was named.
        path: PathBuf,
    },
    /// A run without traces.
    #[error("`{path}` holds no traces: {why}")]
    NoTraces {
        /// The run directory.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A stream that the run does not have.
    #[error("the run has no stream `{stream}`; it has {}", listed(.known))]
    NoStream {
        /// What was asked for.
        stream: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// `--above` is below the median of everything that is asked about.
    #[error("--above {above} is no tail: most requests take longer ({medians}); give a longer time, or a percentile such as p95")]
    NoTail {
        /// Where the tail was to begin.
        above: String,
        /// Each stream with its median.
        medians: String,
    },
    /// Not one span.
    #[error("there is no span in {place}; {next}")]
    NoSpans {
        /// Where.
        place: String,
        /// What to do about it.
        next: &'static str,
    },
    /// Nothing comes of what is left of a file that is cut.
    #[error("{source}; and {cut} ends in the middle of a line: save the traces again")]
    OfCut {
        /// Why nothing.
        source: Box<Self>,
        /// The file, or the files.
        cut: String,
    },
    /// A service that made no span.
    #[error("no span of service `{service}` in {place}; there are spans of {}", listed(.known))]
    NoService {
        /// What was asked for.
        service: String,
        /// Where.
        place: String,
        /// Those that made some.
        known: Vec<String>,
    },
    /// An operation that the service has no span of.
    #[error("service `{service}` has no span `{operation}` in {place}; it has {}", listed(.known))]
    NoOperation {
        /// Whose.
        service: String,
        /// What was asked for.
        operation: String,
        /// Where.
        place: String,
        /// Those that it has.
        known: Vec<String>,
    },
}

/// What to do with a file.
fn instead(path: &Path) -> String {
    let shown = path.display();
    if path.extension().is_some_and(|extension| extension == "toml") {
        return format!("it looks like a scenario: `tailtrace run {shown}` makes one");
    }
    format!("for a file of traces, a run's or another client's: --traces {shown} --service NAME")
}

impl ExplainError {
    pub(super) fn no_service(service: &str, place: &str, mut known: Vec<String>) -> Self {
        known.sort_unstable();
        known.dedup();
        Self::NoService { service: service.to_owned(), place: place.to_owned(), known }
    }
}

/// `a`, `b` and 3 more.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_LISTED).map(|name| format!("`{name}`")).collect();
    match (shown.as_slice(), names.len().saturating_sub(MOST_LISTED)) {
        ([], _) => "none".to_owned(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_run_is_told_what_to_do_with_it() {
        let said = |path: &str| ExplainError::NoRun { path: path.into() }.to_string();
        assert!(said("s.toml").ends_with("it looks like a scenario: `tailtrace run s.toml` makes one"));
        assert!(said("spans.jsonl").ends_with("--traces spans.jsonl --service NAME"));
    }

    #[test]
    fn names_are_listed_as_far_as_they_can_be_read() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!((listed(&[]), listed(&names(2))), ("none".to_owned(), "`0`, `1`".to_owned()));
        assert!(listed(&names(25)).ends_with("`19` and 5 more"));
    }
}
