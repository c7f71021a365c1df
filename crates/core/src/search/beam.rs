//! The sorted pool of the `ef` nearest nodes seen so far.
//!
//! An entry packs `key << 32 | node << 1 | expanded` into a u64, so that one integer comparison orders by distance
//! and then by node, and insertion is a binary search and a short `memmove`.

use super::Candidate;

const EXPANDED: u64 = 1;

#[derive(Debug, Default)]
pub(crate) struct Beam {
    ef: usize,
    entries: Vec<u64>,
    /// Everything before it is expanded.
    cursor: usize,
}

impl Beam {
    pub(crate) fn reset(&mut self, ef: usize) {
        self.ef = ef;
        self.entries.clear();
        self.cursor = 0;
    }

    /// Keeps the node if it is among the `ef` nearest; each node is offered once.
    #[inline(always)]
    pub(crate) fn insert(&mut self, candidate: Candidate) {
        let entry = packed(candidate);
        if self.entries.len() == self.ef {
            match self.entries.last() {
                Some(&worst) if entry < worst => _ = self.entries.pop(),
                _ => return,
            }
        }
        let at = self.entries.partition_point(|&other| other < entry);
        self.entries.insert(at, entry);
        self.cursor = self.cursor.min(at);
    }

    /// The greatest key, if nothing greater is kept any more.
    #[inline(always)]
    pub(crate) fn farthest(&self) -> Option<u32> {
        let last = self
            .entries
            .last()
            .filter(|_| self.entries.len() == self.ef)?;
        Some((last >> 32) as u32)
    }

    /// Adds the node as the farthest.
    pub(crate) fn push(&mut self, candidate: Candidate) {
        self.entries.push(packed(candidate));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The nearest node not expanded yet; it counts as expanded from now on.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        let found = self.entries[self.cursor..]
            .iter()
            .position(|entry| entry & EXPANDED == 0)?;
        self.cursor += found;
        let entry = &mut self.entries[self.cursor];
        *entry |= EXPANDED;
        self.cursor += 1;
        Some(node_of(*entry))
    }

    /// The node that [`Beam::next`] would give, for prefetching.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u32> {
        self.entries.get(self.cursor).map(|&entry| node_of(entry))
    }

    /// The node behind that: what comes next if nothing nearer is found.
    #[inline(always)]
    pub(crate) fn peek_after(&self) -> Option<u32> {
        self.entries
            .get(self.cursor + 1)
            .map(|&entry| node_of(entry))
    }

    /// Nearest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Candidate> + Clone + '_ {
        self.entries.iter().map(|&entry| Candidate {
            key: (entry >> 32) as u32,
            node: node_of(entry),
        })
    }
}

fn packed(candidate: Candidate) -> u64 {
    u64::from(candidate.key) << 32 | u64::from(candidate.node) << 1
}

fn node_of(entry: u64) -> u32 {
    entry as u32 >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_nearest_and_expands_each_once_in_order() {
        let mut beam = Beam::default();
        beam.reset(3);
        for (key, node) in [(50, 1), (20, 2), (70, 3), (20, 0)] {
            beam.insert(Candidate { key, node });
        }
        assert_eq!(beam.next(), Some(0));
        beam.insert(Candidate { key: 10, node: 9 });
        beam.insert(Candidate { key: 60, node: 8 });
        assert_eq!(
            [beam.next(), beam.next(), beam.next()],
            [Some(9), Some(2), None]
        );
        let kept: Vec<_> = beam.iter().map(|c| (c.key, c.node)).collect();
        assert_eq!(kept, [(10, 9), (20, 0), (20, 2)]);
    }
}
