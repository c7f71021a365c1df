//! One `f32` query against many rows: the metric applied, the tier entered once, several rows at a time.
//!
//! No selection of the nearest: distances only.

use std::ops::RangeInclusive;

use crate::Rows;
use crate::f32::{Dot, DotAndNormSq, L2Sq, Sums};
use crate::isa::{Isa, Level, WithIsa};
use crate::metric::Metric;
use crate::reference;

/// The distances from `query` to every row.
///
/// Shapes: `query [dim]`, `rows [n, dim]`, `out [n]`; asserted.
/// Units: as [`Metric`] says; smaller is nearer.
/// Tolerance: squared L2 and products as their sums ([`reference`](crate::reference)), a cosine `(dim / 2 + 40)
/// * 2^-24`.
/// On one tier a row's distance has the same bits in any batch.
/// Cost: `n * dim` multiply-adds (cosine: twice that), one dispatch, no allocation.
///
/// ```
/// use proxime_simd::{batch, Level, Metric, Rows, ShapeError};
///
/// let rows = Rows::new(&[1.0, 0.0, 0.0, 2.0, -1.0, 0.0], 2)?;
/// let mut out = [0.0; 3];
/// batch::distances(Level::detect(), Metric::Cosine, &[3.0, 0.0], rows, &mut out);
/// assert_eq!(out, [0.0, 1.0, 2.0]);
/// # Ok::<(), ShapeError>(())
/// ```
pub fn distances(
    level: Level,
    metric: Metric,
    query: &[f32],
    rows: Rows<'_, f32>,
    out: &mut [f32],
) {
    assert_eq!(
        query.len(),
        rows.dim(),
        "a query and rows of different length"
    );
    assert_eq!(out.len(), rows.n(), "one distance per row");
    level.dispatch(Distances {
        metric,
        query,
        rows,
        out,
    });
}

struct Distances<'a> {
    metric: Metric,
    query: &'a [f32],
    rows: Rows<'a, f32>,
    out: &'a mut [f32],
}

impl WithIsa for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let query = F32Query::new(isa, self.metric, self.query);
        // Each row takes four registers for its sums, eight for a cosine. Half of the 16 or 32 there are go to sums,
        // and measured no more pays: operands need the rest.
        match self.metric {
            Metric::Cosine => by::<I, 1>(isa, query, self.rows, self.out),
            Metric::L2 | Metric::Dot if I::WIDE => by::<I, 4>(isa, query, self.rows, self.out),
            Metric::L2 | Metric::Dot => by::<I, 2>(isa, query, self.rows, self.out),
        }
    }
}

/// `N` rows a call, the last few one by one.
#[inline(always)]
fn by<I: Isa, const N: usize>(isa: I, query: F32Query<'_>, rows: Rows<'_, f32>, out: &mut [f32]) {
    let (blocks, rest) = out.as_chunks_mut::<N>();
    let mut i = 0;
    for block in blocks {
        *block = query.distances(isa, std::array::from_fn(|lane| rows.row(i + lane)));
        i += N;
    }
    for (out, i) in rest.iter_mut().zip(i..) {
        *out = query.distance(isa, rows.row(i));
    }
}

/// A query prepared for distances by one metric, for loops that choose their own rows, such as a rerank.
///
/// Four rows at a time suit the tiers with 32 registers, two the others; eight spill.
///
/// ```
/// use proxime_simd::{batch::F32Query, Metric, Scalar};
///
/// let query = F32Query::new(Scalar, Metric::Dot, &[1.0, 2.0]);
/// assert_eq!(query.distance(Scalar, &[3.0, 4.0]), -11.0);
/// assert_eq!(query.distances(Scalar, [&[3.0, 4.0], &[0.0, 0.5]]), [-11.0, -1.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct F32Query<'a> {
    metric: Metric,
    components: &'a [f32],
    /// The query's length for cosine, 1 otherwise.
    norm: f32,
}

impl<'a> F32Query<'a> {
    /// Prepares `components` for distances by `metric`. Cost: one pass for cosine, else nothing.
    #[inline(always)]
    pub fn new<I: Isa>(isa: I, metric: Metric, components: &'a [f32]) -> Self {
        let norm = match metric {
            Metric::Cosine => isa.norm_sq_f32(components).sqrt(),
            Metric::L2 | Metric::Dot => 1.0,
        };
        Self {
            metric,
            components,
            norm,
        }
    }

    /// The distance to one row, as long as the query.
    #[inline(always)]
    pub fn distance<I: Isa>(&self, isa: I, row: &[f32]) -> f32 {
        let [distance] = self.distances(isa, [row]);
        distance
    }

    /// The distances to `N` rows, each as long as the query: the bits that [`distance`](Self::distance) gives.
    #[inline(always)]
    pub fn distances<I: Isa, const N: usize>(&self, isa: I, rows: [&[f32]; N]) -> [f32; N] {
        let query = self.components;
        match self.metric {
            Metric::L2 => isa
                .vectorize(Sums::new(L2Sq, query, rows))
                .map(|[l2_sq]| l2_sq),
            Metric::Dot => isa.vectorize(Sums::new(Dot, query, rows)).map(|[dot]| -dot),
            Metric::Cosine => {
                let parts = isa.vectorize(Sums::new(DotAndNormSq, query, rows));
                let mut out = [0.0; N];
                for n in 0..N {
                    let [dot, norm_sq] = parts[n];
                    let norm = norm_sq.sqrt();
                    out[n] = match LENGTHS.contains(&self.norm) && LENGTHS.contains(&norm) {
                        true => 1.0 - (dot / (self.norm * norm)).clamp(-1.0, 1.0),
                        false => cosine_in_f64(query, rows[n]),
                    };
                }
                out
            }
        }
    }
}

/// 2^-40 to 2^40: what of the squares of such vectors is too small or too large for `f32` is no part of their sum.
const LENGTHS: RangeInclusive<f32> = 9.094_947e-13..=1.099_511_6e12;

/// Of vectors of any length, or none. NaN stays NaN.
#[cold]
#[inline(never)]
fn cosine_in_f64(query: &[f32], row: &[f32]) -> f32 {
    reference::cosine(query, row).clamp(0.0, 2.0) as f32
}
