//! Products of codes are exact on every tier.

use proptest::prelude::*;
use proxime_simd::{AlignedRows, reference};

use crate::{OnLevel, Random, lengths, levels};

/// The definition, as the kernels return it.
fn exact(a: &[i8], b: &[i8]) -> i32 {
    i32::try_from(reference::dot_i8(a, b)).unwrap()
}

#[test]
fn every_length_and_offset() {
    let mut random = Random::new(1);
    for len in lengths() {
        for offset in [0, 1, 3, 17] {
            // The row starts anywhere; what is around it must not count.
            let query = random.codes(len + offset);
            let row = random.codes(len + 2 * offset + 64);
            let (query, row) = (&query[offset..], &row[2 * offset..][..len]);
            for level in levels() {
                let expected = exact(query, row);
                assert_eq!(
                    level.dot_i8(query, row),
                    expected,
                    "{level}, {len} codes, offset {offset}"
                );
            }
        }
    }
}

#[test]
fn any_number_of_rows() {
    let mut random = Random::new(2);
    for len in [1, 15, 16, 17, 63, 64, 65, 129, 256, 320, 784, 832] {
        let query = random.codes(len);
        let rows: [Vec<i8>; 8] = std::array::from_fn(|_| random.codes(len));
        let rows = rows.each_ref().map(Vec::as_slice);
        let expected = rows.map(|row| exact(&query, row));
        for level in levels() {
            assert_eq!(
                level.dots_i8(&query, rows),
                expected,
                "{level}, {len} codes, 8 rows"
            );
            let [a, b, c, d, e, ..] = rows;
            assert_eq!(
                level.dots_i8(&query, [a, b, c, d, e]),
                expected[..5],
                "{level}, {len} codes, 5 rows"
            );
            assert_eq!(
                level.dots_i8(&query, [a, b, c, d]),
                expected[..4],
                "{level}, {len} codes, 4 rows"
            );
            assert_eq!(
                level.dots_i8(&query, [a, b]),
                expected[..2],
                "{level}, {len} codes, 2 rows"
            );
            assert_eq!(
                level.dots_i8(&query, [a]),
                expected[..1],
                "{level}, {len} codes, 1 row"
            );
            assert_eq!(level.dots_i8(&query, []), [], "{level}, no row");
        }
    }
}

#[test]
fn extremes() {
    let extremes = [i8::MIN, -127, -1, 0, 1, i8::MAX];
    for len in lengths() {
        for a in extremes {
            for b in extremes {
                let (query, row) = (vec![a; len], vec![b; len]);
                let mixed: Vec<i8> = (0..len).map(|i| if i % 3 == 0 { a } else { b }).collect();
                for level in levels() {
                    let expected = [exact(&query, &row), exact(&query, &mixed)];
                    assert_eq!(
                        level.dots_i8(&query, [&row, &mixed]),
                        expected,
                        "{level}, {len} codes of {a}, {b}"
                    );
                }
            }
        }
    }
}

/// The bound that the documentation states.
#[test]
fn up_to_the_bound() {
    let row = vec![i8::MIN; 131_071];
    for level in levels() {
        assert_eq!(level.dot_i8(&row, &row), 131_071 * 16_384, "{level}");
    }
}

/// Beyond it sums wrap around, they do not saturate: long enough that single lanes would.
#[test]
fn beyond_the_bound() {
    for (a, b) in [(i8::MIN, i8::MIN), (i8::MIN, i8::MAX)] {
        let (query, row) = (vec![a; 1_200_000], vec![b; 1_200_000]);
        let wrapped = reference::dot_i8(&query, &row) as i32;
        for level in levels() {
            assert_eq!(
                level.dots_i8(&query, [&row; 4]),
                [wrapped; 4],
                "{level}, {a} and {b}"
            );
        }
    }
}

#[test]
fn padding_adds_nothing() {
    let mut random = Random::new(3);
    for dim in [1, 63, 64, 65, 100, 784] {
        let mut rows = AlignedRows::<i8>::zeroed(2, dim);
        for i in 0..2 {
            rows.row_mut(i).copy_from_slice(&random.codes(dim));
        }
        let expected = exact(&rows.row(0)[..dim], &rows.row(1)[..dim]);
        for level in levels() {
            assert_eq!(
                level.dot_i8(rows.row(0), rows.row(1)),
                expected,
                "{level}, {dim} codes"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_codes(pairs in prop::collection::vec(any::<(i8, i8)>(), 0..700), skip in 0usize..64) {
        let (a, b): (Vec<i8>, Vec<i8>) = pairs.into_iter().unzip();
        let skip = skip.min(a.len());
        for level in levels() {
            prop_assert_eq!(level.dot_i8(&a[skip..], &b[skip..]), exact(&a[skip..], &b[skip..]), "{}", level);
        }
    }
}

#[test]
fn rows_of_another_length_are_refused() {
    for &level in levels() {
        for len in [0, 63, 65, 128] {
            let refused =
                std::panic::catch_unwind(|| level.dots_i8(&[1; 64], [&[1; 64], &vec![1; len]]));
            let message = *refused.unwrap_err().downcast::<String>().unwrap();
            assert!(
                message.contains("different length"),
                "{level}, {len}: {message}"
            );
        }
    }
}
