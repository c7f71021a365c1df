//! Search results, and the order they are kept in.

use std::collections::BinaryHeap;

/// A row found by a search, with its distance in the metric's own units; smaller is nearer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// The row.
    pub node: u32,
    /// Squared L2, 1 - cos, or the negated product.
    pub distance: f32,
}

/// Maps a float to an integer of the same order; NaN, which only overflow can cause here, comes last.
#[inline(always)]
pub(crate) fn ordered(distance: f32) -> u32 {
    let bits = (distance.min(f32::INFINITY) + 0.0).to_bits();
    bits ^ (((bits as i32) >> 31) as u32 | 0x8000_0000)
}

/// What [`ordered`] was made of.
pub(crate) fn from_ordered(key: u32) -> f32 {
    let mask = if key & 0x8000_0000 != 0 {
        0x8000_0000
    } else {
        u32::MAX
    };
    f32::from_bits(key ^ mask)
}

/// The nearest `k` of a stream; ties go to the smaller node.
#[derive(Debug)]
pub(crate) struct TopK {
    k: usize,
    /// Farthest on top: `ordered(distance) << 32 | node`.
    heap: BinaryHeap<u64>,
}

impl TopK {
    pub(crate) fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
        }
    }

    /// Whether a row at this distance would be kept.
    #[inline(always)]
    pub(crate) fn would_keep(&self, node: u32, distance: f32) -> bool {
        self.heap.len() < self.k
            || self
                .heap
                .peek()
                .is_some_and(|&worst| pack(node, distance) < worst)
    }

    pub(crate) fn push(&mut self, node: u32, distance: f32) {
        if self.heap.len() < self.k {
            self.heap.push(pack(node, distance));
        } else if let Some(mut worst) = self.heap.peek_mut() {
            *worst = (*worst).min(pack(node, distance));
        }
    }

    /// Nearest first.
    pub(crate) fn into_sorted(self) -> Vec<Neighbor> {
        let unpack = |entry: u64| Neighbor {
            node: entry as u32,
            distance: from_ordered((entry >> 32) as u32),
        };
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(unpack)
            .collect()
    }
}

#[inline(always)]
fn pack(node: u32, distance: f32) -> u64 {
    u64::from(ordered(distance)) << 32 | u64::from(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_floats_do_and_come_back() {
        let values = [
            f32::NEG_INFINITY,
            -3.5,
            -1e-40,
            0.0,
            1e-40,
            2.0,
            1e30,
            f32::INFINITY,
        ];
        for pair in values.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
        }
        for value in values {
            assert_eq!(from_ordered(ordered(value)), value);
        }
        assert_eq!(ordered(-0.0), ordered(0.0));
        assert_eq!(ordered(f32::NAN), ordered(f32::INFINITY));
        assert_eq!(ordered(-f32::NAN), ordered(f32::INFINITY));
    }

    #[test]
    fn top_k_keeps_the_nearest_and_prefers_small_nodes() {
        let mut top = TopK::new(3);
        for (node, distance) in [(9, 1.0), (4, 0.5), (7, 1.0), (2, 1.0), (1, 3.0)] {
            if top.would_keep(node, distance) {
                top.push(node, distance);
            }
        }
        let found: Vec<_> = top
            .into_sorted()
            .iter()
            .map(|n| (n.node, n.distance))
            .collect();
        assert_eq!(found, [(4, 0.5), (2, 1.0), (7, 1.0)]);
        assert!(!TopK::new(0).would_keep(1, 0.0));
    }
}
