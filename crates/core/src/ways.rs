//! Reachability after an insert, without a walk over the whole graph.
//!
//! Before the insert, every node could be reached. A path that is no more lost some links to pruning. So where from the
//! start of each lost link there is still a way to its end, everything that could be reached still can; a new node can be
//! reached where there is a way to it from one inserted before. That is all there is to look at, and ways are short: a
//! link is pruned because a kept one leads nearer to its end. A way that is not found is made: the end is attached to the
//! nearest node that can be reached from the start. Attaching takes no link away, so no other way is lost.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::Level;

use crate::Graph;
use crate::connect::{Nearest, attach, connect};
use crate::search::{Scratch, ScratchPool};

/// A walk over this many rows costs about what looking for one way does.
const ROWS_PER_WAY: usize = 16;

/// Beam width of looking for a way that is longer than two links.
const EF: usize = 16;

/// From one node to another on level 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// Makes sure that each of the ways is there, or that everything can be reached; runs on the current rayon pool.
pub(crate) fn keep_ways(graph: &mut Graph, codes: &Codes, ways: &[Way], ef: usize) {
    if ways.len() * ROWS_PER_WAY > graph.n() {
        return connect(graph, codes, ef, || false);
    }
    let scratches = ScratchPool::default();
    let frozen = &*graph;
    let in_doubt = |&&way: &&Way| {
        !is_short(frozen, way) && !scratches.with(|scratch| leads(frozen, codes, way, EF, scratch))
    };
    let in_doubt: Vec<&Way> = ways.par_iter().filter(in_doubt).collect();
    let mut scratch = Scratch::default();
    for &&way in &in_doubt {
        if !leads(graph, codes, way, ef, &mut scratch) && !attach(graph, way.to, &scratch) {
            return connect(graph, codes, ef, || false);
        }
    }
}

/// Whether one or two links are enough.
fn is_short(graph: &Graph, way: Way) -> bool {
    let next = graph.neighbors(0, way.from);
    let leads = |&node: &u32| graph.neighbors(0, node).contains(&way.to);
    next.contains(&way.to) || next.iter().any(leads)
}

/// Whether a search finds the way; the nodes nearest to its end are in `scratch` afterwards.
fn leads(graph: &Graph, codes: &Codes, way: Way, ef: usize, scratch: &mut Scratch) -> bool {
    Level::detect().dispatch(Nearest {
        graph,
        codes,
        from: way.from,
        node: way.to,
        ef,
        scratch,
    });
    let leads = |node| node == way.to || graph.neighbors(0, node).contains(&way.to);
    scratch.candidates().any(|found| leads(found.node))
}
