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

/// Nodes that [`search_from_all`] looks at, at most: about as many as a wide beam.
const STARTS_MAX: usize = 4096;

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
    search_from(&[], graph, codes, query, ef, scratch);
}

/// As [`search`], for a query that a descent from the entry point may not arrive at: it begins at the nearest of all nodes of the
/// lowest level that has no more than 4,096.
///
/// Cost: as a search, and a distance for each of these nodes.
pub fn search_from_all<C: WalkCodes>(
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    scratch: &mut Scratch,
) {
    let level = (graph.upper.iter()).find(|level| level.nodes().len() <= STARTS_MAX);
    let starts = level.map_or(&[][..], |level| level.nodes());
    let starts: Vec<u32> = (starts.iter().copied())
        .filter(|&node| !graph.is_deleted(node))
        .collect();
    search_from(&starts, graph, codes, query, ef, scratch);
}

fn search_from<C: WalkCodes>(
    starts: &[u32],
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    scratch: &mut Scratch,
) {
    Level::detect().dispatch(SearchGraph {
        graph,
        scorer: codes.scorer(query),
        starts,
        ef,
        scratch,
    });
}

struct SearchGraph<'a, S> {
    graph: &'a Graph,
    scorer: S,
    /// Of one level, the nearest of which the descent begins at; none: at the entry point.
    starts: &'a [u32],
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
            starts,
            ef,
            scratch,
        } = self;
        scratch.start(graph.n());
        let Some(mut entry) = graph.entry() else {
            return;
        };
        if !starts.is_empty() {
            search_layer(isa, |_| &[], &scorer, starts, 1, scratch);
            let nearest = scratch.beam.iter().next();
            // Levels that this node is not on are passed through: it has no neighbours there.
            entry = nearest.map_or(entry, |nearest| nearest.node);
        }
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
