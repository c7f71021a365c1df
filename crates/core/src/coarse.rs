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
        let is_blurred = |node: &u32| {
            // The node comes first, its neighbours follow.
            let codes = codes.select(&[&[*node], graph.neighbors(0, *node)].concat());
            let scorer = NodeScorer::new(&codes, 0);
            let neighbors = 1..codes.n() as u32;
            let mut distances: Vec<u32> = neighbors.map(|to| scorer.distance(isa, to)).collect();
            distances.sort_unstable();
            let (nearest, middle) = (distances.first(), distances.get(distances.len() / 2));
            let spread = nearest.zip(middle).map_or(0, |(near, far)| far - near);
            2.0 * CodesU4::rounding(&codes, 0) > spread as f32
        };
        let looked_at = nodes.len();
        2 * nodes.filter(is_blurred).count() > looked_at
    }
}
