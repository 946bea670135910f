//! What a replay's directory tells of the run that it replayed.

use std::path::Path;

use serde::Deserialize;

use crate::units::Nanos;

use super::REPLAY_FILE;

/// Of `replay.json`, what is needed to read the run of the repeats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReplayOf {
    /// The directory of the run that was replayed, as it was named then.
    #[serde(rename = "of_directory")]
    pub directory: String,
    /// Repeats of each request.
    pub times: u64,
    streams: Vec<Repeated>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Repeated {
    replayed_as: String,
    slow_above_ns: Option<u64>,
    // Not known of replays of earlier versions.
    slow_again: Option<u64>,
    told: Option<u64>,
}

impl ReplayOf {
    /// `None` where the run is no replay, or the file tells nothing.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(directory.join(REPLAY_FILE)).ok()?).ok()
    }

    /// Whether the stream is one of repeats; the others ran beside them.
    #[must_use]
    pub fn repeats(&self, stream: &str) -> bool {
        self.of(stream).is_some()
    }

    /// From where on a repeat of this stream was slow again; in whole microseconds, for nobody types more.
    #[must_use]
    pub fn slow_above(&self, stream: &str) -> Option<Nanos> {
        self.of(stream)?.slow_above_ns.map(|ns| Nanos(ns / 1_000 * 1_000))
    }

    /// Whether no repeat of a slow request of this stream was slow again, though some tell how long they took.
    #[must_use]
    pub fn none_was_slow_again(&self, stream: &str) -> bool {
        self.of(stream).is_some_and(|repeated| repeated.slow_again == Some(0) && repeated.told.is_some_and(|told| told > 0))
    }

    fn of(&self, stream: &str) -> Option<&Repeated> {
        self.streams.iter().find(|repeated| repeated.replayed_as == stream)
    }
}
