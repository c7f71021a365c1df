//! Sums over the components of `f32` rows, generic over the width of a vector.
//!
//! A kernel is a [`Term`]: what one component adds to one sum, or to two. The loop is [`accumulate`],
//! the components that fill no vector are loaded as a vector filled up with zeros, and the parts are
//! added pairwise.
//!
//! No dispatch: see `isa`. No metric: see `batch`.

use pulp::Simd;

use crate::isa::{Isa, WithIsa};
use crate::lanes::{Lanes, accumulate, assert_same_length};

/// Accumulators per row: a fused multiply-add takes four cycles, and two loads allow one every cycle.
const WAYS: usize = 4;

/// What one component adds to `K` sums.
pub(crate) trait Term<const K: usize>: Copy {
    fn add<S: Simd>(
        self,
        simd: S,
        sums: [S::f32s; K],
        query: S::f32s,
        row: S::f32s,
    ) -> [S::f32s; K];
}

/// `query * row`.
#[derive(Clone, Copy)]
pub(crate) struct Dot;

impl Term<1> for Dot {
    #[inline(always)]
    fn add<S: Simd>(self, simd: S, [sum]: [S::f32s; 1], q: S::f32s, row: S::f32s) -> [S::f32s; 1] {
        [simd.mul_add_e_f32s(q, row, sum)]
    }
}

/// `(query - row)^2`.
#[derive(Clone, Copy)]
pub(crate) struct L2Sq;

impl Term<1> for L2Sq {
    #[inline(always)]
    fn add<S: Simd>(self, simd: S, [sum]: [S::f32s; 1], q: S::f32s, row: S::f32s) -> [S::f32s; 1] {
        let difference = simd.sub_f32s(q, row);
        [simd.mul_add_e_f32s(difference, difference, sum)]
    }
}

/// `query * row` and `row * row`.
#[derive(Clone, Copy)]
pub(crate) struct DotAndNormSq;

impl Term<2> for DotAndNormSq {
    #[inline(always)]
    fn add<S: Simd>(
        self,
        simd: S,
        [dot, norm_sq]: [S::f32s; 2],
        q: S::f32s,
        row: S::f32s,
    ) -> [S::f32s; 2] {
        [
            simd.mul_add_e_f32s(q, row, dot),
            simd.mul_add_e_f32s(row, row, norm_sq),
        ]
    }
}

/// The `K` sums of each of `N` rows against one query, waiting for a tier.
pub(crate) struct Sums<'a, T, const K: usize, const N: usize> {
    term: T,
    query: &'a [f32],
    rows: [&'a [f32]; N],
}

impl<'a, T: Term<K>, const K: usize, const N: usize> Sums<'a, T, K, N> {
    #[inline(always)]
    pub(crate) fn new(term: T, query: &'a [f32], rows: [&'a [f32]; N]) -> Self {
        Self { term, query, rows }
    }
}

impl<T: Term<K>, const K: usize, const N: usize> WithIsa for Sums<'_, T, K, N> {
    type Output = [[f32; K]; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [[f32; K]; N] {
        sums(
            Terms {
                simd: isa.float(),
                term: self.term,
            },
            self.query,
            self.rows,
        )
    }
}

/// The vectors of a tier and what is summed with them.
#[derive(Clone, Copy)]
struct Terms<S, T, const K: usize> {
    simd: S,
    term: T,
}

impl<S: Simd, T: Term<K>, const K: usize> Lanes for Terms<S, T, K> {
    type Block = S::f32s;
    type Sums = [S::f32s; K];

    #[inline(always)]
    fn zero(self) -> [S::f32s; K] {
        [self.simd.splat_f32s(0.0); K]
    }

    #[inline(always)]
    fn add(self, sums: [S::f32s; K], query: S::f32s, row: S::f32s) -> [S::f32s; K] {
        self.term.add(self.simd, sums, query, row)
    }
}

#[inline(always)]
fn sums<S: Simd, T: Term<K>, const K: usize, const N: usize>(
    terms: Terms<S, T, K>,
    query: &[f32],
    rows: [&[f32]; N],
) -> [[f32; K]; N] {
    assert_same_length(query, &rows);
    let simd = terms.simd;
    let (q, q_tail) = S::as_simd_f32s(query);
    let mut parts = accumulate::<_, N, WAYS>(terms, q, rows.map(|row| S::as_simd_f32s(row).0));
    if !q_tail.is_empty() {
        let q = simd.partial_load_f32s(q_tail);
        for (parts, row) in parts.iter_mut().zip(rows) {
            let (_, tail) = S::as_simd_f32s(row);
            parts[1] = terms.add(parts[1], q, simd.partial_load_f32s(tail));
        }
    }
    let mut out = [[0.0; K]; N];
    for (out, [a, b, c, d]) in out.iter_mut().zip(parts) {
        for k in 0..K {
            let sum = simd.add_f32s(simd.add_f32s(a[k], b[k]), simd.add_f32s(c[k], d[k]));
            out[k] = simd.reduce_sum_f32s(sum);
        }
    }
    out
}
