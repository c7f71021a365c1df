//! Reachability: every node can be found from the entry point on level 0.
//!
//! Pruning promises nothing of the kind. So after a build, whatever a walk from the entry point does not meet is
//! attached, in the order of the rows, to the nearest node that is met and has a free slot. Pruned lists leave one
//! slot free, so there always is one: that of the node attached last.

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::Graph;
use crate::scorer::NodeScorer;
use crate::search::{Candidate, Scratch, search_layer};

/// Which nodes a walk over level 0 has met.
pub(crate) struct Reached {
    met: Vec<bool>,
    count: usize,
}

impl Reached {
    /// Walks from the entry point.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut reached = Self {
            met: vec![false; graph.n()],
            count: 0,
        };
        if let Some(entry) = graph.entry() {
            reached.walk(graph, entry);
        }
        reached
    }

    pub(crate) fn missing(&self) -> usize {
        self.met.len() - self.count
    }

    fn walk(&mut self, graph: &Graph, from: u32) {
        let mut frontier = vec![from];
        self.mark(from);
        while let Some(node) = frontier.pop() {
            for &next in graph.neighbors(0, node) {
                if self.mark(next) {
                    frontier.push(next);
                }
            }
        }
    }

    fn mark(&mut self, node: u32) -> bool {
        let new = !std::mem::replace(&mut self.met[node as usize], true);
        self.count += usize::from(new);
        new
    }
}

/// Attaches what cannot be reached. Cost: one walk, and a search of width `ef` for each node attached.
///
/// The searches start on level 0: the upper levels lead to nodes that a walk has not met, too.
pub(crate) fn connect(graph: &mut Graph, codes: &Codes, ef: usize) {
    let Some(mut last) = graph.entry() else {
        return;
    };
    let mut reached = Reached::of(graph);
    let mut scratch = Scratch::default();
    for node in 0..graph.n() as u32 {
        if reached.missing() == 0 {
            return;
        }
        if reached.met[node as usize] {
            continue;
        }
        Level::detect().dispatch(Nearest {
            graph,
            codes,
            node,
            ef,
            scratch: &mut scratch,
        });
        let near = scratch.candidates().map(|Candidate { node, .. }| node);
        let has_room = |&from: &u32| graph.neighbors(0, from).len() < graph.base.stride();
        let from = near.chain([last]).find(has_room);
        let attached = from.is_some_and(|from| graph.base.push(from as usize, node));
        assert!(attached, "node {last}, attached last, has no free slot");
        reached.walk(graph, node);
        last = node;
    }
}

struct Nearest<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    node: u32,
    ef: usize,
    scratch: &'a mut Scratch,
}

impl WithIsa for Nearest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            graph,
            codes,
            node,
            ef,
            scratch,
        } = self;
        let Some(entry) = graph.entry() else { return };
        let scorer = NodeScorer::new(codes, node);
        scratch.start(graph.n());
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
