//! Several segments become one: the rows that count, in their order, and the deletions that older segments still need.
//!
//! Only neighbours are put together, so segments stay in the order of writing, and the newest row of an id stays the newest.

use std::ops::Range;

use proxime_storage::column::ColumnBuilder;

use crate::filter::Payloads;
use crate::record::ids::{Ids, IdsError, Kept};
use crate::record::versions::Versions;
use crate::segment::{LoggedRows, Segment};
use crate::snapshot::Part;
use crate::writer::Checked;
use crate::{Error, Progress, Result, VectorSource};

/// The rows of a run of parts that count: a batch like one that comes from outside.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    dim: usize,
    parts: &'a [Part],
    /// Part and row, in order.
    rows: Vec<(u32, u32)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(parts: &'a [Part], dim: usize) -> Run<'a> {
        let rows = (0..).zip(parts);
        let rows = rows.flat_map(|(number, part)| part.live_rows().map(move |row| (number, row)));
        Run {
            dim,
            parts,
            rows: rows.collect(),
        }
    }

    /// These rows, by part and row.
    pub(crate) fn of(parts: &'a [Part], dim: usize, rows: Vec<(u32, u32)>) -> Run<'a> {
        Run { dim, parts, rows }
    }

    /// Part and row of each row, in order.
    pub(crate) fn into_rows(self) -> Vec<(u32, u32)> {
        self.rows
    }

    /// As a batch to be written; `None` if there is nothing to write. `oldest`: there are no older segments, so nothing is left to be
    /// deleted there.
    pub(crate) fn checked(
        &self,
        oldest: bool,
        progress: Option<Progress<'a>>,
    ) -> Result<Option<Checked<'_>>> {
        let deleted = match oldest {
            true => None,
            false => self.deleted().map_err(damaged)?,
        };
        if self.rows.is_empty() && deleted.is_none() {
            return Ok(None);
        }
        Ok(Some(Checked {
            kept: Kept::All(self.rows.len() as u32),
            ids: self.ids().map_err(damaged)?,
            versions: self.versions(),
            payload: self.payload()?,
            if_versions: None,
            deleted,
            vectors: self,
            progress,
        }))
    }

    fn segments(&self, rows: Range<usize>) -> impl Iterator<Item = (&Segment, u32)> {
        let rows = self.rows.get(rows).unwrap_or_default();
        rows.iter().filter_map(|&(number, row)| {
            let part = self.parts.get(number as usize)?;
            Some((&*part.segment, row))
        })
    }

    fn all(&self) -> impl Iterator<Item = (&Segment, u32)> {
        self.segments(0..self.rows.len())
    }

    fn ids(&self) -> Result<Ids, IdsError> {
        Ids::collect(self.all().map(|(segment, row)| segment.ids.bytes(row)))
    }

    fn versions(&self) -> Versions {
        Versions::collect(self.all().map(|(segment, row)| segment.versions.of(row)))
    }

    /// Their metadata; `None` if none of the parts has any.
    pub(crate) fn payload(&self) -> Result<Option<ColumnBuilder>> {
        if !self.parts.iter().any(|part| part.segment.has_payload()) {
            return Ok(None);
        }
        let mut builder = ColumnBuilder::default();
        for (segment, row) in self.all() {
            builder.push_bytes(segment.metadata_bytes(row)?);
        }
        Ok(Some(builder))
    }

    fn deleted(&self) -> Result<Option<Ids>, IdsError> {
        let ids = deleted_ids(self.parts);
        match ids.is_empty() {
            true => Ok(None),
            false => Ids::collect(ids.into_iter()).map(Some),
        }
    }
}

impl VectorSource for Run<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()> {
        let rows = self.segments(first_row..first_row + out.len() / self.dim);
        for ((segment, row), out) in rows.zip(out.chunks_exact_mut(self.dim)) {
            out.copy_from_slice(&segment.vector_in_order(row)?);
        }
        Ok(())
    }
}

/// Every id that one of the parts deletes from older segments, as bytes, in order: none is there twice.
pub(crate) fn deleted_ids(parts: &[Part]) -> Vec<&[u8]> {
    let deleted = parts
        .iter()
        .filter_map(|part| part.segment.deleted.as_ref());
    let mut ids: Vec<&[u8]> = deleted.flat_map(Ids::iter).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Parts of the tail as one.
pub(crate) fn in_memory(parts: &[Part], dim: usize) -> Result<Segment> {
    let run = Run::new(parts, dim);
    let mut vectors = vec![0.0; run.rows.len() * dim];
    run.read(0, &mut vectors)?;
    let rows = LoggedRows {
        ids: run.ids().map_err(damaged)?,
        vectors,
        payload: run.payload()?.map(|payload| payload.parts().concat()),
        deleted: run.deleted().map_err(damaged)?,
    };
    Segment::in_memory(rows, run.versions(), dim).map_err(damaged)
}

/// What was checked when it came in does not fit any more.
pub(crate) fn damaged(error: impl std::fmt::Display) -> Error {
    Error::Damaged {
        file: "records in memory".into(),
        what: error.to_string(),
    }
}
