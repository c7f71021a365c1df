//! What comes in: rows to store, read from where the caller keeps them, and a say in how it goes.
//!
//! A batch borrows. Vectors are asked for chunk by chunk through [`VectorSource`] into a block that fits the cache, so no
//! second copy of the batch is ever made, and what was checked is what is stored even when the caller's memory changes.

use std::fmt;
use std::ops::ControlFlow;

use crate::{Error, Key, Metadata, Result, Rows};

/// Rows of float32 that can be read in any order, from several threads at once.
///
/// Contract: [`read`](VectorSource::read) is called once for every row that is stored; before that, once more for at most
/// 1,024 evenly spread rows, on which the codebook is trained. Rows that an upsert drops (a later row has the same id) may not
/// be read at all.
pub trait VectorSource: Sync {
    /// Rows in the batch.
    fn rows(&self) -> usize;

    /// Components of each row.
    fn dim(&self) -> usize;

    /// Fills `out` with the rows from `first_row` on; `out.len()` is a whole number of rows times `dim`.
    ///
    /// Errors: [`Error::Source`] with whatever the source has to say.
    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()>;
}

/// What a long call is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Waiting until the background has caught up, or doing what it is behind with. No rows are done meanwhile.
    Wait,
    /// Reading, checking, encoding and writing rows.
    Write,
    /// Building the graph.
    Build,
    /// Making it durable and visible. From here on it is not interruptible.
    Commit,
    /// Copying a backup. Counted in bytes.
    Copy,
    /// Reading texts that are searched by words for the first time.
    Index,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Wait => "wait",
            Stage::Write => "write",
            Stage::Build => "build",
            Stage::Commit => "commit",
            Stage::Copy => "copy",
            Stage::Index => "index",
        })
    }
}

/// Told `(stage, rows done, rows in all)` from time to time, from any thread, one call at a time or several; cheap.
/// [`ControlFlow::Break`] ends the write with [`Error::Interrupted`] and the store as it was.
pub type Progress<'a> = &'a (dyn Fn(Stage, usize, usize) -> ControlFlow<()> + Sync);

/// Records to store: as many ids as rows, and metadata for all or none.
pub struct Batch<'a> {
    pub(crate) ids: Vec<Key>,
    pub(crate) vectors: &'a dyn VectorSource,
    pub(crate) metadata: Option<Vec<Metadata>>,
    pub(crate) if_versions: Option<Vec<u64>>,
    pub(crate) progress: Option<Progress<'a>>,
}

impl<'a> Batch<'a> {
    /// The most rows in one batch: they become one segment.
    pub const ROWS_MAX: usize = i32::MAX as usize;

    /// Records without metadata.
    pub fn new(ids: Vec<Key>, vectors: &'a dyn VectorSource) -> Self {
        Batch {
            ids,
            vectors,
            metadata: None,
            if_versions: None,
            progress: None,
        }
    }

    /// With metadata, one object per row.
    #[must_use]
    pub fn metadata(mut self, metadata: Vec<Metadata>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Only if each record has the version that is given for its row, 0 standing for one that is not there:
    /// otherwise [`Error::Version`], and nothing is stored. [`Record::version`](crate::Record::version) says which it has.
    #[must_use]
    pub fn if_versions(mut self, versions: Vec<u64>) -> Self {
        self.if_versions = Some(versions);
        self
    }

    /// With a callback that watches, and may stop, the write.
    #[must_use]
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl VectorSource for Rows<'_, f32> {
    fn rows(&self) -> usize {
        self.n()
    }

    fn dim(&self) -> usize {
        Rows::dim(self)
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()> {
        let start = first_row * Rows::dim(self);
        match self.as_slice().get(start..start + out.len()) {
            Some(rows) => out.copy_from_slice(rows),
            None => {
                return Err(Error::Source {
                    row: first_row,
                    source: "there are fewer rows than that".into(),
                });
            }
        }
        Ok(())
    }
}
