//! What a reader sees: the collections of one commit, immutable.
//!
//! A write publishes a new snapshot and leaves the old one to those who hold it; what did not change is shared. Of rows with
//! the same id the newest segment's counts: the others are *hidden*, bits in a bitmap per segment that belongs to the snapshot,
//! not to the segment.

use std::sync::Arc;

use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use crate::filter::Filter;
use crate::record::ids::{self, Ids};
use crate::segment::Segment;
use crate::{CollectionConfig, Result};

#[derive(Debug)]
pub(crate) struct Snapshot {
    /// In order of creation.
    pub(crate) collections: Vec<Arc<View>>,
}

impl Snapshot {
    pub(crate) fn by_id(&self, id: u64) -> Option<&Arc<View>> {
        self.collections.iter().find(|view| view.id == id)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<View>> {
        self.collections.iter().find(|view| view.name == name)
    }

    /// The same with `view` in place of the collection with its id, or added.
    pub(crate) fn with(&self, view: View) -> Snapshot {
        let mut collections = self.collections.clone();
        match collections.iter_mut().find(|old| old.id == view.id) {
            Some(old) => *old = Arc::new(view),
            None => collections.push(Arc::new(view)),
        }
        Snapshot { collections }
    }

    /// The same without the collection of that id.
    pub(crate) fn without(&self, id: u64) -> Snapshot {
        let mut collections = self.collections.clone();
        collections.retain(|view| view.id != id);
        Snapshot { collections }
    }
}

/// One collection in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) config: CollectionConfig,
    /// Oldest first.
    pub(crate) parts: Vec<Part>,
}

/// A segment and which of its rows count.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    hidden: Arc<RoaringBitmap>,
}

impl Part {
    pub(crate) fn live(&self) -> usize {
        self.segment.rows() as usize - self.hidden.len() as usize
    }

    pub(crate) fn is_live(&self, row: u32) -> bool {
        self.hidden.is_empty() || !self.hidden.contains(row)
    }

    /// One bit a row: those that count and that the filter is true of.
    pub(crate) fn select(&self, filter: &Filter) -> Result<FixedBitSet> {
        let mut found = self.segment.select(filter)?;
        for row in self.hidden.iter() {
            found.set(row as usize, false);
        }
        Ok(found)
    }
}

impl View {
    pub(crate) fn new(id: u64, name: String, config: CollectionConfig) -> View {
        View {
            id,
            name,
            config,
            parts: Vec::new(),
        }
    }

    /// The same with all segments at once, oldest first: newer ones hide rows of older ones.
    ///
    /// Cost: one lookup per row.
    pub(crate) fn with_all(mut self, segments: Vec<Segment>) -> View {
        let all: Vec<Arc<Segment>> = segments.into_iter().map(Arc::new).collect();
        // Where each id was met, newest segment first.
        let mut seen: HashTable<(usize, u32)> = HashTable::new();
        let bytes = |&(part, row): &(usize, u32)| {
            all.get(part)
                .map_or(&[][..], |segment: &Arc<Segment>| segment.ids.bytes(row))
        };
        for (part, segment) in all.iter().enumerate().rev() {
            let mut hidden = RoaringBitmap::new();
            for row in 0..segment.rows() {
                let id = segment.ids.bytes(row);
                let hash = ids::hash(id);
                if seen.find(hash, |place| bytes(place) == id).is_some() {
                    hidden.insert(row);
                } else if part > 0 {
                    seen.insert_unique(hash, (part, row), |place| ids::hash(bytes(place)));
                }
            }
            self.parts.push(Part {
                segment: Arc::clone(segment),
                hidden: Arc::new(hidden),
            });
        }
        self.parts.reverse();
        self
    }

    /// The same with one more segment, the newest.
    pub(crate) fn with_newest(&self, segment: Segment) -> View {
        let hide = |part: &Part| {
            let replaced = common_rows(&part.segment.ids, &segment.ids);
            let hidden = if replaced.is_empty() {
                Arc::clone(&part.hidden)
            } else {
                Arc::new(&*part.hidden | replaced)
            };
            Part {
                segment: Arc::clone(&part.segment),
                hidden,
            }
        };
        let mut parts: Vec<Part> = self.parts.iter().map(hide).collect();
        parts.push(Part {
            segment: Arc::new(segment),
            hidden: Arc::default(),
        });
        View {
            parts,
            ..self.clone()
        }
    }

    /// Number of records.
    pub(crate) fn live(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
    }

    /// Number of rows, hidden ones included.
    pub(crate) fn rows(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.segment.rows() as usize)
            .sum()
    }

    /// Where the record with this id is; the id as bytes.
    pub(crate) fn find(&self, id: &[u8]) -> Option<(&Part, u32)> {
        let hash = ids::hash(id);
        let newest_first = self.parts.iter().rev();
        newest_first
            .filter_map(|part| Some((part, part.segment.ids.row_of(id, hash)?)))
            .find(|(part, row)| part.is_live(*row))
    }
}

/// Rows of `old` whose ids are also in `new`. Looks up the shorter list in the longer.
fn common_rows(old: &Ids, new: &Ids) -> RoaringBitmap {
    let (few, many) = if old.rows() < new.rows() {
        (old, new)
    } else {
        (new, old)
    };
    let row_in_many = |row| {
        let id = few.bytes(row);
        Some((row, many.row_of(id, ids::hash(id))?))
    };
    let both = (0..few.rows()).filter_map(row_in_many);
    let pick = |(in_few, in_many)| {
        if std::ptr::eq(few, old) {
            in_few
        } else {
            in_many
        }
    };
    both.map(pick).collect()
}
