//! The neighbour heuristic: keep a candidate only if it is nearer to the point than to anything kept before.
//!
//! Algorithm 4 of Malkov and Yashunin 2018; the same rule as relative-neighbourhood pruning. Kept neighbours
//! point in different directions, which is what makes greedy search arrive.

use proxime_quant::Codes;
use proxime_simd::Isa;

use crate::scorer::NodeScorer;
use crate::search::Candidate;

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
    // The kept ask, not the candidates: there are fewer of them to prepare.
    let mut scorers: Vec<NodeScorer<'_>> = Vec::with_capacity(cap);
    for &candidate in candidates {
        if kept.len() == cap {
            break;
        }
        let nearer = |scorer: &NodeScorer<'_>| scorer.distance(isa, candidate.node) < candidate.key;
        if !scorers.iter().any(nearer) {
            kept.push(candidate);
            scorers.push(NodeScorer::new(codes, candidate.node));
        }
    }
    kept
}
