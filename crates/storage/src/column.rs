//! Blob columns: one byte string per row, for ids and payloads.
//!
//! ```text
//! offsets   (n + 1) x u64 LE   the first is 0, none is smaller than the one before, the last is the length of the bytes
//! bytes     row i is bytes[offsets[i] .. offsets[i + 1]]
//! ```
//!
//! A column over mapped memory stays safe when the file changes behind it: every access is checked again.

use std::convert::Infallible;
use std::ops::{Deref, Range};

/// What is wrong with the bytes of a column.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// No room for the offsets.
    #[error("{rows} rows need {needed} bytes of offsets; there are {bytes} bytes in all")]
    Short {
        /// Rows that should be there.
        rows: usize,
        /// Bytes that their offsets take.
        needed: u64,
        /// Bytes that are there.
        bytes: usize,
    },
    /// An offset that breaks the rule.
    #[error(
        "offset {index} is {offset}: offsets start at 0, never fall, and end at the length of the bytes"
    )]
    Offset {
        /// Which offset.
        index: usize,
        /// Its value.
        offset: u64,
    },
}

/// Collects the byte strings of a column.
#[derive(Debug)]
pub struct ColumnBuilder {
    offsets: Vec<u64>,
    bytes: Vec<u8>,
}

impl Default for ColumnBuilder {
    fn default() -> Self {
        ColumnBuilder {
            offsets: vec![0],
            bytes: Vec::new(),
        }
    }
}

impl ColumnBuilder {
    /// Adds the next row, as whatever `write` appends to the buffer.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        write(&mut self.bytes)?;
        self.offsets.push(self.bytes.len() as u64);
        Ok(())
    }

    /// Adds the next row.
    pub fn push_bytes(&mut self, row: &[u8]) {
        self.bytes.extend(row);
        self.offsets.push(self.bytes.len() as u64);
    }

    /// The column's bytes, in two pieces to be stored one after the other.
    pub fn parts(&self) -> [&[u8]; 2] {
        [bytemuck::cast_slice(&self.offsets), &self.bytes]
    }
}

/// A column over its bytes, owned or mapped.
///
/// ```
/// use proxime_storage::column::{Column, ColumnBuilder};
/// let mut builder = ColumnBuilder::default();
/// for row in ["a", "", "bcd"] {
///     builder.push(|out| Ok::<_, ()>(out.extend(row.as_bytes()))).unwrap();
/// }
/// let column = Column::new(builder.parts().concat(), 3)?;
/// assert_eq!(column.get(2), Some(&b"bcd"[..]));
/// assert_eq!(column.get(3), None);
/// # Ok::<(), proxime_storage::column::ColumnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Column<B> {
    data: B,
    rows: usize,
}

impl Column<Vec<u8>> {
    /// No rows.
    pub fn empty() -> Self {
        Column {
            data: vec![0; 8],
            rows: 0,
        }
    }
}

impl<B: Deref<Target = [u8]>> Column<B> {
    /// A column of `rows` rows.
    ///
    /// Errors: bytes that are no such column. Cost: one pass over the offsets, no allocation.
    pub fn new(data: B, rows: usize) -> Result<Self, ColumnError> {
        let column = Column::unread(data, rows)?;
        let (mut last, end) = (0, (column.data.len() - column.starts()) as u64);
        for index in 0..=rows {
            let offset = offset(&column.data, index).unwrap_or(u64::MAX);
            let fine = match index {
                0 => offset == 0,
                _ => offset >= last && offset <= end,
            };
            if !fine || (index == rows && offset != end) {
                return Err(ColumnError::Offset { index, offset });
            }
            last = offset;
        }
        Ok(column)
    }

    /// The same without looking at the offsets, for bytes that are not to be read yet: a row whose offsets turn out to make no
    /// sense is not there.
    ///
    /// Errors: too few bytes.
    pub fn unread(data: B, rows: usize) -> Result<Self, ColumnError> {
        let needed = (rows as u64 + 1) * 8;
        let bytes = data.len();
        match needed > bytes as u64 {
            true => Err(ColumnError::Short {
                rows,
                needed,
                bytes,
            }),
            false => Ok(Column { data, rows }),
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Row `i`; `None` beyond the last, and for offsets that make no sense (see [`Column::unread`]) or have changed.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        let Ok(row) = self.get_after(&self.data, i, |_| Ok::<_, Infallible>(()));
        row
    }

    /// The same in `data`, the column's bytes there or in another place, after `check` was told which of them are to be read, in two steps:
    /// offsets, then the row.
    ///
    /// Errors: those of `check`.
    pub fn get_after<'a, E>(
        &self,
        data: &'a [u8],
        i: usize,
        check: impl Fn(Range<usize>) -> Result<(), E>,
    ) -> Result<Option<&'a [u8]>, E> {
        if i >= self.rows {
            return Ok(None);
        }
        check(i * 8..(i + 2) * 8)?;
        let at = |i| {
            let offset = usize::try_from(offset(data, i)?).ok()?;
            offset.checked_add(self.starts())
        };
        let (Some(from), Some(to)) = (at(i), at(i + 1)) else {
            return Ok(None);
        };
        let Some(row) = data.get(from..to) else {
            return Ok(None);
        };
        check(from..to)?;
        Ok(Some(row))
    }

    /// Where the first row starts.
    fn starts(&self) -> usize {
        (self.rows + 1) * 8
    }

    /// What the column was made of.
    pub fn data(&self) -> &B {
        &self.data
    }

    /// All bytes, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }
}

fn offset(data: &[u8], i: usize) -> Option<u64> {
    let bytes = data.get(i * 8..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(offsets: &[u64], tail: &[u8]) -> Vec<u8> {
        [bytemuck::cast_slice(offsets), tail].concat()
    }

    #[test]
    fn empty() {
        let column = Column::new(ColumnBuilder::default().parts().concat(), 0).unwrap();
        assert_eq!((column.rows(), column.get(0)), (0, None));
    }

    #[test]
    fn refuses_what_is_no_column() {
        let short = |data: Vec<u8>, rows| {
            assert!(matches!(
                Column::new(data, rows),
                Err(ColumnError::Short { .. })
            ))
        };
        short(vec![], 0);
        short(bytes(&[0, 0], &[]), 2);
        short(bytes(&[0], &[]), usize::MAX / 16);
        for (offsets, tail, index) in [
            (vec![1, 2], "ab", 0),
            (vec![0, 2, 1, 2], "ab", 2),
            (vec![0, 3], "ab", 1),
            (vec![0, 1], "ab", 1),
            (vec![0, u64::MAX, 2], "ab", 1),
        ] {
            let got = Column::new(bytes(&offsets, tail.as_bytes()), offsets.len() - 1).unwrap_err();
            assert!(
                matches!(got, ColumnError::Offset { index: i, .. } if i == index),
                "{got}"
            );
        }
    }
}
