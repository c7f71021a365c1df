//! The ids of a segment: a column of bytes, and a table from id to row.
//!
//! One id is one byte of kind and then: 0, an integer, 8 bytes little-endian; 1, a text, its UTF-8; 2, a UUID, its 16 bytes, most
//! significant first; 3, bytes, as they are. The table holds row
//! numbers only and compares against the column, so an id is in memory once. The hash has a fixed seed: what a database does
//! must not depend on the run.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use proxime_storage::column::{Column, ColumnBuilder, ColumnError};

use crate::Key;

const INT: u8 = 0;
const TEXT: u8 = 1;
const UUID: u8 = 2;
const BYTES: u8 = 3;

/// Hashes ids by their bytes.
pub(crate) fn hash(id: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(id)
}

/// An id where it lies. Orders as [`Key`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyRef<'a> {
    Int(i64),
    Text(&'a str),
    Uuid([u8; 16]),
    Bytes(&'a [u8]),
}

impl KeyRef<'_> {
    pub(crate) fn to_key(self) -> Key {
        match self {
            KeyRef::Int(id) => Key::Int(id),
            KeyRef::Text(id) => Key::Text(id.to_owned()),
            KeyRef::Uuid(id) => Key::Uuid(id),
            KeyRef::Bytes(id) => Key::Bytes(id.to_vec()),
        }
    }
}

impl Key {
    pub(crate) fn borrowed(&self) -> KeyRef<'_> {
        match self {
            Key::Int(id) => KeyRef::Int(*id),
            Key::Text(id) => KeyRef::Text(id),
            Key::Uuid(id) => KeyRef::Uuid(*id),
            Key::Bytes(id) => KeyRef::Bytes(id),
        }
    }

    /// The id's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// Appends the id's bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Key::Int(id) => {
                out.push(INT);
                out.extend(id.to_le_bytes());
            }
            Key::Text(id) => {
                out.push(TEXT);
                out.extend(id.as_bytes());
            }
            Key::Uuid(id) => {
                out.push(UUID);
                out.extend(id);
            }
            Key::Bytes(id) => {
                out.push(BYTES);
                out.extend(id);
            }
        }
    }
}

/// `None` for bytes that are no id.
pub(crate) fn decode(id: &[u8]) -> Option<KeyRef<'_>> {
    match id.split_first()? {
        (&INT, id) => Some(KeyRef::Int(i64::from_le_bytes(id.try_into().ok()?))),
        (&TEXT, id) if id.len() <= Key::BYTES_MAX => Some(KeyRef::Text(str::from_utf8(id).ok()?)),
        (&UUID, id) => Some(KeyRef::Uuid(id.try_into().ok()?)),
        (&BYTES, id) if id.len() <= Key::BYTES_MAX => Some(KeyRef::Bytes(id)),
        _ => None,
    }
}

/// Why bytes are not the ids of a segment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdsError {
    #[error(transparent)]
    Column(#[from] ColumnError),
    #[error("the id of row {row} is of no known kind")]
    NotAnId { row: usize },
    #[error("rows {first_row} and {row} have the same id")]
    Duplicate { first_row: usize, row: usize },
    #[error("{rows} rows are more than there can be")]
    TooMany { rows: u64 },
}

/// The ids of `rows` rows, unique and checked.
#[derive(Debug)]
pub(crate) struct Ids {
    column: Column<Vec<u8>>,
    table: HashTable<u32>,
}

impl Ids {
    /// From a column's bytes, trusting nothing. Cost: one hash per row.
    pub(crate) fn new(bytes: Vec<u8>, rows: u32) -> Result<Ids, IdsError> {
        let column = Column::new(bytes, rows as usize)?;
        let row_hash = |&row: &u32| hash(column.get(row as usize).unwrap_or_default());
        let mut table = HashTable::with_capacity(rows as usize);
        for row in 0..rows {
            let id = column.get(row as usize).unwrap_or_default();
            decode(id).ok_or(IdsError::NotAnId { row: row as usize })?;
            match table.entry(
                hash(id),
                |&other: &u32| column.get(other as usize) == Some(id),
                row_hash,
            ) {
                Entry::Occupied(first) => {
                    return Err(IdsError::Duplicate {
                        first_row: *first.get() as usize,
                        row: row as usize,
                    });
                }
                Entry::Vacant(place) => drop(place.insert(row)),
            }
        }
        Ok(Ids { column, table })
    }

