//! The graph: levels of neighbour lists and an entry point; and its bytes.
//!
//! Byte layout, all u32 little-endian: rows, m, entry point, upper levels, then the number of nodes of each upper
//! level; the level-0 slots, `rows * 2m`; then for each upper level its nodes, ascending, and their slots,
//! `nodes * m`. Empty slots hold `u32::MAX`. An empty graph has `u32::MAX` for its entry point.

use xxhash_rust::xxh3::xxh3_128;

use crate::level::LEVEL_MAX;
use crate::links::{Links, NONE, ROWS_MAX, UpperLevel};
use crate::{Error, M_MAX, Params};

/// An HNSW graph over numbered rows; knows no vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) m: usize,
    pub(crate) entry: Option<u32>,
    pub(crate) base: Links,
    /// Level 1 first.
    pub(crate) upper: Vec<UpperLevel>,
}

impl Graph {
    /// No rows.
    ///
    /// Errors: none; the parameters have been checked.
    pub fn empty(params: &Params) -> Self {
        Self {
            m: params.m(),
            entry: None,
            base: Links::empty(0, params.m0()),
            upper: Vec::new(),
        }
    }

    /// Makes room for the rows that it does not have yet, on each of their levels; `levels[node]` is the highest.
    pub(crate) fn grow(&mut self, levels: &[u8]) {
        let new = self.n() as u32..levels.len() as u32;
        self.base.grow(levels.len());
        let top = new
            .clone()
            .map(|node| levels[node as usize])
            .max()
            .unwrap_or(0);
        let reached = self.upper.len().max(usize::from(top));
        self.upper.resize_with(reached, || UpperLevel::new(self.m));
        for (upper, level) in self.upper.iter_mut().zip(1..) {
            upper.extend(new.clone().filter(|&node| levels[node as usize] >= level));
        }
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.base.lists()
    }

    /// Links per node above level 0; twice as many fit on level 0.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Where searches start; none in an empty graph.
    pub fn entry(&self) -> Option<u32> {
        self.entry
    }

    /// The highest level that has nodes.
    pub fn top_level(&self) -> usize {
        self.upper.len()
    }

    /// The highest level that a node reaches.
    pub(crate) fn level_of(&self, node: u32) -> usize {
        self.upper
            .iter()
            .take_while(|upper| upper.nodes().binary_search(&node).is_ok())
            .count()
    }

    /// A node's neighbours on a level; empty where the node does not reach it.
    pub fn neighbors(&self, level: usize, node: u32) -> &[u32] {
        match level.checked_sub(1) {
            None => self.base.get(node as usize),
            Some(above) => self.upper.get(above).map_or(&[], |upper| upper.get(node)),
        }
    }

    /// A node's list with what is empty of it.
    #[inline(always)]
    pub(crate) fn slots(&self, level: usize, node: u32) -> &[u32] {
        match level {
            0 => self.base.row(node as usize),
            _ => self.neighbors(level, node),
        }
    }

    pub(crate) fn set_neighbors(
        &mut self,
        level: usize,
        node: u32,
        neighbors: impl IntoIterator<Item = u32>,
    ) {
        match level.checked_sub(1) {
            None => self.base.set(node as usize, neighbors),
            Some(above) => self.upper[above].set(node, neighbors),
        }
    }

    /// The same for the same rows and parameters, whatever the threads and the CPU.
    pub fn digest(&self) -> u128 {
        xxh3_128(&self.to_bytes())
    }

