//! Nodes taken out of the graph, and their neighbours linked past them.
//!
//! Each list that names a deleted node is chosen anew by the heuristic, from what is left of it and from the neighbours of
//! the deleted ones. The lists are read from the graph as it was, so the order of the work does not matter. Rows are not
//! renumbered: a deleted one keeps its number and has no links. After FreshDiskANN (Singh, Subramanya, Krishnaswamy,
//! Simhadri 2021, arXiv 2105.09613), algorithm 4.
//!
//! Against a graph built of the survivors, on Fashion-MNIST (60,000 rows, default parameters), recall@10 for distances per
//! query at `ef` 16 and 32: of 20 % deleted 0.972 for 221 and 0.994 for 324, built 0.969 for 229 and 0.992 for 338; of 50 %
//! deleted 0.972 for 200 and 0.991 for 295, built 0.982 for 210 and 0.996 for 311.

use rayon::ThreadPool;
use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::connect::{Nearest, connect};
use crate::level::node_hash;
use crate::links::degree_cap;
use crate::search::Scratch;
use crate::select::{rank, select};
use crate::{Done, Error, Graph, Params, Progress, Step};

/// Rows looked at between two calls of the progress hook.
const WAVE_ROWS: usize = 1 << 14;

/// Nodes gathered for one list at most, in lengths of level-0 lists: bounds the work where lists are long, and where all goes.
const GATHERED_LISTS: usize = 4;

impl Graph {
    /// Deletes rows; says how many of them were not deleted before.
    ///
    /// The rows keep their numbers, have no links from now on, and no search finds them. Lists that named them are repaired;
    /// every row left is reachable. Rows may be named twice, or have been deleted before. `codes` has the codes of all rows,
    /// deleted ones included.
    /// The same calls give the same graph for any number of threads and on any CPU. Without a row left there is no entry
    /// point: searches find nothing, and [`Graph::insert`] starts anew.
    /// Errors: a row that the graph does not have, too few codes, another `m`; `progress`, told how many rows have been
    /// looked at, asked to stop. The graph is then as it was.
    /// Cost: one pass and one walk over the whole graph, so delete many at once; for each list that names a deleted row,
    /// distances to the neighbours of its deleted neighbours, and the heuristic. Memory: the new lists, until all are there.
    pub fn delete(
        &mut self,
        codes: &Codes,
        nodes: &[u32],
        params: &Params,
        pool: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<usize, Error> {
        self.check_fits(codes, params)?;
        let gone = Gone::new(self, nodes)?;
        if gone.count > 0 {
            let repaired = pool.install(|| repair(self, codes, &gone, progress))?;
            self.apply(codes, &gone, repaired, params);
        }
        Ok(gone.count)
    }

    fn apply(&mut self, codes: &Codes, gone: &Gone, repaired: Vec<Repaired>, params: &Params) {
        let mut stranded = Vec::new();
        for Repaired { level, node, list } in repaired {
            if level == 0 && list.is_empty() {
                stranded.push(node);
            }
            self.set_neighbors(level, node, list);
        }
        self.take_out(gone, params.seed());
        connect(self, codes, params.ef_construction(), || false);
        lead_back(self, codes, &stranded, params);
    }

    /// Marks nodes that no list names any more, and finds another entry point if it is among them.
    fn take_out(&mut self, gone: &Gone, seed: u64) {
        let n = self.n() as u32;
        for node in (0..n).filter(|&node| gone.has(node)) {
            self.base.delete(node as usize);
        }
        self.deleted += gone.count;
        for upper in &mut self.upper {
            upper.retain(|node| !gone.has(node));
        }
        self.upper.retain(|upper| !upper.nodes().is_empty());
        if self.entry.is_some_and(|entry| gone.has(entry)) {
            // As a build would choose it among those left.
            let hash = |node: &u32| (node_hash(seed, *node), *node);
            self.entry = match self.upper.last() {
                Some(top) => top.nodes().iter().copied().min_by_key(hash),
                None => (0..n)
                    .filter(|&node| !self.is_deleted(node))
                    .min_by_key(hash),
            };
        }
    }
}

/// Gives nodes around which all was deleted the nearest nodes for neighbours: a search that comes by them must get on.
fn lead_back(graph: &mut Graph, codes: &Codes, stranded: &[u32], params: &Params) {
    let mut scratch = Scratch::default();
    for &node in stranded {
        let (Some(from), []) = (graph.entry(), graph.neighbors(0, node)) else {
            continue;
        };
        Level::detect().dispatch(Nearest {
            graph: &*graph,
            codes,
            from,
            node,
            ef: params.ef_construction(),
            scratch: &mut scratch,
        });
        let near = scratch.candidates().map(|candidate| candidate.node);
        let near = near.filter(|&near| near != node).take(params.m());
        graph.set_neighbors(0, node, near);
    }
}

/// The nodes to be deleted.
struct Gone {
    gone: Vec<bool>,
    count: usize,
}

impl Gone {
    /// Leaves out what is deleted already.
    fn new(graph: &Graph, nodes: &[u32]) -> Result<Self, Error> {
        let n = graph.n();
        let mut gone = vec![false; n];
        let mut count = 0;
        for &node in nodes {
            let Some(gone) = gone.get_mut(node as usize) else {
                return Err(Error::NoSuchNode { node, n });
            };
            if !*gone && !graph.is_deleted(node) {
                *gone = true;
                count += 1;
            }
        }
        Ok(Self { gone, count })
    }

