//! What is wrong with a scenario, shown where it was typed.

use std::fmt;
use std::path::PathBuf;

use super::decode::Fault;
use super::tree::Place;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario `{}`; give the path of a scenario file, such as scenarios/quickstart.toml", path.display())]
    Read {
        /// What was asked for.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The file is no text file of a scenario's size.
    #[error("`{}` is at least {size} bytes long, and no scenario is longer than {most}; give the path of a scenario file", path.display())]
    TooLong {
        /// What was asked for.
        path: PathBuf,
        /// Its length, as far as it was read where it does not say.
        size: u64,
        /// What is read at most.
        most: u64,
    },
    /// The file is no text.
    #[error("`{}` is not text in UTF-8, as TOML has to be; save it as UTF-8, or give the path of a scenario file", path.display())]
    NotText {
        /// What was asked for.
        path: PathBuf,
    },
    /// A run's document that is cut, or a file of its name that is none.
    #[error("cannot understand `{}`: it is cut or not a run document; copy the whole run directory again, or name another run or a scenario file (TOML)", path.display())]
    Cut {
        /// What was asked for.
        path: PathBuf,
        /// Where it ends to be JSON.
        #[source]
        cause: serde_json::Error,
    },
    /// A JSON file that is no run's.
    #[error(
        "`{}` holds no plan of a run; give a scenario file (TOML), or a run directory or its run.json to run its plan again",
        path.display()
    )]
    NoPlan {
        /// What was asked for.
        path: PathBuf,
    },
    /// The document of a run, of a version that keeps its plan otherwise, or of another tool.
    #[error(
        "`{}` holds the plan of another format: schema `{schema}`, and this version reads `{expected}`; use the version that wrote it, or \
         give the scenario file",
        path.display()
    )]
    OtherSchema {
        /// What was asked for.
        path: PathBuf,
        /// What stands in it.
        schema: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A key or value is wrong.
    #[error(transparent)]
    Wrong(#[from] Box<Diagnostic>),
}

impl ScenarioError {
    /// For a plan that was stored: its lines are nobody's file, so the line that is wrong is shown without its number.
    pub(super) fn in_a_plan(mut self) -> Self {
        if let Self::Wrong(diagnostic) = &mut self
            && let Some(spot) = diagnostic.spot.take()
        {
            diagnostic.message = format!("{} (`{}`)", diagnostic.message, spot.text.trim());
        }
        self
    }

    /// Names what was typed as `flag`, where it is one of `values`, which went in as `--set`.
    #[must_use]
    pub fn typed_as(mut self, flag: &str, values: &[String]) -> Self {
        if let Self::Wrong(diagnostic) = &mut self
            && let Some(value) = values.iter().find(|value| diagnostic.origin == format!("--set {}", masked(value)))
        {
            diagnostic.origin = format!("{flag} {}", masked(value));
        }
        self
    }
}

/// One thing that is wrong, with its place and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostic {
    /// The file's path, or the override as it was typed.
    pub origin: String,
    /// Where in the file; `None` for an override.
    pub spot: Option<Spot>,
    /// What is wrong, key and cause.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A stretch of one line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Characters, 1 or more.
    pub width: usize,
    /// The whole line.
    pub text: String,
}

impl Spot {
    fn find(text: &str, span: &std::ops::Range<usize>) -> Self {
        let start = whole_char(text, span.start);
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[begin..end].trim_end();
        let last = whole_char(text, span.end.clamp(start, (begin + line.len()).max(start)));
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[begin..start].chars().count() + 1,
            width: text[start..last].chars().count().max(1),
            text: masked(line),
        }
    }
}

/// A stretch of a scenario with stars where a URL holds credentials, as many as there were characters: messages end up in logs.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, url)) = rest.split_once("://") {
        let end = url.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(url.len());
        let hidden = url[..end].rfind('@').unwrap_or(0);
        shown.push_str(before);
        shown.push_str("://");
        shown.extend(url[..hidden].chars().map(|_| '*'));
        rest = &url[hidden..];
    }
    shown + rest
}

/// The last beginning of a character up to `at`.
fn whole_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl Diagnostic {
    pub(super) fn new(fault: Fault, origin: &str, text: &str, overrides: &[String]) -> Self {
        let (origin, spot) = match &fault.place {
            Some(Place::File(span)) => (origin.to_owned(), Some(Spot::find(text, span))),
            Some(Place::Override(index)) => (overrides.get(*index).map(|typed| masked(typed)).unwrap_or_default(), None),
            None => (origin.to_owned(), None),
        };
        Self { origin, spot, message: fault.message, help: fault.help }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(spot) = &self.spot else {
            write!(f, "{}: {}", self.origin, self.message)?;
            return self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n = help: {help}"));
        };
        let number = spot.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs keep their width, so that the mark stands under what it means.
        let lead: String = spot.text.chars().take(spot.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "{}:{}:{}: {}", self.origin, spot.line, spot.column, self.message)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", spot.text)?;
        write!(f, "{margin} | {lead}{}", "^".repeat(spot.width))?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n{margin} = help: {help}"))
    }
}
