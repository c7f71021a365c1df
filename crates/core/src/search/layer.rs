//! Beam search on one level.

use proxime_simd::Isa;

use super::scratch::Counts;
use super::{Candidate, Scratch};
use crate::Graph;
use crate::links::NONE;
use crate::scorer::Scorer;

/// From the entry point down to level `last`, always to the nearest neighbour.
#[inline(always)]
pub(crate) fn descend<I: Isa>(
    isa: I,
    graph: &Graph,
    scorer: &impl Scorer,
    entry: u32,
    last: usize,
    scratch: &mut Scratch,
) -> u32 {
    let mut nearest = entry;
    for level in (last..=graph.top_level()).rev() {
        search_layer(
            isa,
            |node| graph.slots(level, node),
            scorer,
            &[nearest],
            1,
            scratch,
        );
        nearest = scratch
            .beam
            .iter()
            .next()
            .map_or(nearest, |candidate| candidate.node);
    }
    nearest
}

/// Leaves the `ef` nearest nodes reachable from `entries` in the scratch's beam.
///
/// `slots` gives a node's list with its empty slots: looking for its end would touch memory not yet prefetched.
#[inline(always)]
pub(crate) fn search_layer<'a, I: Isa>(
    isa: I,
    slots: impl Fn(u32) -> &'a [u32],
    scorer: &impl Scorer,
    entries: &[u32],
    ef: usize,
    scratch: &mut Scratch,
) {
    scratch.next_layer(ef);
    meet(isa, entries, scorer, scratch);
    while let Some(node) = scratch.beam.next() {
        meet(isa, slots(node), scorer, scratch);
        for after in [scratch.beam.peek(), scratch.beam.peek_after()] {
            after
                .into_iter()
                .for_each(|after| isa.prefetch(slots(after)));
        }
    }
}

/// Scores the nodes not met before and offers them to the beam. While it has room all are scored; then only those that a look at the
/// small part of their codes does not rule out.
#[inline(always)]
fn meet<I: Isa>(isa: I, nodes: &[u32], scorer: &impl Scorer, scratch: &mut Scratch) {
    scratch.nodes.clear();
    scratch.keys.clear();
    let farthest = scratch.beam.farthest();
    for &node in nodes.iter().take_while(|&&node| node != NONE) {
        if scratch.visited.insert(node) {
            match farthest {
                Some(_) => scorer.prefetch_screen(isa, node),
                None => scorer.prefetch(isa, node),
            }
            scratch.nodes.push(node);
        }
    }
    let met = scratch.nodes.len();
    if let Some(farthest) = farthest {
        scorer.screen(isa, farthest, &mut scratch.nodes);
    }
    scratch.counts += Counts {
        distances: met as u64,
        screened: (met - scratch.nodes.len()) as u64,
    };
    scorer.score(isa, &scratch.nodes, &mut scratch.keys);
    for (&node, &key) in scratch.nodes.iter().zip(&scratch.keys) {
        scratch.beam.insert(Candidate { key, node });
    }
}
