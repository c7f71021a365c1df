//! A damaged database as far as it can be read, in a new one.
//!
//! A row comes along if its id and its vector are in blocks whose checksums hold. Newer rows stand for older ones with the same id
//! as in the database itself, also when they are lost: an outdated record does not come back in place of one that is gone.
//! What is known to be missing is listed, by id where the id can be read.
//!
//! The new database is written through the front door, so everything in it is checked, indexed and sound.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use proxime_storage::{Frame, Holed, Manifest, OsVfs, Remains, Remnant, SectionKind, Vfs};
use serde::Serialize;

use crate::record::ids::{self, Ids};
use crate::record::payload;
use crate::segment::Segment;
use crate::vectors::Vectors;
use crate::writer::check_vectors;
use crate::{
    Batch, Collection, CollectionConfig, Database, Dtype, Error, Input, Key, Metadata, OpenOptions,
    Progress, Result, Rows, StorageError, VectorSource, config, frame,
};

/// What [`Database::salvage`] found, and what it did not.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Nothing is known to be missing.
    pub complete: bool,
    /// The commit whose manifest was read; `None` if none could be. Then collections have made-up names and default
    /// parameters, and which of several rows with the same id is the newest is a guess.
    pub manifest: Option<u64>,
    /// Files that could not be read as a whole: one sentence each, naming the file.
    pub problems: Vec<String>,
    /// Each collection.
    pub collections: Vec<SalvagedCollection>,
}

/// What was found of one collection.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SalvagedCollection {
    /// Its name in the new database.
    pub name: String,
    /// Records in the new database.
    pub records: usize,
    /// Rows that are lost.
    pub lost: Vec<LostRows>,
    /// Rows that are there, but whose metadata is lost.
    pub without_metadata: Vec<LostRows>,
}

/// Rows of one file that follow each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LostRows {
    /// The file.
    pub file: String,
    /// Counted from 0.
    pub first_row: u32,
    /// The last of them.
    pub last_row: u32,
    /// Ids of those whose id can be read.
    pub ids: Vec<Key>,
}

impl Database {
    /// Writes what can be read of the damaged database in directory `source`, which is not changed, to a new one in
    /// directory `dest`, which is created if nothing is there.
    ///
    /// Errors: `dest` is not empty; nothing in `source` says which store it is; as for every write. What is lost is no error,
    /// but in the report. Cost: as for storing all records anew; all ids in memory.
    pub fn salvage(
        source: impl AsRef<Path>,
        dest: impl AsRef<Path>,
        progress: Option<Progress<'_>>,
    ) -> Result<SalvageReport> {
        let remains = Remains::read(&OsVfs::open(source.as_ref())?)?;
        let dest = new_database(dest.as_ref())?;
        let mut report = SalvageReport {
            manifest: remains.manifest.as_ref().map(|manifest| manifest.number),
            problems: remains.problems.iter().map(ToString::to_string).collect(),
            ..SalvageReport::default()
        };
        for found in found(&remains, &mut report.problems) {
            report.collections.push(found.write(&dest, progress)?);
        }
        report.complete = report.problems.is_empty()
            && report
                .collections
                .iter()
                .all(|c| c.lost.is_empty() && c.without_metadata.is_empty());
        Ok(report)
    }
}

fn new_database(path: &Path) -> Result<Database> {
    let vfs = OsVfs::create(path)?;
    let names = vfs.list().map_err(|source| StorageError::Io {
        op: "list",
        path: path.to_owned(),
        source,
    })?;
    if names.is_empty() {
        return Database::open_with(path, &OpenOptions::default());
    }
    let path = path.to_owned();
    Err(StorageError::NotEmpty { path }.into())
}

/// A collection and what is left of it, oldest first.
struct Found<'a> {
    id: u64,
    name: String,
    config: CollectionConfig,
    pieces: Vec<Piece<'a>>,
    /// What was logged after the segments.
    tail: Vec<Segment>,
}

