//! What a graph looks like from outside.

use crate::Graph;
use crate::connect::Reached;

/// Counts over one graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphStats {
    /// Rows.
    pub n: usize,
    /// Levels, level 0 included; 0 when empty.
    pub levels: usize,
    /// Mean number of neighbours on level 0.
    pub mean_degree: f64,
    /// Rows that cannot be reached from the entry point on level 0.
    pub unreachable: usize,
}

impl Graph {
    /// Counts, from one walk over level 0.
    pub fn stats(&self) -> GraphStats {
        let links: usize = (0..self.n() as u32)
            .map(|node| self.neighbors(0, node).len())
            .sum();
        GraphStats {
            n: self.n(),
            levels: if self.n() == 0 {
                0
            } else {
                1 + self.top_level()
            },
            mean_degree: links as f64 / self.n().max(1) as f64,
            unreachable: Reached::of(self).missing(),
        }
    }
}
