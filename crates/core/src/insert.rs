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

use crate::journal::Journal;
use crate::level::{level, node_hash};
use crate::links::{ROWS_MAX, degree_cap};
use crate::params::within;
use crate::scorer::NodeScorer;
use crate::search::{Candidate, Scratch, ScratchPool, descend, search_layer};
use crate::select::{rank, select};
use crate::ways::{Way, keep_ways};
use crate::{Done, Error, Graph, Params, Progress, Step};

/// A batch sees nothing of itself: at most this part of the graph so far.
const BATCH_PART: usize = 50;

/// What a batch may be while the graph is small.
const BATCH_MIN: usize = 64;

impl Graph {
    /// Inserts the rows of `codes` that the graph does not have yet, in batches; into an empty graph, all of them.
    ///
    /// `codes` starts with the rows that the graph has. The same rows in the same calls give the same graph for any number
    /// of threads and on any CPU, and every row is reachable if all were; it is another graph than [`Graph::build`] makes of
    /// all rows, which is much faster where they are all there, and by dot product links rows of different lengths better.
    /// Errors: fewer rows than the graph has, more than it can number, another `m`; `progress` asked to stop, and then the
    /// graph is as it was.
    /// Cost: a search of width `ef_construction` a row, and a look at whether what it displaced can still be reached. Where
    /// many links were displaced, one in 16 rows of the graph, or one cannot be replaced, that is a walk over the whole graph.
    /// Otherwise a call costs what its rows do, but for a bit a row of the graph and thread, and the growth of vectors.
    pub fn insert(
        &mut self,
        codes: &Codes,
        params: &Params,
        pool: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        self.check_fits(codes, params)?;
        pool.install(|| insert(self, codes, params, progress))
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
    let hash = |node: u32| node_hash(params.seed(), node);
    // Sorted input must not matter, and high levels come first: a node's level falls as its hash grows.
    let mut order: Vec<u32> = (graph.n() as u32..codes.n() as u32).collect();
    order.sort_unstable_by_key(|&node| (hash(node), node));
    let mut journal = Journal::new(graph);
    let mut ways = insert_all(&mut journal, codes, &order, params, progress)?;
    ways.extend(journal.keep());
    keep_ways(graph, codes, &ways, params.ef_construction());
    Ok(())
}

/// Inserts nodes in this order; a way from a node inserted before to each, and to the entry point there was.
fn insert_all(
    journal: &mut Journal<'_>,
    codes: &Codes,
    order: &[u32],
    params: &Params,
    progress: Progress<'_>,
) -> Result<Vec<Way>, Error> {
    let Some(&first) = order.first() else {
        return Ok(Vec::new());
    };
    let (known, entry) = (journal.graph().live(), journal.graph().entry());
    let top = entry.map(|_| journal.graph().top_level());
    journal.grow(codes.n(), params);
    let mut ways = Vec::new();
    let scratches = ScratchPool::default();
    let mut done = 0;
    // The new top of the graph is linked to the old one before searches start from it.
    if top.is_none_or(|top| usize::from(level(first, params)) > top) {
        insert_batch(journal, codes, &[first], params, &scratches);
        journal.set_entry(first);
        ways.extend(entry.map(|to| Way { from: first, to }));
        done = 1;
    }
    while done < order.len() {
        let inserted = known + done;
        let size = inserted
            .min((inserted / BATCH_PART).max(BATCH_MIN))
            .min(order.len() - done);
        let batch = &order[done..done + size];
        ways.extend(insert_batch(journal, codes, batch, params, &scratches));
        done += size;
        if progress(Done {
            step: Step::Insert,
            rows: done,
            multiply_adds: 0,
        })
        .is_break()
        {
            return Err(Error::Interrupted);
        }
    }
    Ok(ways)
}

/// A node's chosen neighbours, level 0 first.
struct Plan {
    node: u32,
    lists: Vec<Vec<u32>>,
}

impl Plan {
    fn way(&self) -> Option<Way> {
        let nearest = self.lists.first()?.first()?;
        Some(Way {
            from: *nearest,
            to: self.node,
        })
    }
}

/// A link to be added to the list of `target`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reverse {
    level: u8,
    target: u32,
    source: u32,
}

/// Links nodes of `codes` that have no links yet into the graph; runs on the current rayon pool.
///
/// A way from each node's nearest neighbour to it: from the graph as it was to the batch.
fn insert_batch(
    journal: &mut Journal<'_>,
    codes: &Codes,
    batch: &[u32],
    params: &Params,
    scratches: &ScratchPool,
) -> Vec<Way> {
    let frozen = journal.graph();
    let plan = |&node: &u32| {
        let level = usize::from(level(node, params));
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
    let ways = plans.iter().filter_map(Plan::way).collect();
    for Plan { node, lists } in plans {
        for (level, list) in lists.into_iter().enumerate() {
            journal.set_neighbors(level, node, list);
        }
    }
    reverse.par_sort_unstable();
    let groups: Vec<&[Reverse]> = reverse
        .chunk_by(|a, b| (a.level, a.target) == (b.level, b.target))
        .collect();
    let frozen = journal.graph();
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
        journal.set_neighbors(usize::from(group[0].level), group[0].target, list);
    }
    ways
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
        let mut entries = vec![descend(isa, graph, &scorer, entry, top + 1, scratch)];
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
