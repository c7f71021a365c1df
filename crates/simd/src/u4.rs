//! Exact products of an int8 query with rows of 4-bit codes, two to a byte.
//!
//! A line of 64 bytes holds 128 codes: byte `i` has code `i` in its low half and code `64 + i` in its high half. So a mask and a
//! shift leave codes in the order of the query's components, on vectors of any width, and nothing is shuffled.

use crate::codes::{Block, I8Lanes, I8Query};
use crate::isa::{Isa, Scalar, WithIsa};
use crate::raw::LINE_BYTES;

/// Codes in a line.
pub(crate) const LINE_CODES: usize = 2 * LINE_BYTES;

/// How a tier multiplies a line of 4-bit codes.
pub trait U4Lanes: I8Lanes {
    /// Adds the products of the query's components with a line's low and high codes.
    #[inline(always)]
    fn add_line(
        self,
        mut sums: Self::Sums,
        query: &[i8; LINE_CODES],
        line: &[u8; LINE_BYTES],
    ) -> Self::Sums {
        let mut codes = [0i8; LINE_CODES];
        for (i, &byte) in line.iter().enumerate() {
            codes[i] = (byte & 15) as i8;
            codes[LINE_BYTES + i] = (byte >> 4) as i8;
        }
        let (query, _) = Self::Block::split(query);
        let (codes, _) = Self::Block::split(&codes);
        for (&query, &codes) in query.iter().zip(codes) {
            sums = self.add(sums, query, codes);
        }
        sums
    }
}

impl U4Lanes for Scalar {}

pub(crate) struct DotsU4<'a, const N: usize> {
    pub(crate) query: I8Query<'a>,
    pub(crate) rows: [&'a [u8]; N],
}

impl<const N: usize> WithIsa for DotsU4<'_, N> {
    type Output = [i32; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; N] {
        let (query, rest) = self.query.codes().as_chunks::<LINE_CODES>();
        assert!(rest.is_empty(), "a query of {} codes", rest.len());
        let mut lines: [&[[u8; LINE_BYTES]]; N] = [&[]; N];
        for (lines, row) in lines.iter_mut().zip(self.rows) {
            assert_eq!(
                2 * row.len(),
                self.query.codes().len(),
                "a row and a query of different length"
            );
            // Told here, so that no check is left in the loop.
            *lines = &row.as_chunks().0[..query.len()];
        }
        let mut sums = [isa.zero(); N];
        for (i, query) in query.iter().enumerate() {
            for n in 0..N {
                sums[n] = isa.add_line(sums[n], query, &lines[n][i]);
            }
        }
        let mut out = [0; N];
        for (out, sums) in out.iter_mut().zip(sums) {
            *out = isa.total([sums], self.query);
        }
        out
    }
}