    fn has(&self, node: u32) -> bool {
        self.gone[node as usize]
    }
}

/// A list without deleted nodes.
struct Repaired {
    level: usize,
    node: u32,
    list: Vec<u32>,
}

/// The new lists of the nodes that stay and have neighbours that go.
fn repair(
    graph: &Graph,
    codes: &Codes,
    gone: &Gone,
    progress: Progress<'_>,
) -> Result<Vec<Repaired>, Error> {
    let repair = |level: usize, node: u32| {
        let torn = |neighbors: &[u32]| neighbors.iter().any(|&next| gone.has(next));
        (!gone.has(node) && torn(graph.neighbors(level, node))).then(|| {
            Level::detect().dispatch(Repair {
                graph,
                codes,
                gone,
                level,
                node,
            })
        })
    };
    let mut repaired = Vec::new();
    for (upper, level) in graph.upper.iter().zip(1..) {
        let nodes = upper.nodes().par_iter();
        repaired.par_extend(nodes.filter_map(|&node| repair(level, node)));
    }
    for first in (0..graph.n()).step_by(WAVE_ROWS) {
        let end = graph.n().min(first + WAVE_ROWS);
        let nodes = (first as u32..end as u32).into_par_iter();
        repaired.par_extend(nodes.filter_map(|node| repair(0, node)));
        if progress(Done {
            step: Step::Delete,
            rows: end,
            multiply_adds: 0,
        })
        .is_break()
        {
            return Err(Error::Interrupted);
        }
    }
    Ok(repaired)
}

/// Chooses a node's list without those that go.
struct Repair<'a> {
    graph: &'a Graph,
    codes: &'a Codes,
    gone: &'a Gone,
    level: usize,
    node: u32,
}

impl Repair<'_> {
    /// The node's neighbours that stay, and those behind its neighbours that go.
    ///
    /// Behind those again only until there is a list's worth: with more than one neighbour in each list gone, everything
    /// that goes hangs together, and looking behind all of it was several times dearer and searches were no better for it.
    fn gather(&self) -> Vec<u32> {
        let neighbors = |node| self.graph.neighbors(self.level, node);
        let enough = self.graph.base.stride();
        let most = GATHERED_LISTS * enough;
        let (mut go, mut stay): (Vec<u32>, Vec<u32>) = neighbors(self.node)
            .iter()
            .partition(|&&next| self.gone.has(next));
        let (near, mut read) = (go.len(), 0);
        while read < go.len() && (read < near || stay.len() < enough) {
            for &next in neighbors(go[read]) {
                let met = if self.gone.has(next) {
                    &mut go
                } else {
                    &mut stay
                };
                if next != self.node && met.len() < most && !met.contains(&next) {
                    met.push(next);
                }
            }
            read += 1;
        }
        stay
    }
}

impl WithIsa for Repair<'_> {
    type Output = Repaired;

    /// The heuristic's choice; then the nearest of the rest until the list is as long as it was. Lists that other nodes'
    /// links have grown are more than the heuristic would leave, and each round of deletes would shorten them.
    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Repaired {
        let Self {
            graph,
            codes,
            level,
            node,
            ..
        } = self;
        let candidates = rank(isa, codes, node, &self.gather());
        let cap = degree_cap(graph.m(), level);
        let kept = select(isa, codes, &candidates, cap);
        let mut list: Vec<u32> = kept.iter().map(|kept| kept.node).collect();
        let before = graph.neighbors(level, node).len().min(cap);
        for candidate in candidates {
            if list.len() < before && !list.contains(&candidate.node) {
                list.push(candidate.node);
            }
        }
        Repaired { level, node, list }
    }
}
