//! What one field holds in a part: its values in order, and the rows of each.
//!
//! Built from the encoded metadata when a field is first asked about. Equality is a binary search, a range a run of values,
//! and the same lists answer what values there are and in which order records come by this field.

use std::hash::BuildHasher;
use std::ops::Range;

use fixedbitset::FixedBitSet;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::{Field, Order, Scalar};
use crate::record::payload::{PayloadError, Token, Tokens};
use crate::{Error, Result, derived};

/// Where encoded metadata lies, row by row.
pub(crate) trait Payloads {
    /// How many rows there are.
    fn rows(&self) -> u32;

    /// A row's metadata as it is stored; no bytes for none.
    fn metadata_bytes(&self, row: u32) -> Result<&[u8]>;

    /// The error for a row whose metadata does not decode.
    fn damaged(&self, row: u32, what: &str) -> Error;
}

/// One field of a part.
#[derive(Debug)]
pub(crate) struct FieldIndex {
    /// Rows that have the field, whatever is in it.
    present: FixedBitSet,
    /// Of rows whose field is a single value.
    values: Postings,
    /// Of rows whose field is a list: the single values in it.
    elements: Postings,
}

/// Rows by value.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    /// Ascending.
    keys: Vec<Scalar<'static>>,
    /// Those of `keys[i]` are `rows[starts[i]..starts[i + 1]]`.
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl FieldIndex {
    /// Errors: bytes that are no metadata. Cost: one pass over the encoded metadata, and a sort of the different values.
    pub(crate) fn build(field: &Field, part: &impl Payloads) -> Result<FieldIndex> {
        let mut building = Building {
            present: FixedBitSet::with_capacity(part.rows() as usize),
            values: Collector::default(),
            elements: Collector::default(),
        };
        for row in 0..part.rows() {
            building
                .add(field, row, part.metadata_bytes(row)?)
                .map_err(|e| part.damaged(row, &e.to_string()))?;
        }
        Ok(FieldIndex {
            present: building.present,
            values: building.values.finish(),
            elements: building.elements.finish(),
        })
    }

    /// Rows that have the field.
    pub(crate) fn present(&self) -> &FixedBitSet {
        &self.present
    }

    /// The single values of the field, ascending, and the rows of each, ascending.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Scalar<'static>, &[u32])> {
        self.values.iter()
    }

    /// The same of the single values in lists. A row stands there as often as its list has the value.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (&Scalar<'static>, &[u32])> {
        self.elements.iter()
    }

    /// Rows whose field is a single value and not null.
    pub(crate) fn single(&self) -> FixedBitSet {
        let mut found = FixedBitSet::with_capacity(self.present.len());
        for (_, rows) in self.values().filter(|(value, _)| **value != Scalar::Null) {
            rows.iter().for_each(|&row| found.insert(row as usize));
        }
        found
    }

    /// Rows whose value is one of these; null stands for a missing field, too.
    pub(crate) fn among(&self, wanted: &[Scalar<'_>]) -> FixedBitSet {
        let mut found = FixedBitSet::with_capacity(self.present.len());
        if wanted.contains(&Scalar::Null) {
            found.union_with(&self.present);
            found.toggle_range(..);
        }
        self.values.add_equal(wanted, &mut found);
        found
    }

    /// Rows whose value compares so with each of these, and is of its type.
    pub(crate) fn ordered(&self, bounds: &[(Order, &Scalar<'_>)]) -> FixedBitSet {
        let (mut from, mut to) = (0, self.values.keys.len());
        for (order, value) in bounds {
            let keys = self.keys(*order, value);
            (from, to) = (from.max(keys.start), to.min(keys.end));
        }
        self.values.within(from..to.max(from), self.present.len())
    }

    /// Where the values are that compare so.
    fn keys(&self, order: Order, value: &Scalar<'_>) -> Range<usize> {
        let until = |is_before: &dyn Fn(&Scalar<'static>) -> bool| {
            self.values.keys.partition_point(is_before)
        };
        let first = || until(&|key| key.rank() < value.rank());
        let end = || until(&|key| key.rank() <= value.rank());
        match order {
            Order::Less => first()..until(&|key| key < value),
            Order::LessOrEqual => first()..until(&|key| key <= value),
            Order::Greater => until(&|key| key <= value)..end(),
            Order::GreaterOrEqual => until(&|key| key < value)..end(),
        }
    }

    /// Rows with a list that has this element, or with a text that has this text within.
    pub(crate) fn containing(&self, part: &Scalar<'_>) -> FixedBitSet {
        let mut found = FixedBitSet::with_capacity(self.present.len());
        self.elements
            .add_equal(std::slice::from_ref(part), &mut found);
        if let Scalar::Text(part) = part {
            for (i, key) in self.values.keys.iter().enumerate() {
                if matches!(key, Scalar::Text(text) if text.contains(&**part)) {
                    let rows = self.values.rows_of(i..i + 1);
                    rows.iter().for_each(|&row| found.insert(row as usize));
                }
            }
        }
        found
    }
}

impl derived::Index for FieldIndex {
    fn bytes(&self) -> usize {
        self.present.len() / 8 + self.values.bytes() + self.elements.bytes()
    }
}

impl Postings {
    fn add_equal(&self, wanted: &[Scalar<'_>], found: &mut FixedBitSet) {
        for value in wanted {
            if let Ok(i) = self.keys.binary_search_by(|key| Ord::cmp(key, value)) {
                let rows = self.rows_of(i..i + 1);
                rows.iter().for_each(|&row| found.insert(row as usize));
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Scalar<'static>, &[u32])> {
        let keys = self.keys.iter().enumerate();
        keys.map(|(i, key)| (key, self.rows_of(i..i + 1)))
    }

    /// The rows of a run of keys.
    fn rows_of(&self, keys: Range<usize>) -> &[u32] {
        let start = |i: usize| self.starts.get(i).copied().unwrap_or(self.rows.len());
        self.rows
            .get(start(keys.start)..start(keys.end))
            .unwrap_or_default()
    }

    /// One bit a row, of so many: those of a run of keys. Where every row has a value and most are of them, the others are taken away.
    fn within(&self, keys: Range<usize>, rows: usize) -> FixedBitSet {
        let mut found = FixedBitSet::with_capacity(rows);
        let some = self.rows_of(keys.clone());
        if self.rows.len() == rows && some.len() > rows / 2 {
            found.insert_range(..);
            let others = [0..keys.start, keys.end..self.keys.len()];
            let others = others.into_iter().flat_map(|keys| self.rows_of(keys));
            others.for_each(|&row| found.set(row as usize, false));
        } else {
            some.iter().for_each(|&row| found.insert(row as usize));
        }
        found
    }

    fn bytes(&self) -> usize {
        let heap: usize = self.keys.iter().map(Scalar::heap_bytes).sum();
        heap + size_of_val(&*self.keys) + size_of_val(&*self.starts) + 4 * self.rows.len()
    }
}

/// The single value of a row's field, if it has one.
pub(crate) fn value_at<'a>(
    field: &Field,
    part: &'a impl Payloads,
    row: u32,
) -> Result<Option<Scalar<'a>>> {
    let read = |payload: &'a [u8]| -> Result<_, PayloadError> {
        let Some(mut tokens) = Tokens::at(payload, field)? else {
            return Ok(None);
        };
        Ok(scalar(&tokens.next()?).ok())
    };
    let payload = part.metadata_bytes(row)?;
    read(payload).map_err(|e| part.damaged(row, &e.to_string()))
}

/// The single value that a token is; or how many values lie inside of it.
fn scalar<'a>(token: &Token<'a>) -> Result<Scalar<'a>, u64> {
    Ok(match token {
        Token::Null => Scalar::Null,
        Token::Bool(value) => Scalar::Bool(*value),
        Token::Int(value) => Scalar::from(*value),
        Token::Float(value) => Scalar::from(*value),
        Token::Text(value) => Scalar::Text((*value).into()),
        Token::Time(micros) => Scalar::Time(*micros),
        Token::Bytes(bytes) => Scalar::Bytes((*bytes).into()),
        Token::List(_) | Token::Object(_) => return Err(token.inside()),
    })
}

