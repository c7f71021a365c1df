//! The smallest few of many keys: selection that costs less than the products it follows.
//!
//! A selection that moves keys waits for each comparison. These only compare and count, 16 keys at a time, until few enough
//! are left to be moved.

use crate::isa::Isa;

/// Keys compared at once.
const LANES: usize = 16;

/// How a tier compares keys.
pub trait KeyLanes: Copy {
    /// A bit for each place where `a` is less than `b`.
    #[inline(always)]
    fn less(self, a: &[u32; LANES], b: &[u32; LANES]) -> u16 {
        let mut bits = 0;
        for lane in 0..LANES {
            bits |= u16::from(a[lane] < b[lane]) << lane;
        }
        bits
    }

    /// The keys at some places, none of which may be behind the last.
    #[inline(always)]
    fn pick(self, keys: &[u32], places: &[u32; LANES]) -> [u32; LANES] {
        places.map(|place| keys[place as usize])
    }
}

/// Halvings of the range of keys: a thousandth of it is as near as a count needs.
const BISECTIONS: usize = 10;

/// A key with about `wanted` keys at or below it: at least that many, where there are so many below `u32::MAX`, and few more
/// unless many are almost equal.
///
/// `keys` is a multiple of 16 long; `u32::MAX` counts as no key.
/// Cost: at most twelve passes that move nothing.
#[inline(always)]
pub fn threshold<I: Isa>(isa: I, keys: &[u32], wanted: usize) -> u32 {
    let (mut low, mut high) = range(keys);
    for _ in 0..BISECTIONS {
        let middle = low + (high - low) / 2;
        let count = count_to(isa, keys, middle);
        if count < wanted {
            low = middle;
        } else {
            high = middle;
            if count <= wanted + wanted / 8 {
                break;
            }
        }
    }
    high
}

/// The least key, and the greatest below `u32::MAX`.
#[inline(always)]
fn range(keys: &[u32]) -> (u32, u32) {
    let low = keys.iter().fold(u32::MAX, |low, &key| low.min(key));
    // One more, so that the greatest of all numbers wraps around to the least.
    let above = keys
        .iter()
        .fold(0, |above, &key| above.max(key.wrapping_add(1)));
    (low.min(above.saturating_sub(1)), above.saturating_sub(1))
}

#[inline(always)]
fn count_to<I: Isa>(isa: I, keys: &[u32], limit: u32) -> usize {
    let limit = [limit; LANES];
    let (lines, rest) = keys.as_chunks::<LANES>();
    assert!(rest.is_empty(), "{} keys are not whole lines", keys.len());
    let above: u32 = lines
        .iter()
        .map(|line| isa.less(&limit, line).count_ones())
        .sum();
    keys.len() - above as usize
}

/// Up to `N` keys, a multiple of 16, with where they stood.
#[derive(Clone, Debug)]
pub struct Few<const N: usize> {
    keys: [u32; N],
    places: [u32; N],
    n: usize,
}

impl<const N: usize> Few<N> {
    /// None.
    pub fn new() -> Self {
        Self {
            keys: [u32::MAX; N],
            places: [0; N],
            n: 0,
        }
    }

    /// The first `N` keys that are at most `limit`, in their order.
    #[inline(always)]
    pub fn collect<I: Isa>(&mut self, isa: I, keys: &[u32], limit: u32) {
        // The places too: an earlier row may have been longer.
        *self = Self::new();
        let limit = [limit; LANES];
        for (line, first) in keys.as_chunks::<LANES>().0.iter().zip((0..).step_by(LANES)) {
            let mut bits = !isa.less(&limit, line);
            while bits != 0 && self.n < N {
                let lane = bits.trailing_zeros();
                self.keys[self.n] = line[lane as usize % LANES];
                self.places[self.n] = first + lane;
                self.n += 1;
                bits &= bits - 1;
            }
        }
    }

    /// Takes the least key, the first of equal ones, and its place; none when all are taken or struck out.
    #[inline(always)]
    pub fn take_least(&mut self) -> Option<(u32, u32)> {
        let least = self
            .keys
            .iter()
            .fold(u32::MAX, |least, &key| least.min(key));
        let at = self.keys.iter().position(|&key| key == least)?;
        if least == u32::MAX {
            return None;
        }
        self.keys[at] = u32::MAX;
        Some((least, self.places[at]))
    }

    /// Strikes out every key that is greater than what stands at its place in `others`.
    #[inline(always)]
    pub fn strike_above<I: Isa>(&mut self, isa: I, others: &[u32]) {
        let lines = self.keys.as_chunks_mut::<LANES>().0.iter_mut();
        for (keys, places) in lines.zip(self.places.as_chunks::<LANES>().0) {
            let others = isa.pick(others, places);
            for (key, other) in keys.iter_mut().zip(others) {
                *key = if other < *key { u32::MAX } else { *key };
            }
        }
    }
}

impl<const N: usize> Default for Few<N> {
    fn default() -> Self {
        Self::new()
    }
}
