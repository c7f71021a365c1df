//! What a reader sees: the collections of one commit, immutable.
//!
//! A write publishes a new snapshot and leaves the old one to those who hold it; what did not change is shared. Of rows with
//! the same id the newest segment's counts, unless a newer one deletes the id: the others are *hidden*, bits in a bitmap per
//! segment that belongs to the snapshot, not to the segment.
//!
//! The newest segments may be the *tail*: rows in memory that are in the log, and in no file yet. Each small batch adds one, and
//! the newest are put together as long as the one before is not larger, as when counting in binary: so there are
//! few, and a row is copied a few times only.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use proxime_quant::ScalarI8;
use proxime_storage::{Frame, Manifest};
use roaring::RoaringBitmap;

use crate::entry::Entry;
use crate::filter::Filter;
use crate::nearest::nearest;
use crate::record::ids::{self, Ids};
use crate::segment::Segment;
use crate::{CollectionConfig, Error, Result, frame, merge};

#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// In order of creation.
    pub(crate) collections: Vec<Arc<Entry>>,
    /// Other names, and the ids of the collections that they stand for.
    pub(crate) aliases: Arc<BTreeMap<String, u64>>,
}

impl Snapshot {
    /// Errors: it was not used before, and is damaged.
    pub(crate) fn by_id(&self, id: u64) -> Result<Option<&Arc<View>>> {
        let entry = self.collections.iter().find(|entry| entry.id == id);
        entry.map(|entry| entry.view()).transpose()
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Entry>> {
        self.collections.iter().find(|entry| entry.name == name)
    }

    /// The same, and by an alias.
    pub(crate) fn by_any_name(&self, name: &str) -> Option<&Arc<Entry>> {
        let aliased = || {
            let id = self.aliases.get(name)?;
            self.collections.iter().find(|entry| entry.id == *id)
        };
        self.by_name(name).or_else(aliased)
    }

    /// The collection of that name, to be changed itself.
    ///
    /// Errors: there is none; it is an alias, which may come to stand for another one.
    pub(crate) fn named(&self, name: &str) -> Result<&Arc<Entry>> {
        match (self.by_name(name), self.by_any_name(name)) {
            (Some(entry), _) => Ok(entry),
            (None, Some(entry)) => Err(Error::Alias {
                alias: name.to_owned(),
                collection: entry.name.clone(),
            }),
            (None, None) => Err(self.not_found(name)),
        }
    }

    /// The error for a name that nothing has.
    pub(crate) fn not_found(&self, name: &str) -> Error {
        let names = self.collections.iter().map(|entry| &entry.name);
        let names = names.chain(self.aliases.keys()).cloned().collect();
        let (there, more) = nearest(name, names);
        let name = name.to_owned();
        Error::CollectionNotFound { name, there, more }
    }

    /// Errors: a collection or an alias has the name.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        match self.by_any_name(name) {
            None => Ok(()),
            Some(_) => Err(Error::CollectionExists {
                name: name.to_owned(),
            }),
        }
    }

    /// The same with `view` in place of the collection with its id, or added.
    pub(crate) fn with(&self, view: View) -> Snapshot {
        self.with_entry(Entry::loaded(Arc::new(view)))
    }

    /// The same, whether it was read or not.
    pub(crate) fn with_entry(&self, entry: Entry) -> Snapshot {
        let mut collections = self.collections.clone();
        let new = Arc::new(entry);
        match collections.iter_mut().find(|old| old.id == new.id) {
            Some(old) => *old = new,
            None => collections.push(new),
        }
        let aliases = Arc::clone(&self.aliases);
        Snapshot {
            collections,
            aliases,
        }
    }

    /// Takes in a batch from the log, unless it is in a segment already, or of a collection that is gone.
    ///
    /// Errors: a frame that is not one of ours.
    pub(crate) fn apply(&mut self, manifest: &Manifest, frame: Frame<'_>) -> Result<()> {
        let seq = frame.seq;
        let damaged = |what| Error::Damaged {
            file: "log".into(),
            what: format!("frame {seq}: {what}"),
        };
        let mut parts = frame::parts(frame).map_err(damaged)?.into_iter();
        parts.try_for_each(|part| self.apply_part(manifest, part, damaged))
    }

    fn apply_part(
        &mut self,
        manifest: &Manifest,
        frame: Frame<'_>,
        damaged: impl Fn(String) -> Error,
    ) -> Result<()> {
        let stored = manifest
            .collections
            .iter()
            .find(|stored| stored.id == frame.collection);
        let entry = self
            .collections
            .iter_mut()
            .find(|entry| entry.id == frame.collection);
        let (Some(stored), Some(entry)) = (stored, entry) else {
            return Ok(());
        };
        if frame.seq > stored.applied_seq {
            let rows = frame::decode(frame, &entry.config).map_err(damaged)?;
            *entry = Arc::new(entry.with_logged(rows)?);
        }
        Ok(())
    }

    /// The same without the collection of that id, and what stood for it.
    pub(crate) fn without(&self, id: u64) -> Snapshot {
        let mut next = self.clone();
        next.collections.retain(|entry| entry.id != id);
        Arc::make_mut(&mut next.aliases).retain(|_, of| *of != id);
        next
    }

    /// The same with these other names.
    pub(crate) fn with_aliases(&self, aliases: BTreeMap<String, u64>) -> Snapshot {
        Snapshot {
            collections: self.collections.clone(),
            aliases: Arc::new(aliases),
        }
    }
}

