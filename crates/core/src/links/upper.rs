//! A level above 0: the few nodes that reach it, and their lists.

use super::Links;

/// Nodes of one upper level in ascending order, and a list for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UpperLevel {
    nodes: Vec<u32>,
    links: Links,
}

impl UpperLevel {
    pub(crate) fn new(nodes: Vec<u32>, m: usize) -> Self {
        let links = Links::empty(nodes.len(), m);
        Self { nodes, links }
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

    /// Where the node's list is: a binary search, paid per hop on levels that take few hops.
    fn slot(&self, node: u32) -> Option<usize> {
        self.nodes.binary_search(&node).ok()
    }

    pub(crate) fn get(&self, node: u32) -> &[u32] {
        self.slot(node).map_or(&[], |slot| self.links.get(slot))
    }

    /// Replaces the list of a node of this level.
    pub(crate) fn set(&mut self, node: u32, neighbors: impl IntoIterator<Item = u32>) {
        if let Some(slot) = self.slot(node) {
            self.links.set(slot, neighbors);
        }
    }
}