    /// The graph as bytes, as laid out at the top of this file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = [
            self.n() as u32,
            self.m as u32,
            self.entry.unwrap_or(NONE),
            self.upper.len() as u32,
        ];
        let counts = self.upper.iter().map(|upper| upper.nodes().len() as u32);
        let upper = self
            .upper
            .iter()
            .flat_map(|upper| upper.nodes().iter().chain(upper.links().slots()));
        let words = header
            .into_iter()
            .chain(counts)
            .chain(self.base.slots().iter().chain(upper).copied());
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// Reads back [`Graph::to_bytes`] of a graph over `n` rows, trusting nothing.
    ///
    /// Errors: anything that a traversal would trip over, named with its node.
    /// Cost: one pass; memory bounded by the length of `bytes`.
    pub fn from_bytes(bytes: &[u8], n: usize) -> Result<Self, Error> {
        let mut words = Words::new(bytes)?;
        let header = words.take(4)?;
        let (rows, m, entry, levels) = (
            header[0] as usize,
            header[1] as usize,
            header[2],
            header[3] as usize,
        );
        if rows != n || n > ROWS_MAX {
            return damaged(format!("it has {rows} rows, the segment {n}"));
        }
        if !(2..=M_MAX).contains(&m) || levels > LEVEL_MAX {
            return damaged(format!("m is {m} and it has {levels} upper levels"));
        }
        let counts = words.take(levels)?;
        let base = Links::from_slots(words.take(checked_product(n, 2 * m)?)?, 2 * m);
        let mut upper = Vec::with_capacity(levels);
        for count in counts {
            let nodes = words.take(count as usize)?;
            let slots = words.take(checked_product(count as usize, m)?)?;
            upper.push(UpperLevel::from_parts(nodes, Links::from_slots(slots, m)));
        }
        words.end()?;
        let graph = Self {
            m,
            entry: (entry != NONE).then_some(entry),
            base,
            upper,
        };
        graph.validate()?;
        Ok(graph)
    }

    fn validate(&self) -> Result<(), Error> {
        match self.entry {
            None if self.n() > 0 => return damaged("it has rows but no entry point".into()),
            Some(entry) if entry as usize >= self.n() => {
                return damaged(format!("its entry point is {entry}"));
            }
            Some(entry)
                if self
                    .upper
                    .iter()
                    .any(|upper| upper.nodes().binary_search(&entry).is_err()) =>
            {
                return damaged(format!(
                    "its entry point {entry} does not reach its top level"
                ));
            }
            _ => {}
        }
        for node in 0..self.n() as u32 {
            check_list(self.base.row(node as usize), node, |other| {
                (other as usize) < self.n()
            })?;
        }
        let mut below: Option<&[u32]> = None;
        for upper in &self.upper {
            let nodes = upper.nodes();
            let sorted = nodes.windows(2).all(|pair| pair[0] < pair[1]);
            let known = |node: &u32| match below {
                None => (*node as usize) < self.n(),
                Some(below) => below.binary_search(node).is_ok(),
            };
            if nodes.is_empty() || !sorted || !nodes.iter().all(known) {
                return damaged(
                    "the nodes of an upper level are not a sorted part of those below".into(),
                );
            }
            for (slot, &node) in nodes.iter().enumerate() {
                check_list(upper.links().row(slot), node, |other| {
                    nodes.binary_search(&other).is_ok()
                })?;
            }
            below = Some(nodes);
        }
        Ok(())
    }
}

/// A list names known nodes, not its own, and has nothing behind its end.
fn check_list(slots: &[u32], node: u32, known: impl Fn(u32) -> bool) -> Result<(), Error> {
    let used = slots
        .iter()
        .position(|&other| other == NONE)
        .unwrap_or(slots.len());
    let (neighbors, rest) = slots.split_at(used);
    match neighbors
        .iter()
        .find(|&&other| other == node || !known(other))
    {
        Some(other) => damaged(format!("node {node} has neighbour {other}")),
        None if rest.iter().any(|&other| other != NONE) => {
            damaged(format!("node {node} has a gap in its list"))
        }
        None => Ok(()),
    }
}

fn checked_product(a: usize, b: usize) -> Result<usize, Error> {
    a.checked_mul(b)
        .map_or_else(|| damaged(format!("{a} lists of {b} slots")), Ok)
}

fn damaged<T>(problem: String) -> Result<T, Error> {
    Err(Error::Damaged { problem })
}

/// Little-endian words of a byte string whose length nobody has vouched for.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn new(rest: &'a [u8]) -> Result<Self, Error> {
        match rest.len() % 4 {
            0 => Ok(Self { rest }),
            _ => damaged(format!("its {} bytes are not whole words", rest.len())),
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u32>, Error> {
        let split = count
            .checked_mul(4)
            .and_then(|bytes| self.rest.split_at_checked(bytes));
        let Some((taken, rest)) = split else {
            return damaged(format!(
                "{count} words wanted, {} bytes left",
                self.rest.len()
            ));
        };
        self.rest = rest;
        let words = taken.as_chunks::<4>().0;
        Ok(words.iter().map(|&word| u32::from_le_bytes(word)).collect())
    }

    fn end(self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            left => damaged(format!("{left} bytes too many")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Graph {
        let mut graph = Graph::empty(&Params::default().with_m(2).unwrap());
        graph.grow(&[0, 2, 0, 1]);
        graph.entry = Some(1);
        for (node, list) in [
            (0u32, vec![1, 2]),
            (1, vec![0, 2, 3]),
            (2, vec![1]),
            (3, vec![1, 0]),
        ] {
            graph.set_neighbors(0, node, list);
        }
        graph.set_neighbors(1, 1, [3]);
        graph.set_neighbors(1, 3, [1]);
        graph
    }

    #[test]
    fn bytes_come_back() {
        for graph in [small(), Graph::empty(&Params::default())] {
            assert_eq!(Graph::from_bytes(&graph.to_bytes(), graph.n()), Ok(graph));
        }
    }

    /// Any single changed byte either is refused or is another graph that is still safe to walk.
    #[test]
    fn changed_and_cut_bytes_never_panic() {
        let graph = small();
        let bytes = graph.to_bytes();
        for length in 0..bytes.len() {
            assert!(
                Graph::from_bytes(&bytes[..length], 4).is_err(),
                "cut to {length}"
            );
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(other) = Graph::from_bytes(&changed, 4) {
                    assert_ne!(other, graph, "bit {bit} of byte {at} is ignored");
                    assert!((0..4).all(|node| {
                        other
                            .neighbors(0, node)
                            .iter()
                            .all(|&to| to < 4 && to != node)
                    }));
                }
            }
        }
    }
}