/// One collection in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) config: CollectionConfig,
    /// Oldest first; those of the tail last.
    pub(crate) parts: Vec<Part>,
}

/// A segment and which of its rows count.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    pub(crate) hidden: Arc<RoaringBitmap>,
    /// Of the tail, and being sealed: later batches stay apart from it.
    frozen: bool,
}

impl Part {
    pub(crate) fn new(segment: impl Into<Arc<Segment>>, hidden: RoaringBitmap) -> Part {
        Part {
            segment: segment.into(),
            hidden: Arc::new(hidden),
            frozen: false,
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.segment.rows() as usize - self.hidden.len() as usize
    }

    pub(crate) fn is_live(&self, row: u32) -> bool {
        self.hidden.is_empty() || !self.hidden.contains(row)
    }

    /// One bit a row: those that count and that the filter is true of.
    pub(crate) fn select(&self, filter: &Filter) -> Result<FixedBitSet> {
        Ok(self.less_hidden(self.segment.select(filter)?))
    }

    /// One bit a row: those that count.
    pub(crate) fn live_bits(&self) -> FixedBitSet {
        let mut all = FixedBitSet::with_capacity(self.segment.rows() as usize);
        all.insert_range(..);
        self.less_hidden(all)
    }

    fn less_hidden(&self, mut rows: FixedBitSet) -> FixedBitSet {
        for row in self.hidden.iter() {
            rows.set(row as usize, false);
        }
        rows
    }

    pub(crate) fn live_rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.live_bits().into_ones().map(|row| row as u32)
    }

    fn in_tail(&self) -> bool {
        self.segment.file.is_none()
    }

    /// Rows and deletions: what it costs to copy it.
    fn weight(&self) -> usize {
        self.live() + self.segment.deleted_ids() as usize
    }

    /// The same, less the rows that `newer` replaces or deletes.
    fn below(&self, newer: &Segment) -> Part {
        let own = &self.segment.ids;
        let mut gone = common_rows(own, &newer.ids);
        if let Some(deleted) = &newer.deleted {
            gone |= common_rows(own, deleted);
        }
        let hidden = match gone.is_empty() {
            true => Arc::clone(&self.hidden),
            false => Arc::new(&*self.hidden | gone),
        };
        Part {
            segment: Arc::clone(&self.segment),
            hidden,
            frozen: self.frozen,
        }
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
        // Ids in newer segments, and where to find their bytes.
        let mut seen: HashTable<&[u8]> = HashTable::new();
        let mut hidden: Vec<RoaringBitmap> = Vec::new();
        for (age, segment) in segments.iter().enumerate().rev() {
            let mut gone = RoaringBitmap::new();
            for row in 0..segment.rows() {
                let id = segment.ids.bytes(row);
                let hash = ids::hash(id);
                if seen.find(hash, |newer| *newer == id).is_some() {
                    gone.insert(row);
                } else if age > 0 {
                    seen.insert_unique(hash, id, |newer| ids::hash(newer));
                }
            }
            for id in segment.deleted.iter().flat_map(Ids::iter) {
                let entry = seen.entry(
                    ids::hash(id),
                    |newer| *newer == id,
                    |newer| ids::hash(newer),
                );
                entry.or_insert(id);
            }
            hidden.push(gone);
        }
        drop(seen);
        let parts = segments.into_iter().zip(hidden.into_iter().rev());
        self.parts = parts
            .map(|(segment, hidden)| Part::new(segment, hidden))
            .collect();
        self
    }

