//! Which rows of a part a filter is true of, and the indexes that say so.

use std::sync::{Arc, Mutex, PoisonError};

use fixedbitset::FixedBitSet;

use super::index::FieldIndex;
use super::{Field, Filter, Node};
use crate::Result;

/// What indexes of a part may always take; more only as long as it is no more than the metadata itself.
const INDEX_BYTES_MIN: usize = 16 << 20;

/// One bit a row: those that the filter is true of. Rows that no longer count are not looked at here.
///
/// `index` gives the index of a field. Errors: its; a filter that is wrong.
pub(crate) fn select(
    filter: &Filter,
    rows: u32,
    index: &impl Fn(&Field) -> Result<Arc<FieldIndex>>,
) -> Result<FixedBitSet> {
    let rec = |filter| select(filter, rows, index);
    Ok(match filter.node() {
        Node::In(field, values) => index(field)?.among(values),
        Node::Order(field, order, value) => index(field)?.ordered(*order, value),
        Node::Contains(field, value) => index(field)?.containing(value),
        Node::Exists(field) => index(field)?.present().clone(),
        Node::And(filters) => {
            let mut found = every(rows);
            for filter in filters {
                found.intersect_with(&rec(filter)?);
            }
            found
        }
        Node::Or(filters) => {
            let mut found = FixedBitSet::with_capacity(rows as usize);
            for filter in filters {
                found.union_with(&rec(filter)?);
            }
            found
        }
        Node::Not(filter) => {
            let mut found = rec(filter)?;
            found.toggle_range(..);
            found
        }
        Node::Wrong(error) => return Err(error.clone().into()),
    })
}

fn every(rows: u32) -> FixedBitSet {
    let mut all = FixedBitSet::with_capacity(rows as usize);
    all.insert_range(..);
    all
}

/// The indexes of a part that were used last. They are derived: any may be dropped and built again.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    /// Last used last. The lock is held to look, not to build.
    slots: Mutex<Vec<(Field, Slot)>>,
}

/// An index, once someone has built it. Whoever wants the same one waits.
type Slot = Arc<Mutex<Option<Arc<FieldIndex>>>>;

impl Indexes {
    /// The index of a field, built now if need be. All together they take at most as much memory as the metadata, of
    /// `payload_bytes`, or 16 MiB.
    pub(crate) fn get(
        &self,
        field: &Field,
        payload_bytes: usize,
        build: impl FnOnce() -> Result<FieldIndex>,
    ) -> Result<Arc<FieldIndex>> {
        let slot = self.slot(field);
        let mut index = lock(&slot);
        if let Some(index) = &*index {
            return Ok(Arc::clone(index));
        }
        let built = Arc::new(build()?);
        *index = Some(Arc::clone(&built));
        drop(index);
        self.shrink(payload_bytes.max(INDEX_BYTES_MIN));
        Ok(built)
    }

    fn slot(&self, field: &Field) -> Slot {
        let mut slots = lock(&self.slots);
        match slots.iter().position(|(other, _)| other == field) {
            Some(at) => {
                let used = slots.remove(at);
                let slot = Arc::clone(&used.1);
                slots.push(used);
                slot
            }
            None => {
                let slot = Slot::default();
                slots.push((field.clone(), Arc::clone(&slot)));
                slot
            }
        }
    }

    /// Forgets those used longest ago, until the rest fits. One that is being built counts nothing yet.
    fn shrink(&self, bytes_max: usize) {
        let mut slots = lock(&self.slots);
        let mut room = bytes_max;
        let mut keep: Vec<bool> = Vec::new();
        for (_, slot) in slots.iter().rev() {
            let bytes = slot
                .try_lock()
                .map_or(0, |index| index.as_ref().map_or(0, |index| index.bytes()));
            keep.push(bytes <= room);
            room = room.saturating_sub(bytes);
        }
        let mut keep = keep.into_iter().rev();
        slots.retain(|_| keep.next().unwrap_or(true));
    }
}

/// A panic while building left no index: what is behind the lock is as it was.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Payloads;
    use crate::record::payload;
    use crate::{Error, Value};

    /// One row with one field, a text.
    struct One(Vec<u8>);

    impl Payloads for One {
        fn rows(&self) -> u32 {
            1
        }

        fn metadata_bytes(&self, _row: u32) -> Result<&[u8]> {
            Ok(&self.0)
        }

        fn damaged(&self, row: u32, what: &str) -> Error {
            panic!("row {row}: {what}")
        }
    }

    /// An index of about so many bytes.
    fn index(bytes: usize) -> Result<FieldIndex> {
        let mut row = Vec::new();
        let text = Value::Text("x".repeat(bytes));
        payload::encode(&[("a".to_owned(), text)].into(), &mut row).unwrap();
        FieldIndex::build(&Field::from_path("a")?, &One(row))
    }

    #[test]
    fn indexes_are_built_once_and_dropped_when_too_large() {
        let indexes = Indexes::default();
        let [a, b, c, d] = ["a", "a.b", "c", "d"].map(|path| Field::from_path(path).unwrap());
        let large = 10 << 20;
        let there = || -> Result<FieldIndex> { panic!("it is there") };
        let first = indexes.get(&a, 0, || index(large)).unwrap();
        assert!(Arc::ptr_eq(&first, &indexes.get(&a, 0, there).unwrap()));
        indexes.get(&b, 0, || index(large)).unwrap();
        assert_eq!(lock(&indexes.slots).len(), 1, "20 MiB are too many");
        indexes.get(&b, 0, there).unwrap();
        indexes.get(&c, 0, || index(1)).unwrap();
        assert_eq!(lock(&indexes.slots).len(), 2);
        indexes.get(&a, 100 << 20, || index(large)).unwrap();
        assert_eq!(lock(&indexes.slots).len(), 3, "as large as the metadata");
        assert!(indexes.get(&d, 0, || Err(Error::Closed)).is_err());
        indexes.get(&d, 0, || index(1)).unwrap();
    }
}
