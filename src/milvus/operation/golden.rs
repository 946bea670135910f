//! What pymilvus 2.5.9 puts on the wire, for the tests to compare with.

/// The encoded request of this name.
pub(super) fn pymilvus(name: &str) -> Vec<u8> {
    let all = include_str!("../../../tests/golden/pymilvus_requests.txt");
    let hex = all.lines().find_map(|line| line.split_once(' ').filter(|(first, _)| *first == name)).expect("a request of this name").1;
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
