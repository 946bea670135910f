//! The exact nearest rows, by looking at all of them.

use std::collections::BinaryHeap;

use super::metric::Metric;
use super::vectors::Vectors;

/// A row and its exact distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its id: the number of the filled row.
    pub id: i64,
    /// Its distance as Milvus gives it (see [`Metric::distance`]), computed in 64 bits.
    pub distance: f64,
}

/// Rows that are made again at a time: a block and a few queries stay in the cache of a core.
const BLOCK: usize = 256;

/// Queries that one pass over a row serves: their sums fill half the registers of the oldest x86-64.
const TOGETHER: usize = 4;

/// Partial sums of one product: what a compiler turns into two registers of four.
const LANES: usize = 8;

/// Candidates kept beyond `k`, so that the last digits of 32-bit sums decide nothing: what is kept is ranked in 64 bits.
const SPARE: usize = 16;

/// The `k` nearest of the first `rows` rows to each query, nearest first; ties by id. Fewer where there are fewer rows.
///
/// `queries` holds them one after the other. Rows are made from their seed block by block on `threads` threads, so memory
/// is that of the answers alone. Some 25 ns a row and query of 128 dimensions on one core: 500 queries
/// over a million rows take 13 s.
///
/// # Panics
/// Where the length of `queries` is no multiple of the dimension.
#[must_use]
pub fn ground_truth(vectors: &Vectors, rows: u64, queries: &[f32], k: usize, metric: Metric, threads: usize) -> Vec<Vec<Neighbour>> {
    let dim = vectors.dim();
    assert!(queries.len().is_multiple_of(dim), "queries of {dim} dimensions do not fill {} numbers", queries.len());
    let threads = threads.clamp(1, 64) as u64;
    let share = rows.div_ceil(threads).max(1);
    let parts: Vec<Vec<Nearest>> = std::thread::scope(|scope| {
        let search = |thread: u64| {
            let range = (thread * share).min(rows)..((thread + 1) * share).min(rows);
            scope.spawn(move || search_range(vectors, range, queries, k + SPARE, metric))
        };
        let running: Vec<_> = (0..threads).map(search).collect();
        running.into_iter().map(|thread| thread.join().expect("the search for the truth has no way to fail")).collect()
    });
    let exact = |(at, query): (usize, &[f32])| {
        let mut vector = vec![0.0; dim];
        let mut found: Vec<Neighbour> = parts
            .iter()
            .flat_map(|part| &part[at].heap)
            .map(|candidate| {
                vectors.row(candidate.row, &mut vector);
                Neighbour { id: candidate.row.cast_signed(), distance: metric.distance(query, &vector) }
            })
            .collect();
        let sign = if metric == Metric::L2 { 1.0 } else { -1.0 };
        found.sort_by(|a, b| (sign * a.distance).total_cmp(&(sign * b.distance)).then(a.id.cmp(&b.id)));
        found.truncate(k);
        found
    };
    queries.chunks_exact(dim).enumerate().map(exact).collect()
}

/// The nearest candidates of one query so far; the farthest on top.
#[derive(Debug)]
struct Nearest {
    keep: usize,
    heap: BinaryHeap<Candidate>,
}

/// Less is nearer, whatever the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    key: f32,
    row: u64,
}

impl Eq for Candidate {}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.total_cmp(&other.key).then(self.row.cmp(&other.row))
    }
}

