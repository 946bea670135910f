//! How a collection shows that tailtrace made it, and from what.

use std::hash::{BuildHasher, Hasher};

use crate::workload::Seed;

/// Stands in the collection's description. A collection without it is never taken for one of ours; one with it is not
/// dropped for that reason alone, only the run that made it drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) rows: u64,
    pub(super) seed: Seed,
    /// Tells two runs of the same scenario apart: drawn from the system, not from the seed.
    pub(super) run: u64,
}

const BEGINS: &str = "made by tailtrace";

impl Mark {
    pub(super) fn new(rows: u64, seed: Seed) -> Self {
        Self { rows, seed, run: std::hash::RandomState::new().build_hasher().finish() }
    }

    /// From a description; `None` where it is not one of ours.
    pub(super) fn read(description: &str) -> Option<Self> {
        let rest = description.strip_prefix(BEGINS)?;
        let value = |key: &str| rest.split([' ', ',']).find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        Some(Self {
            rows: value("rows")?.parse().ok()?,
            seed: Seed(value("seed")?.parse().ok()?),
            run: u64::from_str_radix(value("run")?, 16).ok()?,
        })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{BEGINS} for a run, rows={}, seed={}, run={:016x}", self.rows, self.seed.0, self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back() {
        let mark = Mark::new(20_000, Seed(u64::MAX));
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
    }

    #[test]
    fn two_runs_of_one_scenario_differ() {
        assert_ne!(Mark::new(1, Seed(1)).run, Mark::new(1, Seed(1)).run);
    }

    #[test]
    fn other_descriptions_are_not_ours() {
        for description in ["", "my products", "made by hand", "made by tailtrace", "made by tailtrace, rows=x, seed=1, run=0"] {
            assert_eq!(Mark::read(description), None, "{description}");
        }
    }
}