impl Found<'_> {
    fn new(id: u64, name: String, config: CollectionConfig) -> Self {
        Found {
            id,
            name,
            config,
            pieces: Vec::new(),
            tail: Vec::new(),
        }
    }
}

/// The collections, as the manifest has them or as headers of segments let one guess.
fn found<'a>(remains: &'a Remains, problems: &mut Vec<String>) -> Vec<Found<'a>> {
    let mut all: Vec<Found<'a>> = Vec::new();
    for stored in remains.manifest.iter().flat_map(|m| &m.collections) {
        match config::from_json(&stored.config) {
            Ok(config) => all.push(Found::new(stored.id, stored.name.clone(), config)),
            Err(what) => problems.push(format!("collection {:?}: {what}", stored.name)),
        }
    }
    for segment in &remains.segments {
        let manifest = remains.manifest.as_ref();
        let pinned = manifest.and_then(|m| pinned(m, segment.file_id()));
        let told = segment
            .header()
            .map(|header| (header.collection_id, header.rows));
        let Some((id, rows)) = told.or(pinned) else {
            let path = segment.path().display();
            problems.push(format!(
                "{path}: nothing says which collection it belongs to"
            ));
            continue;
        };
        if !all.iter().any(|found| found.id == id) {
            let config = segment.header().and_then(config::of_header);
            all.extend(config.map(|config| Found::new(id, format!("collection-{id}"), config)));
        }
        if let Some(found) = all.iter_mut().find(|found| found.id == id) {
            found
                .pieces
                .push(Piece::new(segment, rows, &found.config, problems));
        }
    }
    add_frames(remains, &mut all, problems);
    all
}

/// Adds what was logged after the segments to the collections.
fn add_frames(remains: &Remains, all: &mut [Found<'_>], problems: &mut Vec<String>) {
    let manifest = remains.manifest.as_ref();
    let mut missing = |from: u64, to: u64| {
        if from < to {
            problems.push(format!("frames {from} to {} of the log are lost", to - 1));
        }
    };
    let mut next = manifest.map(|manifest| manifest.last_seq + 1);
    for frame in &remains.frames {
        missing(next.unwrap_or(frame.seq), frame.seq);
        next = Some(frame.seq + 1);
    }
    if let Some(manifest) = manifest {
        missing(next.unwrap_or(u64::MAX), manifest.durable_seq + 1);
    }
    for logged in logged_parts(remains, problems) {
        let stored =
            manifest.and_then(|m| m.collections.iter().find(|c| c.id == logged.collection));
        let found = all.iter_mut().find(|found| found.id == logged.collection);
        let Some(found) = found.filter(|_| stored.is_none_or(|c| c.applied_seq < logged.seq))
        else {
            // In segments already, or of a collection that is gone. Without a manifest nobody knows which.
            if manifest.is_none() {
                problems.push(format!(
                    "frame {} of the log is of an unknown collection",
                    logged.seq
                ));
            }
            continue;
        };
        match frame::decode(logged, &found.config) {
            Ok(rows) => found.tail.push(rows),
            Err(what) => problems.push(format!("frame {} of the log: {what}", logged.seq)),
        }
    }
}

/// What was logged, batch by batch.
fn logged_parts<'a>(remains: &'a Remains, problems: &mut Vec<String>) -> Vec<Frame<'a>> {
    let mut batches = Vec::new();
    for logged in &remains.frames {
        let frame = Frame {
            seq: logged.seq,
            kind: logged.kind,
            collection: logged.collection,
            payload: &logged.payload,
        };
        match frame::parts(frame) {
            Ok(parts) => batches.extend(parts),
            Err(what) => problems.push(format!("frame {} of the log: {what}", logged.seq)),
        }
    }
    batches
}

/// Collection and rows of a segment, as the manifest has them.
fn pinned(manifest: &Manifest, file_id: u64) -> Option<(u64, u32)> {
    manifest.collections.iter().find_map(|collection| {
        let mut segments = collection.segments.iter();
        let pinned = segments.find(|pinned| pinned.file_id == file_id)?;
        Some((collection.id, pinned.rows))
    })
}