    /// The ids of those rows of a batch that are `kept`, in order.
    pub(crate) fn of(keys: &[Key], kept: &Kept) -> Result<Ids, IdsError> {
        let mut builder = ColumnBuilder::default();
        for row in kept.iter() {
            builder.push(|out| {
                keys.get(row)
                    .map(|key| key.encode(out))
                    .ok_or(IdsError::NotAnId { row })
            })?;
        }
        Ids::new(builder.parts().concat(), kept.len())
    }

    /// No ids.
    pub(crate) fn none() -> Ids {
        Ids {
            column: Column::empty(),
            table: HashTable::new(),
        }
    }

    /// From what [`to_counted`](Ids::to_counted) gives, trusting nothing.
    pub(crate) fn counted(bytes: &[u8]) -> Result<Ids, IdsError> {
        let (rows, column) = bytes.split_at_checked(8).unwrap_or_default();
        let rows = rows
            .first_chunk()
            .map_or(0, |rows| u64::from_le_bytes(*rows));
        let rows = u32::try_from(rows).map_err(|_| IdsError::TooMany { rows })?;
        Ids::new(column.to_vec(), rows)
    }

    /// The column, with the number of rows before it, u64.
    pub(crate) fn to_counted(&self) -> Vec<u8> {
        [&u64::from(self.rows()).to_le_bytes(), self.as_bytes()].concat()
    }

    /// From ids as bytes, which are valid and differ.
    pub(crate) fn collect<'a>(ids: impl Iterator<Item = &'a [u8]>) -> Result<Ids, IdsError> {
        let (mut builder, mut rows) = (ColumnBuilder::default(), 0);
        for id in ids {
            builder.push_bytes(id);
            rows += 1;
        }
        Ids::new(builder.parts().concat(), rows)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.column.rows() as u32
    }

    /// The ids of all rows, in order, as bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.rows()).map(|row| self.bytes(row))
    }

    /// The row of an id given by its bytes.
    pub(crate) fn row_of(&self, id: &[u8], hash: u64) -> Option<u32> {
        self.table.find(hash, |&row| self.bytes(row) == id).copied()
    }

    /// The id of a row. All rows were decoded once, so nothing is made up here for a row that exists.
    pub(crate) fn get(&self, row: u32) -> KeyRef<'_> {
        decode(self.bytes(row)).unwrap_or(KeyRef::Text(""))
    }

    /// A row's id as bytes.
    pub(crate) fn bytes(&self, row: u32) -> &[u8] {
        self.column.get(row as usize).unwrap_or_default()
    }

    /// The whole column, as it is stored.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.column.as_bytes()
    }
}

/// Which rows of a batch are stored: all, or those that no later row replaces.
#[derive(Debug)]
pub(crate) enum Kept {
    All(u32),
    Some(Vec<u32>),
}

impl Kept {
    /// Number of rows that are stored.
    pub(crate) fn len(&self) -> u32 {
        match self {
            Kept::All(rows) => *rows,
            Kept::Some(rows) => rows.len() as u32,
        }
    }

    /// The batch's row that is stored as row `i`.
    pub(crate) fn row(&self, i: usize) -> usize {
        match self {
            Kept::All(_) => i,
            Kept::Some(rows) => rows.get(i).map_or(i, |&row| row as usize),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len() as usize).map(|i| self.row(i))
    }
}

/// A row of a batch that has the id of an earlier one.
pub(crate) struct Repeated {
    pub(crate) first_row: usize,
    pub(crate) row: usize,
}

