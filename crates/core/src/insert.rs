//! Batches inserted against a frozen graph.
//!
//! Every point of a batch searches the graph as it was before the batch, in parallel; then the lists are written
//! and the reverse links merged, each target once. No locks, and no order of threads can change the result.
//! Points of one batch do not see each other, so a batch is small beside the graph. After ParlayANN (Dobson,
//! Shen, Blelloch and others 2023, arXiv 2305.04359).

use rayon::ThreadPool;
use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::connect::connect;
use crate::level::{levels, node_hash};
use crate::links::{ROWS_MAX, degree_cap};
use crate::params::within;
use crate::scorer::NodeScorer;
use crate::search::{Candidate, Scratch, ScratchPool, descend, search_layer};
use crate::select::{rank, select};
use crate::{Error, Graph, Params, Progress};

/// A batch sees nothing of itself: at most this part of the graph so far.
const BATCH_PART: usize = 50;

/// What a batch may be while the graph is small.
const BATCH_MIN: usize = 64;

impl Graph {
    /// Inserts the rows of `codes` that the graph does not have yet, in batches; into an empty graph, all of them.
    ///
    /// `codes` starts with the rows that the graph has. The same rows in the same calls give the same graph for any number
    /// of threads and on any CPU, and every row is reachable; it is another graph than [`Graph::build`] makes of all rows,
    /// which is much faster where they are all there.
    /// Errors: fewer rows than the graph has, more than it can number, another `m`; `progress` asked to stop, and then the
    /// graph is as it was.
    /// Cost: a search of width `ef_construction` a row, and one walk over the whole graph a call.
    pub fn insert(
        &mut self,
        codes: &Codes,
        params: &Params,
        pool: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        self.check_fits(codes, params)?;
        let mut graph = self.clone();
        pool.install(|| insert(&mut graph, codes, params, progress))?;
        *self = graph;
        Ok(())
    }

    /// Parameters of this graph, and codes for all of its rows at least.
    pub(crate) fn check_fits(&self, codes: &Codes, params: &Params) -> Result<(), Error> {
        within("m", params.m(), self.m(), self.m())?;
        within("rows", codes.n(), self.n(), ROWS_MAX)?;
        Ok(())
    }
}

fn insert(
    graph: &mut Graph,
    codes: &Codes,
    params: &Params,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let (known, live) = (graph.n(), graph.live());
    let hash = |node: u32| node_hash(params.seed(), node);
    let levels = levels(codes.n(), params);
    // Sorted input must not matter, and high levels come first: a node's level falls as its hash grows.
    let mut order: Vec<u32> = (known as u32..codes.n() as u32).collect();
    order.sort_unstable_by_key(|&node| (hash(node), node));
    let Some(&first) = order.first() else {
        return Ok(());
    };
    let top_before = graph.entry().map(|_| graph.top_level());
    graph.grow(&levels[known..]);
    let scratches = ScratchPool::default();
    let mut done = 0;
    // The new top of the graph is linked to the old one before searches start from it.
    if top_before.is_none_or(|top| usize::from(levels[first as usize]) > top) {
        insert_batch(graph, codes, &levels, &[first], params, &scratches);
        graph.entry = Some(first);
        done = 1;
    }
    while done < order.len() {
        let inserted = live + done;
        let size = inserted
            .min((inserted / BATCH_PART).max(BATCH_MIN))
            .min(order.len() - done);
        insert_batch(
            graph,
            codes,
            &levels,
            &order[done..done + size],
            params,
            &scratches,
        );
        done += size;
        if progress(done).is_break() {
            return Err(Error::Interrupted);
        }
    }
    connect(graph, codes, params.ef_construction());
    Ok(())
}

/// A node's chosen neighbours, level 0 first.
struct Plan {
    node: u32,
    lists: Vec<Vec<u32>>,
}

/// A link to be added to the list of `target`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reverse {
    level: u8,
    target: u32,
    source: u32,
}

