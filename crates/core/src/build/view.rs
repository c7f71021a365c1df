//! What partition and leaves look at: the codes of rows, or sketches of them.

use proxime_quant::Codes;
use proxime_simd::{I8Query, Isa};

use super::sketch::Sketches;
use crate::scorer::distance_from_dot;

/// Int8 rows between which distances are `norm_a + norm_b - 2 (row_a . row_b + extra_a extra_b)`.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    Codes(&'a Codes),
    Sketches(&'a Sketches),
}

impl<'a> View<'a> {
    /// Sketches where there are any.
    pub(crate) fn of(codes: &'a Codes, sketches: Option<&'a Sketches>) -> Self {
        sketches.map_or(Self::Codes(codes), Self::Sketches)
    }

    pub(crate) fn dim(self) -> usize {
        match self {
            Self::Codes(codes) => codes.dim(),
            Self::Sketches(sketches) => sketches.dim(),
        }
    }

    /// Some rows, as the block product takes them.
    #[inline(always)]
    pub(crate) fn queries(
        self,
        rows: &'a [u32],
    ) -> impl ExactSizeIterator<Item = I8Query<'a>> + Clone {
        rows.iter().map(move |&row| self.query(row))
    }

    /// The distances from one row to others.
    #[inline(always)]
    pub(crate) fn distances<I: Isa>(self, isa: I, from: u32, rows: &[u32]) -> Vec<u32> {
        let (query, norm, extra) = (self.query(from), self.norm(from), self.extra(from));
        let distance = |&to: &u32| {
            let [dot] = isa.dots_i8(query, [self.query(to).codes()]);
            distance_from_dot(dot, [norm, self.norm(to)], [extra, self.extra(to)])
        };
        rows.iter().map(distance).collect()
    }

    #[inline(always)]
    fn query(self, row: u32) -> I8Query<'a> {
        match self {
            Self::Codes(codes) => codes.query(row as usize),
            Self::Sketches(sketches) => sketches.query(row as usize),
        }
    }

    #[inline(always)]
    pub(crate) fn norm(self, row: u32) -> u32 {
        match self {
            Self::Codes(codes) => codes.norm(row as usize),
            Self::Sketches(sketches) => sketches.norm(row as usize),
        }
    }

    #[inline(always)]
    pub(crate) fn extra(self, row: u32) -> u32 {
        match self {
            Self::Codes(codes) => codes.extra(row as usize),
            Self::Sketches(sketches) => sketches.extra(row as usize),
        }
    }
}
