//! Exact search: every row, by its vector. The oracle, and the answer where no graph is worth it.

use proxime_simd::{Level, Metric, Rows, batch};

use crate::Neighbor;
use crate::neighbor::TopK;

/// Bytes of rows compared with all queries before moving on: they stay in L2.
const BLOCK_BYTES: usize = 256 << 10;

/// The `k` nearest accepted rows of each query, nearest first, ties to the smaller row.
///
/// Shapes: `queries [nq, dim]`, `rows [n, dim]`. Fewer than `k` come back when fewer are accepted.
/// Cost: `nq * n` distances on the calling thread; `accept` is asked only about rows near enough to be kept.
pub fn search(
    metric: Metric,
    queries: Rows<'_, f32>,
    rows: Rows<'_, f32>,
    k: usize,
    accept: impl Fn(u32) -> bool,
) -> Vec<Vec<Neighbor>> {
    let block = (BLOCK_BYTES / (4 * rows.dim())).max(16);
    let mut nearest = Nearest::new(metric, queries, k);
    for first in (0..rows.n()).step_by(block) {
        let part = rows.slice(first..rows.n().min(first + block));
        nearest.add(first as u32.., part, &accept);
    }
    nearest.into_sorted()
}

/// The same for rows that are not all in one place: block after block, each small enough for a cache.
pub struct Nearest<'a> {
    level: Level,
    metric: Metric,
    queries: Rows<'a, f32>,
    tops: Vec<TopK>,
    distances: Vec<f32>,
}

impl<'a> Nearest<'a> {
    /// Of no rows yet. Shapes: `queries [nq, dim]`.
    pub fn new(metric: Metric, queries: Rows<'a, f32>, k: usize) -> Self {
        Nearest {
            level: Level::detect(),
            metric,
            queries,
            tops: queries.iter().map(|_| TopK::new(k)).collect(),
            distances: Vec::new(),
        }
    }

    /// Takes in a block `[n, dim]`, whose rows are these nodes, one after the other.
    ///
    /// Cost: `nq * n` distances; `accept` is asked only about rows near enough to be kept.
    pub fn add(
        &mut self,
        nodes: impl Iterator<Item = u32> + Clone,
        rows: Rows<'_, f32>,
        accept: impl Fn(u32) -> bool,
    ) {
        self.distances.resize(rows.n(), 0.0);
        for (query, top) in self.queries.iter().zip(&mut self.tops) {
            batch::distances(self.level, self.metric, query, rows, &mut self.distances);
            for (node, &distance) in nodes.clone().zip(&self.distances) {
                if top.would_keep(node, distance) && accept(node) {
                    top.push(node, distance);
                }
            }
        }
    }

    /// For each query its nearest first, ties to the smaller node.
    pub fn into_sorted(self) -> Vec<Vec<Neighbor>> {
        self.tops.into_iter().map(TopK::into_sorted).collect()
    }
}
