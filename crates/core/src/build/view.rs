//! What partition and leaves look at: the codes of rows, or sketches of them.

use proxime_quant::Codes;
use proxime_simd::I8Query;

use super::sketch::Sketches;

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
        rows.iter().map(move |&row| match self {
            Self::Codes(codes) => codes.query(row as usize),
            Self::Sketches(sketches) => sketches.query(row as usize),
        })
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
