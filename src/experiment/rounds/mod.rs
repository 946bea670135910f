//! Plans measured in turn, round by round: what [`compare`](super::compare) and [`sweep`](super::sweep) stand on.
//!
//! A round measures every variant once, each as a run of its own with its warm-up and its run directory. Within a round all variants
//! draw from one seed, so that they get the same queries at the same times; each round has another, so that what is found is not about
//! one draw. Decides nothing.

mod before_each;

use std::path::{Path, PathBuf};

use crate::clock::{Anchor, now};
use crate::load::Stop;
use crate::result::{self, ResultError, SeriesDirectory, StoredRun, WallTime};
use crate::scenario::Plan;
use crate::trace::Environment;
use crate::units::Nanos;
use crate::workload::{Purpose, Seed};

use super::RunError;
use super::observer::{Event, Observer};
use super::run::{RunOptions, run_sharing};
use super::shared::{Shared, name_apart};

/// Ctrl-C reaches the command before a run and this program at once; so long the command's end may be ahead of the signal's.
const SIGNAL: Nanos = Nanos::from_millis(200);

/// One of the plans that are measured in turn.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What people call it: `readers.params.ef=64`.
    pub label: String,
    /// What is sent.
    pub plan: Plan,
    /// Environment variables of the command that runs before each of its runs.
    pub environment: Vec<(String, String)>,
}

/// What a series needs beside its variants.
pub struct SeriesOptions<'a> {
    /// The series' directory is made in here.
    pub out: PathBuf,
    /// What kind of series it is, for its directory's name.
    pub what: &'static str,
    /// A shell command that runs before each run.
    pub before_each: Option<String>,
    /// The command line, for the results.
    pub command: Vec<String>,
    /// Ends the series early.
    pub stop: Stop,
    /// Looks up environment variables.
    pub environment: Environment<'a>,
}

/// Why a series ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum RoundsError {
    /// A run could not be made.
    #[error("round {round}, {label}: nothing was measured{}", whole(place.as_deref()))]
    Run {
        /// From 1.
        round: usize,
        /// The variant.
        label: String,
        /// The series' directory, where it holds runs that were whole by then.
        place: Option<PathBuf>,
        /// Why.
        source: Box<RunError>,
    },
    /// The command before it failed.
    #[error("round {round}, {label}: `--before-each {command}` {how}; its own words stand above{}", whole(place.as_deref()))]
    BeforeEach {
        /// From 1.
        round: usize,
        /// The variant.
        label: String,
        /// The command.
        command: String,
        /// What became of it.
        how: String,
        /// The series' directory, where it holds runs that were whole by then.
        place: Option<PathBuf>,
    },
    /// Stopped by a signal.
    #[error("stopped in round {round}{}", whole(place.as_deref()))]
    Interrupted {
        /// From 1.
        round: usize,
        /// The series' directory, where it holds runs that were whole by then.
        place: Option<PathBuf>,
    },
    /// The series' directory, or a run in it.
    #[error(transparent)]
    Result(#[from] ResultError),
}

/// Where the earlier runs are.
fn whole(place: Option<&Path>) -> String {
    place.map(|place| format!("; the runs that were whole by then are in `{}`", place.display())).unwrap_or_default()
}

/// A run of the series.
#[derive(Debug)]
pub struct Cell {
    /// Which variant it is of.
    pub variant: usize,
    /// The run, as its directory tells it.
    pub run: StoredRun,
}

impl Cell {
    /// Why it cannot be trusted; `None` where it can.
    #[must_use]
    pub fn distrust(&self) -> Option<String> {
        self.run.document.distrust()
    }
}

/// A series that is going on.
pub struct Rounds<'a> {
    variants: Vec<Variant>,
    directory: SeriesDirectory,
    runs: RunOptions<'a>,
    before_each: Option<String>,
    shared: Shared,
    done: usize,
    runs_done: usize,
}