    /// The same with one more segment, the newest.
    pub(crate) fn with_newest(&self, segment: impl Into<Arc<Segment>>) -> View {
        let segment = segment.into();
        let mut parts: Vec<Part> = self.parts.iter().map(|part| part.below(&segment)).collect();
        parts.push(Part::new(segment, RoaringBitmap::new()));
        self.with_parts(parts)
    }

    /// The same with `rows`, the newest, in the tail. Where segments are searched, so will it be: it gets codes.
    ///
    /// Errors: rows that cannot be put together; not with rows that were checked.
    pub(crate) fn with_logged(&self, rows: impl Into<Arc<Segment>>) -> Result<View> {
        let mut next = self.with_newest(rows);
        while let [.., older, newer] = &*next.parts
            && older.in_tail()
            && !older.frozen
            && older.weight() <= newer.weight()
        {
            let both = merge::in_memory(&[older.clone(), newer.clone()], self.config.dim)?;
            next.parts.truncate(next.parts.len() - 2);
            next.parts.push(Part::new(both, RoaringBitmap::new()));
        }
        if let (Some(codec), Some(newest)) = (next.walked_codec(), next.parts.last()) {
            newest.segment.bound(codec);
        }
        Ok(next)
    }

    /// The codec of a graph that searches have walked, if they have.
    pub(crate) fn walked_codec(&self) -> Option<&ScalarI8> {
        let graphs = self.parts.iter().rev();
        let mut graphs = graphs.filter_map(|part| part.segment.graph_read());
        let walked = graphs.find(|graph| graph.walk().is_some());
        walked.map(|graph| &graph.codec)
    }

    /// The same with `merged` in place of the run of parts that it was made of.
    pub(crate) fn with_merged(&self, run: Range<usize>, merged: Option<Part>) -> View {
        let mut parts = self.parts.clone();
        parts.splice(run, merged);
        self.with_parts(parts)
    }

    fn with_parts(&self, parts: Vec<Part>) -> View {
        View {
            id: self.id,
            name: self.name.clone(),
            config: self.config.clone(),
            parts,
        }
    }

    /// The same with a tail that nothing is put together with any more.
    pub(crate) fn frozen(&self) -> View {
        let mut parts = self.parts.clone();
        for part in &mut parts {
            part.frozen = part.in_tail();
        }
        self.with_parts(parts)
    }

    /// Where the tail is.
    pub(crate) fn tail(&self) -> Range<usize> {
        let start = self.parts.iter().take_while(|part| !part.in_tail()).count();
        start..self.parts.len()
    }

    /// What is in files, and the tail.
    pub(crate) fn sealed_and_tail(&self) -> (&[Part], &[Part]) {
        self.parts.split_at(self.tail().start)
    }

    /// Rows and deletions in the tail.
    pub(crate) fn tail_weight(&self) -> usize {
        self.sealed_and_tail().1.iter().map(Part::weight).sum()
    }

    /// Rows in the tail.
    pub(crate) fn tail_rows(&self) -> usize {
        self.sealed_and_tail().1.iter().map(Part::live).sum()
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
        let (part, row) = self.place(id)?;
        Some((self.parts.get(part as usize)?, row))
    }

    /// The same, with the number of the part.
    pub(crate) fn place(&self, id: &[u8]) -> Option<(u32, u32)> {
        let hash = ids::hash(id);
        let newest_first = (0..self.parts.len() as u32).zip(&self.parts).rev();
        newest_first
            .filter_map(|(number, part)| Some((number, part, part.segment.ids.row_of(id, hash)?)))
            .find(|(_, part, row)| part.is_live(*row))
            .map(|(number, _, row)| (number, row))
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
