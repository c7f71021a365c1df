//! A segment in use: vectors where they are mapped, ids with their table, metadata, and what makes search fast.
//!
//! The vectors are the truth. Codes, codebook and graph are derived from them; if they are damaged the segment opens all the
//! same, answers by looking at every row, and says so.

use std::path::PathBuf;

use proxime_core::Graph;
use proxime_quant::{Codes, CodesU4, ScalarI8};
use proxime_storage::column::Column;
use proxime_storage::{SectionBytes, SectionKind};

use crate::record::ids::{Ids, KeyRef};
use crate::record::payload;
use crate::{CollectionConfig, Error, Metadata, Result, Rows, config};

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) ids: Ids,
    pub(crate) index: Index,
    dim: usize,
    vectors: SectionBytes,
    payload: Option<Column<SectionBytes>>,
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

/// A graph and the codes it is traversed on.
#[derive(Debug)]
pub(crate) struct GraphIndex {
    pub(crate) codec: ScalarI8,
    pub(crate) codes: Codes,
    /// The same codes, rounded to half a byte.
    pub(crate) walk: CodesU4,
    pub(crate) graph: Graph,
}

impl GraphIndex {
    pub(crate) fn new(codec: ScalarI8, codes: Codes, graph: Graph) -> GraphIndex {
        let walk = CodesU4::new(&codes);
        GraphIndex {
            codec,
            codes,
            walk,
            graph,
        }
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
        let index = match load_index(file, config, rows as usize) {
            Ok(None) => Index::Scan,
            Ok(Some(index)) => Index::Graph(Box::new(index)),
            Err(e) => Index::Damaged(e.to_string()),
        };
        let [vectors, payload] =
            [SectionKind::Vectors, SectionKind::Payload].map(|kind| file.map(kind));
        Segment::new(file, bytes, config, (ids, index), vectors?, payload?)
    }

    /// From a file that has just been written, and what is known of its content: the rest is mapped.
    pub(crate) fn written(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        known: (Ids, Index),
    ) -> Result<Segment> {
        let [vectors, payload] =
            [SectionKind::Vectors, SectionKind::Payload].map(|kind| file.map_unchecked(kind));
        Segment::new(file, bytes, config, known, vectors?, payload?)
    }

    fn new(
        file: &proxime_storage::Segment,
        bytes: u64,
        config: &CollectionConfig,
        (ids, index): (Ids, Index),
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
                let column = Column::new(bytes, file.header().rows as usize);
                Some(column.map_err(|e| file.damage(SectionKind::Payload, 0, e.to_string()))?)
            }
        };
        let path = file.path().to_owned();
        Ok(Segment {
            path,
            bytes,
            ids,
            index,
            dim: config.dim,
            vectors,
            payload,
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
        let Some(payload) = &self.payload else {
            return Ok(Metadata::new());
        };
        let damaged = |what: String| Error::Damaged {
            file: self.path.display().to_string(),
            what: format!("row {row}: {what}"),
        };
        let bytes = payload
            .get(row as usize)
            .ok_or_else(|| damaged("its metadata is not there".into()))?;
        payload::decode(bytes).map_err(|e| damaged(e.to_string()))
    }

    /// Sections as they are stored, for digests.
    pub(crate) fn raw(&self) -> [&[u8]; 3] {
        [
            self.ids.as_bytes(),
            &self.vectors,
            self.payload.as_ref().map_or(&[], Column::as_bytes),
        ]
    }

    pub(crate) fn graph(&self) -> Option<&GraphIndex> {
        match &self.index {
            Index::Graph(index) => Some(index),
            Index::Scan | Index::Damaged(_) => None,
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
        file.read(SectionKind::Codes)?,
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
