//! A segment in use: vectors where they are mapped, ids with their table, metadata, and what makes search fast.
//!
//! The vectors are the truth. Codes, codebook and graph are derived from them; if they are damaged the segment opens all the
//! same, answers by looking at every row, and says so.
//!
//! Of a segment that is opened *lazily* ids are read and checked at once, codes and graph at the first search, and each block of
//! vectors and metadata when it is first needed: not a byte is used before its checksum was compared.
//!
//! Rows that are in the log but in no file yet are segments too: in memory, without a graph. What searches and reads does not
//! tell them apart.

use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use fixedbitset::FixedBitSet;
use proxime_core::{Graph, lengths_differ, needs_fine_codes};
use proxime_quant::{BoundedCodes, Codes, CodesU4, PackU4, ScalarI8, StoredCodes};
use proxime_storage::column::{Column, ColumnError};
use proxime_storage::{LazySection, SectionBytes, SectionKind};
use rayon::prelude::*;

use crate::calibration::Calibration;
use crate::derived::Indexes;
use crate::filter::{self, Field, FieldIndex, Filter, Payloads};
use crate::pool::Workers;
use crate::record::ids::{Ids, KeyRef};
use crate::record::payload;
use crate::record::versions::Versions;
use crate::vectors::Vectors;
use crate::words::{Fields, WordIndex};
use crate::{
    CollectionConfig, Dtype, Error, Metadata, Metric, Progress, Result, Rows, Verify, config,
};

#[derive(Debug)]
pub(crate) struct Segment {
    /// `None` for rows that are only in the log.
    pub(crate) file: Option<SegmentFile>,
    pub(crate) ids: Ids,
    /// Ids whose rows in older segments are deleted.
    pub(crate) deleted: Option<Ids>,
    pub(crate) versions: Versions,
    /// Before it is first asked for, where to read it.
    index: OnceLock<Index>,
    unread_index: Option<(Arc<proxime_storage::Segment>, CollectionConfig)>,
    dim: usize,
    /// Of the components of `vectors`.
    dtype: Dtype,
    vectors: Data,
    payload: Option<Column<Data>>,
    fields: Indexes<Field, FieldIndex>,
    words: Indexes<Fields, WordIndex>,
    /// What the graph was built on.
    codes: Option<SectionBytes>,
    /// Of rows without a graph, if there are enough.
    bounded: OnceLock<BoundedCodes>,
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
    Lazy(LazySection),
    Vectors(Vec<f32>),
    Bytes(Vec<u8>),
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Data::Mapped(bytes) => bytes,
            Data::Lazy(bytes) => bytes,
            Data::Vectors(vectors) => bytemuck::cast_slice(vectors),
            Data::Bytes(bytes) => bytes,
        }
    }
}

impl Data {
    /// A section of a file that was opened so.
    fn open(
        file: &Arc<proxime_storage::Segment>,
        kind: SectionKind,
        verify: Verify,
    ) -> Result<Option<Data>> {
        Ok(match verify {
            Verify::Full => file.map(kind)?.map(Data::Mapped),
            Verify::Lazy => LazySection::new(file, kind)?.map(Data::Lazy),
        })
    }

    /// Before these bytes are used.
    ///
    /// Errors: they are not what was written.
    fn check(&self, bytes: Range<usize>) -> Result<()> {
        match self {
            Data::Lazy(section) => Ok(section.check(bytes)?),
            Data::Mapped(_) | Data::Vectors(_) | Data::Bytes(_) => Ok(()),
        }
    }

    fn is_lazy(&self) -> bool {
        matches!(self, Data::Lazy(_))
    }

