//! Neighbour lists: one fixed-stride table per level.
//!
//! A list is `stride` slots of node numbers, filled from the front; [`NONE`] ends it early. Fixed strides make
//! bounds arithmetic and let disjoint lists be written without locks.

mod upper;

pub(crate) use upper::UpperLevel;

/// Marks an empty slot, and everything after it in its list.
pub(crate) const NONE: u32 = u32::MAX;

/// Ends a list of level 0 whose other slots are empty: its node is deleted.
pub(crate) const DELETED: u32 = u32::MAX - 1;

/// The most rows of one graph: a bit of a node number stays free for the beam, and [`NONE`] is no node.
pub(crate) const ROWS_MAX: usize = (1 << 31) - 1;

/// How many links a list may hold before it is pruned. One slot of level 0 stays free for `connect`.
pub(crate) fn degree_cap(m: usize, level: usize) -> usize {
    if level == 0 { 2 * m - 1 } else { m }
}

/// Neighbour lists of fixed stride.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Links {
    stride: usize,
    slots: Vec<u32>,
}

impl Links {
    pub(crate) fn empty(lists: usize, stride: usize) -> Self {
        Self {
            stride,
            slots: vec![NONE; lists * stride],
        }
    }

    pub(crate) fn from_slots(slots: Vec<u32>, stride: usize) -> Self {
        Self { stride, slots }
    }

    /// Adds empty lists or drops the last ones, until there are `lists`.
    pub(crate) fn resize(&mut self, lists: usize) {
        self.slots.resize(lists * self.stride, NONE);
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn lists(&self) -> usize {
        self.slots.len() / self.stride
    }

    pub(crate) fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// All slots of a list, for prefetching; ended by [`NONE`] when not full.
    #[inline(always)]
    pub(crate) fn row(&self, list: usize) -> &[u32] {
        &self.slots[list * self.stride..(list + 1) * self.stride]
    }

    /// The neighbours in a list.
    #[inline(always)]
    pub(crate) fn get(&self, list: usize) -> &[u32] {
        let row = self.row(list);
        &row[..row
            .iter()
            .position(|&node| node == NONE)
            .unwrap_or(row.len())]
    }

    /// Replaces a list; `neighbors` fits the stride.
    pub(crate) fn set(&mut self, list: usize, neighbors: impl IntoIterator<Item = u32>) {
        let stride = self.stride;
        let row = &mut self.slots[list * stride..(list + 1) * stride];
        row.fill(NONE);
        for (slot, node) in row.iter_mut().zip(neighbors) {
            *slot = node;
        }
    }

    /// Empties a list and marks its node as deleted.
    pub(crate) fn delete(&mut self, list: usize) {
        self.set(list, []);
        self.slots[(list + 1) * self.stride - 1] = DELETED;
    }

    /// Whether a list's node is deleted.
    pub(crate) fn is_deleted(&self, list: usize) -> bool {
        self.row(list).last() == Some(&DELETED)
    }

    /// Appends one neighbour, in the place of the last one if no slot is free.
    pub(crate) fn push_or_replace(&mut self, list: usize, node: u32) {
        if !self.push(list, node) {
            self.slots[(list + 1) * self.stride - 1] = node;
        }
    }

    /// Copies a list over another.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let range = from * self.stride..(from + 1) * self.stride;
        self.slots.copy_within(range, to * self.stride);
    }

    /// Appends one neighbour if a slot is free.
    pub(crate) fn push(&mut self, list: usize, node: u32) -> bool {
        let used = self.get(list).len();
        let free = used < self.stride;
        if free {
            self.slots[list * self.stride + used] = node;
        }
        free
    }
}
