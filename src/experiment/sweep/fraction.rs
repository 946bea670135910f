//! Which sample fraction is to be recommended: the smallest that catches what is asked for, and whose overhead is shown to be small.

use crate::units::Fraction;

use super::catch::Catch;

/// What "overhead below" means where nothing is said.
pub const MAX_OVERHEAD: f64 = 0.01;

/// A fraction catches what is asked for where it does so with this chance.
pub const CHANCE: f64 = 0.95;

/// What is known of one fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The fraction.
    pub fraction: f64,
    /// The chance that it catches what is asked for.
    pub chance: f64,
    /// The most that its overhead can be, by the intervals: a share of the first value's figures, never below 0.
    pub overhead: f64,
    /// Its runs can be trusted.
    pub trusted: bool,
}

/// The recommendation: which one of the candidates, and why, or why none.
#[must_use]
pub fn recommend(candidates: &[Candidate], catch: &Catch, max_overhead: f64, stream: &str) -> (Option<usize>, String) {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| candidates[*a].fraction.total_cmp(&candidates[*b].fraction));
    let catches: Vec<usize> = order.iter().copied().filter(|at| candidates[*at].chance >= CHANCE).collect();
    let shown = |at: &usize| candidates[*at].trusted && candidates[*at].overhead < max_overhead;
    let wanted = format!("{catch} of `{stream}`");
    if let Some(best) = catches.iter().find(|at| shown(at)) {
        let Candidate { fraction, chance, overhead, .. } = candidates[*best];
        let reason = format!(
            "{fraction} is the smallest fraction measured that catches {wanted} with a chance of {}, and its overhead is shown to be below {}: {} at most",
            percent(chance),
            percent(max_overhead),
            percent(overhead)
        );
        return (Some(*best), reason);
    }
    let Some(smallest) = catches.first() else {
        let best = order.last().map_or(0.0, |at| candidates[*at].chance);
        let reason = format!(
            "none does: no fraction measured catches {wanted} with a chance of {}; the largest has {}",
            percent(CHANCE),
            percent(best)
        );
        return (None, reason);
    };
    let Candidate { fraction, overhead, trusted, .. } = candidates[*smallest];
    let why = if trusted {
        format!("may have an overhead of up to {} by these rounds; more rounds narrow that (--rounds, --until-precise)", percent(overhead))
    } else {
        "was measured by runs that cannot be trusted".to_owned()
    };
    let reason = format!(
        "none does: {fraction} is the smallest that catches {wanted}, and no fraction from there on has an overhead shown to be below {}: {fraction} {why}",
        percent(max_overhead)
    );
    (None, reason)
}

fn percent(share: f64) -> String {
    Fraction::new(share).map_or_else(|| format!("{:.0} %", share * 100.0), Fraction::percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(of: &[(f64, f64, f64)]) -> Vec<Candidate> {
        of.iter()
            .map(|(fraction, chance, overhead)| Candidate { fraction: *fraction, chance: *chance, overhead: *overhead, trusted: true })
            .collect()
    }

    fn recommended(of: &[Candidate]) -> (Option<usize>, String) {
        recommend(of, &Catch::default(), 0.01, "readers")
    }

    #[test]
    fn the_smallest_that_catches_and_costs_little_is_recommended() {
        // Not in order: the first value is what others are compared with.
        let of = candidates(&[(0.0, 0.0, 0.0), (1.0, 1.0, 0.1), (0.1, 0.999, 0.006), (0.2, 1.0, 0.004), (0.01, 0.2, 0.001)]);
        let (best, reason) = recommended(&of);
        assert_eq!(best, Some(2));
        assert!(
            reason.starts_with("0.1 is the smallest") && reason.contains("p99.9 x5 in 10m") && reason.contains("0.6 % at most"),
            "{reason}"
        );
    }

    #[test]
    fn where_none_does_the_reason_says_on_which_count() {
        let (none, reason) = recommended(&candidates(&[(0.0, 0.0, 0.0), (0.01, 0.5, 0.0)]));
        assert!(none.is_none() && reason.contains("no fraction measured catches") && reason.contains("the largest has 50 %"), "{reason}");
        let (none, reason) = recommended(&candidates(&[(0.0, 0.0, 0.0), (0.1, 0.99, 0.03), (1.0, 1.0, 0.2)]));
        assert!(none.is_none() && reason.contains("0.1 may have an overhead of up to 3 %"), "{reason}");
        let mut doubtful = candidates(&[(0.1, 0.99, 0.0)]);
        doubtful[0].trusted = false;
        let (none, reason) = recommended(&doubtful);
        assert!(none.is_none() && reason.contains("cannot be trusted"), "{reason}");
    }
}
