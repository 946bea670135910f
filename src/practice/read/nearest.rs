//! The exact nearest rows: every living one compared, in blocks that a turn of the server can spare.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::practice::filter::Filter;
use crate::practice::store::{Collection, Column};
use crate::workload::Metric;

/// A row that was found, and what it scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) row: u32,
    /// As Milvus answers it: for L2 the squared distance, else the product or the cosine.
    pub(crate) score: f32,
}

/// A candidate: less is nearer, whatever the metric; of equals the earlier row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    key: f32,
    row: u32,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.total_cmp(&other.key).then(self.row.cmp(&other.row))
    }
}

/// One query on its way through the rows.
#[derive(Debug)]
pub(crate) struct Nearest<'q> {
    query: &'q [f32],
    metric: Metric,
    /// One over the query's norm, for the cosine.
    inverse_norm: f32,
    keep: usize,
    /// The farthest of those kept on top.
    heap: BinaryHeap<Candidate>,
}

impl<'q> Nearest<'q> {
    /// Looks for the `keep` nearest rows to `query`.
    pub(crate) fn new(query: &'q [f32], metric: Metric, keep: usize) -> Self {
        Self { query, metric, inverse_norm: inverse(norm(query)), keep, heap: BinaryHeap::with_capacity(keep.min(1_024) + 1) }
    }

    /// Looks at the rows of one block. `vectors` is the field searched; dead rows and those that do not pass are skipped.
    pub(crate) fn look_at(&mut self, collection: &Collection, vectors: &Column, filter: &Filter, rows: std::ops::Range<u32>) {
        let Column::Vector { dim, data } = vectors else { return };
        for row in rows {
            if !collection.lives(row) {
                continue;
            }
            let vector = &data[row as usize * dim..(row as usize + 1) * dim];
            let key = match self.metric {
                Metric::L2 => squared_distance(self.query, vector),
                Metric::Ip => -product(self.query, vector),
                Metric::Cosine => -product(self.query, vector) * self.inverse_norm * inverse(norm(vector)),
            };
            let candidate = Candidate { key, row };
            let full = self.heap.len() == self.keep;
            if full && self.heap.peek().is_none_or(|farthest| *farthest <= candidate) {
                continue;
            }
            // The filter last: it looks at other columns, and most rows are too far away to matter.
            if filter.passes(collection, row) {
                if full {
                    self.heap.pop();
                }
                self.heap.push(candidate);
            }
        }
    }

    /// What was found, nearest first.
    pub(crate) fn hits(self) -> Vec<Hit> {
        let sign = if self.metric == Metric::L2 { 1.0 } else { -1.0 };
        self.heap.into_sorted_vec().into_iter().map(|found| Hit { row: found.row, score: sign * found.key }).collect()
    }
}

/// Partial sums of one product: what a compiler turns into registers of four or eight.
const LANES: usize = 16;

fn product(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, |a, b| a * b)
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, |a, b| (a - b) * (a - b))
}

fn summed(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
    sums.iter().sum::<f32>() + rest
}

fn norm(vector: &[f32]) -> f32 {
    product(vector, vector).sqrt()
}

/// One over it; zero of zero, so that a zero vector has a cosine of 0 to everything.
fn inverse(norm: f32) -> f32 {
    if norm > 0.0 { norm.recip() } else { 0.0 }
}
