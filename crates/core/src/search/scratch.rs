//! What a search writes to, kept from one search to the next.

use super::Candidate;
use super::beam::Beam;
use super::visited::Visited;
use crate::pool::Pool;

/// Working memory of one search at a time.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) visited: Visited,
    pub(super) beam: Beam,
    pub(super) nodes: Vec<u32>,
    /// Neighbours that do not match and are looked through.
    pub(super) detours: Vec<u32>,
    pub(super) keys: Vec<u32>,
    pub(super) distances: u64,
    n: usize,
}

impl Scratch {
    /// Forgets the last search; the next is over `n` nodes.
    pub(crate) fn start(&mut self, n: usize) {
        self.n = n;
        self.distances = 0;
        self.next_layer(0);
    }

    /// Forgets the last layer of a search.
    pub(super) fn next_layer(&mut self, ef: usize) {
        self.visited.reset(self.n);
        self.beam.reset(ef);
    }

    /// What the last search found, nearest first.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.beam.iter()
    }

    /// How many distances the last search computed.
    pub fn distances(&self) -> u64 {
        self.distances
    }
}

/// Scratch for any number of threads.
pub type ScratchPool = Pool<Scratch>;
