//! The smallest few of many keys: selection that costs less than the products it follows.
//!
//! A selection that moves keys waits for each comparison. These only compare and count, 16 keys at a time, until few enough
//! are left to stay in registers.

use crate::isa::Isa;

/// Keys in a line.
const LANES: usize = 16;

/// A line of keys in memory.
type Line = [u32; LANES];

/// How a tier works on 16 keys at once. The loops of `plain_keys` are the definition.
pub trait KeyLanes: Copy {
    /// 16 keys.
    type Keys: Copy;

    /// From memory.
    fn load(self, keys: &Line) -> Self::Keys;
    /// To memory.
    fn line(self, keys: Self::Keys) -> Line;
    /// One key 16 times.
    fn splat(self, key: u32) -> Self::Keys;
    /// The lesser of each pair.
    fn min(self, a: Self::Keys, b: Self::Keys) -> Self::Keys;
    /// The greater of each pair.
    fn max(self, a: Self::Keys, b: Self::Keys) -> Self::Keys;
    /// The greatest of all.
    fn greatest(self, keys: Self::Keys) -> u32;
    /// The least of all.
    fn least(self, keys: Self::Keys) -> u32;
    /// A bit for each place where `a` is less than `b`.
    fn less(self, a: Self::Keys, b: Self::Keys) -> u16;
    /// A bit for each place where they are equal.
    fn equal(self, a: Self::Keys, b: Self::Keys) -> u16;
    /// `key` where a bit is set.
    fn set(self, keys: Self::Keys, bits: u16, key: u32) -> Self::Keys;
    /// Those whose bit is set, moved to the front; what is behind them is any number.
    fn compress(self, keys: Self::Keys, bits: u16) -> Self::Keys;
    /// What stands at some places, all below the length.
    fn pick(self, keys: &[u32], places: Self::Keys) -> Self::Keys;
}

/// Implements [`KeyLanes`] by loops over arrays.
macro_rules! plain_keys {
    ($token:ty) => {
        impl $crate::topk::KeyLanes for $token {
            type Keys = [u32; 16];

            #[inline(always)]
            fn load(self, keys: &[u32; 16]) -> [u32; 16] {
                *keys
            }

            #[inline(always)]
            fn line(self, keys: [u32; 16]) -> [u32; 16] {
                keys
            }

            #[inline(always)]
            fn splat(self, key: u32) -> [u32; 16] {
                [key; 16]
            }

            #[inline(always)]
            fn min(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
                std::array::from_fn(|i| a[i].min(b[i]))
            }

            #[inline(always)]
            fn max(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
                std::array::from_fn(|i| a[i].max(b[i]))
            }

            #[inline(always)]
            fn greatest(self, keys: [u32; 16]) -> u32 {
                keys.into_iter().fold(0, u32::max)
            }

            #[inline(always)]
            fn least(self, keys: [u32; 16]) -> u32 {
                keys.into_iter().fold(u32::MAX, u32::min)
            }

            #[inline(always)]
            fn less(self, a: [u32; 16], b: [u32; 16]) -> u16 {
                (0..16).fold(0, |bits, i| bits | u16::from(a[i] < b[i]) << i)
            }

            #[inline(always)]
            fn equal(self, a: [u32; 16], b: [u32; 16]) -> u16 {
                (0..16).fold(0, |bits, i| bits | u16::from(a[i] == b[i]) << i)
            }

            #[inline(always)]
            fn set(self, keys: [u32; 16], bits: u16, key: u32) -> [u32; 16] {
                std::array::from_fn(|i| if bits >> i & 1 == 1 { key } else { keys[i] })
            }

            #[inline(always)]
            fn compress(self, keys: [u32; 16], bits: u16) -> [u32; 16] {
                $crate::topk::compress(keys, bits)
            }

            #[inline(always)]
            fn pick(self, keys: &[u32], places: [u32; 16]) -> [u32; 16] {
                places.map(|place| keys[place as usize])
            }
        }
    };
}
pub(crate) use plain_keys;

