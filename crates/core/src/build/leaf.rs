//! One leaf: all distances between its rows, and each row's neighbours by looking them up.
//!
//! The distances are one blocked matrix product. The neighbour heuristic then runs over a row of them at once: keep the
//! nearest row left, strike out every row nearer to it than to the point, and again. A step is one elementwise pass over
//! two rows of the matrix: nothing is sorted, and no distance is computed twice.

use proxime_quant::Codes;
use proxime_simd::block::{Gathered, Panels, Products, all_pairs};
use proxime_simd::topk::{Few, threshold};
use proxime_simd::{Isa, WithIsa};

use super::distances::{FARTHEST, gather, to_distances};
use super::lists::Lists;
use crate::search::Candidate;

/// A thread's working memory: a leaf's matrix is the largest part, 1 MB.
#[derive(Debug, Default)]
pub(crate) struct LeafScratch {
    gathered: Gathered,
    panels: Panels,
    products: Products,
    chosen: Vec<Chosen>,
}

/// Candidates of a row at most, in lines of 16: of more that are equally near, the first.
const NEAR_LINES: usize = 3;

/// A link between two rows, by their places in the leaf.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    from: u16,
    to: u16,
    key: u32,
}

/// Links the rows of a leaf with each other.
///
/// Of a row's nearest `candidates`, up to `keep` are chosen by the heuristic; a list holds what its row chose and who chose
/// it, as the nodes that the rows are.
pub(crate) struct LinkLeaf<'a> {
    pub(crate) codes: &'a Codes,
    pub(crate) rows: &'a [u32],
    pub(crate) candidates: usize,
    pub(crate) keep: usize,
    pub(crate) scratch: &'a mut LeafScratch,
}

impl WithIsa for LinkLeaf<'_> {
    type Output = Lists<Candidate>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Lists<Candidate> {
        let Self {
            codes,
            rows,
            candidates,
            keep,
            scratch,
        } = self;
        let LeafScratch {
            gathered,
            panels,
            products,
            chosen,
        } = scratch;
        gather(isa, codes, rows, gathered);
        panels.pack(isa, gathered);
        all_pairs(isa, gathered, panels, products);
        let stride = products.stride();
        let matrix = to_distances(codes, rows, rows, products);
        chosen.clear();
        for from in 0..rows.len() {
            // A row is no neighbour of its own.
            matrix[from * stride + from] = FARTHEST;
            let keys = &matrix[from * stride..][..stride];
            let limit = threshold(isa, keys, candidates);
            let mut near = Few::<I, NEAR_LINES>::collect(isa, keys, limit);
            for _ in 0..keep {
                let Some((key, to)) = near.least(isa) else {
                    break;
                };
                near.strike(isa, to, &matrix[to as usize * stride..][..stride]);
                chosen.push(Chosen {
                    from: from as u16,
                    to: to as u16,
                    key,
                });
            }
        }
        both_ways(rows, chosen)
    }
}

fn both_ways(rows: &[u32], chosen: &[Chosen]) -> Lists<Candidate> {
    let node = |place: u16| rows[usize::from(place)];
    Lists::sorted_out(rows.len(), || {
        chosen.iter().flat_map(move |&Chosen { from, to, key }| {
            let there = (
                u32::from(from),
                Candidate {
                    key,
                    node: node(to),
                },
            );
            let back = (
                u32::from(to),
                Candidate {
                    key,
                    node: node(from),
                },
            );
            [there, back]
        })
    })
}
