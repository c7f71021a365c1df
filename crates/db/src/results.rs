//! What a search found.
//!
//! Results hold the snapshot they were found in: ids, metadata and vectors of the hits stay what they were, whatever is
//! written, merged or closed meanwhile. They are looked up only when asked for.

use crate::{Key, Metadata, Result};

/// The hits of a batch of queries, nearest first.
#[derive(Debug)]
pub struct Results {}

impl Results {
    /// Queries answered.
    pub fn queries(&self) -> usize {
        unimplemented!()
    }

    /// Hits of one query, nearest first; equal distances in the order of their ids. Empty for a query that was not asked.
    pub fn hits(&self, query: usize) -> impl ExactSizeIterator<Item = Hit<'_>> {
        let _ = query;
        let none: std::slice::Iter<'_, Hit<'_>> = [].iter();
        none.copied()
    }
}

/// One hit of one query, borrowed from its [`Results`].
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    results: &'a Results,
}

impl<'a> Hit<'a> {
    /// Distance to the query; smaller is nearer. See [`Metric`](crate::Metric).
    pub fn distance(&self) -> f32 {
        unimplemented!()
    }

    /// The record's id.
    pub fn id(&self) -> Key {
        unimplemented!()
    }

    /// The record's metadata; empty if it was stored without.
    ///
    /// Errors: damaged bytes.
    pub fn metadata(&self) -> Result<Metadata> {
        unimplemented!()
    }

    /// The record's vector, as it was stored.
    pub fn vector(&self) -> &'a [f32] {
        let _ = self.results;
        unimplemented!()
    }
}
