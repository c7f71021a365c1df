//! Whether searches arrive.
//!
//! Where rows lie in clusters far apart, the nearest rows of each are in its own, and so are all of its links. A descent then
//! stays in the cluster where it begins, and nothing that a search does later leads out of it. So each node of the levels above
//! is looked for by the descent that a query takes. One that the descent stops far from is linked to from where it stopped,
//! until none is missed or no list has room. So is each row of level 0 that is far from all that have a node above: a small
//! cluster may have none. A query is then about as likely to arrive as a row like it is.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::progress::{Step, Watch};
use crate::scorer::NodeScorer;
use crate::search::{Scratch, ScratchPool, descend};
use crate::{Error, Graph};

/// A descent has not arrived where the square of the distance left is so many times that to the node's nearest neighbour.
const FAR: u32 = 2;

/// Each gives a node that descents stop at one more link.
const ROUNDS: usize = 8;

/// Links from a node above to most rows: one in `m` has a node above, and a list names about as many.
const HOPS: usize = 2;

/// Slots of a list of `m` that are left free for links from where descents stop.
pub(crate) fn spare(m: usize) -> usize {
    m / 4
}

/// Attaches nodes that descents do not arrive at; runs on the current rayon pool.
///
/// Cost: a descent for each node looked for, and again for those missed.
/// Errors: asked to stop.
pub(crate) fn arrive(graph: &mut Graph, codes: &Codes, watch: &Watch<'_>) -> Result<(), Error> {
    let Some(entry) = graph.entry() else {
        return Ok(());
    };
    let scratches = ScratchPool::default();
    for level in (0..=graph.top_level()).rev() {
        let mut nodes = match level.checked_sub(1) {
            None => far_from_above(graph),
            Some(above) => graph.upper[above].nodes().to_vec(),
        };
        for _ in 0..ROUNDS {
            let frozen = &*graph;
            let look_for = |&node: &u32| -> Result<Option<Missed>, Error> {
                watch.report(Step::Connect)?;
                Ok(scratches.with(|scratch| {
                    Level::detect().dispatch(Descent {
                        graph: frozen,
                        codes,
                        entry,
                        level,
                        node,
                        scratch,
                    })
                }))
            };
            let looked_for = nodes.par_iter().map(look_for);
            let missed = looked_for.filter_map(Result::transpose);
            let mut missed: Vec<Missed> = missed.collect::<Result<_, _>>()?;
            missed.sort_unstable();
            nodes = missed.iter().map(|one| one.node).collect();
            missed.dedup_by_key(|one| one.stopped);
            let attach = |one: &&Missed| graph.push(level, one.stopped, one.node);
            let attached = missed.iter().filter(attach).count();
            if attached == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// The nodes of level 0 that more than [`HOPS`] links lead to from every node above.
fn far_from_above(graph: &Graph) -> Vec<u32> {
    let Some(above) = graph.upper.first() else {
        return Vec::new();
    };
    let mut met = vec![false; graph.n()];
    let mut frontier = above.nodes().to_vec();
    frontier.iter().for_each(|&node| met[node as usize] = true);
    for _ in 0..HOPS {
        let next = frontier.iter().flat_map(|&node| graph.neighbors(0, node));
        frontier = next
            .copied()
            .filter(|&node| !std::mem::replace(&mut met[node as usize], true))
            .collect();
    }
    (0..graph.n() as u32)
        .filter(|&node| !met[node as usize])
        .collect()
}

/// A node that a descent did not arrive at; in order of where it stopped and how far from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Missed {
    stopped: u32,
    distance: u32,
    node: u32,
}

/// Looks for a node of a level as a query is looked for down to there.
struct Descent<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    entry: u32,
    level: usize,
    node: u32,
    scratch: &'a mut Scratch,
}

impl WithIsa for Descent<'_> {
    type Output = Option<Missed>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Option<Missed> {
        let Self {
            graph,
            codes,
            entry,
            level,
            node,
            scratch,
        } = self;
        let scorer = NodeScorer::new(codes, node);
        scratch.start(graph.n());
        let stopped = descend(isa, graph, &scorer, entry, level, scratch);
        let distance = scorer.distance(isa, stopped);
        let nearest = graph.neighbors(level, node).first();
        let near = nearest.map_or(0, |&next| scorer.distance(isa, next));
        (distance > near.saturating_mul(FAR)).then_some(Missed {
            stopped,
            distance,
            node,
        })
    }
}
