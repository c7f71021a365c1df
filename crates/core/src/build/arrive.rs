//! Whether searches arrive.
//!
//! Where rows lie in clusters far apart, the nearest rows of each are in its own, and so are all of its links. A descent then
//! stays in the cluster where it begins, and nothing that a search does later leads out of it. So each node of the levels above
//! is looked for by the descent that a query takes. One that the descent stops far from is linked to from where it stopped,
//! until none is missed or no list has room. A query is then about as likely to arrive as a row like it is. A cluster without a
//! node above is not helped.

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
    for level in (1..=graph.top_level()).rev() {
        let mut nodes = graph.upper[level - 1].nodes().to_vec();
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
            let upper = &mut graph.upper[level - 1];
            let attach = |one: &&Missed| upper.push(one.stopped, one.node);
            let attached = missed.iter().filter(attach).count();
            if attached == 0 {
                break;
            }
        }
    }
    Ok(())
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
