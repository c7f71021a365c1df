//! A segment in use: vectors where they are mapped, ids with their table, metadata, and what makes search fast.
//!
//! The vectors are the truth. Codes, codebook and graph are derived from them; if they are damaged the segment opens all the
//! same, answers by looking at every row, and says so.
//!
//! Rows that are in the log but in no file yet are segments too: in memory, without a graph. What searches and reads does not
//! tell them apart.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fixedbitset::FixedBitSet;
use proxime_core::Graph;
use proxime_quant::{Codes, CodesU4, PackU4, ScalarI8};
use proxime_storage::column::{Column, ColumnError};
use proxime_storage::{SectionBytes, SectionKind};
use rayon::prelude::*;

use crate::filter::{self, Field, FieldIndex, Filter, Indexes, Payloads};
use crate::pool::Workers;
use crate::recall::Calibration;
use crate::record::ids::{Ids, KeyRef};
use crate::record::payload;
use crate::{CollectionConfig, Error, Metadata, Result, Rows, config};

#[derive(Debug)]
pub(crate) struct Segment {
    /// `None` for rows that are only in the log.
    pub(crate) file: Option<SegmentFile>,
    pub(crate) ids: Ids,
    /// Ids whose rows in older segments are deleted.
    pub(crate) deleted: Option<Ids>,
    pub(crate) index: Index,
    dim: usize,
    vectors: Data,
    payload: Option<Column<Data>>,
    fields: Indexes,
    /// What the graph was built on; needed for digests only.
    codes: Option<SectionBytes>,
}

/// Where a segment is on the disk.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    pub(crate) bytes: u64,
}

/// Bytes where the file is mapped, or in memory.
#[derive(Debug)]
enum Data {
    Mapped(SectionBytes),
    Vectors(Vec<f32>),
    Bytes(Vec<u8>),
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Data::Mapped(bytes) => bytes,
            Data::Vectors(vectors) => bytemuck::cast_slice(vectors),
            Data::Bytes(bytes) => bytes,
        }
    }
}

/// Rows as the log has them: what a small batch adds and takes away.
#[derive(Debug)]
pub(crate) struct LoggedRows {
    pub(crate) ids: Ids,
    /// As many as ids, all checked.
    pub(crate) vectors: Vec<f32>,
    /// A column, one entry per row.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) deleted: Option<Ids>,
}

impl LoggedRows {
    pub(crate) fn deletions(ids: Ids) -> LoggedRows {
        LoggedRows {
            ids: Ids::none(),
            vectors: Vec::new(),
            payload: None,
            deleted: Some(ids),
        }
    }
}

/// What is known of a segment that has just been written.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) ids: Ids,
    pub(crate) deleted: Option<Ids>,
    pub(crate) index: Index,
}

/// How a segment is searched.
#[derive(Debug)]
pub(crate) enum Index {
    /// By looking at every row: too few for a graph to pay.
    Scan,
    Graph(Box<GraphIndex>),
    /// By looking at every row, because of what is wrong with the graph.
    Damaged(String),
}

/// A graph and the codes it is walked on: those in the file, which the graph was built on, rounded to half a byte.
#[derive(Debug)]
pub(crate) struct GraphIndex {
    pub(crate) codec: ScalarI8,
    pub(crate) graph: Graph,
    pub(crate) calibration: Calibration,
    walk: OnceLock<CodesU4>,
    /// Until the first search: what `walk` is made of. A store that is written, or opened, is not always searched at once.
    built_on: Mutex<Option<Codes>>,
}

/// Rows that one task makes walk codes of.
const WALK_ROWS: usize = 1024;

impl GraphIndex {
    pub(crate) fn new(codec: ScalarI8, codes: Codes, graph: Graph) -> GraphIndex {
        GraphIndex {
            codec,
            graph,
            calibration: Calibration::default(),
            walk: OnceLock::new(),
            built_on: Mutex::new(Some(codes)),
        }
    }

    /// Makes what the graph is walked on, unless that is done. Not to be called by a thread of the workers: it could wait for
    /// itself.
    ///
    /// Cost: the first time, about 4 us a row of 768 components, over all threads.
    pub(crate) fn prepare(&self, workers: &Workers) {
        self.walk.get_or_init(|| {
            let mut built_on = self.built_on.lock().unwrap_or_else(PoisonError::into_inner);
            let none = || Codes::zeroed(&self.codec, 0);
            let codes = built_on.take().unwrap_or_else(none);
            workers.threads.install(|| {
                CodesU4::by_tasks(&codes, WALK_ROWS, |tasks| {
                    tasks.into_par_iter().for_each(PackU4::run);
                })
            })
        });
    }

