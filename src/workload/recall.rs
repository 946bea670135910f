//! How much of the truth an answer holds.

use std::collections::HashSet;

use super::metric::Metric;
use super::truth::Neighbour;

/// Distances that differ by less than this part count as equal: sums of 32-bit numbers, which is what a database computes,
/// come out that far apart for one order of summation and another.
const TIE: f64 = 2e-6;

/// The share of the nearest rows that an answer found: 0 to 1; `None` where there was nothing to find.
///
/// A row counts when it is not farther than the last of the truth: where several rows tie for the last place, any of them is
/// right. `distance_of` gives the exact distance of an id, `None` for one that is no filled row; such an id is wrong. An id
/// that is found twice counts once; what is found beyond the truth's length does not count.
#[must_use]
pub fn recall(found: &[i64], truth: &[Neighbour], metric: Metric, mut distance_of: impl FnMut(i64) -> Option<f64>) -> Option<f64> {
    let last = truth.last()?.distance;
    let nearest: HashSet<i64> = truth.iter().map(|neighbour| neighbour.id).collect();
    let mut seen = HashSet::new();
    let mut right = 0;
    for id in found.iter().take(truth.len()) {
        let mut is_right = || nearest.contains(id) || distance_of(*id).is_some_and(|distance| !farther(metric, distance, last));
        right += usize::from(seen.insert(*id) && is_right());
    }
    Some(right as f64 / truth.len() as f64)
}

fn farther(metric: Metric, distance: f64, last: f64) -> bool {
    metric.nearer(last, distance) && (distance - last).abs() > TIE * last.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(distances: &[f64]) -> Vec<Neighbour> {
        (0..).zip(distances).map(|(id, distance)| Neighbour { id, distance: *distance }).collect()
    }

    #[test]
    fn recall_is_the_share_that_was_found() {
        let truth = truth(&[1.0, 2.0, 3.0, 4.0]);
        // Ids beyond the truth lie farther away, 4 at the same distance as the last.
        let distance = |id: i64| match id {
            0..4 => Some(id as f64 + 1.0),
            4 => Some(4.0),
            5..100 => Some(id as f64),
            _ => None,
        };
        for (found, expected) in [
            (&[0, 1, 2, 3][..], 1.0),
            (&[3, 2, 1, 0], 1.0),
            (&[0, 1, 2, 4], 1.0),
            (&[0, 1, 2, 5], 0.75),
            (&[0, 0, 0, 0], 0.25),
            (&[0, 1], 0.5),
            (&[], 0.0),
            (&[0, 1, 1_000, -1], 0.5),
            (&[9, 8, 7, 6, 0, 1, 2, 3], 0.0),
        ] {
            assert_eq!(recall(found, &truth, Metric::L2, distance), Some(expected), "{found:?}");
        }
    }

    #[test]
    fn more_is_nearer_for_products() {
        let truth = truth(&[4.0, 3.0]);
        let found = |distance| recall(&[0, 7], &truth, Metric::Ip, |_| Some(distance));
        assert_eq!([found(2.9), found(3.0), found(3.0 - 1e-6), found(3.1)], [Some(0.5), Some(1.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn where_nothing_was_to_be_found_there_is_no_recall() {
        assert_eq!(recall(&[1], &[], Metric::L2, |_| None), None);
    }
}
