//! A damaged database as far as it can be read, in a new one.
//!
//! A row comes along if its id and its vector are in blocks whose checksums hold. Newer rows stand for older ones with the same id
//! as in the database itself, also when they are lost: an outdated record does not come back in place of one that is gone.
//! What is known to be missing is listed, by id where the id can be read.
//!
//! The new database is written through the front door, so everything in it is checked, indexed and sound.

use std::collections::HashSet;
use std::path::Path;

use proxime_storage::{Holed, Manifest, OsVfs, Remains, Remnant, SectionKind, Vfs};
use serde::Serialize;

use crate::record::{ids, payload};
use crate::writer::check_vectors;
use crate::{
    Batch, Collection, CollectionConfig, Database, Error, Input, Key, Metadata, OpenOptions,
    Progress, Result, Rows, StorageError, VectorSource, config,
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

/// A collection and what is left of its segments, oldest first.
struct Found<'a> {
    name: String,
    config: CollectionConfig,
    pieces: Vec<Piece<'a>>,
}

/// The collections, as the manifest has them or as headers of segments let one guess.
fn found<'a>(remains: &'a Remains, problems: &mut Vec<String>) -> Vec<Found<'a>> {
    let mut all: Vec<(u64, Found<'a>)> = Vec::new();
    for stored in remains.manifest.iter().flat_map(|m| &m.collections) {
        match config::from_json(&stored.config) {
            Ok(config) => {
                let name = stored.name.clone();
                all.push((
                    stored.id,
                    Found {
                        name,
                        config,
                        pieces: Vec::new(),
                    },
                ));
            }
            Err(what) => problems.push(format!("collection {:?}: {what}", stored.name)),
        }
    }
    for segment in &remains.segments {
        let pinned = remains
            .manifest
            .as_ref()
            .and_then(|m| pinned(m, segment.file_id()));
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
        if !all.iter().any(|(known, _)| *known == id) {
            let Some(config) = segment.header().and_then(config::of_header) else {
                continue;
            };
            let name = format!("collection-{id}");
            all.push((
                id,
                Found {
                    name,
                    config,
                    pieces: Vec::new(),
                },
            ));
        }
        if let Some((_, found)) = all.iter_mut().find(|(known, _)| *known == id) {
            found.pieces.push(Piece::new(segment, rows, &found.config));
        }
    }
    all.into_iter().map(|(_, found)| found).collect()
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
        let mut sorted: Vec<Sorted<'_>> = Vec::new();
        for piece in self.pieces.iter().rev() {
            sorted.push(Sorted::new(piece, self.config.metric, &mut claimed));
        }
        for sorted in sorted.iter().rev() {
            sorted.write(&collection, progress)?;
            report.lost.extend(sorted.runs(&sorted.lost));
            report.without_metadata.extend(sorted.runs(&sorted.bare));
        }
        report.records = collection.len()?;
        Ok(report)
    }
}

/// What is left of one segment.
struct Piece<'a> {
    file: String,
    rows: u32,
    dim: usize,
    vectors: Option<Holed<'a>>,
    ids: Option<Holed<'a>>,
    payload: Option<Holed<'a>>,
}

impl<'a> Piece<'a> {
    fn new(segment: &'a Remnant, rows: u32, config: &CollectionConfig) -> Piece<'a> {
        Piece {
            file: segment.path().display().to_string(),
            rows,
            dim: config.dim,
            vectors: segment.section(SectionKind::Vectors),
            ids: segment.section(SectionKind::Ids),
            payload: segment.section(SectionKind::Payload),
        }
    }

    fn id(&self, row: u32) -> Option<&'a [u8]> {
        self.ids?.cell(self.rows as usize, row as usize)
    }

    fn vector(&self, row: u32) -> Option<&'a [f32]> {
        let bytes = 4 * self.dim;
        let start = bytes.checked_mul(row as usize)?;
        let vector = self.vectors?.get(start..start.checked_add(bytes)?)?;
        bytemuck::try_cast_slice(vector).ok()
    }

    /// `None` if it is lost.
    fn metadata(&self, row: u32) -> Option<Metadata> {
        let Some(payload) = self.payload else {
            return Some(Metadata::new());
        };
        payload::decode(payload.cell(self.rows as usize, row as usize)?).ok()
    }
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
            out.copy_from_slice(vector);
        }
        Ok(())
    }
}
