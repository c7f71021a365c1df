//! Which nodes a search has met: one bit a node, cleared by walking what was set.
//!
//! A bit a node keeps the set in L1 for tens of thousands of rows and in L2 for millions, where a stamp a node
//! would compete with the codes for cache.

#[derive(Debug, Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Forgets everything and makes room for `n` nodes.
    pub(crate) fn reset(&mut self, n: usize) {
        for &node in &self.touched {
            self.words[node as usize / 64] = 0;
        }
        self.touched.clear();
        if self.words.len() < n.div_ceil(64) {
            self.words.resize(n.div_ceil(64), 0);
        }
    }

    /// How many nodes are marked.
    pub(crate) fn len(&self) -> usize {
        self.touched.len()
    }

    /// Whether a node is marked.
    #[inline(always)]
    pub(crate) fn contains(&self, node: u32) -> bool {
        self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    /// Marks a node; whether it was new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, node: u32) -> bool {
        let (word, bit) = (&mut self.words[node as usize / 64], 1u64 << (node % 64));
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.touched.push(node);
        }
        new
    }
}