    /// What the graph is walked on; `None` before [`prepare`](GraphIndex::prepare).
    pub(crate) fn walk(&self) -> Option<&CodesU4> {
        self.walk.get().filter(|codes| codes.n() == self.graph.n())
    }
}

impl Segment {
    /// Reads and checks everything.
    pub(crate) fn load(
        file: &proxime_storage::Segment,
        bytes: u64,
        collection_id: u64,
        config: &CollectionConfig,
    ) -> Result<Segment> {
        let rows = file.header().rows;
        if *file.header() != config::header(config, collection_id, rows) {
            return Err(file
                .damage(
                    SectionKind::Vectors,
                    0,
                    "the header does not fit the collection",
                )
                .into());
        }
        let ids = file
            .read(SectionKind::Ids)?
            .ok_or_else(|| missing(file, SectionKind::Ids))?;
        let ids =
            Ids::new(ids, rows).map_err(|e| file.damage(SectionKind::Ids, 0, e.to_string()))?;
        let deleted = match file.read(SectionKind::Deleted)? {
            None => None,
            Some(bytes) => {
                let ids = Ids::counted(&bytes);
                Some(ids.map_err(|e| file.damage(SectionKind::Deleted, 0, e.to_string()))?)
            }
        };
        let index = match load_index(file, config, rows as usize) {
            Ok(None) => Index::Scan,
            Ok(Some(index)) => Index::Graph(Box::new(index)),
            Err(e) => Index::Damaged(e.to_string()),
        };
        let [vectors, payload] =
            [SectionKind::Vectors, SectionKind::Payload].map(|kind| file.map(kind));
        let known = Known {
            ids,
            deleted,
            index,
        };
        Segment::new(file, bytes, config, known, vectors?, payload?)
    }

    /// Rows in memory.
    ///
    /// Errors: a payload that is no column of as many rows.
    pub(crate) fn in_memory(rows: LoggedRows, dim: usize) -> Result<Segment, ColumnError> {
        let LoggedRows {
            ids,
            vectors,
            payload,
            deleted,
        } = rows;
        let column = |bytes| Column::new(Data::Bytes(bytes), ids.rows() as usize);
        Ok(Segment {
            file: None,
            payload: payload.map(column).transpose()?,
            vectors: Data::Vectors(vectors),
            codes: None,
            index: Index::Scan,
            ids,
            deleted,
            dim,
            fields: Indexes::default(),
        })
    }

    /// From a file that has just been written, and what is known of its content: the rest is mapped.
    pub(crate) fn written(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        known: Known,
    ) -> Result<Segment> {
        let [vectors, payload] =
            [SectionKind::Vectors, SectionKind::Payload].map(|kind| file.map_unchecked(kind));
        Segment::new(file, bytes, config, known, vectors?, payload?)
    }

    fn new(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        known: Known,
        vectors: Option<SectionBytes>,
        payload: Option<SectionBytes>,
    ) -> Result<Segment> {
        let shape = (u64::from(file.header().rows), 4 * file.header().dim);
        if file.shape(SectionKind::Vectors) != Some(shape) {
            return Err(missing(file, SectionKind::Vectors).into());
        }
        let vectors = vectors.ok_or_else(|| missing(file, SectionKind::Vectors))?;
        let payload = match payload {
            None => None,
            Some(bytes) => {
                let column = Column::new(Data::Mapped(bytes), file.header().rows as usize);
                Some(column.map_err(|e| file.damage(SectionKind::Payload, 0, e.to_string()))?)
            }
        };
        Ok(Segment {
            file: Some(SegmentFile {
                path: file.path().to_owned(),
                id: file.file_id(),
                bytes,
            }),
            ids: known.ids,
            deleted: known.deleted,
            index: known.index,
            dim: config.dim,
            vectors: Data::Mapped(vectors),
            // Whoever loads a segment has checked them, whoever writes it has made them.
            codes: file.map_unchecked(SectionKind::Codes)?,
            payload,
            fields: Indexes::default(),
        })
    }

    pub(crate) fn rows(&self) -> u32 {
        self.ids.rows()
    }

