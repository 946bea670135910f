//! Reads a run directory, whole or what is left of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::hlog::{self, Ending, Times};
use super::model::{Latency, RunDocument, Stream};
use super::requests::{self, Request};
use super::{LATENCY_FILE, REQUESTS_FILE, RUN_FILE, ResultError, SPANS_FILE};

/// A run as its directory tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The directory.
    pub path: PathBuf,
    /// Its document. Of a partial run, streams without figures have those of the interval log: ok and censored requests of the measured
    /// phase, without failures.
    pub document: RunDocument,
    /// All intervals of the log together, by stream; empty where there is no log.
    pub times: BTreeMap<String, Times>,
    /// Whether the log's last line was whole.
    pub ending: Ending,
}

impl StoredRun {
    /// The kept requests; none where there is no such file.
    pub fn requests(&self) -> Result<Vec<Request>, ResultError> {
        let path = self.path.join(REQUESTS_FILE);
        if path.exists() { requests::read(&path) } else { Ok(Vec::new()) }
    }

    /// What the built-in collector received, where it ran.
    #[must_use]
    pub fn spans_file(&self) -> Option<PathBuf> {
        let path = self.path.join(SPANS_FILE);
        path.exists().then_some(path)
    }

    /// The interval log, where there is one.
    #[must_use]
    pub fn latency_file(&self) -> Option<PathBuf> {
        let path = self.path.join(LATENCY_FILE);
        path.exists().then_some(path)
    }
}

/// Reads the run in `path`: its directory, or the `run.json` in it. A run that was killed is read as far as it came, and its
/// document says that it is partial.
pub fn read(path: &Path) -> Result<StoredRun, ResultError> {
    let directory = if path.file_name().is_some_and(|name| name == RUN_FILE) { path.parent().unwrap_or(Path::new(".")) } else { path };
    let file = directory.join(RUN_FILE);
    let text = std::fs::read_to_string(&file).map_err(ResultError::read(&file))?;
    let mut document = RunDocument::from_json(&text).map_err(|source| ResultError::Document { path: file, source })?;
    let log = directory.join(LATENCY_FILE);
    let (times, ending) = if log.exists() { hlog::totals(&log)? } else { (BTreeMap::new(), Ending::Whole) };
    if document.partial {
        fill_in(&mut document, &times);
    }
    Ok(StoredRun { path: directory.to_owned(), document, times, ending })
}

/// Gives the streams of a run that was killed what its log knows of them.
fn fill_in(document: &mut RunDocument, times: &BTreeMap<String, Times>) {
    for (name, times) in times {
        if document.stream(name).is_none() {
            document.streams.push(Stream { name: name.clone(), ..Stream::default() });
        }
        for stream in &mut document.streams {
            if stream.name == *name && stream.scheduled == 0 {
                stream.response = Latency::of(&times.response);
                stream.service = Latency::of(&times.service);
            }
        }
    }
}
