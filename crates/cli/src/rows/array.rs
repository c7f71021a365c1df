//! An array as a source of records, with the ids and metadata of other files.

use std::io;

use proxime::{Key, Metadata, VectorSource};

use super::{Entry, Record, Source};
use crate::array::Array;

pub(crate) struct ArrayRows {
    pub(crate) array: Array,
    /// One per row, taken when it is its turn.
    pub(crate) ids: Vec<Key>,
    pub(crate) metadata: Option<Vec<Metadata>>,
    pub(crate) row: usize,
}

impl Source for ArrayRows {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        let row = self.row;
        let Some(id) = self.ids.get(row) else {
            return Ok(None);
        };
        self.row += 1;
        let mut vector = vec![0.0; self.array.dim()];
        (self.array.read_rows(row, &mut vector)).map_err(io::Error::other)?;
        let metadata = self.metadata.as_mut().and_then(|all| all.get_mut(row));
        let record = Record {
            id: Some(id.clone()),
            vector,
            metadata: metadata.map(std::mem::take).unwrap_or_default(),
        };
        Ok(Some(Entry {
            row,
            line: None,
            input: String::new(),
            record: Ok(record),
        }))
    }
}