impl Nearest {
    #[inline]
    fn offer(&mut self, candidate: Candidate) {
        if self.heap.len() < self.keep {
            self.heap.push(candidate);
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && candidate < *farthest
        {
            *farthest = candidate;
        }
    }
}

fn search_range(vectors: &Vectors, range: std::ops::Range<u64>, queries: &[f32], keep: usize, metric: Metric) -> Vec<Nearest> {
    let dim = vectors.dim();
    let mut nearest: Vec<Nearest> = queries.chunks_exact(dim).map(|_| Nearest { keep, heap: BinaryHeap::new() }).collect();
    let mut block = vec![0.0; BLOCK * dim];
    let mut first = range.start;
    while first < range.end {
        let count = ((range.end - first) as usize).min(BLOCK);
        let block = &mut block[..count * dim];
        for (row, out) in (first..).zip(block.chunks_exact_mut(dim)) {
            vectors.row(row, out);
        }
        // The length of a query scales all its cosines alike and so changes no order; that of a row does.
        let weights: Vec<f32> = match metric {
            Metric::Cosine => {
                block.chunks_exact(dim).map(|row| -1.0 / sum(row, [row], |x, y| x * y)[0].sqrt().max(f32::MIN_POSITIVE)).collect()
            }
            Metric::Ip => vec![-1.0; count],
            Metric::L2 => vec![1.0; count],
        };
        for (group, nearest) in queries.chunks(TOGETHER * dim).zip(nearest.chunks_mut(TOGETHER)) {
            // A last group that is not full looks at its first query more than once and offers it once.
            let query: [&[f32]; TOGETHER] = std::array::from_fn(|at| group.chunks_exact(dim).nth(at).unwrap_or(&group[..dim]));
            for ((row, values), weight) in (first..).zip(block.chunks_exact(dim)).zip(&weights) {
                let keys = match metric {
                    Metric::L2 => sum(values, query, |x, y| (x - y) * (x - y)),
                    Metric::Ip | Metric::Cosine => sum(values, query, |x, y| x * y),
                };
                for (nearest, key) in nearest.iter_mut().zip(keys) {
                    nearest.offer(Candidate { key: key * weight, row });
                }
            }
        }
        first += count as u64;
    }
    nearest
}

/// Sums `term` over the elements of `row` and each of the queries, in lanes that a compiler can put into vector registers.
#[inline]
fn sum<const N: usize>(row: &[f32], queries: [&[f32]; N], term: impl Fn(f32, f32) -> f32) -> [f32; N] {
    let mut sums = [[0.0_f32; LANES]; N];
    let whole = row.len() / LANES * LANES;
    let mut at = 0;
    while at < whole {
        let values: &[f32; LANES] = row[at..at + LANES].try_into().expect("as many as asked for");
        for (sums, query) in sums.iter_mut().zip(queries) {
            let query: &[f32; LANES] = query[at..at + LANES].try_into().expect("as many as asked for");
            for lane in 0..LANES {
                sums[lane] += term(values[lane], query[lane]);
            }
        }
        at += LANES;
    }
    std::array::from_fn(|n| {
        let rest: f32 = row[whole..].iter().zip(&queries[n][whole..]).map(|(x, y)| term(*x, *y)).sum();
        sums[n].iter().sum::<f32>() + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Seed;

    fn queries(vectors: &Vectors, count: u64) -> Vec<f32> {
        let mut all = vec![0.0; count as usize * vectors.dim()];
        for (n, out) in (0..).zip(all.chunks_exact_mut(vectors.dim())) {
            vectors.query(0, n, out);
        }
        all
    }

    /// Sorts all rows by their distance: nothing shared with what is tested but the metric.
    fn naive(vectors: &Vectors, rows: u64, query: &[f32], k: usize, metric: Metric) -> Vec<Neighbour> {
        let mut all: Vec<Neighbour> = (0..rows.cast_signed())
            .map(|id| Neighbour { id, distance: vectors.distance_to_row(query, id, rows, metric).unwrap() })
            .collect();
        all.sort_by(|a, b| {
            let order = a.distance.total_cmp(&b.distance);
            if metric == Metric::L2 { order } else { order.reverse() }.then(a.id.cmp(&b.id))
        });
        all.truncate(k);
        all
    }

    #[test]
    fn the_truth_is_what_sorting_everything_gives() {
        // Dimensions with and without a rest after the lanes, numbers of queries with and without a rest after the groups,
        // rows with and without a rest after blocks and threads.
        for (dim, rows, count, k) in [(1, 5, 1, 3), (7, 300, 5, 10), (16, 513, 4, 1), (33, 1_000, 9, 50)] {
            let vectors = Vectors::new(Seed(dim as u64), dim);
            let queries = queries(&vectors, count);
            for metric in Metric::ALL {
                let expected: Vec<_> = queries.chunks_exact(dim).map(|query| naive(&vectors, rows, query, k, metric)).collect();
                for threads in [1, 3] {
                    assert_eq!(ground_truth(&vectors, rows, &queries, k, metric, threads), expected, "{metric} dim {dim} on {threads}");
                }
            }
        }
    }

    #[test]
    fn fewer_rows_than_asked_for_are_all_of_them() {
        let vectors = Vectors::new(Seed(2), 8);
        let truth = ground_truth(&vectors, 3, &queries(&vectors, 2), 10, Metric::L2, 8);
        assert_eq!(truth.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(ground_truth(&vectors, 0, &queries(&vectors, 1), 10, Metric::Ip, 2), [vec![]]);
        assert_eq!(ground_truth(&vectors, 10, &[], 10, Metric::Ip, 2), Vec::<Vec<Neighbour>>::new());
    }
}
