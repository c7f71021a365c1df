//! Elementwise work on rows of a distance matrix. Plain loops: inside a tier the compiler makes vectors of them.

use proxime_quant::Codes;
use proxime_simd::I8Query;
use proxime_simd::block::Products;

/// What stands for no distance: farther than any.
pub(crate) const FARTHEST: u32 = u32::MAX;

/// The codes of some rows, as the block product takes them.
#[inline(always)]
pub(crate) fn queries<'a>(
    codes: &'a Codes,
    rows: &'a [u32],
) -> impl ExactSizeIterator<Item = I8Query<'a>> + Clone {
    rows.iter().map(|&row| codes.query(row as usize))
}

/// Turns the products of `rows` with `columns` into their distances, in place; what is behind the columns is farthest.
#[inline(always)]
pub(crate) fn to_distances<'a>(
    codes: &Codes,
    rows: &[u32],
    columns: &[u32],
    products: &'a mut Products,
) -> &'a mut [u32] {
    let stride = products.stride();
    let mut norms = vec![0u32; stride];
    let mut extras = vec![0u32; stride];
    for (at, &column) in columns.iter().enumerate() {
        norms[at] = codes.norm(column as usize);
        extras[at] = codes.extra(column as usize);
    }
    let keys: &mut [u32] = bytemuck::cast_slice_mut(products.as_mut_slice());
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
