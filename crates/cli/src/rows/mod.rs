//! Records one after the other, from files that are read from front to back.
//!
//! A [`Source`] gives an [`Entry`] for each record of its file, good or bad: what is wrong with one does not end the file. How much of
//! a file is in memory does not depend on its length, nor on what is in it: a record has a longest length, too.

pub(crate) mod array;
pub(crate) mod csv;
pub(crate) mod jsonl;
pub(crate) mod table;

use std::io;

use proxime::{Key, Metadata};

use crate::args::IdType;

/// The longest record of a text, in bytes.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// A record, as its file has it.
pub(crate) struct Entry {
    /// Counted from 0; bad ones count, too.
    pub(crate) row: usize,
    /// The line of the file on which it begins, counted from 1, in a text.
    pub(crate) line: Option<u64>,
    /// Its text, in a text.
    pub(crate) input: String,
    /// The record, or why it is none.
    pub(crate) record: Result<Record, String>,
}

/// What a record holds. Without an id it gets its row number.
pub(crate) struct Record {
    pub(crate) id: Option<Key>,
    pub(crate) vector: Vec<f32>,
    pub(crate) metadata: Metadata,
}

/// A file of records.
pub(crate) trait Source {
    /// The next record; `None` at the end.
    ///
    /// Errors: the file cannot be read on.
    fn next(&mut self) -> io::Result<Option<Entry>>;
}

/// Which columns are what; all others are metadata.
pub(crate) struct Columns {
    /// `None`: `id`, if there is such a column.
    pub(crate) id: Option<String>,
    /// One column with a list, or several as `v0..v767`.
    pub(crate) vector: String,
    /// What ids that are texts are.
    pub(crate) id_type: IdType,
    /// Columns of a CSV that are texts, whatever they look like.
    pub(crate) text: Vec<String>,
}

impl Columns {
    pub(crate) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("id")
    }
}
