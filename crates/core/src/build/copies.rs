//! Rows whose codes are equal.
//!
//! The nearest of such a row are its copies. Among enough of them a list names nothing else, and no search that comes to one gets
//! away, or finds any that is not near another row. So of each only the first is linked with other rows; its copies hang on it, as
//! a tree.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use proxime_quant::Codes;

use crate::Graph;
use crate::links::{Links, NONE, UpperLevel};

/// Where fewer than one row in so many is a copy, lists have room for them.
const ROWS_PER_COPY: usize = 16;

/// Which rows are copies of which.
pub(crate) struct Copies {
    /// The first row of each kind, ascending.
    firsts: Vec<u32>,
    /// The first of its kind and a copy; sorted.
    pairs: Vec<(u32, u32)>,
}

impl Copies {
    /// None where they are few. Cost: a hash of each row, and a sort.
    pub(crate) fn of(codes: &Codes) -> Option<Self> {
        let hash = |row: u32| {
            let bytes: &[u8] = bytemuck::cast_slice(codes.row(row as usize));
            (xxh3_64(bytes), row)
        };
        let rows = (0..codes.n() as u32).into_par_iter();
        let mut hashed: Vec<(u64, u32)> = rows.map(hash).collect();
        hashed.par_sort_unstable();
        let mut pairs = Vec::new();
        for equal in hashed.chunk_by(|a, b| a.0 == b.0) {
            let first = equal[0].1;
            let is_copy = |row: &u32| codes.row(*row as usize) == codes.row(first as usize);
            let others = equal[1..].iter().map(|&(_, row)| row);
            pairs.extend(others.filter(is_copy).map(|copy| (first, copy)));
        }
        if pairs.len() * ROWS_PER_COPY < codes.n().max(1) {
            return None;
        }
        pairs.sort_unstable();
        let mut is_first = vec![true; codes.n()];
        pairs
            .iter()
            .for_each(|&(_, copy)| is_first[copy as usize] = false);
        let firsts = (0..codes.n() as u32).filter(|&row| is_first[row as usize]);
        Some(Self {
            firsts: firsts.collect(),
            pairs,
        })
    }

    /// The rows that are linked with others.
    pub(crate) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// The graph of all rows, from that of the first of each kind. What the first link to a copy takes the place of, where a list is
    /// full, may have to be attached again.
    pub(crate) fn hang_on(&self, graph: &Graph) -> Graph {
        let row = |&node: &u32| match node {
            NONE => NONE,
            node => self.firsts[node as usize],
        };
        let stride = graph.base.stride();
        let mut base = Links::empty(self.firsts.len() + self.pairs.len(), stride);
        for (place, &first) in self.firsts.iter().enumerate() {
            base.set(first as usize, graph.base.get(place).iter().map(row));
        }
        for copies in self.pairs.chunk_by(|a, b| a.0 == b.0) {
            let (first, root) = copies[0];
            base.push_or_replace(first as usize, root);
            for (place, &(_, copy)) in copies.iter().enumerate() {
                let below = copies.iter().skip(graph.m * place + 1).take(graph.m);
                let below = below.map(|&(_, copy)| copy);
                base.set(copy as usize, std::iter::once(first).chain(below));
            }
        }
        let upper = graph.upper.iter().map(|upper| {
            let slots = upper.links().slots().iter().map(row).collect();
            let nodes = upper.nodes().iter().map(row).collect();
            UpperLevel::from_parts(nodes, Links::from_slots(slots, graph.m))
        });
        Graph {
            m: graph.m,
            entry: graph.entry.as_ref().map(row),
            deleted: 0,
            base,
            upper: upper.collect(),
        }
    }
}
