//! The graph: levels of neighbour lists and an entry point; and its bytes.
//!
//! Byte layout, all u32 little-endian: rows, m, entry point, upper levels, then the number of nodes of each upper
//! level; the level-0 slots, `rows * 2m`; then for each upper level its nodes, ascending, and their slots,
//! `nodes * m`. Empty slots hold `u32::MAX`. The level-0 list of a deleted node is empty but for its last slot,
//! `u32::MAX - 1`. A graph without a node that is not deleted has `u32::MAX` for its entry point.

use xxhash_rust::xxh3::xxh3_128;

use crate::level::LEVEL_MAX;
use crate::links::{Links, NONE, ROWS_MAX, UpperLevel};
use crate::{Error, M_MAX, Params};

/// An HNSW graph over numbered rows; knows no vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) m: usize,
    /// None when every row is deleted, or there is none.
    pub(crate) entry: Option<u32>,
    /// Rows marked as deleted in `base`.
    pub(crate) deleted: usize,
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
            deleted: 0,
            base: Links::empty(0, params.m0()),
            upper: Vec::new(),
        }
    }

    /// Makes room for rows that it does not have yet, on each of their levels; `levels` has the highest of each.
    pub(crate) fn grow(&mut self, levels: &[u8]) {
        let known = self.n();
        self.base.resize(known + levels.len());
        let top = levels.iter().copied().max().unwrap_or(0);
        let reached = self.upper.len().max(usize::from(top));
        self.upper.resize_with(reached, || UpperLevel::new(self.m));
        for (upper, level) in self.upper.iter_mut().zip(1..) {
            let new = (known as u32..).zip(levels);
            upper.extend(new.filter_map(|(node, &top)| (top >= level).then_some(node)));
        }
    }

    /// Number of rows, deleted ones included.
    pub fn n(&self) -> usize {
        self.base.lists()
    }

    /// Number of rows that are not deleted: those that searches can find.
    pub fn live(&self) -> usize {
        self.n() - self.deleted
    }

    /// Whether a row was deleted. Panics where there is no such row.
    pub fn is_deleted(&self, node: u32) -> bool {
        self.base.is_deleted(node as usize)
    }

    /// Links per node above level 0; twice as many fit on level 0.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Where searches start; none in a graph without live rows.
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

    /// The number of nodes of each upper level.
    pub(crate) fn upper_counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.upper.iter().map(|upper| upper.nodes().len())
    }

    /// Back to what it was before [`Graph::grow`]: the first `n` rows, and as many nodes of each upper level.
    pub(crate) fn shrink(&mut self, n: usize, upper_counts: &[usize]) {
        self.base.resize(n);
        self.upper.truncate(upper_counts.len());
        for (upper, &count) in self.upper.iter_mut().zip(upper_counts) {
            upper.truncate(count);
        }
    }

    /// Appends one neighbour to the list of a node of a level, if a slot is free.
    pub(crate) fn push(&mut self, level: usize, node: u32, neighbor: u32) -> bool {
        match level.checked_sub(1) {
            None => self.base.push(node as usize, neighbor),
            Some(above) => self.upper[above].push(node, neighbor),
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
        let counts = self.upper.iter().map(|upper| upper.nodes().len() as u32);
        let head: Vec<u32> = [
            self.n() as u32,
            self.m as u32,
            self.entry.unwrap_or(NONE),
            self.upper.len() as u32,
        ]
        .into_iter()
        .chain(counts)
        .collect();
        let mut parts = vec![&head[..], self.base.slots()];
        for upper in &self.upper {
            parts.extend([upper.nodes(), upper.links().slots()]);
        }
        let mut bytes =
            Vec::with_capacity(4 * parts.iter().map(|words| words.len()).sum::<usize>());
        for words in parts {
            let start = bytes.len();
            bytes.resize(start + 4 * words.len(), 0);
            for (bytes, word) in bytes[start..].as_chunks_mut::<4>().0.iter_mut().zip(words) {
                *bytes = word.to_le_bytes();
            }
        }
        bytes
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
        let deleted = (0..n).filter(|&node| base.is_deleted(node)).count();
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
            deleted,
            base,
            upper,
        };
        graph.validate()?;
        Ok(graph)
    }

    /// Whether it is the number of a row that is not deleted.
    fn is_live(&self, node: u32) -> bool {
        // Without deleted rows nothing is read: this is asked about every link of a graph from bytes.
        (node as usize) < self.n() && (self.deleted == 0 || !self.is_deleted(node))
    }

    fn validate(&self) -> Result<(), Error> {
        match self.entry {
            None if self.live() > 0 => return damaged("it has rows but no entry point".into()),
            Some(entry) if !self.is_live(entry) => {
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
            let row = self.base.row(node as usize);
            // The mark of a deleted node is the last slot, and no part of its list.
            let slots = &row[..row.len() - usize::from(self.is_deleted(node))];
            check_list(slots, node, |other| self.is_live(other))?;
            if self.is_deleted(node) && !self.neighbors(0, node).is_empty() {
                return damaged(format!("node {node} is deleted and has neighbours"));
            }
        }
        let mut below: Option<&[u32]> = None;
        for upper in &self.upper {
            let nodes = upper.nodes();
            let sorted = nodes.windows(2).all(|pair| pair[0] < pair[1]);
            let known = |node: &u32| match below {
                None => self.is_live(*node),
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

    fn without_node_0() -> Graph {
        let mut graph = small();
        graph.set_neighbors(0, 1, [2, 3]);
        graph.set_neighbors(0, 3, [1]);
        graph.base.delete(0);
        graph.deleted = 1;
        graph
    }

    fn all_deleted() -> Graph {
        let mut graph = Graph::empty(&Params::default().with_m(2).unwrap());
        graph.grow(&[0; 4]);
        (0..4).for_each(|node| graph.base.delete(node));
        graph.deleted = 4;
        graph
    }

    #[test]
    fn bytes_come_back() {
        let empty = Graph::empty(&Params::default());
        for graph in [small(), without_node_0(), all_deleted(), empty] {
            assert_eq!(Graph::from_bytes(&graph.to_bytes(), graph.n()), Ok(graph));
        }
    }

    /// Any single changed byte either is refused or is another graph that is still safe to walk.
    #[test]
    fn changed_and_cut_bytes_never_panic() {
        for graph in [small(), without_node_0(), all_deleted()] {
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
                        check_walk(&other);
                    }
                }
            }
        }
    }

    fn check_walk(graph: &Graph) {
        let live = |node: u32| node < 4 && !graph.is_deleted(node);
        assert_eq!(graph.entry().is_some(), graph.live() > 0);
        assert!(graph.entry().is_none_or(live));
        for node in 0..4 {
            for level in 0..=graph.top_level() {
                let list = graph.neighbors(level, node);
                assert!(list.iter().all(|&to| live(to) && to != node));
                assert!(list.is_empty() || live(node));
            }
        }
    }

    #[test]
    fn what_names_a_deleted_node_is_refused() {
        let refused = |change: fn(&mut Graph)| {
            let mut graph = without_node_0();
            change(&mut graph);
            let error = Graph::from_bytes(&graph.to_bytes(), 4).unwrap_err();
            error.to_string()
        };
        let named = refused(|graph| graph.set_neighbors(0, 1, [2, 3, 0]));
        assert!(named.ends_with("node 1 has neighbour 0"), "{named}");
        let entry = refused(|graph| graph.entry = None);
        assert!(entry.ends_with("rows but no entry point"), "{entry}");
        let entry = refused(|graph| {
            graph.entry = Some(0);
            graph.upper.clear();
        });
        assert!(entry.ends_with("its entry point is 0"), "{entry}");
        let links = refused(|graph| _ = graph.base.push(0, 2));
        assert!(
            links.ends_with("node 0 is deleted and has neighbours"),
            "{links}"
        );
        let upper = refused(|graph| graph.base.delete(3));
        assert!(upper.contains("neighbour 3"), "{upper}");
    }
}
