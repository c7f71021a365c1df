//! Indexes of a part's metadata: built at first use, kept as long as there is room.
//!
//! They are derived from what is stored and from nothing else, so they need no format, no log and no care after a crash: any may
//! be dropped and built again.

use std::sync::{Arc, Mutex};

use crate::database::{hold, hold_unless_stopped};
use crate::{Progress, Result};

/// What indexes of a part may always take; more only as long as it is no more than the metadata itself.
const BYTES_MIN: usize = 16 << 20;

/// What can be kept.
pub(crate) trait Index {
    /// About how much memory it takes.
    fn bytes(&self) -> usize;
}

/// The indexes of a part that were used last, by what they are of.
#[derive(Debug)]
pub(crate) struct Indexes<K, I> {
    /// Last used last. The lock is held to look, not to build.
    slots: Mutex<Vec<(K, Slot<I>)>>,
}

/// An index, once someone has built it. Whoever wants the same one waits. A panic while building leaves none.
type Slot<I> = Arc<Mutex<Option<Arc<I>>>>;

impl<K, I> Default for Indexes<K, I> {
    fn default() -> Self {
        Indexes {
            slots: Mutex::default(),
        }
    }
}

impl<K: Clone + PartialEq, I: Index> Indexes<K, I> {
    /// The index of `key`, built now if need be. All together they take at most as much memory as the metadata, of
    /// `payload_bytes`, or 16 MiB; one alone may take more.
    ///
    /// Errors: those of `build`; told to stop while another thread builds the same.
    pub(crate) fn get(
        &self,
        key: &K,
        payload_bytes: usize,
        progress: Option<Progress<'_>>,
        build: impl FnOnce() -> Result<I>,
    ) -> Result<Arc<I>> {
        let slot = self.slot(key);
        let mut index = hold_unless_stopped(&slot, progress)?;
        if let Some(index) = &*index {
            return Ok(Arc::clone(index));
        }
        let built = Arc::new(build()?);
        *index = Some(Arc::clone(&built));
        drop(index);
        self.shrink(payload_bytes.max(BYTES_MIN));
        Ok(built)
    }

    /// Whether the index of `key` is there, and not being built.
    pub(crate) fn has(&self, key: &K) -> bool {
        let slots = hold(&self.slots);
        let slot = slots.iter().find(|(other, _)| other == key);
        slot.is_some_and(|(_, slot)| slot.try_lock().is_ok_and(|index| index.is_some()))
    }

    /// What there are indexes of.
    pub(crate) fn keys(&self) -> Vec<K> {
        hold(&self.slots)
            .iter()
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn slot(&self, key: &K) -> Slot<I> {
        let mut slots = hold(&self.slots);
        match slots.iter().position(|(other, _)| other == key) {
            Some(at) => {
                let used = slots.remove(at);
                let slot = Arc::clone(&used.1);
                slots.push(used);
                slot
            }
            None => {
                let slot = Slot::default();
                slots.push((key.clone(), Arc::clone(&slot)));
                slot
            }
        }
    }

    /// Forgets those used longest ago, until the rest fits. One that is being built counts nothing yet; the one used last stays
    /// in any case, or each use would build it again.
    fn shrink(&self, bytes_max: usize) {
        let mut slots = hold(&self.slots);
        let mut room = bytes_max;
        let mut keep: Vec<bool> = Vec::new();
        for (_, slot) in slots.iter().rev() {
            let bytes = slot
                .try_lock()
                .map_or(0, |index| index.as_ref().map_or(0, |index| index.bytes()));
            keep.push(keep.is_empty() || bytes <= room);
            room = room.saturating_sub(bytes);
        }
        let mut keep = keep.into_iter().rev();
        slots.retain(|_| keep.next().unwrap_or(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// An index of so many bytes.
    struct Sized(usize);

    impl Index for Sized {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn indexes_are_built_once_and_dropped_when_too_large() {
        let indexes = Indexes::default();
        let large = 10 << 20;
        let there = || -> Result<Sized> { panic!("it is there") };
        let kept = || hold(&indexes.slots).len();
        let first = indexes.get(&"a", 0, None, || Ok(Sized(large))).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &indexes.get(&"a", 0, None, there).unwrap()
        ));
        indexes.get(&"b", 0, None, || Ok(Sized(large))).unwrap();
        assert_eq!(kept(), 1, "20 MiB are too many");
        indexes.get(&"b", 0, None, there).unwrap();
        indexes.get(&"c", 0, None, || Ok(Sized(1))).unwrap();
        assert_eq!(kept(), 2);
        indexes
            .get(&"a", 100 << 20, None, || Ok(Sized(large)))
            .unwrap();
        assert_eq!(kept(), 3, "as large as the metadata");
        assert!(indexes.get(&"d", 0, None, || Err(Error::Closed)).is_err());
        indexes.get(&"d", 0, None, || Ok(Sized(1))).unwrap();
        indexes.get(&"e", 0, None, || Ok(Sized(17 << 20))).unwrap();
        indexes.get(&"e", 0, None, there).unwrap();
        assert_eq!(kept(), 1, "one alone may be larger");
    }
}
