//! Exact products of an int8 query with rows of bits: the sum of the components at which a row has a 1.
//!
//! A group of 16 bytes holds 128 bits: byte `i` has bit `16 j + i` as its `j`-th, the least significant being the 0th. So a shift
//! and a mask leave bits in the order of the query's components, 16 at a time, on vectors of any width.

use crate::codes::{Block, I8Lanes, I8Query};
use crate::isa::{Isa, Scalar, WithIsa};

/// Bytes of a group.
const GROUP_BYTES: usize = 16;

/// Bits of a group.
pub(crate) const GROUP_BITS: usize = 8 * GROUP_BYTES;

/// How a tier multiplies a group of bits.
pub trait BitLanes: I8Lanes {
    /// Adds the query's components at which the group has a 1.
    #[inline(always)]
    fn add_group(
        self,
        mut sums: Self::Sums,
        query: &[i8; GROUP_BITS],
        group: &[u8; GROUP_BYTES],
    ) -> Self::Sums {
        let mut codes = [0i8; GROUP_BITS];
        for (j, codes) in codes.chunks_exact_mut(GROUP_BYTES).enumerate() {
            for (code, &byte) in codes.iter_mut().zip(group) {
                *code = (byte >> j & 1) as i8;
            }
        }
        let (query, _) = Self::Block::split(query);
        let (codes, _) = Self::Block::split(&codes);
        for (&query, &codes) in query.iter().zip(codes) {
            sums = self.add(sums, query, codes);
        }
        sums
    }
}

impl BitLanes for Scalar {}

pub(crate) struct DotsBits<'a, const N: usize> {
    pub(crate) query: I8Query<'a>,
    pub(crate) rows: [&'a [u8]; N],
}

impl<const N: usize> WithIsa for DotsBits<'_, N> {
    type Output = [i32; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; N] {
        let (query, rest) = self.query.codes().as_chunks::<GROUP_BITS>();
        assert!(rest.is_empty(), "a query of {} codes", rest.len());
        let mut groups: [&[[u8; GROUP_BYTES]]; N] = [&[]; N];
        for (groups, row) in groups.iter_mut().zip(self.rows) {
            assert_eq!(
                8 * row.len(),
                self.query.codes().len(),
                "a row and a query of different length"
            );
            // Told here, so that no check is left in the loop.
            *groups = &row.as_chunks().0[..query.len()];
        }
        let mut sums = [isa.zero(); N];
        for (i, query) in query.iter().enumerate() {
            for n in 0..N {
                sums[n] = isa.add_group(sums[n], query, &groups[n][i]);
            }
        }
        let mut out = [0; N];
        for (out, sums) in out.iter_mut().zip(sums) {
            *out = isa.total([sums], self.query);
        }
        out
    }
}