/// [`KeyLanes::compress`] where a line has few to keep.
#[inline(always)]
pub(crate) fn compress(keys: Line, mut bits: u16) -> Line {
    let (mut front, mut n) = ([0; LANES], 0);
    while bits != 0 {
        front[n % LANES] = keys[bits.trailing_zeros() as usize % LANES];
        n += 1;
        bits &= bits - 1;
    }
    front
}

/// Halvings of the range of keys: a thousandth of it is as near as a count needs.
const BISECTIONS: usize = 10;

/// One key in so many may be too many: a nearer count takes more halvings.
const SLACK: usize = 8;

/// A key with about `wanted` keys at or below it: at least that many, where there are so many below `u32::MAX`, and few more
/// unless many are almost equal.
///
/// The least keys of many groups are nearly the least of all: with four groups for each that is wanted, a seventh more than wanted
/// are let through.
/// `keys` is a multiple of 16 long; `u32::MAX` counts as no key.
/// Cost: one pass that moves nothing, if up to 64 are wanted; otherwise up to twelve.
#[inline(always)]
pub fn threshold<I: Isa>(isa: I, keys: &[u32], wanted: usize) -> u32 {
    match wanted {
        0..=16 => threshold_of_groups::<I, 4>(isa, keys, wanted),
        17..=64 => threshold_of_groups::<I, 16>(isa, keys, wanted),
        _ => bisect(isa, keys, wanted),
    }
}

#[inline(always)]
fn threshold_of_groups<I: Isa, const L: usize>(isa: I, keys: &[u32], wanted: usize) -> u32 {
    let mut least = [isa.splat(u32::MAX); L];
    for lines in keys.as_chunks::<LANES>().0.chunks(L) {
        for (least, line) in least.iter_mut().zip(lines) {
            *least = isa.min(*least, isa.load(line));
        }
    }
    let least = least.map(|keys| isa.line(keys));
    let least = least.as_flattened();
    // Few keys may all be in a few of the groups.
    let enough = count_to(isa, least, u32::MAX - 1) >= wanted;
    bisect(isa, if enough { least } else { keys }, wanted)
}

/// As [`threshold`], by halving the range of keys.
#[inline(always)]
fn bisect<I: Isa>(isa: I, keys: &[u32], wanted: usize) -> u32 {
    let (mut low, mut high) = range(isa, keys);
    for _ in 0..BISECTIONS {
        let middle = low + (high - low) / 2;
        let count = count_to(isa, keys, middle);
        if count < wanted {
            low = middle;
        } else {
            high = middle;
            if count <= wanted + wanted / SLACK {
                break;
            }
        }
    }
    high
}

/// The least key, and the greatest below `u32::MAX`.
#[inline(always)]
fn range<I: Isa>(isa: I, keys: &[u32]) -> (u32, u32) {
    let (mut low, mut above) = (isa.splat(u32::MAX), isa.splat(0));
    for line in keys.as_chunks::<LANES>().0 {
        let keys = isa.load(line);
        low = isa.min(low, keys);
        // One more, so that the greatest of all numbers wraps around to the least.
        let mut next = *line;
        for key in &mut next {
            *key = key.wrapping_add(1);
        }
        above = isa.max(above, isa.load(&next));
    }
    let high = isa.greatest(above).saturating_sub(1);
    (isa.least(low).min(high), high)
}

#[inline(always)]
fn count_to<I: Isa>(isa: I, keys: &[u32], limit: u32) -> usize {
    let limit = isa.splat(limit);
    let (lines, rest) = keys.as_chunks::<LANES>();
    assert!(rest.is_empty(), "{} keys are not whole lines", keys.len());
    let mut above = 0;
    // A loop, not an iterator's: what is not inlined leaves the tier.
    for line in lines {
        above += isa.less(limit, isa.load(line)).count_ones();
    }
    keys.len() - above as usize
}

