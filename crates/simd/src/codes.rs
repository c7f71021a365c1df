//! Products of `int8` rows: the contract that every tier keeps, and the scalar tier.
//!
//! The vector kernels are in `x86` and `arm`. What they share: all arithmetic is modulo 2^32, so the order of additions is of
//! no consequence and a result that fits `i32` is exact, whatever happened on the way.

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
    /// Prepares a row of codes, padding included. Cost: one pass over it.
    #[inline]
    pub fn new(codes: &'a [i8]) -> Self {
        let sum = codes.iter().map(|&code| i32::from(code)).sum();
        Self { codes, sum }
    }

    /// The codes, as given.
    #[inline(always)]
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// What a product with `row + 128` has more than the product with `row`, modulo 2^32.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn bias(&self) -> i32 {
        self.sum.wrapping_mul(128)
    }

    /// The rows, asserted to be as long as the query: after it, no index into them is checked.
    #[inline(always)]
    pub(crate) fn assert_fits<const N: usize>(&self, rows: &[&[i8]; N]) {
        for row in rows {
            assert_eq!(
                row.len(),
                self.codes.len(),
                "a row and a query of different length"
            );
        }
    }
}

#[inline(always)]
pub(crate) fn dots_scalar<const N: usize>(query: I8Query<'_>, rows: [&[i8]; N]) -> [i32; N] {
    query.assert_fits(&rows);
    rows.map(|row| tail(query.codes, row))
}

/// The product component by component: the scalar tier, and what the vector tiers have left at the end of a row.
#[inline(always)]
pub(crate) fn tail(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0, |sum: i32, (&a, &b)| {
        sum.wrapping_add(i32::from(a) * i32::from(b))
    })
}
