//! Are the values of one sample larger than those of another? By ranks: no law is assumed, and a few odd values decide nothing.
//!
//! The rank-sum test of Wilcoxon (*Biometrics Bulletin* 1 (1945) 80) and of Mann and Whitney (*Annals of Mathematical Statistics* 18
//! (1947) 50). Under the hypothesis every assignment of the values to the samples is equally likely. Where it was drawn at random which
//! value belongs to which sample (an order of sending, for instance), that holds by design, however the values hang together in time.

use statrs::distribution::{ContinuousCDF, Normal};

/// How likely it is to see the first sample so high, or so low, where both samples are of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSum {
    /// The chance of a rank sum at least so large.
    pub larger: f64,
    /// The chance of a rank sum at most so small.
    pub smaller: f64,
    /// Whether these are exact; else they are the normal approximation's, with its corrections for ties and for continuity.
    pub exact: bool,
}

/// Steps of the exact distribution's recursion that are taken at most: some tens of milliseconds.
const MOST_STEPS: u64 = 20_000_000;

/// Holds `sample` against `others`; `None` where one of them is empty. Equal values share their mean rank, and the exact
/// distribution is that of the ranks as they are shared.
#[must_use]
pub fn rank_sum(sample: &[u64], others: &[u64]) -> Option<RankSum> {
    if sample.is_empty() || others.is_empty() {
        return None;
    }
    // The two are each other's mirror; the exact distribution of the smaller one takes less time.
    if sample.len() > others.len() {
        return rank_sum(others, sample).map(|other| RankSum { larger: other.smaller, smaller: other.larger, ..other });
    }
    let mut values: Vec<(u64, bool)> = sample.iter().map(|value| (*value, true)).collect();
    values.extend(others.iter().map(|value| (*value, false)));
    values.sort_unstable();
    let doubled = doubled_mid_ranks(&values);
    let seen: usize = values.iter().zip(&doubled).filter(|((_, own), _)| *own).map(|(_, rank)| *rank).sum();
    Some(exact(&doubled, sample.len(), seen).unwrap_or_else(|| approximate(&doubled, sample.len(), seen)))
}

/// The least number of values in the sample for which `larger` or `smaller` can be at most `alpha`, where there are `groups` times as many
/// others (that is 1 / C(n + groups · n, n)); `None` where none up to a thousand does.
#[must_use]
pub fn fewest_to_decide(groups: u64, alpha: f64) -> Option<u64> {
    (1..=1_000).find(|n| least_chance(*n, groups * n) <= alpha)
}

/// The least that `larger` or `smaller` can be: 1 over the number of ways to choose the sample.
#[must_use]
pub fn least_chance(sample: u64, others: u64) -> f64 {
    (1..=sample).map(|n| n as f64 / (others + n) as f64).product()
}

/// Twice the rank of each value, so that shared ranks stay whole numbers.
fn doubled_mid_ranks(sorted: &[(u64, bool)]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(sorted.len());
    for equal in sorted.chunk_by(|left, right| left.0 == right.0) {
        let first = ranks.len() + 1;
        let last = first + equal.len() - 1;
        ranks.extend(std::iter::repeat_n(first + last, equal.len()));
    }
    ranks
}

/// Counts, over all ways to choose so many ranks, the sums; `None` where that takes too long.
fn exact(ranks: &[usize], size: usize, seen: usize) -> Option<RankSum> {
    // Sums are counted from the least ones that each size can have, the ranks 1, 1, …: their even part is left out.
    let most: usize = ranks[ranks.len() - size..].iter().sum();
    if (ranks.len() as u64).checked_mul(size as u64)?.checked_mul(most as u64 + 1)? > MOST_STEPS {
        return None;
    }
    // ways[k][s]: how many choices of k of the ranks so far have the sum s. Up to 2^53 exact, beyond it to 16 digits.
    let mut ways = vec![vec![0.0_f64; most + 1]; size + 1];
    ways[0][0] = 1.0;
    for (taken, rank) in ranks.iter().enumerate() {
        for k in (1..=size.min(taken + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            for (sum, without) in fewer[k - 1][..=most - rank.min(&most)].iter().enumerate() {
                more[0][sum + rank] += without;
            }
        }
    }
    let all: f64 = ways[size].iter().sum();
    let larger: f64 = ways[size][seen..].iter().sum();
    let smaller: f64 = ways[size][..=seen].iter().sum();
    Some(RankSum { larger: larger / all, smaller: smaller / all, exact: true })
}

fn approximate(ranks: &[usize], size: usize, seen: usize) -> RankSum {
    let (m, n) = (size as f64, ranks.len() as f64);
    let mean_rank = f64::midpoint(n, 1.0);
    // Drawing without replacement from the ranks as they are shared: ties are in their variance.
    let spread = ranks.iter().map(|rank| (*rank as f64 / 2.0 - mean_rank).powi(2)).sum::<f64>() / n;
    let deviation = (m * (n - m) * spread / (n - 1.0)).sqrt();
    if deviation == 0.0 {
        return RankSum { larger: 1.0, smaller: 1.0, exact: false };
    }
    let above = seen as f64 / 2.0 - m * mean_rank;
    let normal = Normal::standard();
    RankSum { larger: normal.sf((above - 0.5) / deviation), smaller: normal.cdf((above + 0.5) / deviation), exact: false }
}

#[cfg(test)]
mod tests;