/// Links nodes of `codes` that have no links yet into the graph; runs on the current rayon pool.
fn insert_batch(
    graph: &mut Graph,
    codes: &Codes,
    levels: &[u8],
    batch: &[u32],
    params: &Params,
    scratches: &ScratchPool,
) {
    let frozen = &*graph;
    let plan = |&node: &u32| {
        let level = usize::from(levels[node as usize]);
        scratches.with(|scratch| {
            Level::detect().dispatch(PlanNode {
                graph: frozen,
                codes,
                node,
                level,
                params,
                scratch,
            })
        })
    };
    let plans: Vec<Plan> = batch.par_iter().map(plan).collect();
    let mut reverse: Vec<Reverse> = plans.iter().flat_map(reverse_links).collect();
    for Plan { node, lists } in plans {
        for (level, list) in lists.into_iter().enumerate() {
            graph.set_neighbors(level, node, list);
        }
    }
    reverse.par_sort_unstable();
    let groups: Vec<&[Reverse]> = reverse
        .chunk_by(|a, b| (a.level, a.target) == (b.level, b.target))
        .collect();
    let frozen = &*graph;
    let merged: Vec<Vec<u32>> = groups
        .par_iter()
        .map(|group| {
            Level::detect().dispatch(Merge {
                graph: frozen,
                codes,
                group,
            })
        })
        .collect();
    for (group, list) in groups.iter().zip(merged) {
        graph.set_neighbors(usize::from(group[0].level), group[0].target, list);
    }
}

fn reverse_links(plan: &Plan) -> impl Iterator<Item = Reverse> + '_ {
    let source = plan.node;
    let of_level = move |(level, list): (usize, &'_ Vec<u32>)| {
        list.clone().into_iter().map(move |target| Reverse {
            level: level as u8,
            target,
            source,
        })
    };
    plan.lists.iter().enumerate().flat_map(of_level)
}

struct PlanNode<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    node: u32,
    level: usize,
    params: &'a Params,
    scratch: &'a mut Scratch,
}

impl WithIsa for PlanNode<'_> {
    type Output = Plan;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Plan {
        let Self {
            graph,
            codes,
            node,
            level,
            params,
            scratch,
        } = self;
        let Some(entry) = graph.entry() else {
            return Plan {
                node,
                lists: Vec::new(),
            };
        };
        // Above the entry point nothing can be found, and it is no neighbour there.
        let top = level.min(graph.level_of(entry));
        let mut lists = vec![Vec::new(); top + 1];
        let scorer = NodeScorer::new(codes, node);
        scratch.start(graph.n());
        let mut entries = vec![descend(isa, graph, &scorer, entry, top, scratch)];
        for level in (0..=top).rev() {
            let slots = |node| graph.slots(level, node);
            search_layer(
                isa,
                slots,
                &scorer,
                &entries,
                params.ef_construction(),
                scratch,
            );
            let found: Vec<Candidate> = scratch.candidates().collect();
            lists[level] = select(isa, codes, &found, params.m())
                .iter()
                .map(|kept| kept.node)
                .collect();
            entries = found.iter().map(|candidate| candidate.node).collect();
        }
        Plan { node, lists }
    }
}

/// A target's list with its new reverse links; pruned if they do not all fit.
struct Merge<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    group: &'a [Reverse],
}

impl WithIsa for Merge<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Vec<u32> {
        let Self {
            graph,
            codes,
            group,
        } = self;
        let (level, target) = (usize::from(group[0].level), group[0].target);
        let mut nodes = graph.neighbors(level, target).to_vec();
        nodes.extend(group.iter().map(|link| link.source));
        let cap = degree_cap(graph.m(), level);
        if nodes.len() <= cap {
            return nodes;
        }
        select(isa, codes, &rank(isa, codes, target, &nodes), cap)
            .iter()
            .map(|kept| kept.node)
            .collect()
    }
}
