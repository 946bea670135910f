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
    /// What is farther than this is not kept.
    limit: f32,
    /// The farthest of those kept on top.
    heap: BinaryHeap<Candidate>,
}

impl<'q> Nearest<'q> {
    /// Looks for the `keep` nearest rows to `query`.
    pub(crate) fn new(query: &'q [f32], metric: Metric, keep: usize) -> Self {
        let heap = BinaryHeap::with_capacity(keep.min(1_024) + 1);
        Self { query, metric, inverse_norm: inverse(norm(query)), keep, limit: f32::INFINITY, heap }
    }

    /// Looks at the rows of one block. `vectors` is the field searched; dead rows and those that do not pass are skipped.
    pub(crate) fn look_at(&mut self, collection: &Collection, vectors: &Column, filter: &Filter, rows: std::ops::Range<u32>) {
        let Column::Vector { dim, data } = vectors else { return };
        let mut keys = [0.0_f32; RUN];
        let mut first = rows.start;
        for run in data[rows.start as usize * dim..rows.end as usize * dim].chunks(RUN * dim) {
            let count = run.len() / dim;
            self.measure(run, *dim, &mut keys[..count]);
            for (row, key) in (first..).zip(&keys[..count]) {
                // Most rows are too far away: for them this is all. What passes no filter and is dead is dropped last.
                if *key <= self.limit && collection.lives(row) && filter.passes(collection, row) {
                    self.keep(Candidate { key: *key, row });
                }
            }
            first += count as u32;
        }
    }

    /// The keys of a run of vectors.
    fn measure(&self, vectors: &[f32], dim: usize, keys: &mut [f32]) {
        let pairs = keys.iter_mut().zip(vectors.chunks_exact(dim));
        match self.metric {
            Metric::L2 => pairs.for_each(|(key, vector)| *key = squared_distance(self.query, vector)),
            Metric::Ip => pairs.for_each(|(key, vector)| *key = -product(self.query, vector)),
            Metric::Cosine => {
                pairs.for_each(|(key, vector)| *key = -product(self.query, vector) * self.inverse_norm * inverse(norm(vector)));
            }
        }
    }

    fn keep(&mut self, candidate: Candidate) {
        if self.heap.len() == self.keep {
            if self.heap.peek().is_none_or(|farthest| *farthest <= candidate) {
                return;
            }
            self.heap.pop();
        }
        self.heap.push(candidate);
        if self.heap.len() == self.keep {
            self.limit = self.heap.peek().map_or(f32::INFINITY, |farthest| farthest.key);
        }
    }

    /// What was found, nearest first.
    pub(crate) fn hits(self) -> Vec<Hit> {
        let sign = if self.metric == Metric::L2 { 1.0 } else { -1.0 };
        self.heap.into_sorted_vec().into_iter().map(|found| Hit { row: found.row, score: sign * found.key }).collect()
    }
}

/// Rows whose keys are computed in one go, before any of them is looked at: a loop of nothing but arithmetic.
const RUN: usize = 64;

/// Partial sums of one product: what a compiler turns into registers of four or eight.
const LANES: usize = 16;

#[inline]
fn product(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, |a, b| a * b)
}

#[inline]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, |a, b| (a - b) * (a - b))
}

#[inline]
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
