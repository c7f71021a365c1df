//! Looking at everything again: from the disk, against checksums, structure, and itself; the log included.

use std::sync::Arc;

pub(crate) mod deep;

use proxime_storage::{SegmentRef, Store};

use crate::entry::Entry;
use crate::pool::Workers;
use crate::segment::{Index, Segment};
use crate::snapshot::{Snapshot, View};
use crate::writer::check_vectors;
use crate::{
    CollectionConfig, CollectionReport, Input, Result, Rows, Verify, VerifyReport, config,
};

/// The commit that `store` is at; deeply if there are workers for that.
pub(crate) fn verify(store: &Store, workers: Option<&Workers>) -> VerifyReport {
    let manifest = store.manifest();
    let mut problems: Vec<String> = store.verify().iter().map(ToString::to_string).collect();
    let (mut collections, mut views) = (Vec::new(), Vec::new());
    for stored in &manifest.collections {
        let (report, view) = verify_collection(store, stored);
        collections.push(report);
        views.extend(view.map(|view| Arc::new(Entry::loaded(Arc::new(view)))));
    }
    let mut logged = Snapshot {
        collections: views,
        aliases: Arc::default(),
    };
    if let Err(e) = store.replay(|frame| logged.apply(manifest, frame)) {
        note(&mut problems, e.to_string());
    }
    for report in &mut collections {
        if let Some(Ok(view)) = logged.by_name(&report.name).map(|entry| entry.view()) {
            (report.rows, report.live) = (view.rows(), view.live());
            if let Some(workers) = workers {
                match deep::verify(view, workers, &mut report.problems) {
                    Ok(deep) => report.deep = Some(deep),
                    Err(e) => report.problems.push(e.to_string()),
                }
            }
        }
    }
    let ok = problems.is_empty()
        && collections
            .iter()
            .all(|c| c.problems.is_empty() && c.unreachable == 0);
    VerifyReport {
        ok,
        manifest: manifest.number,
        problems,
        collections,
    }
}

/// What is in segments; the collection without its tail, if it can be used.
fn verify_collection(
    store: &Store,
    stored: &proxime_storage::Collection,
) -> (CollectionReport, Option<View>) {
    let mut report = CollectionReport {
        name: stored.name.clone(),
        segments: stored.segments.len(),
        ..CollectionReport::default()
    };
    let config = match config::from_json(&stored.config) {
        Ok(config) => config,
        Err(what) => {
            report.problems.push(what);
            (stored.segments.iter()).for_each(|pinned| lost(&mut report, pinned));
            return (report, None);
        }
    };
    let mut segments = Vec::new();
    for pinned in &stored.segments {
        match verify_segment(store, pinned, stored.id, &config, &mut report.problems) {
            Ok(segment) => segments.push(segment),
            Err(e) => {
                lost(&mut report, pinned);
                note(&mut report.problems, e.to_string());
            }
        }
    }
    report.unreachable = segments
        .iter()
        .filter_map(Segment::graph)
        .map(|index| index.graph.stats().unreachable)
        .sum();
    let view = View::new(stored.id, stored.name.clone(), config).with_all(segments);
    (report, Some(view))
}

/// Counts a segment that cannot be used.
fn lost(report: &mut CollectionReport, pinned: &SegmentRef) {
    report.unusable += 1;
    report.unusable_rows += pinned.rows as usize;
}

/// What is found in two ways is told once.
fn note(problems: &mut Vec<String>, what: String) {
    if !problems.contains(&what) {
        problems.push(what);
    }
}

/// The segment, if it can be used; what is wrong with it either way.
fn verify_segment(
    store: &Store,
    pinned: &SegmentRef,
    collection_id: u64,
    config: &CollectionConfig,
    problems: &mut Vec<String>,
) -> Result<Segment> {
    let file = Arc::new(store.open_segment(pinned)?);
    problems.extend(file.verify().iter().map(ToString::to_string));
    let segment = Segment::load(&file, pinned.bytes, collection_id, config, Verify::Full)?;
    let name = segment.name();
    if let Index::Damaged(what) = segment.search_index() {
        note(problems, what.clone());
    }
    let vectors = segment.vectors()?;
    let check = |row: usize| {
        let vector = vectors.get(row..row + 1);
        check_vectors(
            Rows::new(&vector, config.dim)?,
            config.metric,
            Input::Row,
            |_| row,
        )
    };
    if let Some(e) = (0..vectors.n()).find_map(|row| check(row).err()) {
        problems.push(format!("{name}: {e}"));
    }
    let undecodable = (0..segment.rows()).find_map(|row| segment.metadata(row).err());
    problems.extend(undecodable.map(|e| e.to_string()));
    Ok(segment)
}
