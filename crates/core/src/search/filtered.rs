//! Searches that may find only some nodes.
//!
//! Three ways, and [`search_filtered`] takes the one that fits. Where looking at all nodes that match takes less time than a walk, it
//! does that: their codes come one after the other, while a step of a walk waits for lists and reads many to find a few that match. Elsewhere it
//! first looks around: a narrow search among all nodes says how many of the query's surroundings match. If that is about the
//! share of all that match, it walks from match to match. A graph thinned to the nodes that match falls apart, so where a
//! neighbour does not match its own neighbours stand in for it, and theirs, until `m` matches are found or `4m` lists read. The
//! walk starts at the matches found around the query, and at some spread over all of them.
//!
//! If fewer match around the query than elsewhere, the nearest matches lie scattered around a hole, each far from the others, and
//! no short steps lead from one to the next. The beam is widened as much as matches are rarer there; once that would cost as
//! much as to look at every match, this is done instead. So no filter costs more than about twice that.
//!
//! Recall@10 on Fashion-MNIST (60,000 images, 25 queries, each with filters of its own, k 10, ef 64, candidates compared by their
//! vectors until twice as many change nothing), by the share of rows that match. Walks began at
//! 2,048 matches then; they do at 14,080 now.
//!
//! | matches | 90 % | 50 % | 10 % | 2 % | 0.5 % | 0.1 % |
//! |---|---|---|---|---|---|---|
//! | random rows | 0.996 | 0.996 | 1.000 | 1.000 | 1.000 | 1.000 |
//! | the nearest to the query | 0.996 | 0.996 | 0.996 | 1.000 | 1.000 | 1.000 |
//! | the farthest from the query | 1.000 | 0.992 | 1.000 | 0.988 | 1.000 | 1.000 |
//! | the nearest to the row farthest from the query | 0.996 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |
//! | random rows, but none of the nearest 1,000 | 0.996 | 0.984 | 1.000 | 1.000 | 1.000 | 1.000 |
//!
//! With 20 candidates each and no look around, the farthest half got 0.17 and the last line at 50 % 0.78.

use proxime_simd::{Isa, Level, WithIsa};

use super::scratch::Counts;
use super::{Candidate, Scratch};
use crate::Graph;
use crate::links::NONE;
use crate::scorer::{Scorer, WalkCodes};

/// Nodes that [`search_among`] scores at once, while the codes of as many are on their way.
const GROUP: usize = 8;
/// Nodes nearest to the query that say how many match around it.
const AROUND: usize = 32;
/// A step of a walk takes the time of looking at so many matches if all nodes match: 1.5 us, at 30 ns a match of 768 components ...
const MATCHES_PER_STEP: usize = 50;
/// ... and the fewer match the more, up to so many: 5 us, where all that a step finds is new ...
const MATCHES_PER_STEP_MAX: usize = 160;
/// ... a walk takes so many steps more, for the look around the query and for the starts ...
const STEPS_MORE: usize = 24;
/// ... and misses too much where fewer than one node in so many matches.
const NODES_PER_MATCH_MAX: usize = 64;

/// Nodes that may be found.
pub trait Matches {
    /// Whether this is one of them.
    fn contains(&self, node: u32) -> bool;

    /// How many there are.
    fn count(&self) -> usize;

    /// All of them, each once.
    fn iter(&self) -> impl Iterator<Item = u32>;

    /// A few dozen of them, spread over all.
    fn seeds(&self) -> &[u32];
}

/// How a filtered search went about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilteredRoute {
    /// From match to match, with a beam of this width.
    Walk {
        /// At least what was asked for.
        ef: usize,
    },
    /// By looking at every match.
    Among,
}

/// As [`search`](super::search), of the nodes that match alone. May find fewer than there are.
///
/// Cost: a narrow search, then about `ef` expansions of up to `2m` matching neighbours each, and looking for these; or one distance
/// for each match, whichever is less, both at worst.
pub fn search_filtered<C: WalkCodes>(
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    matches: &impl Matches,
    scratch: &mut Scratch,
) -> FilteredRoute {
    let looks = |count, ef| looking_pays(graph.n(), count, ef);
    search_filtered_unless(looks, graph, codes, query, ef, matches, scratch)
}

/// Whether looking at `count` matches of `n` nodes takes less time than a walk of this width.
fn looking_pays(n: usize, count: usize, ef: usize) -> bool {
    let a_step = (MATCHES_PER_STEP * n / count.max(1)).min(MATCHES_PER_STEP_MAX);
    count <= ef.saturating_add(STEPS_MORE).saturating_mul(a_step)
}

