//! The slowest requests of a stored run once more: were they slow by nature, or by circumstance?
//!
//! Each of the N slowest is sent K times again, byte for byte, and as many typical ones beside it; all in one random order, at a gentle
//! rate, all traced, under the load of the run or alone. A rank test across the repeats then says which kind each was. The repeats are a
//! run of their own with a directory like any other: the streams of the plan, and for each stream with slow requests one more whose
//! request number n is the n-th of that order. What the repeats that were slow again waited for is `explain`'s answer.

mod choose;
mod document;
mod error;
mod order;
mod plan;
mod repeats;
mod verdict;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::result::model::RunDocument;
use crate::result::{self, REPLAY_FILE, StoredRun};
use crate::scenario::Plan;
use crate::tail::Above;
use crate::units::{Causes, Rate};

use super::explain::{Question, explain_at_hand};
use super::observer::Observer;
use super::run::{RunOptions, RunOutcome, run_with};

use choose::Chosen;
use order::Sent;
use repeats::Collected;

pub use document::{LeftOut, Method, ReplayDocument, Replayed, ReplayedStream, Typical, TypicalFrom};
pub use error::ReplayError;
pub use verdict::Verdict;

/// `--top`: so many of the slowest requests.
pub const DEFAULT_TOP: usize = 10;
/// `--times`: so many repeats of each. Of ten, two may be slowed or spared by chance and the test among ten requests still decides.
pub const DEFAULT_TIMES: usize = 10;

/// What runs beside the repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beside {
    /// The load of the run, the same requests at the same times.
    #[default]
    Same,
    /// Nothing: one request at a time.
    None,
}

/// What is asked of a replay.
#[derive(Debug, Clone, Default)]
pub struct ReplaySettings {
    /// How many of the slowest requests; [`DEFAULT_TOP`].
    pub top: Option<usize>,
    /// How many repeats of each; [`DEFAULT_TIMES`].
    pub times: Option<usize>,
    /// What runs beside them.
    pub beside: Beside,
    /// Repeats a second, all together. Left out: a twentieth of what the run achieved, from 1/s to 50/s; alone, what leaves a pause.
    pub rate: Option<Rate>,
    /// What the choice of typical requests and the order are drawn from. Left out: drawn from the system.
    pub seed: Option<u64>,
}

/// A replay that is ready to be run: what is sent again is chosen, and nothing has been sent.
#[derive(Debug)]
pub struct Replay {
    of: RunDocument,
    /// The names of its streams.
    of_plan: Vec<String>,
    directory: PathBuf,
    chosen: Chosen,
    sent: Sent,
    plan: Plan,
    settings: ReplaySettings,
    times: usize,
    seed: u64,
}

/// What a replay leaves behind.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// The verdicts, as they stand in `replay.json`.
    pub replay: ReplayDocument,
    /// The run that the repeats were.
    pub run: RunDocument,
    /// Its directory.
    pub directory: PathBuf,
}

impl Replay {
    /// The most repeats of a replay, all together.
    pub const MOST_REPEATS: usize = 40_000;

    /// Chooses what is sent again. `plan` is the stored run's own, with what `--set` changed of target, load or tracing.
    ///
    /// # Errors
    /// Where the run holds no request that could be sent again, where `plan` would send others, or where so few repeats could not
    /// decide anything.
    pub fn new(stored: &StoredRun, plan: Plan, settings: ReplaySettings) -> Result<Self, ReplayError> {
        if stored.path.join(REPLAY_FILE).exists() {
            let of = stored.replay_of().map(|of| of.directory);
            return Err(ReplayError::IsReplay { path: stored.path.clone(), of });
        }
        stored.check_whole()?;
        let (top, times) = (settings.top.unwrap_or(DEFAULT_TOP), settings.times.unwrap_or(DEFAULT_TIMES));
        if top == 0 {
            return Err(ReplayError::Nothing);
        }
        let own = stored.document.plan().map_err(|source| ReplayError::Plan { path: stored.path.clone(), source: Box::new(source) })?;
        plan::check_same_requests(&own, &plan)?;
        let seed = settings.seed.unwrap_or_else(order::draw_seed);
        let chosen = choose::choose(stored, &plan, top, seed)?;
        let requests = chosen.requests().count();
        // Looked at before anything is worked out from it: that takes as long as there are repeats.
        if requests.checked_mul(times).is_none_or(|repeats| repeats > Self::MOST_REPEATS) {
            return Err(ReplayError::TooMany { requests, times, most: Self::MOST_REPEATS });
        }
        verdict::check_decidable(&chosen, times)?;
        let sent = Sent::new(&chosen, plan.streams.len(), times, seed, settings.beside);
        let of_plan = plan.streams.iter().map(|stream| stream.name.clone()).collect();
        let plan = plan::with_repeats(plan, &chosen, &sent, &settings, &stored.document)?;
        Ok(Self { of: stored.document.clone(), of_plan, directory: stored.path.clone(), chosen, sent, plan, settings, times, seed })
    }

    /// Whether every `--set`, as it was typed, is of a key that a replay can change.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check_keys(set: &[String]) -> Result<(), ReplayError> {
        plan::check_keys(set)
    }

    /// The name of a stream of the stored run.
    fn name_of(&self, stream: usize) -> String {
        self.of_plan.get(stream).cloned().unwrap_or_default()
    }

    /// What will be run: the streams of the repeats stand last.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs it, judges, explains, and writes `replay.json` into the run's directory.
    ///
    /// # Errors
    /// Where nothing could be measured.
    pub fn run(self, options: &RunOptions<'_>, observer: &mut dyn Observer) -> Result<ReplayOutcome, ReplayError> {
        let collected = Collected::new(&self.sent);
        let sending = order::Sending { sent: &self.sent, collected: collected.clone() };
        let outcome = run_with(&self.plan, &sending, options, None, observer)?;
        let mut replay = document::document(&self, collected.take(), &outcome.document);
        replay.run_directory = outcome.directory.display().to_string();
        // Reading the traces takes a while: the verdicts are kept before.
        write(&outcome.directory, &replay)?;
        explain(&mut replay, &outcome);
        write(&outcome.directory, &replay)?;
        Ok(ReplayOutcome { replay, run: outcome.document, directory: outcome.directory })
    }
}

/// What each stream's repeats that were slow again waited for, where their traces are at hand.
fn explain(replay: &mut ReplayDocument, outcome: &RunOutcome) {
    for stream in &mut replay.streams {
        let Some(above) = stream.explain_above() else { continue };
        let question = Question { above: Above::Time(above), stream: Some(stream.replayed_as.clone()) };
        match explain_at_hand(&outcome.directory, &outcome.document, &question) {
            None => {
                let why = format!("`tailtrace explain {}` says why", outcome.directory.display());
                replay.trouble.push(format!("{} is not explained, its traces are not at hand: {why}", stream.replayed_as));
            }
            Some(Ok(answer)) => stream.explained = answer.explanation.streams.into_iter().next(),
            Some(Err(error)) => replay.trouble.push(format!("{} cannot be explained: {}", stream.replayed_as, Causes(&error))),
        }
    }
}

fn write(directory: &Path, replay: &ReplayDocument) -> Result<(), ReplayError> {
    let path = directory.join(REPLAY_FILE);
    // Plain data with text keys: serialising it has no way to fail.
    let mut text = serde_json::to_vec_pretty(replay).unwrap_or_default();
    text.push(b'\n');
    result::replace(&path, |file| file.write_all(&text)).map_err(ReplayError::Result)
}

#[cfg(test)]
mod tests;
