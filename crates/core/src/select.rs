//! The neighbour heuristic: keep a candidate only if it is nearer to the point than to anything kept before.
//!
//! Algorithm 4 of Malkov and Yashunin 2018; the same rule as relative-neighbourhood pruning. Kept neighbours
//! point in different directions, which is what makes greedy search arrive.

use proxime_quant::Codes;
use proxime_simd::Isa;

use crate::scorer::{NodeScorer, Scorer};
use crate::search::Candidate;

/// Nodes as candidates for the list of `node`, sorted.
#[inline(always)]
pub(crate) fn rank<I: Isa>(isa: I, codes: &Codes, node: u32, nodes: &[u32]) -> Vec<Candidate> {
    let mut keys = Vec::with_capacity(nodes.len());
    NodeScorer::new(codes, node).score(isa, nodes, &mut keys);
    let candidate = |(&node, key)| Candidate { key, node };
    let mut candidates: Vec<Candidate> = nodes.iter().zip(keys).map(candidate).collect();
    candidates.sort_unstable();
    candidates
}

/// The kept part of `candidates`, which are sorted, at most `cap` of them.
///
/// Cost: up to `cap` distances per candidate; fewer where an early one settles it.
#[inline(always)]
pub(crate) fn select<I: Isa>(
    isa: I,
    codes: &Codes,
    candidates: &[Candidate],
    cap: usize,
) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::with_capacity(cap);
    for &candidate in candidates {
        if kept.len() == cap {
            break;
        }
        if !is_nearer_to_one(isa, codes, candidate, &kept) {
            kept.push(candidate);
        }
    }
    kept
}

/// Whether a candidate is nearer to one of those kept than to the point.
///
/// Four at a time: one distance alone waits longer for memory and for its own sum than it computes.
#[inline(always)]
pub(crate) fn is_nearer_to_one<I: Isa>(
    isa: I,
    codes: &Codes,
    candidate: Candidate,
    kept: &[Candidate],
) -> bool {
    let scorer = NodeScorer::new(codes, candidate.node);
    let (fours, rest) = kept.as_chunks::<4>();
    let nearer = |key: u32| key < candidate.key;
    fours.iter().any(|four| {
        scorer
            .distances(isa, four.map(|one| one.node))
            .into_iter()
            .any(nearer)
    }) || rest
        .iter()
        .any(|one| nearer(scorer.distance(isa, one.node)))
}
