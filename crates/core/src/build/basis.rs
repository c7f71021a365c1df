//! The directions in which rows differ most: an orthonormal basis of a few of them, from a sample.
//!
//! Random sums of sampled rows already lie mostly in these directions; one step of the power iteration turns them further in,
//! and what is left is to make them orthonormal (Halko, Martinsson, Tropp 2011, "Finding structure with randomness"). Floats,
//! but the same on every CPU: sums are kept apart in a fixed number of lanes, and Rust never contracts a product and a sum.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use crate::level::node_hash;

/// Sampled rows in a direction to begin with.
const SUMMED: usize = 8;

/// Partial sums kept apart: an AVX-512 register of them.
const LANES: usize = 16;

/// Less than this share of a direction's square, and what the others leave of it is rounding noise.
const LEFT_MIN: f32 = 1e-6;

/// Up to `width` directions, one behind the other, each as long as a row; zeros where the sample has no more.
///
/// Cost: two multiply-adds for each direction, component and row of the sample, on all threads of the pool.
pub(crate) fn basis(codes: &Codes, sample: &[u32], width: usize, seed: u64) -> Vec<f32> {
    let dim = codes.dim();
    let rows: Vec<f32> = sample
        .iter()
        .flat_map(|&row| &codes.row(row as usize)[..dim])
        .map(|&code| f32::from(code))
        .collect();
    let mut directions = vec![0.0; width * dim];
    let turned = directions.par_chunks_mut(dim).zip(0..width as u32);
    turned.for_each(|(direction, number)| {
        Level::detect().dispatch(Turn {
            rows: &rows,
            number,
            seed,
            direction,
        });
    });
    Level::detect().dispatch(MakeOrthonormal {
        rows: &mut directions,
        dim,
    });
    directions
}

/// A direction that most sampled rows have a part in: the sum of the rows, each times its product with a random sum of them.
struct Turn<'a> {
    rows: &'a [f32],
    number: u32,
    seed: u64,
    direction: &'a mut [f32],
}

impl WithIsa for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, _isa: I) {
        let dim = self.direction.len();
        let mut begun = vec![0.0; dim];
        for part in 0..SUMMED as u32 {
            let hash = node_hash(self.seed, self.number * SUMMED as u32 + part);
            let sign = if hash.leading_zeros() == 0 { -1.0 } else { 1.0 };
            let row = hash as usize % (self.rows.len() / dim);
            add(&mut begun, sign, &self.rows[row * dim..][..dim]);
        }
        for row in self.rows.chunks_exact(dim) {
            add(self.direction, product(&begun, row), row);
        }
    }
}

/// Gram and Schmidt's method, each row twice: once leaves what rounding has spoiled.
struct MakeOrthonormal<'a> {
    rows: &'a mut [f32],
    dim: usize,
}

impl WithIsa for MakeOrthonormal<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, _isa: I) {
        for start in (0..self.rows.len()).step_by(self.dim) {
            let (before, rest) = self.rows.split_at_mut(start);
            let row = &mut rest[..self.dim];
            let whole = product(row, row);
            for _ in 0..2 {
                for other in before.chunks_exact(self.dim) {
                    add(row, -product(row, other), other);
                }
            }
            let left = product(row, row);
            let is_new = left > LEFT_MIN * whole;
            let factor = if is_new { 1.0 / left.sqrt() } else { 0.0 };
            row.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

#[inline(always)]
fn add(to: &mut [f32], factor: f32, row: &[f32]) {
    for (to, x) in to.iter_mut().zip(row) {
        *to += factor * x;
    }
}

#[inline(always)]
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += a[lane] * b[lane];
        }
    }
    for (sum, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *sum += a * b;
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_orthonormal_and_what_depends_on_others_becomes_zero() {
        let dim = 37;
        let mut rows: Vec<f32> = (0..5 * dim)
            .map(|i| (node_hash(1, i as u32) % 200) as f32 - 100.0)
            .collect();
        for i in 0..dim {
            rows[3 * dim + i] = 2.0 * rows[i] - rows[dim + i];
        }
        for level in Level::available() {
            let mut rows = rows.clone();
            level.dispatch(MakeOrthonormal {
                rows: &mut rows,
                dim,
            });
            for (i, a) in rows.chunks_exact(dim).enumerate() {
                for (j, b) in rows.chunks_exact(dim).enumerate() {
                    let expected = f32::from(u8::from(i == j && i != 3));
                    let got: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((got - expected).abs() < 1e-4, "{level}: {i}, {j}: {got}");
                }
            }
        }
    }
}
