//! Searches that may find only some nodes.
//!
//! [`search_filtered`] walks from match to match. A graph thinned to the nodes that match falls apart, so where a neighbour
//! does not match its own neighbours stand in for it, and theirs, until `m` matches are found or `4m` lists read. The walk
//! starts near the query as any search does, and at some matches spread over all of them: those that match may be far from
//! the query, and no short steps lead there. [`search_among`] looks at every match instead: right where there are few.
//!
//! On Fashion-MNIST (60,000 images, k 10, ef 64) a walk finds, of filters that are random, those nearest to the query's
//! surroundings, and those farthest from the query: at 50 % 1.000, 0.997, 0.999; at 10 % 1.000, 0.998, 0.988; at 2 % 0.998,
//! 1.000, 1.000; at 1 % 0.972, 1.000, 1.000. Without the seeds the far ones are not found at all.
//!
//! Those were surroundings of one far image. What is true all around the query but not near it, of half of all rows, is harder: 0.66.

use proxime_simd::{Isa, Level, WithIsa};

use super::{Candidate, Scratch, descend};
use crate::Graph;
use crate::links::NONE;
use crate::scorer::{Scorer, WalkCodes};

/// Nodes scored at once by [`search_among`].
const BLOCK: usize = 256;

/// As [`search`](super::search), of the nodes that match alone. May find fewer than there are.
///
/// `seeds` are some that match, spread over all of them: a few dozen.
/// Cost: about `ef` expansions of up to `2m` matching neighbours each, and looking for these.
pub fn search_filtered<C: WalkCodes>(
    graph: &Graph,
    codes: &C,
    query: &C::Query,
    ef: usize,
    matches: impl Fn(u32) -> bool,
    seeds: &[u32],
    scratch: &mut Scratch,
) {
    Level::detect().dispatch(SearchFiltered {
        graph,
        scorer: codes.scorer(query),
        ef,
        matches,
        seeds,
        scratch,
    });
}

/// The up to `ef` of these nodes nearest to the query by their codes, as [`search`](super::search) leaves them. Each node once.
///
/// Cost: one distance per node.
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

struct SearchFiltered<'a, S, F> {
    graph: &'a Graph,
    scorer: S,
    ef: usize,
    matches: F,
    seeds: &'a [u32],
    scratch: &'a mut Scratch,
}

impl<S: Scorer, F: Fn(u32) -> bool> WithIsa for SearchFiltered<'_, S, F> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self {
            graph,
            scorer,
            ef,
            matches,
            seeds,
            scratch,
        } = self;
        scratch.start(graph.n());
        let Some(entry) = graph.entry() else { return };
        let near = descend(isa, graph, &scorer, entry, 0, scratch);
        scratch.next_layer(ef);
        scratch.nodes.clear();
        for &node in seeds.iter().chain(matches(near).then_some(&near)) {
            if scratch.visited.insert(node) {
                scratch.nodes.push(node);
            }
        }
        score(isa, &scorer, scratch);
        let mut next = Some(near);
        while let Some(node) = next {
            gather(isa, graph, &matches, node, scratch);
            score(isa, &scorer, scratch);
            next = scratch.beam.next();
        }
    }
}

/// Into the scratch's nodes: matches not met before that a node leads to, over others that do not match if need be.
#[inline(always)]
fn gather<I: Isa>(
    isa: I,
    graph: &Graph,
    matches: &impl Fn(u32) -> bool,
    node: u32,
    scratch: &mut Scratch,
) {
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
            if matches(neighbor) {
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
    scratch.distances += scratch.nodes.len() as u64;
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
            mut nodes,
            ef,
            scratch,
        } = self;
        scratch.start(0);
        scratch.next_layer(ef);
        loop {
            scratch.nodes.clear();
            scratch.nodes.extend(nodes.by_ref().take(BLOCK));
            if scratch.nodes.is_empty() {
                return;
            }
            score(isa, &scorer, scratch);
        }
    }
}