/// Strikes out the least key, the first of equal ones: it, and its place; none when all are struck out.
///
/// `keys` is a multiple of 16 long; `u32::MAX` is a key struck out.
/// Cost: one pass, and one to the place.
#[inline(always)]
pub fn take_least<I: Isa>(isa: I, keys: &mut [u32]) -> Option<(u32, usize)> {
    let lines = keys.as_chunks_mut::<LANES>().0;
    let mut least = isa.splat(u32::MAX);
    for line in &*lines {
        least = isa.min(least, isa.load(line));
    }
    let key = isa.least(least);
    if key == u32::MAX {
        return None;
    }
    let wanted = isa.splat(key);
    for (i, line) in lines.iter_mut().enumerate() {
        let bits = isa.equal(isa.load(line), wanted);
        if let Some(found) = line.get_mut(bits.trailing_zeros() as usize) {
            *found = u32::MAX;
            return Some((key, i * LANES + bits.trailing_zeros() as usize));
        }
    }
    None
}

/// Up to `16 * L` keys in registers, with where they stood.
#[derive(Clone, Copy, Debug)]
pub struct Few<I: Isa, const L: usize> {
    keys: [I::Keys; L],
    places: [I::Keys; L],
}

impl<I: Isa, const L: usize> Few<I, L> {
    /// The first `16 * L` of the keys that are at most `limit`.
    ///
    /// Cost: one pass that branches nowhere.
    #[inline(always)]
    pub fn collect(isa: I, keys: &[u32], limit: u32) -> Self {
        // One line more: a line is written whole, however few of it count.
        let mut few = [[[u32::MAX; LANES]; 2]; L];
        let mut places = [[[0; LANES]; 2]; L];
        let few: &mut [u32] = few.as_flattened_mut().as_flattened_mut();
        let places_of: &mut [u32] = places.as_flattened_mut().as_flattened_mut();
        let (above, mut n) = (isa.splat(limit), 0);
        let mut at = isa.load(&std::array::from_fn(|i| i as u32));
        for (line, first) in keys.as_chunks::<LANES>().0.iter().zip((0..).step_by(LANES)) {
            let line = isa.load(line);
            let bits = !isa.less(above, line);
            few[n..n + LANES].copy_from_slice(&isa.line(isa.compress(line, bits)));
            places_of[n..n + LANES].copy_from_slice(&isa.line(isa.compress(at, bits)));
            n = (n + bits.count_ones() as usize).min(L * LANES);
            at = isa.load(&std::array::from_fn(|i| (first + LANES + i) as u32));
        }
        few[n..n + LANES].fill(u32::MAX);
        places_of[n..n + LANES].fill(0);
        let (few, places) = (few.as_chunks::<LANES>().0, places_of.as_chunks::<LANES>().0);
        Self {
            keys: std::array::from_fn(|i| isa.load(&few[i])),
            places: std::array::from_fn(|i| isa.load(&places[i])),
        }
    }

    /// The least key, the first of equal ones, and its place; none when all are struck out.
    #[inline(always)]
    pub fn least(&self, isa: I) -> Option<(u32, u32)> {
        let mut least = self.keys[0];
        for &keys in &self.keys[1..] {
            least = isa.min(least, keys);
        }
        let least = isa.least(least);
        if least == u32::MAX {
            return None;
        }
        let wanted = isa.splat(least);
        let (mut line, mut bits) = (L - 1, 0);
        for i in (0..L).rev() {
            let here = isa.equal(self.keys[i], wanted);
            (line, bits) = if here == 0 { (line, bits) } else { (i, here) };
        }
        let places: [Line; L] = self.places.map(|places| isa.line(places));
        Some((least, places[line][bits.trailing_zeros() as usize % LANES]))
    }

    /// Strikes out the key of a place, and every key that is greater than what stands at its place in `others`.
    #[inline(always)]
    pub fn strike(&mut self, isa: I, place: u32, others: &[u32]) {
        for (keys, &places) in self.keys.iter_mut().zip(&self.places) {
            let nearer = isa.less(isa.pick(others, places), *keys);
            let taken = isa.equal(places, isa.splat(place));
            *keys = isa.set(*keys, nearer | taken, u32::MAX);
        }
    }
}
