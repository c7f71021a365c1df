//! What a graph looks like from outside.

use crate::Graph;
use crate::connect::Reached;

/// Counts over one graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphStats {
    /// Rows, deleted ones included.
    pub n: usize,
    /// Rows that are deleted.
    pub deleted: usize,
    /// Levels, level 0 included; 0 when there is no live row.
    pub levels: usize,
    /// Mean number of neighbours on level 0 of the rows that are not deleted.
    pub mean_degree: f64,
    /// Rows that are not deleted and cannot be reached from the entry point on level 0.
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
            deleted: self.n() - self.live(),
            levels: self.entry().map_or(0, |_| 1 + self.top_level()),
            mean_degree: links as f64 / self.live().max(1) as f64,
            unreachable: Reached::of(self).missing(),
        }
    }
}
