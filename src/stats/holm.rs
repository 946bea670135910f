//! Several tests looked at together: p-values that may each be held against the one α of all.

/// p-values adjusted for being looked at together, in their order: each may be held against the one α of all.
///
/// Holm, *Scandinavian Journal of Statistics* 6 (1979) 65: never weaker than Bonferroni's, and as free of assumptions.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (step, at) in order.into_iter().enumerate() {
        largest = largest.max(p_values[at] * (p_values.len() - step) as f64).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_adjusted_as_in_his_example() {
        // Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and never below the one before.
        let found = holm(&[0.03, 0.01, 0.04, 0.02]);
        for (found, expected) in found.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
