//! The exact second pass: candidates by codes, answers by the vectors themselves.

use proxime_simd::batch::F32Query;
use proxime_simd::{Isa, Level, Metric, Rows, WithIsa};

use super::Candidate;
use crate::Neighbor;
use crate::neighbor::TopK;

/// Rows read at once: as many streams as a core keeps in flight without spilling sums.
const GROUP: usize = 4;

/// Standard deviations by which each of two distances may be off before their order is believed: together, two of their difference.
const DOUBT: f32 = 1.5;

/// Those of the candidates, nearest first by codes, that may be among the `k` nearest by their vectors: the first `k`, and whose
/// distance could be less than the `k`-th's. `error` is what a distance may be off.
pub fn contenders(
    mut candidates: impl Iterator<Item = Candidate>,
    k: usize,
    error: impl Fn(Candidate) -> f32,
) -> Vec<Candidate> {
    let error = |candidate: &Candidate| DOUBT * error(*candidate);
    let mut found: Vec<Candidate> = candidates.by_ref().take(k).collect();
    let Some(last) = found.last() else {
        return found;
    };
    let farthest = last.distance() + error(last);
    let may_be_nearer = |other: &Candidate| other.distance() - error(other) <= farthest;
    found.extend(candidates.take_while(may_be_nearer));
    found
}

/// The `k` nearest of the candidates by their float32 vectors, nearest first.
///
/// Shapes: `query [dim]`, `rows [n, dim]`, candidates' nodes below `n`.
/// Cost: one row read and one distance per candidate.
pub fn rerank(
    metric: Metric,
    query: &[f32],
    rows: Rows<'_, f32>,
    candidates: impl Iterator<Item = Candidate>,
    k: usize,
) -> Vec<Neighbor> {
    let nodes: Vec<u32> = candidates.map(|candidate| candidate.node).collect();
    Level::detect().dispatch(Rerank {
        metric,
        query,
        rows,
        nodes: &nodes,
        k,
    })
}

struct Rerank<'a> {
    metric: Metric,
    query: &'a [f32],
    rows: Rows<'a, f32>,
    nodes: &'a [u32],
    k: usize,
}

impl WithIsa for Rerank<'_> {
    type Output = Vec<Neighbor>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Vec<Neighbor> {
        let query = F32Query::new(isa, self.metric, self.query);
        let mut top = TopK::new(self.k);
        let (groups, rest) = self.nodes.as_chunks::<GROUP>();
        let prefetch = |nodes: &[u32]| {
            let rows = nodes.iter().map(|&node| self.rows.row(node as usize));
            rows.for_each(|row| isa.prefetch(row));
        };
        prefetch(&self.nodes[..GROUP.min(self.nodes.len())]);
        for (group, next) in groups.iter().zip(1..) {
            prefetch(&self.nodes[GROUP * next..self.nodes.len().min(GROUP * (next + 1))]);
            let distances = query.distances(isa, group.map(|node| self.rows.row(node as usize)));
            group
                .iter()
                .zip(distances)
                .for_each(|(&node, distance)| top.push(node, distance));
        }
        for &node in rest {
            top.push(node, query.distance(isa, self.rows.row(node as usize)));
        }
        top.into_sorted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbor::ordered;

    #[test]
    fn whoever_may_be_nearer_than_the_kth_is_compared() {
        let distances = [1.0, 2.0, 4.0, 4.9, 5.1, 9.0];
        let candidates = |count| {
            let candidates = distances.into_iter().zip(0..).take(count);
            candidates.map(|(distance, node)| Candidate {
                key: ordered(distance),
                node,
            })
        };
        let count = |count, k, error| contenders(candidates(count), k, |_| error).len();
        assert_eq!(count(6, 3, 0.0), 3);
        assert_eq!(count(6, 3, 1.0 / 3.0), 4);
        assert_eq!(count(6, 3, 1.0), 5);
        assert_eq!(count(6, 3, 5.0), 6);
        assert_eq!(count(2, 3, 5.0), 2);
        assert_eq!(count(0, 3, 5.0), 0);
    }
}
