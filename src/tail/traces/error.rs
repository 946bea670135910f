//! What can go wrong with recorded traces.

use std::io;
use std::path::PathBuf;

use crate::units::{ByteSize, LineOfJson};

/// What the readers know.
const FORMATS: &str = "OTLP/JSON (`{\"resourceSpans\":[…]}`, one document or one a line) or Jaeger JSON (`{\"data\":[{\"traceID\":…}]}`)";

/// Why a document holds no traces that can be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is no JSON, or JSON of another shape.
    #[error("it is damaged")]
    Json(#[source] LineOfJson),
    /// An id that is none.
    #[error("`{text}` is no {what}: expected {bytes} bytes in hex, or in base64")]
    Id {
        /// Which id.
        what: &'static str,
        /// What stands there.
        text: String,
        /// Its length.
        bytes: usize,
    },
    /// JSON of something else.
    #[error("no traces in it: expected {FORMATS}")]
    NotTraces,
}

/// Why traces cannot be read from a file or a directory. The cause travels as `source`.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The file or directory cannot be read.
    #[error("cannot read traces from `{path}`; name a file or a folder of saved traces: {FORMATS}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of another kind.
    #[error("`{path}` holds no traces: expected {FORMATS}")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A directory without a file of traces.
    #[error("{} in `{path}` holds traces: expected {FORMATS}", match files { 0 => "no file".to_owned(), files => format!("none of the {files} files") })]
    NoneIn {
        /// The directory.
        path: PathBuf,
        /// How many files are in it.
        files: usize,
    },
    /// A line, or the document that begins there, is damaged.
    #[error("cannot understand `{path}` line {line}; take that line out, or save the traces again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A line or a document that is too long to be held in memory.
    #[error("`{path}` line {line} is longer than {limit}; save fewer traces in one document")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line that is too long, or where the document begins.
        line: usize,
        /// The limit.
        limit: ByteSize,
    },
    /// More spans than fit into memory.
    #[error("`{path}` leads to more than {limit} spans; read fewer files at once")]
    TooMany {
        /// The file or directory.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
}