    /// For whoever reads few of these bytes, here and there.
    fn scattered(&self) -> &[u8] {
        match self {
            Data::Mapped(bytes) => bytes.scattered(),
            Data::Lazy(bytes) => bytes.scattered(),
            Data::Vectors(_) | Data::Bytes(_) => self,
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
    pub(crate) versions: Versions,
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

impl Index {
    fn graph(&self) -> Option<&GraphIndex> {
        match self {
            Index::Graph(index) => Some(index),
            Index::Scan | Index::Damaged(_) => None,
        }
    }

    fn load(file: &proxime_storage::Segment, config: &CollectionConfig) -> Index {
        match load_graph(file, config) {
            Ok(None) => Index::Scan,
            Ok(Some(index)) => Index::Graph(Box::new(index)),
            Err(e) => Index::Damaged(e.to_string()),
        }
    }
}

/// A graph and the codes it is walked on.
#[derive(Debug)]
pub(crate) struct GraphIndex {
    pub(crate) codec: ScalarI8,
    pub(crate) graph: Graph,
    pub(crate) calibration: Calibration,
    /// Made at the first search: a store that is written, or opened, is not always searched at once.
    walk: OnceLock<Option<Walk>>,
}

/// How a graph is walked.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) codes: AnyCodes,
    /// By dot product, rows of different lengths: it takes a wider beam to find as much.
    pub(crate) lengths_differ: bool,
}

/// What a graph is walked on.
#[derive(Debug)]
pub(crate) enum AnyCodes {
    /// Those in the file, which the graph was built on, rounded to half a byte.
    Coarse(CodesU4),
    /// Those in the file: where the others would be too coarse.
    Fine(Codes),
}

/// Rows that one task makes walk codes of.
const WALK_ROWS: usize = 1024;

/// Fewer rows are looked at as fast without codes.
const BOUNDED_MIN: u32 = 64;

/// Rows whose lengths are looked at, spread over all.
const LENGTHS: usize = 1024;

impl GraphIndex {
    pub(crate) fn new(codec: ScalarI8, graph: Graph) -> GraphIndex {
        GraphIndex {
            codec,
            graph,
            calibration: Calibration::default(),
            walk: OnceLock::new(),
        }
    }

    /// What the graph is walked on; `None` before [`Segment::prepare`].
    pub(crate) fn walk(&self) -> Option<&Walk> {
        self.walk.get()?.as_ref()
    }
}

impl Segment {
    /// Reads and checks it all, or, lazily, the ids.
    pub(crate) fn load(
        file: &Arc<proxime_storage::Segment>,
        bytes: u64,
        collection_id: u64,
        config: &CollectionConfig,
        verify: Verify,
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
        let versions = file.read(SectionKind::Versions)?.unwrap_or_default();
        let versions = Versions::from_bytes(&versions, rows)
            .ok_or_else(|| missing(file, SectionKind::Versions))?;
        let index = match verify {
            Verify::Full => OnceLock::from(Index::load(file, config)),
            Verify::Lazy => OnceLock::new(),
        };
        let [vectors, payload] =
            [SectionKind::Vectors, SectionKind::Payload].map(|kind| Data::open(file, kind, verify));
        let mut segment = Segment::new(file, bytes, config, ids, vectors?, payload?)?;
        (segment.deleted, segment.versions, segment.index) = (deleted, versions, index);
        segment.unread_index = Some((Arc::clone(file), config.clone()));
        Ok(segment)
    }

    /// Rows in memory, as many as `versions` are for.
    ///
    /// Errors: a payload that is no column of as many rows.
    pub(crate) fn in_memory(
        rows: LoggedRows,
        versions: Versions,
        dim: usize,
    ) -> Result<Segment, ColumnError> {
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
            bounded: OnceLock::new(),
            index: OnceLock::from(Index::Scan),
            unread_index: None,
            ids,
            deleted,
            versions,
            dim,
            dtype: Dtype::F32,
            fields: Indexes::default(),
            words: Indexes::default(),
        })
    }

    /// From a file that has just been written, and what is known of its content: the rest is mapped.
    pub(crate) fn written(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        known: Known,
    ) -> Result<Segment> {
        let [vectors, payload] = [SectionKind::Vectors, SectionKind::Payload]
            .map(|kind| Ok::<_, Error>(file.map_unchecked(kind)?.map(Data::Mapped)));
        let mut segment = Segment::new(file, bytes, config, known.ids, vectors?, payload?)?;
        (segment.deleted, segment.versions) = (known.deleted, known.versions);
        segment.index = OnceLock::from(known.index);
        Ok(segment)
    }

    fn new(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        ids: Ids,
        vectors: Option<Data>,
        payload: Option<Data>,
    ) -> Result<Segment> {
        let row_bytes = config.dtype.bytes() * config.dim;
        let shape = (u64::from(file.header().rows), row_bytes as u32);
        if file.shape(SectionKind::Vectors) != Some(shape) {
            return Err(missing(file, SectionKind::Vectors).into());
        }
        let vectors = vectors.ok_or_else(|| missing(file, SectionKind::Vectors))?;
        let column = |data: Data| {
            let rows = file.header().rows as usize;
            let column = match data.is_lazy() {
                true => Column::unread(data, rows),
                false => Column::new(data, rows),
            };
            column.map_err(|e| file.damage(SectionKind::Payload, 0, e.to_string()))
        };
        Ok(Segment {
            file: Some(SegmentFile {
                path: file.path().to_owned(),
                id: file.file_id(),
                bytes,
            }),
            ids,
            deleted: None,
            versions: Versions::default(),
            index: OnceLock::new(),
            unread_index: None,
            dim: config.dim,
            dtype: config.dtype,
            vectors,
            // Whoever has an index has checked them, whoever writes it has made them.
            codes: file.map_unchecked(SectionKind::Codes)?,
            bounded: OnceLock::new(),
            payload: payload.map(column).transpose()?,
            fields: Indexes::default(),
            words: Indexes::default(),
        })
    }

