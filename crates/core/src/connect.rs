//! Reachability: every node can be found from the entry point on level 0.
//!
//! Pruning promises nothing of the kind. So whatever a walk from the entry point does not meet is attached, in the
//! order of the rows, to the nearest node that is met and has a free slot. Pruned lists leave one slot free for this.
//! Where those are taken, a link is replaced of the node whose list was walked last: nothing was met through it, so
//! nothing is lost with it.

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::Graph;
use crate::scorer::NodeScorer;
use crate::search::{Scratch, search_layer};

/// Which nodes a walk over level 0 has met; deleted ones are neither met nor missing.
pub(crate) struct Reached {
    met: Vec<bool>,
    missing: usize,
    /// The node whose list was walked last.
    last: u32,
}

impl Reached {
    /// Walks from the entry point.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut reached = Self {
            met: vec![false; graph.n()],
            missing: graph.live(),
            last: 0,
        };
        if let Some(entry) = graph.entry() {
            reached.walk(graph, entry);
        }
        reached
    }

    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    fn walk(&mut self, graph: &Graph, from: u32) {
        let mut frontier = vec![from];
        self.mark(from);
        while let Some(node) = frontier.pop() {
            self.last = node;
            for &next in graph.neighbors(0, node) {
                if self.mark(next) {
                    frontier.push(next);
                }
            }
        }
    }

    fn mark(&mut self, node: u32) -> bool {
        let new = !std::mem::replace(&mut self.met[node as usize], true);
        self.missing -= usize::from(new);
        new
    }
}

/// Attaches what cannot be reached. Cost: one walk, and a search of width `ef` for each node attached.
///
/// The searches start on level 0: the upper levels lead to nodes that a walk has not met, too. Once `stop` says so, the rest is left
/// as it is.
pub(crate) fn connect(graph: &mut Graph, codes: &Codes, ef: usize, stop: impl Fn() -> bool) {
    let Some(entry) = graph.entry() else {
        return;
    };
    let mut reached = Reached::of(graph);
    let mut scratch = Scratch::default();
    for node in 0..graph.n() as u32 {
        if reached.missing() == 0 {
            return;
        }
        if reached.met[node as usize] || graph.is_deleted(node) {
            continue;
        }
        if stop() {
            return;
        }
        Level::detect().dispatch(Nearest {
            graph,
            codes,
            from: entry,
            node,
            ef,
            scratch: &mut scratch,
        });
        let attached = attach(graph, node, &scratch);
        if !attached {
            graph.base.push_or_replace(reached.last as usize, node);
        }
        reached.walk(graph, node);
    }
}

/// Links to a node from the nearest of the candidates that has a free slot; false if none has one.
pub(crate) fn attach(graph: &mut Graph, node: u32, found: &Scratch) -> bool {
    found
        .candidates()
        .any(|from| graph.base.push(from.node as usize, node))
}

/// The nodes nearest to `node`, of those that a walk over level 0 meets from `from`.
pub(crate) struct Nearest<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) codes: &'a Codes,
    pub(crate) from: u32,
    pub(crate) node: u32,
    pub(crate) ef: usize,
    pub(crate) scratch: &'a mut Scratch,
}

impl WithIsa for Nearest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            graph,
            codes,
            from,
            node,
            ef,
            scratch,
        } = self;
        let scorer = NodeScorer::new(codes, node);
        scratch.start(graph.n());
        search_layer(
            isa,
            |node| graph.slots(0, node),
            &scorer,
            &[from],
            ef,
            scratch,
        );
    }
}