impl Found<'_> {
    fn write(self, dest: &Database, progress: Option<Progress<'_>>) -> Result<SalvagedCollection> {
        let collection = dest.create_collection(&self.name, self.config.clone())?;
        let mut report = SalvagedCollection {
            name: self.name,
            records: 0,
            lost: Vec::new(),
            without_metadata: Vec::new(),
        };
        // Newest first: whose row it is, found or lost, is decided before anything is written.
        let mut claimed = HashSet::new();
        for logged in &self.tail {
            claimed.extend(logged.ids.iter());
            claimed.extend(logged.deleted.iter().flat_map(Ids::iter));
        }
        let mut sorted: Vec<Sorted<'_>> = Vec::new();
        for piece in self.pieces.iter().rev() {
            sorted.push(Sorted::new(piece, self.config.metric, &mut claimed));
            claimed.extend(piece.deleted.iter().flat_map(Ids::iter));
        }
        for sorted in sorted.iter().rev() {
            sorted.write(&collection, progress)?;
            report.lost.extend(sorted.runs(&sorted.lost));
            report.without_metadata.extend(sorted.runs(&sorted.bare));
        }
        for logged in &self.tail {
            replay(&collection, logged)?;
        }
        report.records = collection.len()?;
        Ok(report)
    }
}

/// Does again what a frame of the log did.
fn replay(collection: &Collection, logged: &Segment) -> Result<()> {
    let key = |id: &[u8]| ids::decode(id).map(ids::KeyRef::to_key);
    let deleted = logged.deleted.iter().flat_map(Ids::iter);
    collection.delete(&deleted.filter_map(key).collect::<Vec<_>>())?;
    let rows = 0..logged.rows();
    let metadata = rows.clone().map(|row| logged.metadata(row));
    let vectors = logged.vectors()?.get(0..logged.rows() as usize);
    let vectors = Rows::new(&vectors, collection.config.dim)?;
    let ids = rows.map(|row| logged.id(row).to_key()).collect();
    collection.upsert(Batch::new(ids, &vectors).metadata(metadata.collect::<Result<_>>()?))
}

/// What is left of one segment.
struct Piece<'a> {
    file: String,
    rows: u32,
    dim: usize,
    dtype: Dtype,
    vectors: Option<Holed<'a>>,
    ids: Option<Holed<'a>>,
    payload: Option<Holed<'a>>,
    /// Ids that it deletes from older ones.
    deleted: Option<Ids>,
}

impl<'a> Piece<'a> {
    fn new(
        segment: &'a Remnant,
        rows: u32,
        config: &CollectionConfig,
        problems: &mut Vec<String>,
    ) -> Piece<'a> {
        let (deleted, damaged) = deleted(segment);
        if damaged {
            let path = segment.path().display();
            problems.push(format!(
                "{path}: of what it deletes a part is lost; such records may be back"
            ));
        }
        Piece {
            deleted,
            file: segment.path().display().to_string(),
            rows,
            dim: config.dim,
            dtype: config.dtype,
            vectors: segment.section(SectionKind::Vectors),
            ids: segment.section(SectionKind::Ids),
            payload: segment.section(SectionKind::Payload),
        }
    }

    fn id(&self, row: u32) -> Option<&'a [u8]> {
        self.ids?.cell(self.rows as usize, row as usize)
    }

    fn vector(&self, row: u32) -> Option<Cow<'a, [f32]>> {
        let bytes = self.dtype.bytes() * self.dim;
        let start = bytes.checked_mul(row as usize)?;
        let vector = self.vectors?.get(start..start.checked_add(bytes)?)?;
        Some(Vectors::new(vector, self.dim, self.dtype).get(0..1))
    }

    /// `None` if it is lost.
    fn metadata(&self, row: u32) -> Option<Metadata> {
        let Some(payload) = self.payload else {
            return Some(Metadata::new());
        };
        payload::decode(payload.cell(self.rows as usize, row as usize)?).ok()
    }
}

