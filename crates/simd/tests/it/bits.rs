//! Products of int8 queries with rows of bits are exact on every tier.

use proxime_simd::{I8Query, Isa, WithIsa};

use crate::{Random, levels};

struct Dots<'a>(I8Query<'a>, [&'a [u8]; 4]);

impl WithIsa for Dots<'_> {
    type Output = [[i32; 4]; 2];

    /// Of four rows at once, and of one after the other.
    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        let Self(query, rows) = self;
        let one = |row| {
            let [dot] = isa.dots_bits(query, [row]);
            dot
        };
        [isa.dots_bits(query, rows), rows.map(one)]
    }
}

/// The definition, by where each bit lies.
fn exact(query: &[i8], row: &[u8]) -> i32 {
    let is_set = |j: &usize| row[16 * (j / 128) + j % 16] >> (j % 128 / 16) & 1 == 1;
    let set = (0..query.len()).filter(is_set);
    set.map(|j| i32::from(query[j])).sum()
}

#[test]
fn any_groups_and_extremes() {
    let mut random = Random::new(12);
    for groups in [0, 1, 2, 3, 6, 7, 100] {
        let some = random.codes(128 * groups);
        for query in [
            some,
            vec![i8::MIN; 128 * groups],
            vec![i8::MAX; 128 * groups],
        ] {
            let mut bytes = || random.codes(16 * groups).into_iter().map(|code| code as u8);
            let rows: [Vec<u8>; 4] = [
                bytes().collect(),
                bytes().collect(),
                vec![0; 16 * groups],
                vec![0xFF; 16 * groups],
            ];
            let rows = rows.each_ref().map(Vec::as_slice);
            let expected = rows.map(|row| exact(&query, row));
            for &level in levels() {
                let got = level.dispatch(Dots(I8Query::new(&query), rows));
                assert_eq!(got, [expected; 2], "{level}, {groups}");
            }
        }
    }
}
