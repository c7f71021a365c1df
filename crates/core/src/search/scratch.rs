//! What a search writes to, kept from one search to the next.

use std::ops::AddAssign;

use super::Candidate;
use super::beam::Beam;
use super::visited::Visited;
use crate::pool::Pool;

/// Working memory of one search at a time.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) visited: Visited,
    pub(super) beam: Beam,
    /// Farther than those in the beam, in no order.
    pub(super) rest: Vec<Candidate>,
    pub(super) nodes: Vec<u32>,
    /// Neighbours that do not match and are looked through.
    pub(super) detours: Vec<u32>,
    /// Matches around the query.
    pub(super) starts: Vec<u32>,
    pub(super) keys: Vec<u32>,
    pub(super) counts: Counts,
    n: usize,
}

/// What a search counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) distances: u64,
    pub(super) screened: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.distances += other.distances;
        self.screened += other.screened;
    }
}

impl Scratch {
    /// Forgets the last search; the next is over `n` nodes.
    pub(crate) fn start(&mut self, n: usize) {
        self.n = n;
        self.counts = Counts::default();
        self.rest.clear();
        self.next_layer(0);
    }

    /// Forgets the last layer of a search.
    pub(super) fn next_layer(&mut self, ef: usize) {
        self.visited.reset(self.n);
        self.beam.reset(ef);
    }

    /// What the last search found, nearest first.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> + Clone + '_ {
        self.beam.iter()
    }

    /// Makes the candidates the nearest `n` that the last search met. A walk has forgotten what did not fit its beam;
    /// [`search_among`](super::search_among) forgets nothing.
    ///
    /// Cost: a look at each that is no candidate yet, and a sort of those that become one.
    pub fn widen(&mut self, n: usize) {
        let missing = n.saturating_sub(self.beam.len()).min(self.rest.len());
        if missing > 0 {
            let left = self.rest.len() - missing;
            self.rest.select_nth_unstable_by(left, |a, b| b.cmp(a));
            self.rest[left..].sort_unstable();
            let nearest = self.rest.drain(left..);
            nearest.for_each(|candidate| self.beam.push(candidate));
        }
    }

    /// How many nodes the last walk met on the lowest level; none if it looked at given nodes.
    pub fn nodes(&self) -> usize {
        self.visited.len()
    }

    /// How many distances the last search computed, those by signs alone included.
    pub fn distances(&self) -> u64 {
        self.counts.distances
    }

    /// How many of these ruled a node out by its signs, so that its codes were not read.
    pub fn screened(&self) -> u64 {
        self.counts.screened
    }
}

/// Scratch for any number of threads.
pub type ScratchPool = Pool<Scratch>;
