//! Products of `int8` rows: the contract that every tier keeps, and the scalar tier.
//!
//! The tiers share the loop of `lanes`; in what they differ ([`I8Lanes`]) is in `x86` and `arm`.
//! All arithmetic is modulo 2^32, so the order of additions is of no consequence, and a result that
//! fits `i32` is exact whatever happened on the way.

use std::ops::Range;

use crate::block::{self, Gathered, I8Tiles, PANEL_ROWS, PanelLine, Panels, Products};
use crate::isa::{Isa, Scalar, WithIsa};
use crate::lanes::{Lanes, accumulate, assert_same_length};
use crate::topk::plain_keys;

/// A row that is compared with many others, with what its kernels need to know beforehand.
///
/// ```
/// use proxime_simd::{I8Query, Isa, Scalar};
///
/// let query = I8Query::new(&[1, 2, 3]);
/// assert_eq!(Scalar.dots_i8(query, [&[1, 1, 1], &[0, 0, -128]]), [6, -384]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct I8Query<'a> {
    codes: &'a [i8],
    sum: i32,
}

impl<'a> I8Query<'a> {
    /// Prepares a row of codes, padding included. Cost: one pass over it, about that of a product.
    #[inline(always)]
    pub fn new(codes: &'a [i8]) -> Self {
        Self {
            codes,
            sum: sum(codes),
        }
    }

    /// A row whose sum is known; with another number the products would be wrong.
    #[inline(always)]
    pub fn with_sum(codes: &'a [i8], sum: i32) -> Self {
        Self { codes, sum }
    }

    /// The codes, as given.
    #[inline(always)]
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// The sum of the codes, modulo 2^32.
    #[inline(always)]
    pub fn sum(&self) -> i32 {
        self.sum
    }
}

/// The sum of codes, in 16-bit lanes that 256 codes cannot overflow: half the work of wider ones.
#[inline(always)]
fn sum(codes: &[i8]) -> i32 {
    const LANES: usize = 32;
    let mut sum = 0i32;
    for part in codes.chunks(256 * LANES) {
        let (blocks, tail) = part.as_chunks::<LANES>();
        let mut lanes = [0i16; LANES];
        for block in blocks {
            for (lane, &code) in lanes.iter_mut().zip(block) {
                *lane += i16::from(code);
            }
        }
        for lane in lanes {
            sum = sum.wrapping_add(i32::from(lane));
        }
        for &code in tail {
            sum = sum.wrapping_add(i32::from(code));
        }
    }
    sum
}

/// As many codes as fill a register of some tier.
pub trait Block: Copy {
    /// Whole blocks, and what is left.
    fn split(codes: &[i8]) -> (&[Self], &[i8]);
    /// What is left, filled up with zeros.
    fn fill(tail: &[i8]) -> Self;
}

impl<const B: usize> Block for [i8; B] {
    #[inline(always)]
    fn split(codes: &[i8]) -> (&[Self], &[i8]) {
        codes.as_chunks()
    }

    #[inline(always)]
    fn fill(tail: &[i8]) -> Self {
        let mut block = [0; B];
        block[..tail.len()].copy_from_slice(tail);
        block
    }
}

/// How a tier multiplies codes and adds the products.
pub trait I8Lanes: Lanes<Block: Block> {
    /// All parts and lanes added up, less what [`Lanes::add`] adds too much for this query.
    fn total<const WAYS: usize>(self, parts: [Self::Sums; WAYS], query: I8Query<'_>) -> i32;
}

/// The products of one query with `N` rows, waiting for a tier.
pub(crate) struct Dots<'a, const N: usize> {
    pub(crate) query: I8Query<'a>,
    pub(crate) rows: [&'a [i8]; N],
}

impl<const N: usize> WithIsa for Dots<'_, N> {
    type Output = [i32; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; N] {
        // Four rows have additions enough in flight; one has not.
        match N {
            ..4 => dots::<I, N, 4>(isa, self.query, self.rows),
            4.. => dots::<I, N, 1>(isa, self.query, self.rows),
        }
    }
}

#[inline(always)]
fn dots<L: I8Lanes, const N: usize, const WAYS: usize>(
    lanes: L,
    query: I8Query<'_>,
    rows: [&[i8]; N],
) -> [i32; N] {
    assert_same_length(query.codes, &rows);
    let (q, q_tail) = L::Block::split(query.codes);
    let mut blocks: [&[L::Block]; N] = [&[]; N];
    for (blocks, row) in blocks.iter_mut().zip(rows) {
        *blocks = L::Block::split(row).0;
    }
    let mut parts = accumulate::<_, N, WAYS>(lanes, q, blocks);
    if !q_tail.is_empty() {
        let q = L::Block::fill(q_tail);
        for (parts, row) in parts.iter_mut().zip(rows) {
            let (_, tail) = L::Block::split(row);
            parts[0] = lanes.add(parts[0], q, L::Block::fill(tail));
        }
    }
    let mut out = [0; N];
    for (out, parts) in out.iter_mut().zip(parts) {
        *out = lanes.total(parts, query);
    }
    out
}

impl Lanes for Scalar {
    type Block = [i8; 16];
    type Sums = i32;

    #[inline(always)]
    fn zero(self) -> i32 {
        0
    }

    #[inline(always)]
    fn add(self, sum: i32, query: [i8; 16], row: [i8; 16]) -> i32 {
        let mut sum = sum;
        for (query, row) in query.into_iter().zip(row) {
            sum = sum.wrapping_add(i32::from(query) * i32::from(row));
        }
        sum
    }
}

impl I8Lanes for Scalar {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [i32; WAYS], _query: I8Query<'_>) -> i32 {
        parts.into_iter().fold(0, i32::wrapping_add)
    }
}

plain_keys!(Scalar);

impl I8Tiles for Scalar {
    type Tile = [i32; PANEL_ROWS];

    #[inline(always)]
    fn tile_zero(self) -> Self::Tile {
        [0; PANEL_ROWS]
    }

    #[inline(always)]
    fn tile_add(self, mut tile: Self::Tile, left: [i8; 4], line: &PanelLine) -> Self::Tile {
        for (sum, row) in tile.iter_mut().zip(line.as_chunks::<4>().0) {
            for (&a, &b) in left.iter().zip(row) {
                *sum = sum.wrapping_add(i32::from(a) * i32::from(b));
            }
        }
        tile
    }

    #[inline(always)]
    fn tile_sums(self, tile: Self::Tile, _left_sum: i32) -> [i32; PANEL_ROWS] {
        tile
    }

    #[inline(always)]
    fn multiply(
        self,
        left: &Gathered,
        rows: Range<usize>,
        right: &Panels,
        panels: Range<usize>,
        out: &mut Products,
    ) {
        block::by::<Self, 1, 1>(self, left, rows, right, panels, out);
    }
}