struct Building {
    present: FixedBitSet,
    values: Collector,
    elements: Collector,
}

impl Building {
    fn add(&mut self, field: &Field, row: u32, payload: &[u8]) -> Result<(), PayloadError> {
        let Some(mut tokens) = Tokens::at(payload, field)? else {
            return Ok(());
        };
        self.present.insert(row as usize);
        match tokens.next()? {
            Token::List(len) => {
                for _ in 0..len {
                    match scalar(&tokens.next()?) {
                        Ok(scalar) => self.elements.push(scalar, row),
                        Err(inside) => tokens.skip(inside)?,
                    }
                }
            }
            token => _ = scalar(&token).map(|scalar| self.values.push(scalar, row)),
        }
        Ok(())
    }
}

/// Values as they come.
#[derive(Default)]
struct Collector {
    keys: Vec<Scalar<'static>>,
    /// From a value to its place in `keys`.
    table: HashTable<u32>,
    /// Places in `keys`, and rows.
    pairs: Vec<(u32, u32)>,
}

impl Collector {
    fn push(&mut self, value: Scalar<'_>, row: u32) {
        let hash = |scalar: &Scalar<'_>| FixedState::with_seed(0).hash_one(scalar);
        let keys = &mut self.keys;
        let same = |&at: &u32| keys.get(at as usize).is_some_and(|key| *key == value);
        let rehash = |&at: &u32| keys.get(at as usize).map_or(0, hash);
        let key = match self.table.entry(hash(&value), same, rehash) {
            Entry::Occupied(at) => *at.get(),
            Entry::Vacant(place) => {
                let at = keys.len() as u32;
                place.insert(at);
                keys.push(value.into_owned());
                at
            }
        };
        self.pairs.push((key, row));
    }

    fn finish(self) -> Postings {
        let mut sorted: Vec<(Scalar<'static>, u32)> = self.keys.into_iter().zip(0..).collect();
        sorted.sort_unstable();
        let mut rank = vec![0u32; sorted.len()];
        for ((_, at), position) in sorted.iter().zip(0..) {
            rank.get_mut(*at as usize)
                .into_iter()
                .for_each(|rank| *rank = position);
        }
        let of = |at: u32| rank.get(at as usize).copied().unwrap_or_default();
        let mut pairs = self.pairs;
        pairs.iter_mut().for_each(|(key, _)| *key = of(*key));
        // Stable within a value: rows stay in order.
        pairs.sort_by_key(|(key, _)| *key);
        let mut starts = vec![0; sorted.len()];
        for (at, (key, _)) in pairs.iter().enumerate().rev() {
            starts
                .get_mut(*key as usize)
                .into_iter()
                .for_each(|start| *start = at);
        }
        Postings {
            keys: sorted.into_iter().map(|(key, _)| key).collect(),
            starts,
            rows: pairs.into_iter().map(|(_, row)| row).collect(),
        }
    }
}
