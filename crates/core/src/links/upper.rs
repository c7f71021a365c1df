//! A level above 0: the few nodes that reach it, and their lists.

use super::Links;

/// Nodes of one upper level in ascending order, and a list for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UpperLevel {
    nodes: Vec<u32>,
    links: Links,
}

impl UpperLevel {
    pub(crate) fn new(m: usize) -> Self {
        Self {
            nodes: Vec::new(),
            links: Links::empty(0, m),
        }
    }

    /// Adds nodes, greater than those there are, with empty lists.
    pub(crate) fn extend(&mut self, nodes: impl Iterator<Item = u32>) {
        self.nodes.extend(nodes);
        self.links.resize(self.nodes.len());
    }

    /// Drops all but the first `count` nodes.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.nodes.truncate(count);
        self.links.resize(count);
    }

    /// Drops the nodes that `keep` refuses, with their lists; no list names them any more.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut kept = 0;
        for place in 0..self.nodes.len() {
            if keep(self.nodes[place]) {
                self.nodes[kept] = self.nodes[place];
                self.links.copy(place, kept);
                kept += 1;
            }
        }
        self.truncate(kept);
    }

    pub(crate) fn from_parts(nodes: Vec<u32>, links: Links) -> Self {
        Self { nodes, links }
    }

    pub(crate) fn nodes(&self) -> &[u32] {
        &self.nodes
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Takes the lists of all its nodes, in which nodes go by their place on this level.
    pub(crate) fn set_links(&mut self, by_place: Links) {
        for slot in 0..self.nodes.len() {
            self.links.set(
                slot,
                by_place
                    .get(slot)
                    .iter()
                    .map(|&place| self.nodes[place as usize]),
            );
        }
    }

    /// Where the node's list is: a binary search, paid per hop on levels that take few hops.
    fn slot(&self, node: u32) -> Option<usize> {
        self.nodes.binary_search(&node).ok()
    }

    pub(crate) fn get(&self, node: u32) -> &[u32] {
        self.slot(node).map_or(&[], |slot| self.links.get(slot))
    }

    /// Appends one neighbour to the list of a node of this level, if a slot is free.
    pub(crate) fn push(&mut self, node: u32, neighbor: u32) -> bool {
        self.slot(node)
            .is_some_and(|slot| self.links.push(slot, neighbor))
    }

    /// Replaces the list of a node of this level.
    pub(crate) fn set(&mut self, node: u32, neighbors: impl IntoIterator<Item = u32>) {
        if let Some(slot) = self.slot(node) {
            self.links.set(slot, neighbors);
        }
    }
}
