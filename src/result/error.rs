//! What can go wrong with a run directory.

use std::io;
use std::path::{Path, PathBuf};

use super::model::ModelError;

/// Why a run directory cannot be made, written or read. The cause travels as `source`.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The place for runs cannot take one.
    #[error("cannot make a run directory in `{place}`{}", next_step(.source, "; choose another place with `--out DIR`"))]
    Create {
        /// The place.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The place for runs has too little room to begin.
    #[error("`{place}` has only {free} free, and a run needs {needed} to begin; free some, or choose another place with `--out DIR`")]
    NoRoom {
        /// The place.
        place: PathBuf,
        /// What is free.
        free: String,
        /// What must be.
        needed: String,
    },
    /// A file of the run cannot be written.
    #[error("cannot write `{path}`{}", next_step(.source, ""))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A stream's name that an interval log cannot hold.
    #[error("stream `{stream}` cannot be a tag of `latency.hlog`: use a name without commas, spaces and line ends")]
    Tag {
        /// The stream.
        stream: String,
    },
    /// A file where a run should be.
    #[error("`{path}` is no run directory; name one, such as results/20260301T093000Z-quickstart-1f6c2a90, or the run.json in it")]
    NoRun {
        /// What was named.
        path: PathBuf,
    },
    /// A file of the run cannot be read.
    #[error("cannot read `{path}`; name a run directory, such as results/20260301T093000Z-quickstart-1f6c2a90")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `run.json` is there and is no run document.
    #[error("cannot understand `{path}`")]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ModelError,
    },
    /// A run that ended as planned, and has not all of its files.
    #[error("`{path}` is only half there: {what}; copy the whole directory, or run it again")]
    Incomplete {
        /// The run directory.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A file beside `run.json` is damaged before its last line.
    #[error("`{path}` line {line} is damaged: {what}; copy the whole directory again, or run it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl ResultError {
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

/// What helps, by the kind of the cause.
fn next_step(source: &io::Error, otherwise: &'static str) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": the disk is full; free some of it, or choose another place with `--out DIR`"
        }
        io::ErrorKind::PermissionDenied => ": it is not writable for this user; make it so, or choose another place with `--out DIR`",
        io::ErrorKind::ReadOnlyFilesystem => ": the file system is read-only; choose another place with `--out DIR`",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": there is a file of that name; choose another place with `--out DIR`"
        }
        _ => otherwise,
    }
}
