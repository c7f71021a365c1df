//! On one tier a pair has one distance, bit for bit: whatever the batch, the position in it and the alignment.

use proxime_simd::batch::F32Query;
use proxime_simd::{Isa, Level, Metric, Rows, WithIsa, batch};

use crate::{OnLevel, Random, levels};

/// One row alone, and as the last of `N`.
struct AloneAndLast<'a, const N: usize> {
    metric: Metric,
    query: &'a [f32],
    rows: [&'a [f32]; N],
}

impl<const N: usize> WithIsa for AloneAndLast<'_, N> {
    type Output = [[f32; N]; 2];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [[f32; N]; 2] {
        let query = F32Query::new(isa, self.metric, self.query);
        [
            query.distances(isa, self.rows),
            self.rows.map(|row| query.distance(isa, row)),
        ]
    }
}

fn check<const N: usize>(level: Level, metric: Metric, query: &[f32], rows: Rows<'_, f32>) {
    let rows = std::array::from_fn(|i| rows.row(i));
    let [together, alone] = level.dispatch(AloneAndLast::<N> {
        metric,
        query,
        rows,
    });
    assert_eq!(
        together.map(f32::to_bits),
        alone.map(f32::to_bits),
        "{level}, {metric}, {N} rows of {}",
        query.len()
    );
}

#[test]
fn alone_or_among_others() {
    let mut random = Random::new(9);
    for dim in [1, 3, 15, 16, 17, 50, 64, 100, 127, 128, 255, 768, 784] {
        let (query, data) = (random.floats(dim), random.floats(8 * dim));
        let rows = Rows::new(&data, dim).unwrap();
        for &level in levels() {
            for metric in Metric::ALL {
                check::<2>(level, metric, &query, rows);
                check::<3>(level, metric, &query, rows);
                check::<4>(level, metric, &query, rows);
                check::<8>(level, metric, &query, rows);
            }
        }
    }
}

#[test]
fn wherever_in_a_batch() {
    let mut random = Random::new(10);
    for dim in [5, 96, 100, 784] {
        let (query, row) = (random.floats(dim), random.floats(dim));
        // One component of other memory before each, so that every copy is aligned differently.
        let data: Vec<f32> = (0..13).flat_map(|_| row.iter().copied()).collect();
        for &level in levels() {
            for metric in Metric::ALL {
                let mut out = [f32::NAN; 13];
                batch::distances(
                    level,
                    metric,
                    &query,
                    Rows::new(&data, dim).unwrap(),
                    &mut out,
                );
                let bits = out.map(f32::to_bits);
                assert_eq!(bits, [bits[0]; 13], "{level}, {metric}, {dim}");
                for n in 0..13 {
                    let some = Rows::new(&data[..n * dim], dim).unwrap();
                    let mut out = vec![f32::NAN; n];
                    batch::distances(level, metric, &query, some, &mut out);
                    assert!(
                        out.iter().all(|d| d.to_bits() == bits[0]),
                        "{level}, {metric}, {n} rows of {dim}"
                    );
                }
            }
        }
    }
}

#[test]
fn one_pass_or_two() {
    let mut random = Random::new(11);
    for dim in 0..=200 {
        let (query, row) = (random.floats(dim), random.floats(dim));
        for level in levels() {
            let sums = level.sums_f32(&query, &row);
            let (dot, norm_sq) = sums.dot_and_norm_sq;
            assert_eq!(dot.to_bits(), sums.dot.to_bits(), "{level}, {dim}");
            assert_eq!(norm_sq.to_bits(), sums.norm_sq.to_bits(), "{level}, {dim}");
        }
    }
}