    pub(crate) fn rows(&self) -> u32 {
        self.ids.rows()
    }

    /// All vectors. Errors: one of them is damaged.
    pub(crate) fn vectors(&self) -> Result<Vectors<'_>> {
        self.vectors.check(0..self.vectors.len())?;
        Ok(self.vectors_in_order())
    }

    /// For whoever reads one after the other, and has them checked before.
    fn vectors_in_order(&self) -> Vectors<'_> {
        Vectors::new(&self.vectors, self.dim, self.dtype)
    }

    /// All vectors, of which these are as they were written; the others need not be.
    ///
    /// Errors: one of these is damaged.
    pub(crate) fn vectors_of(&self, rows: impl Iterator<Item = u32>) -> Result<Vectors<'_>> {
        if self.vectors.is_lazy() {
            for row in rows {
                self.vectors.check(self.place(row))?;
            }
        }
        Ok(Vectors::new(self.vectors.scattered(), self.dim, self.dtype))
    }

    /// One vector. Errors: it is damaged, or there is no such row.
    pub(crate) fn vector(&self, row: u32) -> Result<Cow<'_, [f32]>> {
        self.one(self.vectors_of(std::iter::once(row))?, row)
    }

    /// The same for whoever goes on to the next rows.
    pub(crate) fn vector_in_order(&self, row: u32) -> Result<Cow<'_, [f32]>> {
        self.vectors.check(self.place(row))?;
        self.one(self.vectors_in_order(), row)
    }

    fn one<'a>(&self, vectors: Vectors<'a>, row: u32) -> Result<Cow<'a, [f32]>> {
        match vectors.get(row as usize..row as usize + 1) {
            vector if vector.is_empty() => Err(self.damaged(row, "its vector is not there")),
            vector => Ok(vector),
        }
    }

    /// Where a row's vector is.
    fn place(&self, row: u32) -> Range<usize> {
        let width = self.dtype.bytes() * self.dim;
        let start = (row as usize).saturating_mul(width);
        start..start.saturating_add(width)
    }

    pub(crate) fn id(&self, row: u32) -> KeyRef<'_> {
        self.ids.get(row)
    }

    /// Errors: bytes that are no metadata, although their checksum holds.
    pub(crate) fn metadata(&self, row: u32) -> Result<Metadata> {
        // Of one row here, of another there. What goes through all rows asks for `metadata_bytes`.
        let bytes = self.metadata_in(Data::scattered, row)?;
        payload::decode(bytes).map_err(|e| self.damaged(row, &e.to_string()))
    }

    /// In the place that `of` gives; empty if there is none.
    fn metadata_in(&self, of: fn(&Data) -> &[u8], row: u32) -> Result<&[u8]> {
        let Some(payload) = &self.payload else {
            return Ok(&[]);
        };
        let data = payload.data();
        payload
            .get_after(of(data), row as usize, |bytes| data.check(bytes))?
            .ok_or_else(|| self.damaged(row, "its metadata is not there"))
    }

    /// One bit a row: those that the filter is true of, hidden or not.
    ///
    /// Errors: a filter that is wrong; bytes that are no metadata.
    pub(crate) fn select(&self, filter: &Filter) -> Result<FixedBitSet> {
        filter::select(filter, self.rows(), &|field| self.index(field))
    }

    /// What a field holds, row by row. Cost: a pass over the metadata the first time.
    pub(crate) fn index(&self, field: &Field) -> Result<Arc<FieldIndex>> {
        let build = || FieldIndex::build(field, self);
        self.fields.get(field, self.payload_bytes(), None, build)
    }

    /// The words of the texts in these fields, row by row. Cost: a pass over these texts the first time.
    pub(crate) fn words(
        &self,
        fields: &Fields,
        workers: &Workers,
        progress: Option<Progress<'_>>,
    ) -> Result<Arc<WordIndex>> {
        let build = || WordIndex::build(fields, self, workers, progress);
        self.words
            .get(fields, self.payload_bytes(), progress, build)
    }

    /// Whether they were read already.
    pub(crate) fn has_words(&self, fields: &Fields) -> bool {
        self.words.has(fields)
    }

    /// The fields that were asked for.
    pub(crate) fn indexed_fields(&self) -> Vec<Field> {
        self.fields.keys()
    }

    /// The fields whose words were.
    pub(crate) fn indexed_words(&self) -> Vec<Fields> {
        self.words.keys()
    }

    fn payload_bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, |p| p.as_bytes().len())
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

    /// Sections as they are stored, for digests. Errors: damage.
    pub(crate) fn raw(&self) -> Result<[&[u8]; 4]> {
        self.vectors.check(0..self.vectors.len())?;
        if let Some(payload) = &self.payload {
            payload.data().check(0..payload.as_bytes().len())?;
        }
        Ok([
            self.ids.as_bytes(),
            &self.vectors,
            self.payload.as_ref().map_or(&[], Column::as_bytes),
            self.deleted.as_ref().map_or(&[], Ids::as_bytes),
        ])
    }

    /// The codes that the graph was built on, as they are stored.
    pub(crate) fn codes(&self) -> &[u8] {
        self.codes.as_deref().unwrap_or_default()
    }

    /// How it is searched. Cost: codes and graph are read, checked and copied the first time, if it was opened lazily.
    pub(crate) fn search_index(&self) -> &Index {
        self.index.get_or_init(|| match &self.unread_index {
            Some((file, config)) => Index::load(file, config),
            None => Index::Scan,
        })
    }

    /// Makes what the graph is walked on, unless that is done, from the codes where they are mapped. Not to be called by a thread
    /// of the workers: it could wait for itself.
    ///
    /// Cost: the first time, about 4 us a row of 768 components, over all threads; no memory but the result.
    pub(crate) fn prepare(&self, workers: &Workers) {
        let Some(index) = self.graph() else { return };
        index.walk.get_or_init(|| {
            let codes = StoredCodes::new(&index.codec, self.codes(), index.graph.n()).ok()?;
            let lengths_differ = index.codec.metric() == Metric::Dot && {
                let rows = (0..codes.n() as u32).step_by((codes.n() / LENGTHS).max(1));
                lengths_differ(&codes.select(&rows.collect::<Vec<u32>>()))
            };
            let codes = match needs_fine_codes(&index.graph, codes) {
                true => AnyCodes::Fine(codes.to_codes()),
                false => AnyCodes::Coarse(workers.threads.install(|| {
                    CodesU4::by_tasks(codes, WALK_ROWS, |tasks| {
                        tasks.into_par_iter().for_each(PackU4::run);
                    })
                })),
            };
            Some(Walk {
                codes,
                lengths_differ,
            })
        });
    }

    /// Has searches look at codes of rows without a graph before they read vectors. The codec may be of others. The vectors must be as
    /// they were written.
    ///
    /// Cost: about 1 us a row of 768 components.
    pub(crate) fn bound(&self, codec: &ScalarI8) {
        if self.rows() < BOUNDED_MIN || self.graph().is_some() {
            return;
        }
        let rows = self.vectors_in_order().get(0..self.rows() as usize);
        let encode = |rows| BoundedCodes::encode(codec, rows);
        if let Ok(Ok(codes)) = Rows::new(&rows, self.dim).map(encode) {
            self.bounded.set(codes).ok();
        }
    }

    /// Codes that rule rows out, if there are any.
    pub(crate) fn bounded(&self) -> Option<&BoundedCodes> {
        self.bounded.get()
    }

    pub(crate) fn graph(&self) -> Option<&GraphIndex> {
        self.search_index().graph()
    }

    /// The same if it was read.
    pub(crate) fn graph_read(&self) -> Option<&GraphIndex> {
        self.index.get()?.graph()
    }
}

impl Payloads for Segment {
    fn rows(&self) -> u32 {
        self.ids.rows()
    }

    fn metadata_bytes(&self, row: u32) -> Result<&[u8]> {
        self.metadata_in(Data::deref, row)
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
fn load_graph(
    file: &proxime_storage::Segment,
    config: &CollectionConfig,
) -> Result<Option<GraphIndex>> {
    let rows = file.header().rows as usize;
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
    StoredCodes::new(&codec, &codes, rows)
        .map_err(|e| damage(SectionKind::Codes, e.to_string()))?;
    let graph =
        Graph::from_bytes(&graph, rows).map_err(|e| damage(SectionKind::Graph, e.to_string()))?;
    Ok(Some(GraphIndex::new(codec, graph)))
}
