//! Reads a run directory, whole or what is left of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::hlog::{self, Ending, Times};
use super::model::{Latency, RunDocument, Stream};
use super::replay_of::ReplayOf;
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
    /// The kept requests; of a partial run as far as they came.
    ///
    /// # Errors
    /// Where a run that ended as planned has lost some of them, or a line is damaged.
    pub fn requests(&self) -> Result<Vec<Request>, ResultError> {
        let path = self.path.join(REQUESTS_FILE);
        let there = path.exists();
        let requests = if there { requests::read(&path)? } else { Vec::new() };
        match self.document.output.requests_kept {
            Some(kept) if !self.document.partial && kept > 0 && !there => Err(self.incomplete(format!("`{REQUESTS_FILE}` is missing"))),
            Some(kept) if !self.document.partial && (requests.len() as u64) < kept => {
                Err(self.incomplete(format!("`{REQUESTS_FILE}` holds {} of {kept} requests", requests.len())))
            }
            _ => Ok(requests),
        }
    }

    /// That a run which ended as planned has its whole interval log.
    ///
    /// # Errors
    /// Where it has not.
    pub fn check_whole(&self) -> Result<(), ResultError> {
        match self.missing() {
            Some(what) if !self.document.partial => Err(self.incomplete(what)),
            _ => Ok(()),
        }
    }

    fn incomplete(&self, what: String) -> ResultError {
        ResultError::Incomplete { path: self.path.clone(), what }
    }

    fn missing(&self) -> Option<String> {
        if self.ending == Ending::HalfLine {
            return Some(format!("`{LATENCY_FILE}` ends in the middle of a line"));
        }
        if self.document.output.intervals.unwrap_or(0) > 0 && self.latency_file().is_none() {
            return Some(format!("`{LATENCY_FILE}` is missing"));
        }
        // More than the document counts is another matter: the log of a newer version may hold more tags.
        self.document.streams.iter().find_map(|stream| {
            let logged = match self.times.get(&stream.name) {
                Some(times) => times.response.count(),
                None if self.document.output.intervals.unwrap_or(0) > 0 => 0,
                None => return None,
            };
            let counted = stream.response.count;
            (logged < counted).then(|| format!("`{LATENCY_FILE}` holds {logged} of {counted} requests of `{}`", stream.name))
        })
    }

    /// What the built-in collector received, where it ran.
    #[must_use]
    pub fn spans_file(&self) -> Option<PathBuf> {
        let path = self.path.join(SPANS_FILE);
        path.exists().then_some(path)
    }

    /// Whether the spans that a run which ended as planned has kept are there, to the end of their last line.
    ///
    /// # Errors
    /// Where they are not, or the file cannot be read.
    pub fn check_spans(&self) -> Result<(), ResultError> {
        if self.document.partial || self.document.output.spans_kept == 0 {
            return Ok(());
        }
        let Some(path) = self.spans_file() else { return Err(self.incomplete(format!("`{SPANS_FILE}` is missing"))) };
        let last = || {
            let mut file = File::open(&path)?;
            if file.metadata()?.len() == 0 {
                return Ok(None);
            }
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            Ok(Some(last[0]))
        };
        match last().map_err(ResultError::read(&path))? {
            Some(b'\n') => Ok(()),
            Some(_) => Err(self.incomplete(format!("`{SPANS_FILE}` ends in the middle of a line"))),
            None => Err(self.incomplete(format!("`{SPANS_FILE}` is empty"))),
        }
    }

    /// Whether so many spans are all that a run which ended as planned has kept: a copy may end at the end of a line.
    ///
    /// # Errors
    /// Where some are missing.
    pub fn check_spans_seen(&self, seen: u64) -> Result<(), ResultError> {
        let kept = self.document.output.spans_kept;
        if self.document.partial || seen >= kept {
            return Ok(());
        }
        Err(self.incomplete(format!("`{SPANS_FILE}` holds {seen} of {kept} spans")))
    }

    /// Of a replay's run, what it replayed.
    #[must_use]
    pub fn replay_of(&self) -> Option<ReplayOf> {
        ReplayOf::read(&self.path)
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
    let names_document = path.file_name().is_some_and(|name| name == RUN_FILE);
    if path.is_file() && !names_document {
        return Err(ResultError::NoRun { path: path.to_owned() });
    }
    let directory = if names_document { path.parent().unwrap_or(Path::new(".")) } else { path };
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
            let operation = operation(&document.plan, name);
            document.streams.push(Stream { name: name.clone(), operation, ..Stream::default() });
        }
        for stream in &mut document.streams {
            if stream.name == *name && stream.scheduled == 0 {
                stream.response = Latency::of(&times.response);
                stream.service = Latency::of(&times.service);
            }
        }
    }
}

/// What the plan says that a stream does.
fn operation(plan: &serde_json::Value, name: &str) -> String {
    let streams = plan["stream"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = streams.iter().find(|stream| stream["name"] == name);
    found.and_then(|stream| stream["operation"].as_str()).unwrap_or_default().to_owned()
}
