//! The level a node reaches: a seeded hash, compared with integer thresholds.
//!
//! The paper draws `floor(-ln(u) * level_mult)` with `level_mult = 1 / ln(m)`, which is level `l` or higher with
//! probability `m^-l`. Comparing a 64-bit hash with `2^64 / m^l` is the same draw, without a logarithm whose
//! last bit differs between platforms.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Params;

/// The highest level a node can reach.
pub(crate) const LEVEL_MAX: usize = 16;

/// A node's hash: its level is drawn from it, and insertion follows its order.
pub(crate) fn node_hash(seed: u64, node: u32) -> u64 {
    xxh3_64_with_seed(&node.to_le_bytes(), seed)
}

/// The highest level of each of the first `n` nodes.
pub(crate) fn levels(n: usize, params: &Params) -> Vec<u8> {
    (0..n as u32).map(|node| level(node, params)).collect()
}

/// The highest level of a node.
pub(crate) fn level(node: u32, params: &Params) -> u8 {
    draw(node_hash(params.seed(), node), params.m()) as u8
}

/// The highest level of the node with this hash.
fn draw(hash: u64, m: usize) -> usize {
    let mut level = 0;
    let mut threshold = u64::MAX / m as u64;
    while level < LEVEL_MAX && hash < threshold {
        level += 1;
        threshold /= m as u64;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_holds_one_in_m_of_the_one_below() {
        let n = 1 << 18;
        let mut at_least = [0usize; 4];
        for node in 0..n {
            let level = draw(node_hash(7, node), 16);
            (0..=level.min(3)).for_each(|l| at_least[l] += 1);
        }
        for (level, &count) in at_least.iter().enumerate() {
            let expected = n as f64 / 16f64.powi(level as i32);
            let off = (count as f64 - expected).abs();
            assert!(
                off < 6.0 * expected.sqrt(),
                "level {level}: {count} nodes, expected {expected}"
            );
        }
    }
}