    /// All vectors. Errors: none, after the shape was checked when the segment was opened.
    pub(crate) fn vectors(&self) -> Result<Rows<'_, f32>> {
        Ok(Rows::new(
            bytemuck::try_cast_slice(&self.vectors).unwrap_or_default(),
            self.dim,
        )?)
    }

    /// One vector; empty for a row that does not exist.
    pub(crate) fn vector(&self, row: u32) -> &[f32] {
        let all: &[f32] = bytemuck::try_cast_slice(&self.vectors).unwrap_or_default();
        all.chunks_exact(self.dim)
            .nth(row as usize)
            .unwrap_or_default()
    }

    pub(crate) fn id(&self, row: u32) -> KeyRef<'_> {
        self.ids.get(row)
    }

    /// Errors: bytes that are no metadata, although their checksum holds.
    pub(crate) fn metadata(&self, row: u32) -> Result<Metadata> {
        payload::decode(self.metadata_bytes(row)?).map_err(|e| self.damaged(row, &e.to_string()))
    }

    /// One bit a row: those that the filter is true of, hidden or not.
    ///
    /// Errors: a filter that is wrong; bytes that are no metadata.
    pub(crate) fn select(&self, filter: &Filter) -> Result<FixedBitSet> {
        filter::select(filter, self.rows(), &|field| self.index(field))
    }

    /// What a field holds, row by row. Cost: a pass over the metadata the first time.
    pub(crate) fn index(&self, field: &Field) -> Result<Arc<FieldIndex>> {
        let bytes = self.payload.as_ref().map_or(0, |p| p.as_bytes().len());
        self.fields
            .get(field, bytes, || FieldIndex::build(field, self))
    }

    /// Whether rows have metadata.
    pub(crate) fn has_payload(&self) -> bool {
        self.payload.is_some()
    }

    /// How many ids it deletes from older segments.
    pub(crate) fn deleted_ids(&self) -> u32 {
        self.deleted.as_ref().map_or(0, Ids::rows)
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match &self.file {
            Some(file) => file.path.display().to_string(),
            None => "the log".to_owned(),
        }
    }

    /// Sections as they are stored, for digests.
    pub(crate) fn raw(&self) -> [&[u8]; 4] {
        [
            self.ids.as_bytes(),
            &self.vectors,
            self.payload.as_ref().map_or(&[], Column::as_bytes),
            self.deleted.as_ref().map_or(&[], Ids::as_bytes),
        ]
    }

    /// The codes that the graph was built on, as they are stored.
    pub(crate) fn codes(&self) -> &[u8] {
        self.codes.as_deref().unwrap_or_default()
    }

    pub(crate) fn graph(&self) -> Option<&GraphIndex> {
        match &self.index {
            Index::Graph(index) => Some(index),
            Index::Scan | Index::Damaged(_) => None,
        }
    }
}

impl Payloads for Segment {
    fn rows(&self) -> u32 {
        self.ids.rows()
    }

    fn metadata_bytes(&self, row: u32) -> Result<&[u8]> {
        let Some(payload) = &self.payload else {
            return Ok(&[]);
        };
        payload
            .get(row as usize)
            .ok_or_else(|| self.damaged(row, "its metadata is not there"))
    }

    fn damaged(&self, row: u32, what: &str) -> Error {
        Error::Damaged {
            file: self.name(),
            what: format!("row {row}: {what}"),
        }
    }
}

fn missing(file: &proxime_storage::Segment, kind: SectionKind) -> proxime_storage::Error {
    file.damage(
        kind,
        0,
        "it is missing or has another shape than the header says",
    )
}

/// `None` if the segment was written without.
fn load_index(
    file: &proxime_storage::Segment,
    config: &CollectionConfig,
    rows: usize,
) -> Result<Option<GraphIndex>> {
    let damage = |kind, what: String| Error::from(file.damage(kind, 0, what));
    let (Some(codebook), Some(codes), Some(graph)) = (
        file.read(SectionKind::Codebook)?,
        file.map(SectionKind::Codes)?,
        file.read(SectionKind::Graph)?,
    ) else {
        return Ok(None);
    };
    let codec = ScalarI8::from_bytes(&codebook)
        .map_err(|e| damage(SectionKind::Codebook, e.to_string()))?;
    if codec.dim() != config.dim || codec.metric() != config.metric {
        return Err(damage(
            SectionKind::Codebook,
            "it is for another dimension or metric".into(),
        ));
    }
    let codes = Codes::from_bytes(&codec, &codes, rows)
        .map_err(|e| damage(SectionKind::Codes, e.to_string()))?;
    let graph =
        Graph::from_bytes(&graph, rows).map_err(|e| damage(SectionKind::Graph, e.to_string()))?;
    Ok(Some(GraphIndex::new(codec, codes, graph)))
}
