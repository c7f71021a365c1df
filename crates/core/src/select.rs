//! The neighbour heuristic: keep a candidate only if it is nearer to the point than to anything kept before.
//!
//! Algorithm 4 of Malkov and Yashunin 2018; the same rule as relative-neighbourhood pruning. Kept neighbours
//! point in different directions, which is what makes greedy search arrive.

use proxime_quant::Codes;
use proxime_simd::Isa;

use crate::scorer::{NodeScorer, Scorer};
use crate::search::Candidate;

/// How many kept neighbours are compared with a candidate before asking whether one occludes it.
const COMPARE: usize = 4;

/// The kept part of `candidates`, which are sorted, at most `cap` of them.
///
/// Cost: up to `cap` distances per candidate.
#[inline(always)]
pub(crate) fn select<I: Isa>(
    isa: I,
    codes: &Codes,
    candidates: &[Candidate],
    cap: usize,
) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::with_capacity(cap);
    let mut nodes: Vec<u32> = Vec::with_capacity(cap);
    let mut keys = Vec::with_capacity(COMPARE);
    for &candidate in candidates {
        if kept.len() == cap {
            break;
        }
        let scorer = NodeScorer::new(codes, candidate.node);
        let occluded = nodes.chunks(COMPARE).any(|some| {
            keys.clear();
            scorer.score(isa, some, &mut keys);
            keys.iter().any(|&key| key < candidate.key)
        });
        if !occluded {
            kept.push(candidate);
            nodes.push(candidate.node);
        }
    }
    kept
}