/// The ids that a segment deletes from older ones, as far as they can be read, and whether that is not all.
fn deleted(segment: &Remnant) -> (Option<Ids>, bool) {
    let Some(section) = segment.section(SectionKind::Deleted) else {
        return (None, false);
    };
    let count = section.get(0..8).and_then(|count| count.first_chunk());
    let count = count.map_or(0, |count| u64::from_le_bytes(*count) as usize);
    let column = section.skip(8);
    let cells = || {
        (0..count)
            .map(|row| column.cell(count, row))
            .take(section.len())
    };
    let ids = Ids::collect(cells().flatten().filter(|id| ids::decode(id).is_some()));
    let damaged = count == 0 || ids.is_err() || cells().any(|id| id.is_none());
    (ids.ok(), damaged)
}

/// The rows of a piece that no newer one has claimed.
struct Sorted<'a> {
    piece: &'a Piece<'a>,
    kept: Vec<(u32, Key)>,
    /// Of the rows that are kept.
    bare: Vec<(u32, Option<Key>)>,
    lost: Vec<(u32, Option<Key>)>,
}

impl<'a> Sorted<'a> {
    fn new(
        piece: &'a Piece<'a>,
        metric: crate::Metric,
        claimed: &mut HashSet<&'a [u8]>,
    ) -> Sorted<'a> {
        let mut sorted = Sorted {
            piece,
            kept: Vec::new(),
            bare: Vec::new(),
            lost: Vec::new(),
        };
        for row in 0..piece.rows {
            let id = piece.id(row);
            let Some(key) = id.and_then(ids::decode).map(ids::KeyRef::to_key) else {
                sorted.lost.push((row, None));
                continue;
            };
            if !id.is_some_and(|id| claimed.insert(id)) {
                continue;
            }
            let sound = piece.vector(row).filter(|vector| {
                let rows = Rows::new(vector, piece.dim);
                rows.is_ok_and(|rows| check_vectors(rows, metric, Input::Row, |row| row).is_ok())
            });
            if sound.is_none() {
                sorted.lost.push((row, Some(key)));
                continue;
            }
            if piece.metadata(row).is_none() {
                sorted.bare.push((row, Some(key.clone())));
            }
            sorted.kept.push((row, key));
        }
        sorted
    }

    fn write(&self, collection: &Collection, progress: Option<Progress<'_>>) -> Result<()> {
        let keys = self.kept.iter().map(|(_, key)| key.clone()).collect();
        let mut batch = Batch::new(keys, self);
        if self.piece.payload.is_some() {
            let rows = self.kept.iter();
            let metadata = rows.map(|(row, _)| self.piece.metadata(*row).unwrap_or_default());
            batch = batch.metadata(metadata.collect());
        }
        if let Some(progress) = progress {
            batch = batch.progress(progress);
        }
        collection.upsert(batch)
    }

    /// Rows that follow each other together.
    fn runs(&self, rows: &[(u32, Option<Key>)]) -> Vec<LostRows> {
        let mut runs: Vec<LostRows> = Vec::new();
        for (row, key) in rows {
            match runs.last_mut() {
                Some(run) if run.last_row + 1 == *row => {
                    run.last_row = *row;
                    run.ids.extend(key.clone());
                }
                _ => runs.push(LostRows {
                    file: self.piece.file.clone(),
                    first_row: *row,
                    last_row: *row,
                    ids: key.iter().cloned().collect(),
                }),
            }
        }
        runs
    }
}

impl VectorSource for Sorted<'_> {
    fn rows(&self) -> usize {
        self.kept.len()
    }

    fn dim(&self) -> usize {
        self.piece.dim
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()> {
        let kept = self.kept.iter().skip(first_row);
        for ((row, _), out) in kept.zip(out.chunks_exact_mut(self.piece.dim)) {
            let vector = self.piece.vector(*row).ok_or_else(|| Error::Damaged {
                file: self.piece.file.clone(),
                what: format!("row {row} has changed"),
            })?;
            out.copy_from_slice(&vector);
        }
        Ok(())
    }
}
