//! From a file or a directory to traces, line by line.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::units::{ByteSize, LineOfJson};

use super::document::{BYTE_ORDER_MARK, Document, begins_like_traces};
use super::gather::Gathering;
use super::{DocumentError, Trace, TracesError};

/// A line, or a document over many lines, is held in memory: up to this size.
const LONGEST: ByteSize = ByteSize(256 << 20);

/// Spans of wanted traces that are held at most, at about half a kilobyte each.
const MOST_SPANS: usize = 2_000_000;

/// So much of a file shows which kind it is of.
const BEGINNING: u64 = 64 << 10;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The traces, in the order in which they were first seen.
    pub traces: Vec<Trace>,
    /// Spans of all traces, wanted or not, as often as they came.
    pub seen: u64,
    /// Spans that came again and were dropped.
    pub repeated: u64,
    /// Files whose last line is cut off, as a killed run leaves them; the line is left out.
    pub cut_files: Vec<PathBuf>,
    /// The files of traces that were read.
    pub files: Vec<PathBuf>,
}

/// All traces of a file, or of the files of a directory.
pub fn read(path: &Path) -> Result<Reading, TracesError> {
    read_where(path, |_| true)
}

/// The traces whose id (32 lower-case hex digits) is wanted. Only these are held in memory, however long the file is. Of a
/// directory all files that hold traces are read, by name; it must have one. Spans of one trace are joined wherever they stand.
pub fn read_where(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Reading, TracesError> {
    read_within(path, &wanted, Limits::default())
}

pub(super) fn read_within(path: &Path, wanted: &dyn Fn(&str) -> bool, limits: Limits) -> Result<Reading, TracesError> {
    let mut reader = Reader { gathering: Gathering::new(wanted), cut_files: Vec::new(), files: Vec::new(), limits };
    if fs::metadata(path).map_err(cannot_read(path))?.is_dir() {
        reader.directory(path)?;
    } else if !reader.file(path)? {
        return Err(TracesError::Unknown { path: path.to_owned() });
    }
    let seen = reader.gathering.seen();
    let (traces, repeated) = reader.gathering.finish();
    Ok(Reading { traces, seen, repeated, cut_files: reader.cut_files, files: reader.files })
}

/// The traces of one document in memory, such as an answer of Jaeger's API. Repeated spans are dropped.
pub fn from_json(text: &[u8]) -> Result<Vec<Trace>, DocumentError> {
    let document = Document::parse(text).map_err(|error| DocumentError::Json(LineOfJson(error)))?;
    if !document.is_of_traces() {
        return Err(DocumentError::NotTraces);
    }
    let mut gathering = Gathering::new(&|_| true);
    gathering.add(document)?;
    Ok(gathering.finish().0)
}

/// What is held at most.
pub(super) struct Limits {
    /// A line, or a document over many lines.
    pub(super) longest: ByteSize,
    pub(super) spans: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { longest: LONGEST, spans: MOST_SPANS }
    }
}

struct Reader<'w> {
    gathering: Gathering<'w>,
    cut_files: Vec<PathBuf>,
    files: Vec<PathBuf>,
    limits: Limits,
}

fn cannot_read(path: &Path) -> impl Fn(io::Error) -> TracesError + '_ {
    |source| TracesError::Read { path: path.to_owned(), source }
}

