//! Sums over the components of `f32` rows, generic over the width of a vector.
//!
//! One loop serves every kernel: it adds a [`Term`] per component to four accumulators per row, so that four additions are in
//! flight, loads the ragged end as a vector filled up with zeros, and adds the accumulators pairwise. The order depends on
//! the tier and the length only: `N` rows at a time give each row the bits it has alone.
//!
//! No dispatch: see `isa`. No metric: see `batch`.

use std::marker::PhantomData;

use pulp::Simd;

use crate::isa::{Isa, WithIsa};

/// Accumulators per row: the latency of a fused multiply-add (4 cycles) at one a cycle, which is what two loads each allow.
const WAYS: usize = 4;

/// What one component adds to `K` sums.
pub(crate) trait Term<const K: usize> {
    fn add<S: Simd>(simd: S, query: S::f32s, row: S::f32s, sums: [S::f32s; K]) -> [S::f32s; K];
}

/// `query * row`.
pub(crate) struct Dot;

impl Term<1> for Dot {
    #[inline(always)]
    fn add<S: Simd>(simd: S, query: S::f32s, row: S::f32s, [sum]: [S::f32s; 1]) -> [S::f32s; 1] {
        [simd.mul_add_e_f32s(query, row, sum)]
    }
}

/// `(query - row)^2`.
pub(crate) struct L2Sq;

impl Term<1> for L2Sq {
    #[inline(always)]
    fn add<S: Simd>(simd: S, query: S::f32s, row: S::f32s, [sum]: [S::f32s; 1]) -> [S::f32s; 1] {
        let difference = simd.sub_f32s(query, row);
        [simd.mul_add_e_f32s(difference, difference, sum)]
    }
}

/// `query * row` and `row * row`.
pub(crate) struct DotAndNormSq;

impl Term<2> for DotAndNormSq {
    #[inline(always)]
    fn add<S: Simd>(
        simd: S,
        query: S::f32s,
        row: S::f32s,
        [dot, norm]: [S::f32s; 2],
    ) -> [S::f32s; 2] {
        [
            simd.mul_add_e_f32s(query, row, dot),
            simd.mul_add_e_f32s(row, row, norm),
        ]
    }
}

/// The sums of `N` rows against one query, waiting for a tier.
pub(crate) struct Sums<'a, T, const K: usize, const N: usize> {
    query: &'a [f32],
    rows: [&'a [f32]; N],
    term: PhantomData<T>,
}

#[inline(always)]
pub(crate) fn dot<'a, const N: usize>(
    query: &'a [f32],
    rows: [&'a [f32]; N],
) -> Sums<'a, Dot, 1, N> {
    Sums {
        query,
        rows,
        term: PhantomData,
    }
}

#[inline(always)]
pub(crate) fn l2_sq<'a, const N: usize>(
    query: &'a [f32],
    rows: [&'a [f32]; N],
) -> Sums<'a, L2Sq, 1, N> {
    Sums {
        query,
        rows,
        term: PhantomData,
    }
}

#[inline(always)]
pub(crate) fn dot_and_norm_sq<'a, const N: usize>(
    query: &'a [f32],
    rows: [&'a [f32]; N],
) -> Sums<'a, DotAndNormSq, 2, N> {
    Sums {
        query,
        rows,
        term: PhantomData,
    }
}

impl<T: Term<K>, const K: usize, const N: usize> WithIsa for Sums<'_, T, K, N> {
    type Output = [[f32; K]; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [[f32; K]; N] {
        sums::<_, T, K, N>(isa.float(), self.query, self.rows)
    }
}

/// A row as the loop takes it.
#[derive(Clone, Copy)]
struct Parts<'a, V> {
    blocks: &'a [[V; WAYS]],
    /// Up to three vectors more.
    rest: &'a [V],
    /// Less than a vector.
    tail: &'a [f32],
}

#[inline(always)]
fn split<S: Simd>(row: &[f32]) -> Parts<'_, S::f32s> {
    let (vectors, tail) = S::as_simd_f32s(row);
    let (blocks, rest) = pulp::as_arrays(vectors);
    Parts { blocks, rest, tail }
}

#[inline(always)]
fn sums<S: Simd, T: Term<K>, const K: usize, const N: usize>(
    simd: S,
    query: &[f32],
    rows: [&[f32]; N],
) -> [[f32; K]; N] {
    let q = split::<S>(query);
    let mut parts = [q; N];
    for (part, row) in parts.iter_mut().zip(rows) {
        assert_eq!(
            row.len(),
            query.len(),
            "a row and a query of different length"
        );
        *part = split::<S>(row);
        // Equal anyway; said so that no index below is checked.
        part.blocks = &part.blocks[..q.blocks.len()];
        part.rest = &part.rest[..q.rest.len()];
    }

    let mut sums = [[[simd.splat_f32s(0.0); K]; WAYS]; N];
    for (i, q) in q.blocks.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&parts) {
            for way in 0..WAYS {
                sums[way] = T::add(simd, q[way], row.blocks[i][way], sums[way]);
            }
        }
    }
    for (i, &q) in q.rest.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&parts) {
            sums[0] = T::add(simd, q, row.rest[i], sums[0]);
        }
    }
    if !q.tail.is_empty() {
        let q = simd.partial_load_f32s(q.tail);
        for (sums, row) in sums.iter_mut().zip(&parts) {
            sums[1] = T::add(simd, q, simd.partial_load_f32s(row.tail), sums[1]);
        }
    }

    let mut out = [[0.0; K]; N];
    for (out, [a, b, c, d]) in out.iter_mut().zip(sums) {
        for k in 0..K {
            let pairs = simd.add_f32s(simd.add_f32s(a[k], b[k]), simd.add_f32s(c[k], d[k]));
            out[k] = simd.reduce_sum_f32s(pairs);
        }
    }
    out
}
