//! From products to distances. Plain loops: inside a tier the compiler makes vectors of them.

use proxime_simd::block::BLOCK_ROWS;

use super::view::View;
use crate::scorer::distance_from_dot;

/// What stands for no distance: farther than any.
pub(crate) const FARTHEST: u32 = u32::MAX;

/// What products become distances with: norms and added coordinates, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Norms {
    norms: Vec<u32>,
    extras: Vec<u32>,
}

impl Norms {
    /// Those of some rows, and behind them of rows farther than any.
    pub(crate) fn of(view: View<'_>, rows: &[u32]) -> Self {
        let padded = rows.len().next_multiple_of(BLOCK_ROWS);
        let gather = |one: &dyn Fn(u32) -> u32| {
            let mut all: Vec<u32> = rows.iter().map(|&row| one(row)).collect();
            all.resize(padded, 0);
            all
        };
        Self {
            norms: gather(&|row| view.norm(row)),
            extras: gather(&|row| view.extra(row)),
        }
    }

    /// Turns a row's products with the 16 rows from `first` on into their distances; `n` rows there are.
    #[inline(always)]
    pub(crate) fn finish(&self, (norm, extra): (u32, u32), first: usize, products: &mut [i32; 16]) {
        // Whole lines by value, and a loop: what the compiler makes vectors of. A closure is not always inlined, and leaves the tier.
        let (norms, extras) = (line(&self.norms, first), line(&self.extras, first));
        let mut distances = *products;
        for i in 0..16 {
            let (norms, extras) = ([norm, norms[i]], [extra, extras[i]]);
            distances[i] = distance_from_dot(distances[i], norms, extras) as i32;
        }
        *products = distances;
    }

    /// How many there are with those behind the last.
    pub(crate) fn padded(&self) -> usize {
        self.norms.len()
    }

    /// Of the row at a place.
    #[inline(always)]
    pub(crate) fn at(&self, place: usize) -> (u32, u32) {
        (self.norms[place], self.extras[place])
    }
}

/// Sixteen numbers from a multiple of sixteen on.
#[inline(always)]
fn line(numbers: &[u32], first: usize) -> [u32; 16] {
    numbers.as_chunks().0[first / 16]
}
