//! Slow requests that met the same trouble.
//!
//! A second of standstill makes five hundred slow requests and is one event. Whoever counts it as five hundred is sure of what
//! happened once. Requests that were under way together are one clump.

use super::subject::Traced;

/// A clump takes in requests that begin up to so long after its first, ns: under steady load requests overlap without end, and
/// by then the first one's trouble is another.
const LONGEST_NS: u64 = 1_000_000_000;

/// The clump of each request, from 0, and how many there are.
pub(super) fn clumps(requests: &[&Traced]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|at| (requests[*at].at_ns, *at));
    let mut of = vec![0; requests.len()];
    let mut found = 0_usize;
    let (mut begin, mut end) = (0, 0);
    for at in order {
        let one = requests[at];
        if found == 0 || one.at_ns > end || one.at_ns - begin > LONGEST_NS {
            found += 1;
            begin = one.at_ns;
            end = 0;
        }
        end = end.max(one.at_ns.saturating_add(one.response_ns));
        of[at] = found - 1;
    }
    (of, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: u64, response_ms: u64) -> Traced {
        Traced {
            trace_id: String::new(),
            sequence: None,
            at_ns: at_ms * 1_000_000,
            response_ns: response_ms * 1_000_000,
            weight: 1.0,
            why: None,
            joined: true,
            parts: Vec::new(),
        }
    }

    fn found(requests: &[Traced]) -> (Vec<usize>, usize) {
        clumps(&requests.iter().collect::<Vec<_>>())
    }

    #[test]
    fn requests_of_one_standstill_are_one_clump_however_they_are_ordered() {
        // All wait for 300 ms; another one comes later.
        assert_eq!(found(&[at(250, 50), at(400, 20), at(100, 200), at(200, 100)]), (vec![0, 1, 0, 0], 2));
        assert_eq!(found(&[]), (vec![], 0));
    }

    #[test]
    fn requests_that_overlap_without_end_are_cut_by_the_second() {
        let chain: Vec<Traced> = (0..40).map(|n| at(n * 100, 150)).collect();
        assert_eq!(found(&chain).1, 4);
    }
}
