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
    let level = Level::detect();
    let block = (BLOCK_BYTES / (4 * rows.dim())).max(16);
    let mut tops: Vec<TopK> = queries.iter().map(|_| TopK::new(k)).collect();
    let mut distances = vec![0.0; block];
    for first in (0..rows.n()).step_by(block) {
        let part = rows.slice(first..rows.n().min(first + block));
        let distances = &mut distances[..part.n()];
        for (query, top) in queries.iter().zip(&mut tops) {
            batch::distances(level, metric, query, part, distances);
            for (node, &distance) in (first as u32..).zip(&*distances) {
                if top.would_keep(node, distance) && accept(node) {
                    top.push(node, distance);
                }
            }
        }
    }
    tops.into_iter().map(TopK::into_sorted).collect()
}
