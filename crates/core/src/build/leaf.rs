//! One leaf: all distances between its rows, and each row's neighbours by looking them up.
//!
//! The distances are one blocked matrix product. The neighbour heuristic then runs over a row of them at once: keep the
//! nearest row left, strike out every row nearer to it than to the point, and again. A step is one elementwise pass over
//! two rows of the matrix: nothing is sorted, and no distance is computed twice.

use proxime_simd::block::{Gathered, Panels, Products, all_pairs};
use proxime_simd::topk::{Few, threshold};
use proxime_simd::{Isa, WithIsa};

use super::distances::{FARTHEST, Norms};
use super::lists::Lists;
use super::view::View;

/// Candidates at most: what a threshold lets through beside them fits 15 lines, too.
pub(crate) const CANDIDATES_MAX: usize = 192;

/// A thread's working memory: a leaf's matrix is the largest part, 4 MB.
#[derive(Debug, Default)]
pub(crate) struct LeafScratch {
    gathered: Gathered,
    panels: Panels,
    products: Products,
}

/// Links the rows of a leaf with each other: the list of each, as the nodes that the rows are.
///
/// Of a row's nearest `candidates`, up to `keep` are chosen by the heuristic.
pub(crate) struct LinkLeaf<'a> {
    pub(crate) view: View<'a>,
    pub(crate) rows: &'a [u32],
    pub(crate) candidates: usize,
    pub(crate) keep: usize,
    pub(crate) scratch: &'a mut LeafScratch,
}

impl WithIsa for LinkLeaf<'_> {
    type Output = Lists<u32>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Lists<u32> {
        let Self {
            view,
            rows,
            scratch,
            ..
        } = self;
        scratch
            .panels
            .pack(isa, view.dim(), view.queries(rows), &mut scratch.gathered);
        let norms = Norms::of(view, rows);
        let finish = |row: usize, first: usize, products: &mut [i32; 16]| {
            norms.finish(norms.at(row), first, products);
        };
        let LeafScratch {
            gathered,
            panels,
            products,
        } = scratch;
        all_pairs(isa, gathered, panels, products, finish);
        let stride = products.stride();
        let matrix: &mut [u32] = bytemuck::cast_slice_mut(products.as_mut_slice());
        // As few lines as hold the candidates and what a threshold lets through beside them.
        match self.candidates {
            0..=25 => choose::<I, 2>(isa, rows, matrix, stride, self.candidates, self.keep),
            26..=51 => choose::<I, 4>(isa, rows, matrix, stride, self.candidates, self.keep),
            _ => choose::<I, 15>(isa, rows, matrix, stride, self.candidates, self.keep),
        }
    }
}

/// Runs the heuristic over each row of a matrix of distances, with up to `16 * L` candidates a row.
#[inline(always)]
fn choose<I: Isa, const L: usize>(
    isa: I,
    rows: &[u32],
    matrix: &mut [u32],
    stride: usize,
    candidates: usize,
    keep: usize,
) -> Lists<u32> {
    let mut lists = Lists::with_capacity(rows.len(), rows.len() * keep);
    for from in 0..rows.len() {
        // A row is no neighbour of its own, nor is what fills up the last block.
        matrix[from * stride + from] = FARTHEST;
        matrix[from * stride + rows.len()..][..stride - rows.len()].fill(FARTHEST);
        let keys = &matrix[from * stride..][..stride];
        let limit = threshold(isa, keys, candidates);
        let mut near = Few::<I, L>::collect(isa, keys, limit);
        for _ in 0..keep {
            let Some((_, to)) = near.least(isa) else {
                break;
            };
            near.strike(isa, to, &matrix[to as usize * stride..][..stride]);
            lists.push_item(rows[to as usize]);
        }
        lists.end_list();
    }
    lists
}
