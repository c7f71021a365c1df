//! The exact second pass: candidates by codes, answers by the vectors themselves.

use proxime_simd::batch::F32Query;
use proxime_simd::{Isa, Level, Metric, Rows, WithIsa};

use super::Candidate;
use crate::Neighbor;
use crate::neighbor::TopK;

/// Rows read at once: as many streams as a core keeps in flight without spilling sums.
const GROUP: usize = 4;

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
        for group in groups {
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
