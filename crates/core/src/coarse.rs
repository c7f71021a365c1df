//! Whether 4-bit codes are too coarse for the rows at hand.
//!
//! They round a row to a fixed part of its length, from the middle of all rows. Where rows lie in clusters that are much tighter
//! than they are far apart, that can be more than the whole cluster: a walk then cannot tell the nearest of its rows from any other.

use proxime_quant::{CodesU4, StoredCodes};
use proxime_simd::{Isa, Level, WithIsa};

use crate::Graph;
use crate::scorer::NodeScorer;

/// Nodes looked at, spread over all.
const SAMPLES: usize = 256;

/// Whether walks over the graph should be on the codes themselves and not on 4-bit codes of them: where these take no less
/// memory, or where they are off by more than half of what lies between the neighbours of most nodes.
///
/// On text embeddings and images they are off by 0.01 to 0.1 of that, in clusters with a deviation of 0.5 in a box of 20 by 5 times.
/// Cost: the distances of a few hundred lists.
pub fn needs_fine_codes(graph: &Graph, codes: StoredCodes<'_>) -> bool {
    let dim = codes.codec().dim();
    if CodesU4::bytes_per_row(dim) >= dim {
        return true;
    }
    Level::detect().dispatch(Compare { graph, codes })
}

struct Compare<'a> {
    graph: &'a Graph,
    codes: StoredCodes<'a>,
}

impl WithIsa for Compare<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> bool {
        let Self { graph, codes } = self;
        let nodes = (0..graph.n() as u32).step_by((graph.n() / SAMPLES).max(1));
        // All at once, in the order of rows: they may have to come from a disk, which reads on.
        let lists = nodes.clone().map(|node| graph.neighbors(0, node));
        let mut rows: Vec<u32> = lists.flatten().copied().chain(nodes.clone()).collect();
        rows.sort_unstable();
        rows.dedup();
        let codes = codes.select(&rows);
        let place = |row: u32| rows.partition_point(|&other| other < row) as u32;
        let is_blurred = |&node: &u32| {
            let scorer = NodeScorer::new(&codes, place(node));
            let neighbors = graph.neighbors(0, node).iter();
            let mut distances: Vec<u32> = neighbors
                .map(|&to| scorer.distance(isa, place(to)))
                .collect();
            distances.sort_unstable();
            let (nearest, middle) = (distances.first(), distances.get(distances.len() / 2));
            let spread = nearest.zip(middle).map_or(0, |(near, far)| far - near);
            2.0 * CodesU4::rounding(&codes, place(node) as usize) > spread as f32
        };
        let looked_at = nodes.len();
        2 * nodes.filter(is_blurred).count() > looked_at
    }
}