/// Which rows to store so that of rows with the same id the last one stays, and the first row that repeats an id.
pub(crate) fn keep_last(keys: &[Key]) -> (Kept, Option<Repeated>) {
    let hash_of = |key: &Key| FixedState::with_seed(0).hash_one(key);
    let mut table: HashTable<u32> = HashTable::with_capacity(keys.len());
    let mut replaced = roaring::RoaringBitmap::new();
    let mut repeated = None;
    for (row, key) in (0u32..).zip(keys) {
        let same = |&other: &u32| keys.get(other as usize) == Some(key);
        let rehash = |&other: &u32| keys.get(other as usize).map_or(0, hash_of);
        match table.entry(hash_of(key), same, rehash) {
            Entry::Occupied(mut last) => {
                repeated.get_or_insert(Repeated {
                    first_row: *last.get() as usize,
                    row: row as usize,
                });
                replaced.insert(*last.get());
                *last.get_mut() = row;
            }
            Entry::Vacant(place) => drop(place.insert(row)),
        }
    }
    let rows = keys.len() as u32;
    match replaced.is_empty() {
        true => (Kept::All(rows), None),
        false => (
            Kept::Some((0..rows).filter(|row| !replaced.contains(*row)).collect()),
            repeated,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn ids(keys: &[Key]) -> Ids {
        Ids::of(keys, &Kept::All(keys.len() as u32)).unwrap()
    }

    fn row_of(ids: &Ids, key: &Key) -> Option<u32> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        ids.row_of(&bytes, hash(&bytes))
    }

    #[test]
    fn found_by_id_and_by_row() {
        let keys = [
            Key::Int(-1),
            "1".into(),
            Key::Int(1),
            "".into(),
            Key::Int(i64::MIN),
            "äö".into(),
            Key::Uuid([7; 16]),
            Key::Bytes(b"1".to_vec()),
            Key::Bytes(vec![]),
        ];
        let ids = ids(&keys);
        for (row, key) in (0..).zip(&keys) {
            assert_eq!(row_of(&ids, key), Some(row));
            assert_eq!(&ids.get(row).to_key(), key);
        }
        assert_eq!(row_of(&ids, &Key::Int(2)), None);
        let again = Ids::new(ids.as_bytes().to_vec(), ids.rows()).unwrap();
        assert_eq!(row_of(&again, &"äö".into()), Some(5));
    }

    #[test]
    fn borrowed_ids_order_as_owned_ones() {
        let mut keys = [
            Key::Int(3),
            "b".into(),
            Key::Int(-7),
            "a".into(),
            "".into(),
            Key::Int(0),
            Key::Bytes(vec![255]),
            Key::Uuid([1; 16]),
            Key::Bytes(vec![]),
            Key::Uuid([0; 16]),
        ];
        keys.sort();
        let ids = ids(&keys);
        let refs: Vec<KeyRef<'_>> = (0..ids.rows()).map(|row| ids.get(row)).collect();
        assert!(refs.is_sorted());
    }

    #[test]
    fn what_is_stored_keeps_its_bytes() {
        assert_eq!(
            ids(&[Key::Int(-2), "é".into()]).as_bytes(),
            [
                &[0u8; 8][..],
                &[9, 0, 0, 0, 0, 0, 0, 0],
                &[12, 0, 0, 0, 0, 0, 0, 0],
                &[0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                &[1, 0xc3, 0xa9],
            ]
            .concat()
        );
    }

    #[test]
    fn bytes_that_are_no_ids_are_refused() {
        let column = |rows: &[&[u8]]| {
            let mut builder = ColumnBuilder::default();
            rows.iter()
                .for_each(|row| builder.push(|out| out.write_all(row)).unwrap());
            builder.parts().concat()
        };
        for bad in [
            &[][..],
            &[2],
            &[2; 18],
            &[4],
            &[0, 1, 2],
            &[1, 0xff],
            &[0; 10],
        ] {
            assert!(matches!(
                Ids::new(column(&[&[1, b'a'], bad]), 2),
                Err(IdsError::NotAnId { row: 1 })
            ));
        }
        let twice = Ids::new(column(&[&[1, b'a'], &[1], &[1, b'a']]), 3);
        assert!(matches!(
            twice,
            Err(IdsError::Duplicate {
                first_row: 0,
                row: 2
            })
        ));
        assert!(matches!(Ids::new(column(&[]), 1), Err(IdsError::Column(_))));
    }

    #[test]
    fn the_last_of_equal_ids_is_kept() {
        let keys: Vec<Key> = ["a", "b", "a", "c", "b", "a"].map(Key::from).into();
        let (kept, repeated) = keep_last(&keys);
        assert_eq!(kept.iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert!(matches!(
            repeated,
            Some(Repeated {
                first_row: 0,
                row: 2
            })
        ));
        assert!(matches!(keep_last(&keys[3..]), (Kept::All(3), None)));
    }
}
