//! A random-looking rotation: what is said by a few components is spread evenly over all of them.
//!
//! Codes of few bits need it, for they give every component the same share of their precision. Three rounds, each of which flips
//! signs and applies a Hadamard transform to the components that lie a stride apart; between them the components change places, so
//! that a round mixes what the one before kept apart. Strides are whole vectors of the CPU, so that no round shuffles
//! within one. Signs are a fixed function of the dimension, so nothing is stored.
//!
//! Integers in, integers out: exact, and so the same on every CPU.

use std::ops::{Add, Mul, Sub};

const ROUNDS: usize = 3;

/// Levels of a Hadamard transform, at most: three rounds then multiply an int8 by at most 2^15, and f32 still holds the result.
const LEVELS_MAX: u32 = 5;

/// Components that are never joined with each other in one round.
const LANES: usize = 16;

/// A rotation of vectors of up to `len` components, up to a factor.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// Of each round.
    signs: [Vec<i8>; ROUNDS],
    levels: u32,
}

impl Rotation {
    /// `len` must be a multiple of 128.
    pub(crate) fn new(len: usize) -> Self {
        assert!(
            len > 0 && len.is_multiple_of(8 * LANES),
            "{len} is no multiple of 128"
        );
        let signs = |round: usize| {
            let sign = |i: usize| 1 - 2 * (mixed((ROUNDS * i + round) as u64) & 1) as i8;
            (0..len).map(sign).collect()
        };
        Self {
            signs: std::array::from_fn(signs),
            levels: (len / LANES).trailing_zeros().min(LEVELS_MAX),
        }
    }

    /// Components of a rotated vector.
    pub(crate) fn len(&self) -> usize {
        self.signs[0].len()
    }

    /// What products are multiplied by: a power of two.
    pub(crate) fn factor_sq(&self) -> f32 {
        (1u32 << (ROUNDS as u32 * self.levels)) as f32
    }

    /// Rotates `values`, which has `len` components; `scratch` has as many.
    #[inline(always)]
    pub(crate) fn apply<T: Number>(&self, values: &mut [T], scratch: &mut [T]) {
        self.round(0, values);
        self.change_places(values, scratch);
        self.round(1, scratch);
        self.change_places(scratch, values);
        self.round(2, values);
    }

    #[inline(always)]
    fn round<T: Number>(&self, round: usize, values: &mut [T]) {
        for (value, &sign) in values.iter_mut().zip(&self.signs[round]) {
            *value = *value * T::from(sign);
        }
        let (vectors, _) = values.as_chunks_mut::<LANES>();
        let mut stride = vectors.len() / 2;
        for _ in 0..self.levels {
            for block in vectors.chunks_exact_mut(2 * stride) {
                let (low, high) = block.split_at_mut(stride);
                for (low, high) in low.iter_mut().zip(high) {
                    for (a, b) in low.iter_mut().zip(high) {
                        (*a, *b) = (*a + *b, *a - *b);
                    }
                }
            }
            stride /= 2;
        }
    }

    /// A round joins what has the same place in each of its blocks; afterwards its neighbours are joined.
    #[inline(always)]
    fn change_places<T: Number>(&self, from: &[T], to: &mut [T]) {
        let blocks = 1 << self.levels;
        for (i, block) in to.chunks_exact_mut(from.len() / blocks).enumerate() {
            for (value, neighbors) in block.iter_mut().zip(from.chunks_exact(blocks)) {
                *value = neighbors[i];
            }
        }
    }
}

/// What can be rotated: exact integers, or a query's floats.
pub(crate) trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + From<i8>
{
}

impl Number for i32 {}
impl Number for f32 {}

/// Bits that look random: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotated(rotation: &Rotation, mut values: Vec<i32>) -> Vec<i32> {
        let mut scratch = values.clone();
        rotation.apply(&mut values, &mut scratch);
        values
    }

    fn dot(a: &[i32], b: &[i32]) -> i64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| i64::from(a) * i64::from(b))
            .sum()
    }

    #[test]
    fn products_stay_up_to_the_factor() {
        for len in [128, 384, 512, 768, 896, 1536, 4096] {
            let rotation = Rotation::new(len);
            let [a, b] = [3, 5].map(|salt| -> Vec<i32> {
                (0..len as u64)
                    .map(|i| (mixed(i * 8 + salt) % 255) as i32 - 127)
                    .collect()
            });
            let factor_sq = rotation.factor_sq() as i64;
            let (ra, rb) = (rotated(&rotation, a.clone()), rotated(&rotation, b.clone()));
            assert_eq!(dot(&ra, &rb), factor_sq * dot(&a, &b), "{len}");
            assert_eq!(dot(&ra, &ra), factor_sq * dot(&a, &a), "{len}");
        }
    }

    #[test]
    fn one_component_is_spread_over_all() {
        for len in [128, 384, 512, 768, 896, 1536, 4096] {
            let rotation = Rotation::new(len);
            for at in [0, 1, len / 2 + 1, len - 1] {
                let mut one = vec![0; len];
                one[at] = 1;
                let spread = rotated(&rotation, one);
                let square = |x: &i32| f64::from(*x) * f64::from(*x);
                let mean = spread.iter().map(square).sum::<f64>() / len as f64;
                let largest = spread.iter().map(square).fold(0.0, f64::max);
                assert!(
                    largest <= 20.0 * mean,
                    "{len}, {at}: {largest} against {mean}"
                );
            }
        }
    }
}
