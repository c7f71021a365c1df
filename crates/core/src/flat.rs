//! Exact search: every row, by its vector, or by codes that rule it out. The oracle, and the answer where no graph is worth it.

use proxime_quant::{BoundedCodes, BoundedQuery};
use proxime_simd::{Isa, Level, Metric, Rows, WithIsa, batch};

use crate::Neighbor;
use crate::neighbor::TopK;
use crate::scorer::dots;

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

/// Those of the rows that may be among the `k` nearest: all that codes do not rule out. Each row once.
///
/// Cost: one distance by codes a row, and 12 bytes.
pub fn possible(
    codes: &BoundedCodes,
    query: &BoundedQuery,
    rows: impl Iterator<Item = u32>,
    k: usize,
) -> Vec<u32> {
    let rows: Vec<u32> = rows.collect();
    let mut bounds = Level::detect().dispatch(Bounds {
        codes,
        query,
        rows: &rows,
    });
    if k < bounds.len() {
        // The `k` nearest are no farther than the `k`-th greatest bound.
        let by_most = |a: &(f32, f32, u32), b: &(f32, f32, u32)| a.1.total_cmp(&b.1);
        let (_, &mut (_, farthest, _), _) = bounds.select_nth_unstable_by(k.max(1) - 1, by_most);
        bounds.retain(|(least, ..)| *least <= farthest);
    }
    bounds.into_iter().map(|(.., row)| row).collect()
}

struct Bounds<'a> {
    codes: &'a BoundedCodes,
    query: &'a BoundedQuery,
    rows: &'a [u32],
}

impl WithIsa for Bounds<'_> {
    /// The least and the greatest distance of each row.
    type Output = Vec<(f32, f32, u32)>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        let Self { codes, query, rows } = self;
        let mut bounds = Vec::with_capacity(rows.len());
        dots(isa, query.codes(), codes.codes(), rows, |row, dot| {
            let (least, most) = codes.bounds(query, row as usize, dot);
            bounds.push((least, most, row));
        });
        bounds
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxime_quant::ScalarI8;

    use super::*;

    const DIM: usize = 20;

    /// Rows that lie on a grid finer than codes or so coarse that many are equally far, moved and stretched.
    fn rows() -> impl Strategy<Value = Vec<f32>> {
        let values = prop_oneof![
            prop::collection::vec(-9i16..9, DIM * 40),
            prop::collection::vec(-999i16..999, DIM * 40),
        ];
        let stretch = prop::sample::select(vec![1.0f32, 0.1, 3e-25, 1e17, 3e19]);
        (values, -3i8..3, stretch).prop_map(|(values, moved, stretch)| {
            let of = |x: i16| (f32::from(x) + 50.0 * f32::from(moved) + 0.5) * stretch;
            values.into_iter().map(of).collect()
        })
    }

    fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
        rows.sort_unstable();
        rows
    }

    proptest! {
        #[test]
        fn the_nearest_are_possible_whatever_the_codec_was_trained_on(
            metric in prop::sample::select(Metric::ALL.to_vec()),
            values in rows(),
            other in prop::option::of(rows()),
            // Along a line, where bounds are as far off as they say; and not.
            dim in prop::sample::select(vec![1, DIM]),
            k in 0..12usize,
        ) {
            let sample = other.as_ref().unwrap_or(&values);
            let [rows, sample] = [&values, sample].map(|values| Rows::new(&values[..dim * 40], dim).unwrap());
            let codec = ScalarI8::train(sample, metric).unwrap();
            let codes = BoundedCodes::encode(&codec, rows).unwrap();
            let odd = |row: &u32| row % 2 == 1;
            for query in rows.iter().chain(sample.iter()).step_by(7) {
                let prepared = codes.prepare(query).unwrap();
                let left = possible(&codes, &prepared, (0..40).filter(odd), k);
                let one = Rows::new(query, dim).unwrap();
                let among = |accept: &dyn Fn(u32) -> bool| search(metric, one, rows, k, accept).remove(0);
                let nearest = among(&|row| odd(&row));
                let of_these = among(&|row| left.contains(&row));
                let distances = |found: &[Neighbor]| -> Vec<f32> { found.iter().map(|n| n.distance).collect() };
                prop_assert_eq!(distances(&of_these), distances(&nearest));
            }
        }
    }

    #[test]
    fn few_are_possible() {
        let value = |i: u32| (i.wrapping_mul(0x9E37_79B9) >> 8) as f32 / (1 << 24) as f32 - 0.5;
        let values: Vec<f32> = (0..64 * 2000).map(value).collect();
        let rows = Rows::new(&values, 64).unwrap();
        for metric in Metric::ALL {
            let codec = ScalarI8::train(rows, metric).unwrap();
            let codes = BoundedCodes::encode(&codec, rows).unwrap();
            let query = codes.prepare(rows.row(7)).unwrap();
            let left = possible(&codes, &query, 0..2000, 10);
            assert!((10..100).contains(&left.len()), "{metric}: {}", left.len());
            let all = possible(&codes, &query, [3, 9, 4].into_iter(), 10);
            assert_eq!(sorted(all), [3, 4, 9]);
        }
    }
}
