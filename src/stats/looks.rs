//! Looking several times at figures that are still coming in, with error rates that hold all the same.
//!
//! Who tests after each round until something shows is wrong far more often than the level says. So the looks are planned, and the
//! level is spent over them by a spending function (Lan & DeMets, *Biometrika* 70 (1983) 659), here α · share² (Kim & DeMets,
//! *Biometrika* 74 (1987) 149): little at first, when only the clearest of differences is to end it. Each look's part is used as
//! that look's own level. By Bonferroni's inequality the parts' sum, α, bounds the chance that any look errs, whatever the
//! dependence between looks and with Student's law as it is; joint boundaries of normal statistics would need a tenth fewer rounds
//! and hold only nearly. The intervals of all looks hold together (repeated confidence intervals: Jennison & Turnbull, *J. Royal Stat.
//! Soc. B* 51 (1989) 305), so what one look has decided stays decided.

/// Fewer rounds than this are not looked at: their spread is hardly known.
pub const FEWEST_ROUNDS: usize = 4;

/// From one look to the next the rounds grow by this factor: little is lost against looking after every round, and the level is
/// spent on few looks.
const GROWTH: f64 = 1.5;

/// When to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    rounds: Vec<usize>,
}

impl Looks {
    /// Looks up to `most` rounds, the last of them there; `most` is raised to [`FEWEST_ROUNDS`].
    #[must_use]
    pub fn up_to(most: usize) -> Self {
        let mut rounds = vec![most.max(FEWEST_ROUNDS)];
        while let Some(before) = rounds.last().map(|last| (*last as f64 / GROWTH).round() as usize)
            && before >= FEWEST_ROUNDS
        {
            rounds.push(before);
        }
        rounds.reverse();
        Self { rounds }
    }

    /// After how many rounds, ascending.
    #[must_use]
    pub fn rounds(&self) -> &[usize] {
        &self.rounds
    }

    /// The most rounds there will be.
    #[must_use]
    pub fn most(&self) -> usize {
        self.rounds.last().copied().unwrap_or(FEWEST_ROUNDS)
    }

    /// The part of `alpha` that the look after so many rounds may spend; `None` where none is planned.
    #[must_use]
    pub fn level(&self, rounds: usize, alpha: f64) -> Option<f64> {
        let at = self.rounds.iter().position(|look| *look == rounds)?;
        let spent = |rounds: usize| (rounds as f64 / self.most() as f64).powi(2);
        let before = at.checked_sub(1).map_or(0.0, |before| spent(self.rounds[before]));
        Some(alpha * (spent(rounds) - before))
    }

    /// The part of `alpha` that the last of many looks spends.
    #[must_use]
    pub fn last_level(alpha: f64) -> f64 {
        alpha * (1.0 - GROWTH.powi(-2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::log_ratio::paired;
    use crate::stats::simulate;

    #[test]
    fn looks_grow_by_half_and_end_where_they_were_told_to() {
        assert_eq!(Looks::up_to(30).rounds(), [4, 6, 9, 13, 20, 30]);
        assert_eq!(Looks::up_to(5).rounds(), [5]);
        assert_eq!(Looks::up_to(1).rounds(), [FEWEST_ROUNDS]);
    }

    #[test]
    fn the_levels_add_up_to_alpha_and_come_to_looks_only() {
        for most in [4, 5, 10, 30, 77] {
            let looks = Looks::up_to(most);
            let sum: f64 = looks.rounds().iter().map(|rounds| looks.level(*rounds, 0.05).unwrap()).sum();
            assert!((sum - 0.05).abs() < 1e-12, "{most}");
            assert_eq!(looks.level(looks.most() + 1, 0.05), None);
        }
        let last = Looks::up_to(1000);
        assert!((Looks::last_level(1.0) - last.level(1000, 1.0).unwrap()).abs() < 0.01);
    }

    /// Chance that any look's interval misses the truth, over simulated series without a difference.
    fn misses(level: impl Fn(usize) -> Option<f64>, most: usize, seed: u64) -> f64 {
        const RUNS: u32 = 2000;
        let mut rng = simulate::rng(seed);
        let missed = (0..RUNS).filter(|_| {
            let logs = simulate::ar1(0.0, most, &mut rng);
            (2..=most).any(|rounds| {
                let Some(level) = level(rounds) else { return false };
                !paired(&logs[..rounds]).unwrap().bounds(level / 2.0).contains(0.0)
            })
        });
        missed.count() as f64 / f64::from(RUNS)
    }

    #[test]
    fn peeking_by_plan_keeps_the_level_and_peeking_without_breaks_it() {
        let looks = Looks::up_to(30);
        // 5 % of 2,000 scatters by 0.5 %: at most three of these above.
        let planned = misses(|rounds| looks.level(rounds, 0.05), 30, 1);
        assert!(planned <= 0.065, "{planned}");
        // At 5 % a look, six looks at once: known to err 12 to 16 % of the time.
        let naive = misses(|rounds| looks.level(rounds, 0.05).map(|_| 0.05), 30, 1);
        assert!(naive > 0.1, "{naive}");
    }
}
