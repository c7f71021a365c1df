//! A graph while rows are inserted, with what it takes to undo that.
//!
//! New rows come last on every level, so undoing is cutting them off, and putting back the lists of others as they were.
//! Keeping only those lists, not the graph, is what lets a call cost what its rows cost.

use std::collections::BTreeMap;

use crate::level::level;
use crate::ways::Way;
use crate::{Graph, Params};

/// Undoes everything when dropped, as an error or a panic does, unless told to keep it.
pub(crate) struct Journal<'g> {
    graph: &'g mut Graph,
    n: usize,
    upper_counts: Vec<usize>,
    entry: Option<u32>,
    /// By level and node: the lists of nodes that were there, before they were first changed.
    lists: BTreeMap<(usize, u32), Vec<u32>>,
}

impl<'g> Journal<'g> {
    pub(crate) fn new(graph: &'g mut Graph) -> Self {
        Self {
            n: graph.n(),
            upper_counts: graph.upper_counts().collect(),
            entry: graph.entry(),
            lists: BTreeMap::new(),
            graph,
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.graph
    }

    /// Makes room for the rows up to `n`.
    pub(crate) fn grow(&mut self, n: usize, params: &Params) {
        let new = self.graph.n() as u32..n as u32;
        let levels: Vec<u8> = new.map(|node| level(node, params)).collect();
        self.graph.grow(&levels);
    }

    pub(crate) fn set_entry(&mut self, entry: u32) {
        self.graph.entry = Some(entry);
    }

    pub(crate) fn set_neighbors(&mut self, level: usize, node: u32, neighbors: Vec<u32>) {
        if (node as usize) < self.n {
            let before = || self.graph.neighbors(level, node).to_vec();
            self.lists.entry((level, node)).or_insert_with(before);
        }
        self.graph.set_neighbors(level, node, neighbors);
    }

    /// Keeps what was done; the links of level 0 that are gone, as ways that should stay.
    pub(crate) fn keep(mut self) -> Vec<Way> {
        let mut lost = Vec::new();
        for ((level, from), before) in std::mem::take(&mut self.lists) {
            let now = self.graph.neighbors(level, from);
            let gone = before
                .into_iter()
                .filter(|to| level == 0 && !now.contains(to));
            lost.extend(gone.map(|to| Way { from, to }));
        }
        // What it was is what it is, from here on.
        (self.n, self.entry) = (self.graph.n(), self.graph.entry());
        self.upper_counts = self.graph.upper_counts().collect();
        lost
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        self.graph.shrink(self.n, &self.upper_counts);
        self.graph.entry = self.entry;
        for (&(level, node), list) in &self.lists {
            self.graph.set_neighbors(level, node, list.iter().copied());
        }
    }
}
