//! Whether searches arrive.
//!
//! Where rows lie in clusters far apart, the nearest rows of each are in its own, and so are all of its links. A descent then
//! stays in the cluster where it begins, and nothing that a search does later leads out of it. So each node of the levels above
//! is looked for by the descent that a query takes. One that the descent stops far from is linked to from where it stopped,
//! until none is missed or no list has room. So is each row of level 0 that is far from all that have a node above: a small
//! cluster may have none. At last rows stand for queries: if descents for some of them stop in other clusters, all are looked for,
//! and a node above near each is linked to. A query is then about as likely to arrive as a row like it is.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::progress::{Step, Watch};
use crate::scorer::NodeScorer;
use crate::search::{Scratch, ScratchPool, descend};
use crate::{Error, Graph};

/// A descent has not arrived where the square of the distance left is so many times that to the node's nearest neighbour.
const FAR: u32 = 2;

/// Nor where it is so many times that to the farthest neighbour of a row without a node above. Images and sentence embeddings: no
/// more than one row of a thousand; a thousand clusters of normally distributed rows: 13 of a hundred.
const FAR_OFF: u32 = 4;

/// Rows that stand for all, ...
const SAMPLES: usize = 1024;

/// ... of which descents may miss one in so many.
const MISSED_PART: usize = 64;

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
    for level in (0..=graph.top_level()).rev() {
        let nodes = match level.checked_sub(1) {
            None => far_from_above(graph),
            Some(above) => graph.upper[above].nodes().to_vec(),
        };
        let themselves = nodes.iter().map(|&node| Goal { node, via: node });
        attach(graph, codes, level, themselves.collect(), watch)?;
    }
    let some = near_above(graph, (graph.n() / SAMPLES).max(1));
    let missed = look_for(graph, codes, 1, &some, watch)?.len();
    match missed * MISSED_PART > some.len() {
        true => attach(graph, codes, 1, near_above(graph, 1), watch),
        false => Ok(()),
    }
}

/// What a descent is to arrive at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Goal {
    /// Looked for.
    node: u32,
    /// Linked to if that was missed: the node itself, or one of the level near it.
    via: u32,
}

/// Links to what descents to a level miss, from where they stop.
fn attach(
    graph: &mut Graph,
    codes: &Codes,
    level: usize,
    mut goals: Vec<Goal>,
    watch: &Watch<'_>,
) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let mut missed = look_for(graph, codes, level, &goals, watch)?;
        missed.sort_unstable();
        goals = missed.iter().map(|one| one.goal).collect();
        missed.dedup_by_key(|one| one.stopped);
        let attach = |one: &&Missed| graph.push(level, one.stopped, one.goal.via);
        if missed.iter().filter(attach).count() == 0 {
            break;
        }
    }
    Ok(())
}

/// Those that descents to a level miss.
fn look_for(
    graph: &Graph,
    codes: &Codes,
    level: usize,
    goals: &[Goal],
    watch: &Watch<'_>,
) -> Result<Vec<Missed>, Error> {
    let Some(entry) = graph.entry() else {
        return Ok(Vec::new());
    };
    let scratches = ScratchPool::default();
    let look_for = |&goal: &Goal| -> Result<Option<Missed>, Error> {
        watch.report(Step::Connect)?;
        Ok(scratches.with(|scratch| {
            Level::detect().dispatch(Descent {
                graph,
                codes,
                entry,
                level,
                goal,
                scratch,
            })
        }))
    };
    let looked_for = goals.par_iter().map(look_for);
    looked_for.filter_map(Result::transpose).collect()
}

/// Of each `step` rows the first, where it has no node above but at most [`HOPS`] links lead to one that has.
fn near_above(graph: &Graph, step: usize) -> Vec<Goal> {
    let Some(above) = graph.upper.first() else {
        return Vec::new();
    };
    let mut is_above = vec![false; graph.n()];
    (above.nodes().iter()).for_each(|&node| is_above[node as usize] = true);
    let via = |node: u32| {
        let near = graph.neighbors(0, node);
        let beyond = near.iter().flat_map(|&next| graph.neighbors(0, next));
        let mut all = near.iter().chain(beyond);
        all.find(|&&other| is_above[other as usize]).copied()
    };
    let rows = (0..graph.n() as u32).into_par_iter().step_by(step);
    rows.filter(|&node| !is_above[node as usize])
        .filter_map(|node| via(node).map(|via| Goal { node, via }))
        .collect()
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

/// A goal that a descent did not arrive at; in order of where it stopped and how far from the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Missed {
    stopped: u32,
    distance: u32,
    goal: Goal,
}

/// Looks for a goal on a level as a query is looked for down to there.
struct Descent<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    entry: u32,
    level: usize,
    goal: Goal,
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
            goal,
            scratch,
        } = self;
        let scorer = NodeScorer::new(codes, goal.node);
        scratch.start(graph.n());
        let stopped = descend(isa, graph, &scorer, entry, level, scratch);
        let distance = scorer.distance(isa, stopped);
        let (near, far) = match goal.via == goal.node {
            true => (graph.neighbors(level, goal.node).first(), FAR),
            false => (graph.neighbors(0, goal.node).last(), FAR_OFF),
        };
        let near = near.map_or(0, |&next| scorer.distance(isa, next));
        let is_far = distance > near.saturating_mul(far);
        (is_far && distance > scorer.distance(isa, goal.via)).then_some(Missed {
            stopped,
            distance,
            goal,
        })
    }
}
