//! Block products are those of the definition, on every tier, whatever is left over of blocks and panels.

use proptest::prelude::*;
use proxime_simd::block::{Panels, multiply};
use proxime_simd::{I8Query, Isa, Level, WithIsa, reference};

struct Multiply<'a>(&'a [I8Query<'a>], &'a Panels, &'a mut [i32]);

impl WithIsa for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        multiply(isa, self.0, self.1, self.2);
    }
}

fn check(left: &[Vec<i8>], right: &[Vec<i8>]) {
    let left: Vec<I8Query<'_>> = left.iter().map(|row| I8Query::new(row)).collect();
    let right: Vec<I8Query<'_>> = right.iter().map(|row| I8Query::new(row)).collect();
    let mut panels = Panels::default();
    // Packed twice: what an earlier, larger packing left behind must not show.
    panels.pack(&[I8Query::new(&[1; 256]); 80]);
    panels.pack(&right);
    assert_eq!((panels.n(), panels.stride() % 16), (right.len(), 0));
    for level in Level::available() {
        let mut out = vec![77; left.len() * panels.stride()];
        level.dispatch(Multiply(&left, &panels, &mut out));
        for (m, row) in left.iter().enumerate() {
            for (n, &product) in out[m * panels.stride()..][..panels.stride()]
                .iter()
                .enumerate()
            {
                let expected = right
                    .get(n)
                    .map_or(0, |other| reference::dot_i8(row.codes(), other.codes()));
                assert_eq!(i64::from(product), expected, "{level}: row {m} with {n}");
            }
        }
    }
}

fn rows(n: usize, dim: usize, seed: u64) -> Vec<Vec<i8>> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as i8
    };
    (0..n).map(|_| (0..dim).map(|_| next()).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_shape(m in 0usize..15, n in 0usize..150, groups in 0usize..40, seed: u64) {
        check(&rows(m, groups * 4, seed), &rows(n, groups * 4, !seed));
    }
}

#[test]
fn extremes_at_the_longest_row_that_fits() {
    let low = vec![vec![-128i8; 65_536]; 7];
    let high = vec![vec![127i8; 65_536]; 17];
    check(&low, &high);
    check(&low, &low);
}