impl<'a> Rounds<'a> {
    /// Makes the series' directory; nothing is sent yet.
    ///
    /// # Errors
    /// Where the place for it cannot take one.
    pub fn begin(mut variants: Vec<Variant>, options: SeriesOptions<'a>) -> Result<Self, RoundsError> {
        let mut plans: Vec<Plan> = variants.iter().map(|variant| variant.plan.clone()).collect();
        name_apart(&mut plans);
        for (variant, plan) in variants.iter_mut().zip(plans) {
            variant.plan = plan;
        }
        let name = variants.first().map_or("series", |variant| variant.plan.name.as_str());
        let started = WallTime::from_unix_ns(Anchor::take().unix_ns(now()));
        let directory = SeriesDirectory::create(&options.out, name, options.what, started)?;
        let runs =
            RunOptions { out: directory.path().to_owned(), command: options.command, stop: options.stop, environment: options.environment };
        Ok(Self { variants, directory, runs, before_each: options.before_each, shared: Shared::new(), done: 0, runs_done: 0 })
    }

    /// What is measured in turn; collections may have been renamed so that they can stand at the same time.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Rounds that are done.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.done
    }

    /// The series' directory.
    #[must_use]
    pub fn directory(&self) -> &SeriesDirectory {
        &self.directory
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Measures every variant once, in this order, and gives the cells in the variants' order. `planned`: rounds there will be, as far
    /// as is known by now.
    ///
    /// # Errors
    /// At the first run that could not be made, or was stopped.
    pub fn round(&mut self, order: &[usize], planned: usize, observer: &mut dyn Observer) -> Result<Vec<Cell>, RoundsError> {
        let round = self.done + 1;
        let mut cells = Vec::with_capacity(order.len());
        for variant in order {
            cells.push(self.cell(round, planned, *variant, observer)?);
        }
        cells.sort_by_key(|cell| cell.variant);
        self.done = round;
        Ok(cells)
    }

    fn cell(&mut self, round: usize, planned: usize, variant: usize, observer: &mut dyn Observer) -> Result<Cell, RoundsError> {
        let Variant { label, plan, environment } = &self.variants[variant];
        let place = || (self.runs_done > 0).then(|| self.directory.path().to_owned());
        let interrupted = || RoundsError::Interrupted { round, place: place() };
        if self.runs.stop.is_stopped() {
            return Err(interrupted());
        }
        observer.event(&Event::Cell { round, of: planned.max(round), label });
        if let Some(command) = &self.before_each
            && let Err(how) = before_each::run(command, environment, round)
        {
            self.runs.stop.pause(SIGNAL);
            if self.runs.stop.is_stopped() {
                return Err(interrupted());
            }
            return Err(RoundsError::BeforeEach { round, label: label.clone(), command: command.clone(), how, place: place() });
        }
        let plan = Plan { seed: round_seed(plan.seed, round), ..plan.clone() };
        let outcome = run_sharing(&plan, &self.runs, &mut self.shared, observer).map_err(|source| match source {
            RunError::Interrupted => interrupted(),
            source => RoundsError::Run { round, label: label.clone(), place: place(), source: Box::new(source) },
        })?;
        if outcome.document.partial {
            return Err(interrupted());
        }
        self.runs_done += 1;
        Ok(Cell { variant, run: result::read(&outcome.directory)? })
    }

    /// Drops the collections that the series made. Says what went wrong with that: it changes nothing that was measured.
    #[must_use]
    pub fn end(self) -> Vec<String> {
        let trouble = self.shared.end();
        self.directory.remove_if_empty();
        trouble
    }
}

/// 53 bits, so that every JSON reader keeps it whole.
fn round_seed(seed: u64, round: usize) -> u64 {
    Seed(seed).draws(Purpose::Rounds, 0).at(round as u64) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_draw_from_seeds_of_their_own_which_follow_from_the_scenarios() {
        let seeds: std::collections::BTreeSet<u64> = (1..=100).map(|round| round_seed(7, round)).collect();
        assert_eq!(seeds.len(), 100);
        assert_eq!(round_seed(7, 3), round_seed(7, 3));
        assert!(!seeds.contains(&round_seed(8, 1)) && seeds.iter().all(|seed| *seed < 1 << 53));
    }
}
