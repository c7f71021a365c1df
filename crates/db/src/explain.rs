//! What a search did: its way through each segment, what it looked at, and how long its stages took.
//!
//! Only a search that is to be explained counts and reads clocks.

use std::ops::AddAssign;
use std::time::Instant;

use serde::Serialize;

use crate::collection::choose_by;
use crate::search::{Chosen, Plan};
use crate::snapshot::Part;
use crate::unknown::unknown_fields;
use crate::{Collection, Result, Results, Rows, SearchOptions, UnknownField};

/// How a search went about it, over all of its queries. Made by [`Collection::explain`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Queries answered.
    pub queries: usize,
    /// Time to find which rows the filter is true of, in seconds; the first time, that to index its fields too.
    pub filter_seconds: f64,
    /// Time for what is made at first use, in seconds: codes to walk on, and for a recall the beams that give it.
    pub prepare_seconds: f64,
    /// Time for all queries, in seconds by the clock. Those of the segments are sums over threads.
    pub search_seconds: f64,
    /// Fields of the filter that no record has.
    pub unknown_fields: Vec<UnknownField>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentExplanation>,
}

/// What a search did in one segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SegmentExplanation {
    /// The path of its file, or "the log".
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// Of these, records that may be found: that were not replaced or deleted, and that the filter is true of.
    pub available: usize,
    /// What was done.
    #[serde(flatten)]
    pub effort: Effort,
}

/// What queries cost in one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Effort {
    /// Walks along the graph. A query takes another one, with twice the width, if codes cannot tell its nearest from those that did
    /// not fit.
    pub walks: usize,
    /// Walks from match to match of the filter.
    pub filtered_walks: usize,
    /// Looks at the codes of all that match the filter: few, or few around the query.
    pub code_scans: usize,
    /// Looks at the vectors of all that may be found: for an exact search, in a segment without a graph or with a damaged one, or
    /// because walks did not find enough or would have cost more.
    pub vector_scans: usize,
    /// The widest beam.
    pub ef: usize,
    /// Nodes that walks met on the lowest level of the graph.
    pub nodes: u64,
    /// Distances to codes, or to their signs alone.
    pub code_distances: u64,
    /// Of these, nodes that a walk ruled out by their signs: their codes were not read.
    pub screened: u64,
    /// Distances to vectors.
    pub vector_distances: u64,
    /// Vectors read. One that is read for a scan serves several queries.
    pub vectors_read: u64,
    /// Time for walks and scans of codes, in seconds.
    pub codes_seconds: f64,
    /// Time to compare what they found by their vectors, in seconds.
    pub rerank_seconds: f64,
    /// Time for scans of vectors, in seconds.
    pub scan_seconds: f64,
}

impl AddAssign for Effort {
    fn add_assign(&mut self, other: Effort) {
        self.walks += other.walks;
        self.filtered_walks += other.filtered_walks;
        self.code_scans += other.code_scans;
        self.vector_scans += other.vector_scans;
        self.ef = self.ef.max(other.ef);
        self.nodes += other.nodes;
        self.code_distances += other.code_distances;
        self.screened += other.screened;
        self.vector_distances += other.vector_distances;
        self.vectors_read += other.vectors_read;
        self.codes_seconds += other.codes_seconds;
        self.rerank_seconds += other.rerank_seconds;
        self.scan_seconds += other.scan_seconds;
    }
}

impl Collection {
    /// As [`Collection::search`], and how it went about it.
    ///
    /// Errors: as there. Cost: that of the search, and some readings of a clock for each query and segment.
    ///
    /// ```
    /// use proxime::{Batch, CollectionConfig, Database, Rows, SearchOptions};
    ///
    /// let db = Database::in_memory()?;
    /// let c = db.create_collection("c", CollectionConfig::new(2))?;
    /// c.upsert(Batch::new(vec![1.into(), 2.into()], &Rows::new(&[1.0, 0.0, 0.0, 1.0], 2)?))?;
    /// let (results, how) = c.explain(Rows::new(&[1.0, 0.5], 2)?, &SearchOptions::k(1))?;
    /// assert_eq!(results.hits(0).len(), 1);
    /// assert_eq!((how.segments[0].effort.vector_scans, how.segments[0].rows), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(
        &self,
        queries: Rows<'_, f32>,
        options: &SearchOptions,
    ) -> Result<(Results, Explanation)> {
        let view = self.view()?;
        let plan = Plan {
            explain: true,
            ..self.plan(queries, options)?
        };
        let started = Instant::now();
        let chosen = choose_by(&view, options)?;
        let filter_seconds = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let found = self.find(&view, queries, plan, options.recall, chosen.as_deref())?;
        let seconds = started.elapsed().as_secs_f64();
        let parts = view.parts.iter().enumerate();
        let segment = |(number, part): (usize, &Part)| SegmentExplanation {
            name: part.segment.name(),
            rows: part.segment.rows() as usize,
            available: Chosen::available(part, chosen.as_ref().and_then(|all| all.get(number))),
            effort: found.efforts.get(number).copied().unwrap_or_default(),
        };
        let explanation = Explanation {
            queries: queries.n(),
            filter_seconds,
            prepare_seconds: found.prepare_seconds,
            search_seconds: seconds - found.prepare_seconds,
            unknown_fields: unknown_fields(&view, &options.filter)?,
            segments: parts.map(segment).collect(),
        };
        Ok((Results::new(view, found.places), explanation))
    }
}
