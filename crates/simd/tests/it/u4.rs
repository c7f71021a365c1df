//! Products of int8 queries with 4-bit codes are exact on every tier.

use proxime_simd::{I8Query, Isa, Level, WithIsa};

use crate::{Random, levels};

struct Op<'a, const N: usize>(&'a [i8], [&'a [u8]; N]);

impl<const N: usize> WithIsa for Op<'_, N> {
    type Output = [i32; N];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; N] {
        isa.dots_u4(I8Query::new(self.0), self.1)
    }
}

fn dots<const N: usize>(level: Level, query: &[i8], rows: [&[u8]; N]) -> [i32; N] {
    level.dispatch(Op(query, rows))
}

/// The definition, by where each code lies.
fn exact(query: &[i8], row: &[u8]) -> i32 {
    let code = |j: usize| {
        let byte = row[64 * (j / 128) + j % 64];
        i32::from(if j % 128 < 64 { byte % 16 } else { byte / 16 })
    };
    (0..query.len())
        .map(|j| i32::from(query[j]) * code(j))
        .sum()
}

#[test]
fn any_lines_and_any_number_of_rows() {
    let mut random = Random::new(11);
    for lines in [0, 1, 2, 3, 6, 7, 12, 100] {
        let query = random.codes(128 * lines);
        let rows: [Vec<u8>; 8] = std::array::from_fn(|_| {
            let codes = random.codes(64 * lines);
            codes.into_iter().map(|code| code as u8).collect()
        });
        let rows = rows.each_ref().map(Vec::as_slice);
        let expected = rows.map(|row| exact(&query, row));
        let [a, b, c, d, ..] = rows;
        for &level in levels() {
            assert_eq!(dots(level, &query, rows), expected, "{level}, {lines}");
            assert_eq!(dots(level, &query, [a, b, c, d]), expected[..4], "{level}");
            assert_eq!(dots(level, &query, [a]), expected[..1], "{level}");
            assert_eq!(dots(level, &query, []), [], "{level}, no row");
        }
    }
}

#[test]
fn extremes() {
    for a in [i8::MIN, -127, -1, 0, 1, i8::MAX] {
        for byte in [0, 0x0F, 0xF0, 0xFF] {
            for lines in [1, 512] {
                let (query, row) = (vec![a; 128 * lines], vec![byte; 64 * lines]);
                let expected = exact(&query, &row);
                for &level in levels() {
                    assert_eq!(
                        dots(level, &query, [&row]),
                        [expected],
                        "{level}, {a}, {byte}"
                    );
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "a row and a query of different length")]
fn another_length_is_a_bug() {
    dots(Level::detect(), &[0; 256], [&[0; 64]]);
}
