//! Segments whose index cannot be used, written anew from their vectors.
//!
//! Codes, codebook and graph are derived. A segment in which they are damaged answers by looking at every row; here it is replaced by
//! one with the rows of it that count and an index that is right, in a commit for each. The rows themselves are
//! not touched: where they are damaged the database does not open, and salvaging is what is left.

use serde::Serialize;

use crate::compact::Merge;
use crate::pool::Workers;
use crate::segment::{Index, Segment};
use crate::verify::deep;
use crate::{Database, Progress, Result};

/// What [`Database::rebuild_index`] did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// Segments that were written anew; empty if there was nothing to do.
    pub rebuilt: Vec<Rebuilt>,
}

/// A segment that was written anew.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Rebuilt {
    /// Name of its collection.
    pub collection: String,
    /// The file that was replaced.
    pub file: String,
    /// Its rows.
    pub rows: usize,
    /// What was wrong with it.
    pub problem: String,
}

impl Database {
    /// Finds segments whose index is damaged, leaves rows unreachable or does not belong to their vectors, and writes them anew.
    /// All else stays as it is. `progress` is told of each segment from the start.
    ///
    /// Errors: as for every write; interrupted. What was rebuilt before stays so. Cost: all codes are computed once; building what is
    /// replaced.
    pub fn rebuild_index(&self, progress: Option<Progress<'_>>) -> Result<RepairReport> {
        self.0.check_writable()?;
        let workers = self.0.pool.workers()?;
        let mut report = RepairReport::default();
        for entry in &self.0.snapshot()?.collections {
            let view = entry.view()?;
            for (place, part) in view.parts.iter().enumerate() {
                let Some(problem) = fault(&part.segment, &workers) else {
                    continue;
                };
                self.0
                    .merge_alone(&Merge::new(view, place..place + 1), progress)?;
                report.rebuilt.push(Rebuilt {
                    collection: view.name.clone(),
                    file: part.segment.name(),
                    rows: part.segment.rows() as usize,
                    problem,
                });
            }
        }
        Ok(report)
    }
}

/// Why a segment's index is not to be used.
fn fault(segment: &Segment, workers: &Workers) -> Option<String> {
    match segment.search_index() {
        Index::Scan => None,
        Index::Damaged(what) => Some(what.clone()),
        Index::Graph(index) => match index.graph.stats().unreachable {
            0 => workers.threads.install(|| deep::wrong_codes(segment)),
            unreachable => Some(format!("{unreachable} rows cannot be reached")),
        },
    }
}
