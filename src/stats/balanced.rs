//! The order in which values are tried, so that neither their place in a round nor the one before them favours any.

/// Orders of `values` numbers from 0, one a round, to be gone through again and again: each number stands equally often at each place, and
/// is preceded equally often by each other one. As many rounds as values where these are even, twice as many where they are odd;
/// two values go A B, B A.
///
/// Williams, "Experimental designs balanced for the estimation of residual effects of treatments", *Australian J. Scientific
/// Research A* 2 (1949) 149.
#[must_use]
pub fn orders(values: usize) -> Vec<Vec<usize>> {
    if values < 2 {
        return vec![(0..values).collect()];
    }
    // 0, n−1, 1, n−2, …: neighbours differ by every distance once.
    let zigzag: Vec<usize> = (0..values).map(|at| if at % 2 == 0 { at / 2 } else { values - at.div_ceil(2) }).collect();
    let mut rows: Vec<Vec<usize>> = (0..values).map(|by| zigzag.iter().map(|value| (value + by) % values).collect()).collect();
    if values % 2 == 1 {
        let mirrored: Vec<Vec<usize>> = rows.iter().map(|row| row.iter().rev().copied().collect()).collect();
        rows.extend(mirrored);
    }
    rows
}

/// The fewest rounds from `least` on in which everything is balanced.
#[must_use]
pub fn whole_rounds(values: usize, least: usize) -> usize {
    least.max(1).next_multiple_of(orders(values).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_at_every_place_and_after_every_other_equally_often() {
        for values in 2..=9 {
            let rows = orders(values);
            assert_eq!(rows.len(), if values % 2 == 0 { values } else { 2 * values });
            let times = rows.len() / values;
            for a in 0..values {
                for place in 0..values {
                    assert_eq!(rows.iter().filter(|row| row[place] == a).count(), times, "{a} at {place} of {values}");
                }
                for b in (0..values).filter(|b| *b != a) {
                    let after = rows.iter().flat_map(|row| row.windows(2)).filter(|pair| pair[..] == [a, b]).count();
                    assert_eq!(after, times, "{b} after {a} of {values}");
                }
            }
        }
    }

    #[test]
    fn two_values_take_turns_in_going_first() {
        assert_eq!(orders(2), [[0, 1], [1, 0]]);
        assert_eq!((orders(1), orders(0)), (vec![vec![0]], vec![vec![]]));
        assert_eq!((whole_rounds(2, 7), whole_rounds(5, 8), whole_rounds(4, 8)), (8, 10, 8));
    }
}