/// The same where `looks(matches, ef)` says whether to look at all matches instead of a walk: for tests of walks among few.
#[doc(hidden)]
pub fn search_filtered_unless<C: WalkCodes>(
    looks: impl Fn(usize, usize) -> bool,
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    matches: &impl Matches,
    scratch: &mut Scratch,
) -> FilteredRoute {
    let (n, count) = (graph.n(), matches.count());
    let mut looked = Counts::default();
    if !looks(count, ef) && count >= n / NODES_PER_MATCH_MAX {
        super::search(graph, codes, query, AROUND, scratch);
        looked = scratch.counts;
        let around = scratch.beam.iter().map(|candidate| candidate.node);
        scratch.starts.clear();
        (scratch.starts).extend(around.filter(|&node| matches.contains(node)));
        let (expected, found) = ((AROUND * count).div_ceil(n), scratch.starts.len());
        // With no match around the query there is no width that is enough.
        let ef = ef.max((ef * expected).checked_div(found).unwrap_or(usize::MAX));
        if !looks(count, ef) {
            Level::detect().dispatch(SearchFiltered {
                graph,
                scorer: codes.scorer(query),
                ef,
                matches,
                scratch,
            });
            scratch.counts += looked;
            return FilteredRoute::Walk { ef };
        }
    }
    search_among(codes, query, matches.iter(), ef, scratch);
    scratch.counts += looked;
    FilteredRoute::Among
}

/// The up to `ef` of these nodes nearest to the query by their codes, as [`search`](super::search) leaves them. Each node once.
/// The others can be had by [`Scratch::widen`].
///
/// Cost: one distance per node, and 8 bytes of the scratch.
pub fn search_among<C: WalkCodes>(
    codes: &C,
    query: &C::Query,
    nodes: impl Iterator<Item = u32>,
    ef: usize,
    scratch: &mut Scratch,
) {
    Level::detect().dispatch(SearchAmong {
        scorer: codes.scorer(query),
        nodes,
        ef,
        scratch,
    });
}

struct SearchFiltered<'a, S, M> {
    graph: &'a Graph,
    scorer: S,
    ef: usize,
    matches: &'a M,
    scratch: &'a mut Scratch,
}

impl<S: Scorer, M: Matches> WithIsa for SearchFiltered<'_, S, M> {
    type Output = ();

    /// From the scratch's starts and from the seeds.
    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            graph,
            scorer,
            ef,
            matches,
            scratch,
        } = self;
        scratch.start(graph.n());
        scratch.next_layer(ef);
        scratch.nodes.clear();
        for &node in matches.seeds().iter().chain(&scratch.starts) {
            if scratch.visited.insert(node) {
                scratch.nodes.push(node);
            }
        }
        score(isa, &scorer, scratch);
        while let Some(node) = scratch.beam.next() {
            gather(isa, graph, matches, node, scratch);
            score(isa, &scorer, scratch);
        }
    }
}

/// Into the scratch's nodes: matches not met before that a node leads to, over others that do not match if need be.
#[inline(always)]
fn gather<I: Isa>(isa: I, graph: &Graph, matches: &impl Matches, node: u32, scratch: &mut Scratch) {
    let list = |node| {
        let slots = graph.slots(0, node).iter().copied();
        slots.take_while(|&node| node != NONE)
    };
    scratch.nodes.clear();
    scratch.detours.clear();
    scratch.detours.push(node);
    let (mut at, mut read) = (0, 0);
    while let Some(&node) = scratch.detours.get(at) {
        at += 1;
        // Those left over are not marked: another node may lead over them.
        if at > 1 && !scratch.visited.insert(node) {
            continue;
        }
        read += 1;
        for neighbor in list(node) {
            if matches.contains(neighbor) {
                if scratch.visited.insert(neighbor) {
                    scratch.nodes.push(neighbor);
                }
            } else if !scratch.visited.contains(neighbor) {
                isa.prefetch(graph.slots(0, neighbor));
                scratch.detours.push(neighbor);
            }
        }
        if scratch.nodes.len() >= graph.m() || read == 4 * graph.m() {
            break;
        }
    }
}

/// Offers the scratch's nodes to its beam.
#[inline(always)]
fn score<I: Isa>(isa: I, scorer: &impl Scorer, scratch: &mut Scratch) {
    scratch.keys.clear();
    scorer.score(isa, &scratch.nodes, &mut scratch.keys);
    scratch.counts.distances += scratch.nodes.len() as u64;
    for (&node, &key) in scratch.nodes.iter().zip(&scratch.keys) {
        scratch.beam.insert(Candidate { key, node });
    }
}

struct SearchAmong<'a, S, N> {
    scorer: S,
    nodes: N,
    ef: usize,
    scratch: &'a mut Scratch,
}

impl<S: Scorer, N: Iterator<Item = u32>> WithIsa for SearchAmong<'_, S, N> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            scorer,
            nodes,
            ef,
            scratch,
        } = self;
        scratch.start(0);
        scratch.nodes.clear();
        scratch.nodes.extend(nodes);
        scratch.keys.clear();
        let prefetch = |nodes: &[u32]| nodes.iter().for_each(|&node| scorer.prefetch(isa, node));
        let mut groups = scratch.nodes.chunks(GROUP);
        prefetch(groups.clone().next().unwrap_or_default());
        while let Some(group) = groups.next() {
            prefetch(groups.clone().next().unwrap_or_default());
            scorer.score(isa, group, &mut scratch.keys);
        }
        scratch.counts.distances += scratch.nodes.len() as u64;
        let scored = scratch.nodes.iter().zip(&scratch.keys);
        (scratch.rest).extend(scored.map(|(&node, &key)| Candidate { key, node }));
        scratch.widen(ef);
    }
}