impl Reader<'_> {
    fn directory(&mut self, path: &Path) -> Result<(), TracesError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(cannot_read(path))? {
            let file = entry.map_err(cannot_read(path))?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        for file in &files {
            self.file(file)?;
        }
        if self.files.is_empty() {
            return Err(TracesError::NoneIn { path: path.to_owned(), files: files.len() });
        }
        Ok(())
    }

    /// Reads a file if it holds traces; an empty one does, for a run may end before its first span.
    fn file(&mut self, path: &Path) -> Result<bool, TracesError> {
        let mut file = File::open(path).map_err(cannot_read(path))?;
        let mut beginning = Vec::new();
        (&mut file).take(BEGINNING).read_to_end(&mut beginning).map_err(cannot_read(path))?;
        if !beginning.is_empty() && !begins_like_traces(&beginning) {
            return Ok(false);
        }
        self.files.push(path.to_owned());
        self.lines(path, BufReader::with_capacity(1 << 20, beginning.as_slice().chain(file)))?;
        Ok(true)
    }

    fn lines(&mut self, path: &Path, mut from: impl BufRead) -> Result<(), TracesError> {
        let (mut text, mut line, mut first) = (Vec::new(), 0, true);
        loop {
            text.clear();
            self.bounded(path, line + 1, &mut text, |from, text| from.read_until(b'\n', text), &mut from)?;
            if text.is_empty() {
                return Ok(());
            }
            line += 1;
            let whole = text.ends_with(b"\n");
            let bare = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
            if bare.is_empty() {
                continue;
            }
            match Document::parse(bare) {
                Ok(document) => self.add(path, line, document)?,
                Err(error) if error.is_eof() && !whole => self.cut_files.push(path.to_owned()),
                // A document that goes on over many lines.
                Err(error) if error.is_eof() && first => {
                    self.bounded(path, line, &mut text, |from, text| from.read_to_end(text), &mut from)?;
                    return self.documents(path, line, &text);
                }
                Err(error) => return Err(damaged(path, line, DocumentError::Json(LineOfJson(error)))),
            }
            first = false;
        }
    }

    /// Documents over many lines, one after the other.
    fn documents(&mut self, path: &Path, begins: usize, text: &[u8]) -> Result<(), TracesError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<Document<'_>>();
        let mut whole = 0;
        loop {
            // Only counted where something has to be said of it.
            let line = |at: usize| begins + text[..at.min(text.len())].split(|byte| *byte == b'\n').count() - 1;
            let at = documents.byte_offset();
            match documents.next() {
                None => return Ok(()),
                Some(Ok(document)) => {
                    let added = self.gathering.add(document);
                    added.map_err(|cause| damaged(path, line(at), cause))?;
                    self.bounded_spans(path)?;
                    whole += 1;
                }
                Some(Err(error)) if error.is_eof() && whole > 0 => {
                    self.cut_files.push(path.to_owned());
                    return Ok(());
                }
                Some(Err(error)) => return Err(damaged(path, begins + error.line() - 1, DocumentError::Json(LineOfJson(error)))),
            }
        }
    }

    fn add(&mut self, path: &Path, line: usize, document: Document<'_>) -> Result<(), TracesError> {
        self.gathering.add(document).map_err(|cause| damaged(path, line, cause))?;
        self.bounded_spans(path)
    }

    fn bounded_spans(&self, path: &Path) -> Result<(), TracesError> {
        if self.gathering.spans() > self.limits.spans {
            return Err(TracesError::TooMany { path: path.to_owned(), limit: self.limits.spans });
        }
        Ok(())
    }

    /// Appends to `text` what `read` reads, up to the limit.
    fn bounded<R: BufRead>(
        &self,
        path: &Path,
        line: usize,
        text: &mut Vec<u8>,
        read: impl Fn(&mut io::Take<&mut R>, &mut Vec<u8>) -> io::Result<usize>,
        from: &mut R,
    ) -> Result<(), TracesError> {
        let limit = self.limits.longest;
        let room = limit.0.saturating_sub(text.len() as u64) + 1;
        read(&mut from.take(room), text).map_err(cannot_read(path))?;
        if text.len() as u64 > limit.0 {
            return Err(TracesError::TooLong { path: path.to_owned(), line, limit });
        }
        Ok(())
    }
}

fn damaged(path: &Path, line: usize, source: DocumentError) -> TracesError {
    TracesError::Damaged { path: path.to_owned(), line, source }
}
