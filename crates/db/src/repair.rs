//! Segments whose index cannot be used, written anew from their vectors.
//!
//! Codes, codebook and graph are derived. A segment in which they are damaged answers by looking at every row; here it is replaced by
//! one with the same rows, ids and metadata and an index that is right, in one commit for all of them. The rows themselves are
//! not touched: where they are damaged the database does not open, and [`Database::salvage`] is what is left.

use proxime_storage::column::ColumnBuilder;
use proxime_storage::{SegmentRef, Store};
use serde::Serialize;

use crate::pool::Workers;
use crate::record::ids::{Ids, Kept};
use crate::segment::{Index, Segment};
use crate::snapshot::View;
use crate::verify::deep;
use crate::writer::{Checked, write_segment};
use crate::{Database, Progress, Result, merge};

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
    /// Errors: as for every write; interrupted. Nothing has changed then. Cost: all codes are computed once; building what is
    /// replaced.
    pub fn rebuild_index(&self, progress: Option<Progress<'_>>) -> Result<RepairReport> {
        self.0.check_writable()?;
        let workers = self.0.pool.workers()?;
        let mut report = RepairReport::default();
        self.0.write(|writing, snapshot| {
            let store = &mut writing.store;
            let mut next = snapshot.clone();
            let mut replaced = Vec::new();
            for view in &snapshot.collections {
                let view = rebuild(store, &workers, view, progress, &mut replaced, &mut report);
                let view = view.inspect_err(|_| {
                    store.discard(replaced.iter().map(|(_, _, pinned)| pinned.clone()));
                })?;
                next = next.with(view);
            }
            if !replaced.is_empty() {
                store.commit(|manifest| {
                    for (collection, place, pinned) in replaced {
                        let stored = manifest.collections.iter_mut().find(|c| c.id == collection);
                        if let Some(old) = stored.and_then(|c| c.segments.get_mut(place)) {
                            *old = pinned;
                        }
                    }
                })?;
            }
            Ok(next)
        })?;
        Ok(report)
    }
}

/// Collection, place in its list of segments, and what belongs there now.
type Replaced = (u64, usize, SegmentRef);

fn rebuild(
    store: &Store,
    workers: &Workers,
    view: &View,
    progress: Option<Progress<'_>>,
    replaced: &mut Vec<Replaced>,
    report: &mut RepairReport,
) -> Result<View> {
    let mut next = view.clone();
    for (place, part) in next.parts.iter_mut().enumerate() {
        let segment = &part.segment;
        let Some(problem) = fault(segment, workers) else {
            continue;
        };
        let vectors = segment.vectors()?;
        let batch = Checked {
            kept: Kept::All(segment.rows()),
            ids: copy(&segment.ids)?,
            payload: payload(segment),
            deleted: segment.deleted.as_ref().map(copy).transpose()?,
            vectors: &vectors,
            progress,
        };
        let (pinned, new) = write_segment(store, workers, view.id, &view.config, batch)?;
        report.rebuilt.push(Rebuilt {
            collection: view.name.clone(),
            file: segment.name(),
            rows: segment.rows() as usize,
            problem,
        });
        replaced.push((view.id, place, pinned));
        part.segment = new.into();
    }
    Ok(next)
}

/// Why a segment's index is not to be used.
fn fault(segment: &Segment, workers: &Workers) -> Option<String> {
    match &segment.index {
        Index::Scan => None,
        Index::Damaged(what) => Some(what.clone()),
        Index::Graph(index) => match index.graph.stats().unreachable {
            0 => workers.threads.install(|| deep::wrong_codes(segment)),
            unreachable => Some(format!("{unreachable} rows cannot be reached")),
        },
    }
}

fn copy(ids: &Ids) -> Result<Ids> {
    Ids::collect(ids.iter()).map_err(merge::damaged)
}

fn payload(segment: &Segment) -> Option<ColumnBuilder> {
    let mut builder = ColumnBuilder::default();
    for row in 0..segment.rows() {
        builder.push_bytes(segment.payload(row));
    }
    segment.has_payload().then_some(builder)
}
