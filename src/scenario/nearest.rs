//! What may have been meant by a name that nobody knows.

/// The known name nearest to `typed`, where one is near enough to be worth a guess: a third of its letters may be wrong.
/// Upper and lower case, `-` and `_` count as the same.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let simple = plain(typed);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&simple, &plain(name)), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        // Of two spellings of one name, the one that looks more like what was typed.
        .min_by_key(|(distance, name)| (*distance, strsim::damerau_levenshtein(typed, name)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_of_the_finger_are_seen_through_and_strangers_left_alone() {
        let known = ["duration", "warmup", "top_k", "sample_fraction"];
        for (typed, meant) in [("durration", "duration"), ("topk", "top_k"), ("sample-Fraction", "sample_fraction"), ("wramup", "warmup")] {
            assert_eq!(nearest(typed, known), Some(meant));
        }
        assert_eq!(nearest("colour", known), None);
    }
}
