//! Beam search over the graph, and the exact second pass.
//!
//! A search descends greedily through the upper levels, then keeps the `ef` nearest nodes seen on level 0 and
//! expands the nearest unexpanded one until none is left. Distances are those of the codes. The whole loop is
//! monomorphised inside one SIMD dispatch.

mod beam;
mod filtered;
mod layer;
mod rerank;
mod scratch;
mod visited;

pub use filtered::{FilteredRoute, Matches, search_among, search_filtered, search_filtered_unless};
pub(crate) use layer::{descend, search_layer};
pub use rerank::{contenders, rerank};
pub use scratch::{Scratch, ScratchPool};

use proxime_simd::{Isa, Level, WithIsa};

use crate::Graph;
use crate::neighbor::from_ordered;
use crate::scorer::{Scorer, WalkCodes};

/// A node and how far it is, by codes; ordered by that, then by node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Orders as the distance between codes does; no unit.
    pub key: u32,
    /// The node.
    pub node: u32,
}

impl Candidate {
    /// By codes, in their units, and but for what a query adds to all distances.
    pub(crate) fn distance(self) -> f32 {
        from_ordered(self.key)
    }
}

/// The up to `ef` nodes nearest to the query by their codes, nearest first, in `scratch.candidates()`.
///
/// `graph` and `codes` are of the same rows, and the query was prepared by the codes' codec.
/// Cost: about `ef` expansions of up to `2m` neighbours each; no allocation once `scratch` has grown.
pub fn search<C: WalkCodes>(
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    scratch: &mut Scratch,
) {
    Level::detect().dispatch(SearchGraph {
        graph,
        scorer: codes.scorer(query),
        ef,
        scratch,
    });
}

struct SearchGraph<'a, S> {
    graph: &'a Graph,
    scorer: S,
    ef: usize,
    scratch: &'a mut Scratch,
}

impl<S: Scorer> WithIsa for SearchGraph<'_, S> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            graph,
            scorer,
            ef,
            scratch,
        } = self;
        scratch.start(graph.n());
        let Some(entry) = graph.entry() else { return };
        let entry = descend(isa, graph, &scorer, entry, 1, scratch);
        search_layer(
            isa,
            |node| graph.slots(0, node),
            &scorer,
            &[entry],
            ef,
            scratch,
        );
    }
}
