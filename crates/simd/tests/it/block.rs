//! Block products are those of the definition, on every tier, whatever is left over of blocks and panels.

use proptest::prelude::*;
use proxime_simd::block::{Gathered, Panels, Products, all_pairs, multiply};
use proxime_simd::{I8Query, Isa, Level, WithIsa, reference};

/// Both ways to multiply, in memory that an earlier and larger use has left full.
#[derive(Default)]
struct Memory {
    left: Gathered,
    right: Gathered,
    panels: Panels,
    out: Products,
}

struct Multiply<'a>(&'a mut Memory, &'a [Vec<i8>], &'a [Vec<i8>]);

impl WithIsa for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self(memory, left, right) = self;
        memory
            .left
            .gather(isa, left[0].len(), left.iter().map(|row| I8Query::new(row)));
        let right = right.iter().map(|row| I8Query::new(row));
        memory
            .panels
            .pack(isa, left[0].len(), right, &mut memory.right);
        multiply(isa, &memory.left, &memory.panels, &mut memory.out);
    }
}

struct AllPairs<'a>(&'a mut Memory, &'a [Vec<i8>]);

impl WithIsa for AllPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Self(memory, rows) = self;
        let len = rows[0].len();
        let rows = rows.iter().map(|row| I8Query::new(row));
        memory.panels.pack(isa, len, rows, &mut memory.left);
        all_pairs(
            isa,
            &memory.left,
            &memory.panels,
            &mut memory.out,
            |i, j, products| {
                let product = |at: usize| (i * (j + at)) as i32;
                (0..16).for_each(|at| products[at] = products[at].wrapping_add(product(at)));
            },
        );
    }
}

fn check(left: &[Vec<i8>], right: &[Vec<i8>]) {
    for level in Level::available() {
        let mut memory = Memory::default();
        let ones = vec![vec![1; left[0].len() + 70]; 200];
        level.dispatch(AllPairs(&mut memory, &ones));
        level.dispatch(Multiply(&mut memory, left, right));
        assert_eq!(memory.panels.n(), right.len());
        expect(level, &memory.out, left, right, |_, _| 0);
        level.dispatch(AllPairs(&mut memory, right));
        expect(level, &memory.out, right, right, |i, j| (i * j) as i64);
    }
}

fn expect(
    level: Level,
    out: &Products,
    left: &[Vec<i8>],
    right: &[Vec<i8>],
    more: impl Fn(usize, usize) -> i64,
) {
    assert!(out.stride() >= right.len());
    let rows = out.as_slice().chunks_exact(out.stride());
    assert!(rows.len() >= left.len());
    for (m, (row, products)) in left.iter().zip(rows).enumerate() {
        for (n, (&product, other)) in products.iter().zip(right).enumerate() {
            let expected = reference::dot_i8(row, other) + more(m, n);
            assert_eq!(i64::from(product), expected, "{level}: row {m} with {n}");
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape(m in 1usize..40, n in 1usize..230, dim in 1usize..200, seed: u64) {
        check(&rows(m, dim, seed), &rows(n, dim, !seed));
    }
}

#[test]
fn extremes_at_the_longest_row_that_fits() {
    let low = vec![vec![-128i8; 65_536]; 7];
    let high = vec![vec![127i8; 65_536]; 17];
    check(&low, &high);
    check(&low, &low);
}
