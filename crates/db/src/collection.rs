//! A collection: records of one dimension and metric, written in batches, found by nearness.

use crate::{Batch, CollectionConfig, Key, Metadata, Result, Results, Rows, SearchOptions, Stats};

/// A handle to a collection. Clones are the same collection.
#[derive(Clone, Debug)]
pub struct Collection {}

/// One stored record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: Key,
    /// Its vector, as it was stored.
    pub vector: Vec<f32>,
    /// Its metadata; empty if it was stored without.
    pub metadata: Metadata,
}

impl Collection {
    /// Its name.
    pub fn name(&self) -> &str {
        unimplemented!()
    }

    /// What it was created with.
    pub fn config(&self) -> &CollectionConfig {
        unimplemented!()
    }

    /// Number of records.
    pub fn len(&self) -> Result<usize> {
        unimplemented!()
    }

    /// No records.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Stores records with new ids: all of them, durably, or none.
    ///
    /// Errors: an id given twice or stored already; a bad vector or bad metadata, by row; interrupted. Nothing is stored then.
    pub fn add(&self, batch: Batch<'_>) -> Result<()> {
        let _ = batch;
        unimplemented!()
    }

    /// Stores records, replacing those with the same ids: all of them, durably, or none. Of rows with the same id the last
    /// wins. An empty batch does nothing.
    ///
    /// Errors: a bad vector or bad metadata, by row; interrupted. Nothing is stored then.
    pub fn upsert(&self, batch: Batch<'_>) -> Result<()> {
        let _ = batch;
        unimplemented!()
    }

    /// The record with this id, if there is one.
    pub fn get(&self, id: &Key) -> Result<Option<Record>> {
        let _ = id;
        unimplemented!()
    }

    /// The nearest records of each query. Always `min(k, len)` of them.
    ///
    /// Errors: queries of another dimension, not finite, or zero under cosine.
    pub fn search(&self, queries: Rows<'_, f32>, options: &SearchOptions) -> Result<Results> {
        let _ = (queries, options);
        unimplemented!()
    }

    /// The collection in numbers.
    pub fn stats(&self) -> Result<Stats> {
        unimplemented!()
    }

    /// 32 hex digits over everything stored and built: ids, metadata, vectors, codes, graphs, in segment order. The same
    /// batches give the same digest with any number of threads, on any CPU, in any store.
    pub fn digest(&self) -> Result<String> {
        unimplemented!()
    }
}
