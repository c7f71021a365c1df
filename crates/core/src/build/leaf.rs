//! One leaf: all distances between its rows, and each row's neighbours by looking them up.
//!
//! The distances are one blocked matrix product. The neighbour heuristic then runs over a row of them at once: keep the
//! nearest row left, strike out every row nearer to it than to the point, and again. A step is one elementwise pass over
//! two rows of the matrix: nothing is sorted, and no distance is computed twice.

use proxime_quant::Codes;
use proxime_simd::block::{Panels, multiply};
use proxime_simd::{I8Query, Isa, WithIsa};

use super::distances::{FARTHEST, nearest, strike_above, strike_occluded, threshold, to_distances};
use super::lists::Lists;
use crate::search::Candidate;

/// A thread's working memory: a leaf's matrix is the largest part, 1 MB.
#[derive(Debug, Default)]
pub(crate) struct LeafScratch {
    panels: Panels,
    products: Vec<i32>,
    keys: Vec<u32>,
    chosen: Vec<Chosen>,
}

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
        let left: Vec<I8Query<'_>> = rows
            .iter()
            .map(|&row| I8Query::new(codes.row(row as usize)))
            .collect();
        scratch.panels.pack(&left);
        let stride = scratch.panels.stride();
        scratch.products.resize(rows.len() * stride, 0);
        multiply(isa, &left, &scratch.panels, &mut scratch.products);
        let matrix = to_distances(codes, rows, rows, &mut scratch.products, stride);
        scratch.chosen.clear();
        for from in 0..rows.len() {
            // A row is no neighbour of its own.
            matrix[from * stride + from] = FARTHEST;
            let keys = &mut scratch.keys;
            keys.clear();
            keys.extend_from_slice(&matrix[from * stride..][..stride]);
            if rows.len() > candidates {
                let limit = threshold(keys, candidates);
                strike_above(keys, limit);
            }
            for _ in 0..keep {
                let Some((key, to)) = nearest(keys) else {
                    break;
                };
                scratch.chosen.push(Chosen {
                    from: from as u16,
                    to: to as u16,
                    key,
                });
                strike_occluded(keys, &matrix[to * stride..][..stride]);
                keys[to] = FARTHEST;
            }
        }
        both_ways(rows, &scratch.chosen)
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
