//! Elementwise work on rows of a distance matrix. Plain loops: inside a tier the compiler makes vectors of them.

use proxime_quant::Codes;

/// What stands for no distance: farther than any.
pub(crate) const FARTHEST: u32 = u32::MAX;

/// Turns the products of `rows` with `columns` into their distances, in place; what is behind the columns is farthest.
#[inline(always)]
pub(crate) fn to_distances<'a>(
    codes: &Codes,
    rows: &[u32],
    columns: &[u32],
    products: &'a mut [i32],
    stride: usize,
) -> &'a mut [u32] {
    let mut norms = vec![0u32; stride];
    let mut extras = vec![0u32; stride];
    for (at, &column) in columns.iter().enumerate() {
        norms[at] = codes.norm(column as usize);
        extras[at] = codes.extra(column as usize);
    }
    let keys: &mut [u32] = bytemuck::cast_slice_mut(products);
    for (&row, keys) in rows.iter().zip(keys.chunks_exact_mut(stride)) {
        let (norm, extra) = (codes.norm(row as usize), codes.extra(row as usize));
        for ((key, &other_norm), &other_extra) in keys.iter_mut().zip(&norms).zip(&extras) {
            let product = key.wrapping_add(extra.wrapping_mul(other_extra));
            *key = norm
                .wrapping_add(other_norm)
                .wrapping_sub(product.wrapping_mul(2));
        }
        keys[columns.len()..].fill(FARTHEST);
    }
    keys
}

/// The smallest key and its first place; none if all are farthest.
#[inline(always)]
pub(crate) fn nearest(keys: &[u32]) -> Option<(u32, usize)> {
    let least = keys.iter().fold(FARTHEST, |least, &key| least.min(key));
    let place = keys.iter().position(|&key| key == least);
    place
        .filter(|_| least != FARTHEST)
        .map(|place| (least, place))
}

/// A key with about `wanted` keys at or below it: at least that many, unless there are fewer.
///
/// Bisection: a handful of passes that only compare and count beat any selection that moves keys.
#[inline(always)]
pub(crate) fn threshold(keys: &[u32], wanted: usize) -> u32 {
    let known = |key: u32| if key == FARTHEST { 0 } else { key };
    let (mut low, mut high) = keys.iter().fold((FARTHEST, 0), |(low, high), &key| {
        (low.min(key), high.max(known(key)))
    });
    low = low.min(high);
    for _ in 0..BISECTIONS {
        let middle = low + (high - low) / 2;
        let below =
            keys.iter()
                .fold(0u32, |count, &key| count + u32::from(key <= middle)) as usize;
        if below < wanted {
            low = middle;
        } else {
            high = middle;
            if below <= wanted + wanted / 8 {
                break;
            }
        }
    }
    high
}

/// Halvings of the range of distances: a thousandth of it is as near as the count needs.
const BISECTIONS: usize = 10;

/// Strikes out every key above `limit`.
#[inline(always)]
pub(crate) fn strike_above(keys: &mut [u32], limit: u32) {
    for key in keys {
        *key = if *key > limit { FARTHEST } else { *key };
    }
}

/// Strikes out what is nearer to a kept row, whose distances are `from_kept`, than to the point whose keys these are.
#[inline(always)]
pub(crate) fn strike_occluded(keys: &mut [u32], from_kept: &[u32]) {
    for (key, &other) in keys.iter_mut().zip(from_kept) {
        *key = if other < *key { FARTHEST } else { *key };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_leaves_enough_and_not_much_more() {
        let keys: Vec<u32> = (0..300u32).map(|i| (i * 7919) % 10_007 * 1000).collect();
        for wanted in [1, 10, 48, 299, 300, 1000] {
            let limit = threshold(&keys, wanted);
            let below = keys.iter().filter(|&&key| key <= limit).count();
            assert!(
                below >= wanted.min(300) && below <= wanted + wanted / 8 + 2,
                "{below} for {wanted}"
            );
        }
        assert_eq!(threshold(&[FARTHEST; 16], 4), 0);
        assert_eq!(threshold(&[5; 16], 4), 5);
    }

    #[test]
    fn striking_keeps_what_is_nearer_to_the_point() {
        let mut keys = [10, 20, 30, FARTHEST];
        strike_occluded(&mut keys, &[10, 19, 31, 0]);
        assert_eq!(keys, [10, FARTHEST, 30, FARTHEST]);
        strike_above(&mut keys, 10);
        assert_eq!(nearest(&keys), Some((10, 0)));
        assert_eq!(nearest(&[FARTHEST; 3]), None);
    }
}
