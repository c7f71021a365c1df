//! Segments are put together, so that there are few of them and what is deleted takes no room.
//!
//! A *merge* takes neighbouring segments, writes the rows that count to a new one, graph and all, and puts it in their place. Only
//! its beginning and its end need the writer's mutex: batches are stored, and records deleted, while it goes on, and rows that
//! stop counting meanwhile are hidden in the new segment too.
//!
//! Which are due: four neighbours or more, of which none has more than half of all the rows, so that a row is written again only
//! when its segment at least doubles; and a segment of which a seventh or more does not count. A thread of the database's own does that in the
//! background; [`Collection::compact`](crate::Collection::compact) leaves one segment and no waiting.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proxime_storage::SegmentRef;
use roaring::RoaringBitmap;

use crate::asked::Asked;
use crate::database::{Shared, hold, hold_unless_stopped};
use crate::merge::Run;
use crate::pool::{Pool, Workers};
use crate::segment::Segment;
use crate::snapshot::{Part, View};
use crate::writer::write_file;
use crate::{CollectionConfig, Error, Progress, Result, Stage, config};

/// Neighbours that are put together: at least, and at most.
const RUN_MIN: usize = 4;
const RUN_MAX: usize = 8;
/// Larger segments stay as they are: putting them together would take longer than it saves.
const ROWS_MAX: usize = 4 << 20;
/// A segment is written anew when one row of so many does not count.
const HIDDEN_MAX: usize = 7;
/// Writers wait, or merge, when one byte of so many in all segments is of rows that do not count: while all is written anew, there is at
/// most 6/5 of what counts, and once again what does.
const HELD_BACK_AT: u64 = 6;
/// A merge that has failed, for want of room, is not tried again before one row for so many of its own was written or deleted: or else
/// every small write would begin with as much work as there is room for.
const AGAIN_AFTER: u64 = 8;

/// By collection, how far it has grown when a merge fails, up to where one is tried again.
pub(crate) type GivenUp = BTreeMap<u64, Range<u64>>;

/// The sealed segments of a collection that are to be put together next.
pub(crate) fn due(view: &View) -> Option<Range<usize>> {
    let (sealed, _) = view.sealed_and_tail();
    let wasteful =
        |part: &Part| part.hidden.len() as usize * HIDDEN_MAX >= part.segment.rows() as usize;
    let empty = |part: &Part| part.segment.rows() == 0;
    // Deletions alone are of no use when there is nothing older; otherwise they wait for their neighbours.
    let first = sealed
        .first()
        .is_some_and(|part| empty(part) || wasteful(part));
    if first {
        return Some(0..1);
    }
    if let Some(place) = sealed
        .iter()
        .position(|part| !empty(part) && wasteful(part))
    {
        return Some(place..place + 1);
    }
    let live: Vec<usize> = sealed.iter().map(Part::live).collect();
    run_of(&live)
}

/// Is more by every row that is written or deleted, and less after a merge.
fn growth(parts: &[Part]) -> u64 {
    let of = |part: &Part| u64::from(part.segment.rows()) + part.hidden.len();
    parts.iter().map(of).sum()
}

/// Whether so much does not count that nobody is to add to it.
pub(crate) fn is_over_budget(view: &View) -> bool {
    let (sealed, _) = view.sealed_and_tail();
    let (mut all, mut hidden) = (0, 0);
    for part in sealed {
        let bytes = part.segment.file.as_ref().map_or(0, |file| file.bytes);
        all += bytes;
        hidden += bytes * part.hidden.len() / u64::from(part.segment.rows()).max(1);
    }
    hidden > 0 && hidden * HELD_BACK_AT >= all
}

/// Of the neighbours that may be put together, given their rows, those that have the fewest.
fn run_of(live: &[usize]) -> Option<Range<usize>> {
    let windows = |len| {
        live.windows(len)
            .enumerate()
            .map(move |(start, window)| (start..start + len, window))
    };
    let runs = (RUN_MIN..=RUN_MAX)
        .flat_map(windows)
        .filter_map(|(run, window)| {
            let all: usize = window.iter().sum();
            let largest = window.iter().max().copied().unwrap_or_default();
            (2 * largest <= all && all <= ROWS_MAX).then_some((all, run))
        });
    runs.min_by_key(|(all, run)| (*all, run.start))
        .map(|(_, run)| run)
}

/// Parts of a collection that are being put together.
pub(crate) struct Merge {
    pub(crate) collection_id: u64,
    config: CollectionConfig,
    parts: Vec<Part>,
    /// There is nothing older: what they delete is gone.
    oldest: bool,
    asked: Asked,
}

/// What a merge has written.
pub(crate) struct Merged {
    pub(crate) written: Option<(SegmentRef, Arc<Segment>)>,
    /// Where each of its rows comes from: part and row.
    rows: Vec<(u32, u32)>,
}

impl Merge {
    pub(crate) fn new(view: &View, run: Range<usize>) -> Merge {
        Merge {
            collection_id: view.id,
            config: view.config.clone(),
            oldest: run.start == 0,
            asked: Asked::of(view),
            parts: view.parts.get(run).unwrap_or_default().to_vec(),
        }
    }

    /// Writes the new segment, and makes of it what searches ask for. The store is needed for moments only.
    ///
    /// Errors: interrupted; the storage's. Nothing is left behind.
    pub(crate) fn write(
        &self,
        database: &Shared,
        workers: &Workers,
        progress: Option<Progress<'_>>,
    ) -> Result<Merged> {
        let run = Run::new(&self.parts, self.config.dim);
        let written = match run.checked(self.oldest, progress)? {
            None => None,
            Some(batch) => {
                let header = config::header(&self.config, self.collection_id, batch.kept.len());
                let file = database.create_segment(header)?;
                let (pinned, known) = write_file(file, workers, &self.config, batch)?;
                let segment = database.open_written(&self.config, &pinned, known)?;
                let view = View::new(self.collection_id, String::new(), self.config.clone());
                let segment = self.asked.make(&view, segment, workers);
                Some((pinned, segment))
            }
        };
        let rows = run.into_rows();
        Ok(Merged { written, rows })
    }

    /// Where the parts are now; `None` if they are not what they were.
    pub(crate) fn place(&self, view: &View) -> Option<Range<usize>> {
        let same = |a: &Part, b: &Part| Arc::ptr_eq(&a.segment, &b.segment);
        let first = self.parts.first()?;
        let start = view.parts.iter().position(|part| same(part, first))?;
        let place = start..start + self.parts.len();
        let now = view.parts.get(place.clone())?;
        now.iter()
            .zip(&self.parts)
            .all(|(a, b)| same(a, b))
            .then_some(place)
    }

    /// File ids of what is replaced.
    pub(crate) fn files(&self) -> impl Iterator<Item = u64> {
        self.parts
            .iter()
            .filter_map(|part| part.segment.file.as_ref())
            .map(|file| file.id)
    }
}

impl Merged {
    /// The segment, if there are rows or deletions.
    pub(crate) fn file(&self) -> Option<&SegmentRef> {
        self.written.as_ref().map(|(pinned, _)| pinned)
    }

    /// What takes the place of the parts that it was made of.
    pub(crate) fn into_part(self, view: &View, place: &Range<usize>) -> Option<Part> {
        let hidden = self.hidden(view.parts.get(place.clone()).unwrap_or_default());
        let (_, segment) = self.written?;
        Some(Part::new(segment, hidden))
    }

    /// Rows that have stopped counting while it was written. `now`: the parts it was made of, as they are.
    fn hidden(&self, now: &[Part]) -> RoaringBitmap {
        let gone = |(_, (part, row)): &(u32, (u32, u32))| {
            now.get(*part as usize)
                .is_some_and(|part| !part.is_live(*row))
        };
        (0..)
            .zip(self.rows.iter().copied())
            .filter(gone)
            .map(|(row, _)| row)
            .collect()
    }
}

impl Shared {
    /// Does the next merge that is due anywhere; whether there was one.
    ///
    /// Errors: the storage's; [`Error::Interrupted`] when the database is being closed.
    pub(crate) fn merge_due(&self, progress: Option<Progress<'_>>) -> Result<bool> {
        let _merging = hold_unless_stopped(&self.merging, progress)?;
        let snapshot = self.snapshot()?;
        // What was not read yet can wait until it is.
        let read = snapshot
            .collections
            .iter()
            .filter_map(|entry| entry.read_view());
        let mut read = read.filter(|view| !self.has_given_up(view));
        let Some((view, run)) = read.find_map(|view| Some((view, due(view)?))) else {
            return Ok(false);
        };
        let merge = Merge::new(view, run);
        let merged = self.merge(&merge, &self.merge_pool, progress);
        let mut given_up = hold(&self.given_up);
        match &merged {
            Ok(()) => given_up.remove(&view.id),
            // Nothing is wrong with it.
            Err(Error::Interrupted) => None,
            Err(_) => {
                let grown = growth(&view.parts);
                let again = grown + growth(&merge.parts) / AGAIN_AFTER + 1;
                given_up.insert(view.id, grown..again)
            }
        };
        merged.map(|()| true)
    }

    fn has_given_up(&self, view: &View) -> bool {
        let given_up = hold(&self.given_up);
        let range = given_up.get(&view.id);
        range.is_some_and(|range| range.contains(&growth(&view.parts)))
    }

    /// Seals a collection's tail and puts all its segments together.
    pub(crate) fn compact(
        &self,
        id: u64,
        name: &str,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        self.check_writable()?;
        let _merging = hold_unless_stopped(&self.merging, progress)?;
        self.seal_one(id, progress)?;
        let snapshot = self.snapshot()?;
        let view = snapshot.by_id(id)?;
        let view = view.ok_or_else(|| snapshot.not_found(name))?;
        let (sealed, _) = view.sealed_and_tail();
        match sealed {
            [] => Ok(()),
            [one] if one.hidden.is_empty() && one.segment.deleted.is_none() => Ok(()),
            _ => self.merge(&Merge::new(view, 0..sealed.len()), &self.pool, progress),
        }
    }

    /// A merge that somebody has asked for.
    pub(crate) fn merge_alone(&self, merge: &Merge, progress: Option<Progress<'_>>) -> Result<()> {
        let _merging = hold(&self.merging);
        self.merge(merge, &self.pool, progress)
    }

    /// The caller holds `merging`.
    fn merge(&self, merge: &Merge, pool: &Pool, progress: Option<Progress<'_>>) -> Result<()> {
        let workers = pool.workers()?;
        let merged = merge.write(self, &workers, Some(&self.unless_closed(progress)))?;
        let files = merged.file().cloned().into_iter().collect();
        self.write_with(files, |writing, snapshot| {
            writing.replace(snapshot, merge, merged)
        })
    }

    /// `progress`, and an end to it when the database is being closed.
    pub(crate) fn unless_closed(
        &self,
        progress: Option<Progress<'_>>,
    ) -> impl Fn(Stage, usize, usize) -> ControlFlow<()> + Sync {
        move |stage, done, of| match progress {
            _ if self.closed.load(Ordering::Acquire) => ControlFlow::Break(()),
            Some(progress) => progress(stage, done, of),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use proxime_storage::SimVfs;

    use super::*;
    use crate::{Batch, Collection, Database, Key, Metric, OpenOptions, Rows, Update, break_if};

    fn upsert(c: &Collection, ids: Range<i64>) {
        let vectors: Vec<f32> = ids.clone().flat_map(|id| [id as f32, 1.0]).collect();
        let rows = Rows::new(&vectors, 2).unwrap();
        c.upsert(Batch::new(ids.map(Key::Int).collect(), &rows))
            .unwrap();
    }

    /// Rows of the segments when there is nothing left to do.
    fn settled(db: &Database) -> Vec<usize> {
        db.maintain().unwrap();
        let snapshot = db.0.snapshot().unwrap();
        let parts = &snapshot.by_name("c").unwrap().view().unwrap().parts;
        parts.iter().map(Part::live).collect()
    }

    fn collection() -> (Database, Collection) {
        let db = Database::in_memory().unwrap();
        let config = CollectionConfig::new(2).metric(Metric::L2);
        let c = db.create_collection("c", config).unwrap();
        (db, c)
    }

    #[test]
    fn neighbours_that_double() {
        assert_eq!(run_of(&[1, 1, 1]), None);
        assert_eq!(run_of(&[1, 1, 1, 1, 1]), Some(0..4));
        assert_eq!(run_of(&[64, 1, 1, 1]), None);
        assert_eq!(run_of(&[64, 2, 1, 2, 1, 64]), Some(1..5));
        assert_eq!(run_of(&[64, 1, 1, 1, 64, 1, 1]), Some(0..5));
        assert_eq!(run_of(&[64, 16, 4, 1]), None);
        assert_eq!(run_of(&[ROWS_MAX; 9]), None);
        assert_eq!(run_of(&[0; 4]), Some(0..4));
    }

    #[test]
    fn there_are_few_segments_however_much_is_written() {
        let (db, c) = collection();
        for batch in 0..25 {
            upsert(&c, 1100 * batch..1100 * (batch + 1));
        }
        let rows = settled(&db);
        assert!(rows.len() < 8, "{rows:?}");
        assert_eq!(rows.iter().sum::<usize>(), 1100 * 25);
        assert_eq!(c.len().unwrap(), 1100 * 25);
    }

    #[test]
    fn what_does_not_count_takes_no_room() {
        let (db, c) = collection();
        upsert(&c, 0..4000);
        upsert(&c, 0..1000);
        assert_eq!(settled(&db), [3000, 1000]);
        let gone: Vec<Key> = (500..2600).map(Key::Int).collect();
        assert_eq!(c.delete(&gone).unwrap(), 2100);
        assert_eq!(settled(&db), [1400, 500, 0], "the last has deletions only");
        let all: Vec<Key> = (0..4000).map(Key::Int).collect();
        assert_eq!(c.delete(&all).unwrap(), 1900);
        assert_eq!(settled(&db), [0usize; 0]);
        assert_eq!(c.stats().unwrap().bytes_on_disk, 0);
    }

    #[test]
    fn rows_that_stop_counting_during_a_merge_are_hidden_in_it() {
        let (db, c) = collection();
        upsert(&c, 0..1500);
        upsert(&c, 1500..3000);
        let workers = db.0.pool.workers().unwrap();
        let view = c.view().unwrap();
        let merge = Merge::new(&view, 0..2);
        let merged = merge.write(&db.0, &workers, None).unwrap();
        c.delete(&[Key::Int(7), Key::Int(1600)]).unwrap();
        upsert(&c, 8..9);
        db.0.write(|writing, snapshot| writing.replace(snapshot, &merge, merged))
            .unwrap();
        assert_eq!(c.len().unwrap(), 2998);
        assert_eq!(c.stats().unwrap().segments, 1);
        for (id, there) in [
            (6, true),
            (7, false),
            (8, true),
            (1600, false),
            (2999, true),
        ] {
            assert_eq!(c.get(&Key::Int(id)).unwrap().is_some(), there, "{id}");
        }
    }

    #[test]
    fn who_is_held_back_can_be_stopped() {
        let (db, c) = collection();
        upsert(&c, 0..1500);
        assert!(!c.is_held_back());
        let merging = hold(&db.0.merging);
        upsert(&c, 0..400);
        assert!(c.is_held_back());
        let vectors = [7.0, 7.0];
        let one = Rows::new(&vectors, 2).unwrap();
        let asked = AtomicUsize::new(0);
        let third = |stage, done, _| {
            assert_eq!((stage, done), (Stage::Wait, 0));
            break_if(asked.fetch_add(1, Ordering::Relaxed) % 3 == 2)
        };
        let batch = || Batch::new(vec![Key::Int(9999)], &one);
        let stored = c.upsert(batch().progress(&third));
        assert!(matches!(stored, Err(Error::Interrupted)));
        let update = Update::new(vec![Key::Int(1)]).vectors(&one);
        let updated = c.update(update.progress(&third));
        assert!(matches!(updated, Err(Error::Interrupted)));
        let mut transaction = db.transaction();
        assert!(!transaction.is_held_back());
        transaction.delete(&c, &[Key::Int(1)]).unwrap();
        assert!(transaction.is_held_back());
        for waited in [transaction.wait(&third), c.wait(&third)] {
            assert!(matches!(waited, Err(Error::Interrupted)));
        }
        assert_eq!(asked.into_inner(), 12);
        assert_eq!(c.len().unwrap(), 1500);
        drop(merging);
        c.upsert(batch().progress(&|_, _, _| break_if(false)))
            .unwrap();
        assert_eq!(c.len().unwrap(), 1501);
    }

    #[test]
    fn a_merge_without_room_is_not_tried_at_every_write() {
        let vfs = SimVfs::new();
        let db = Database::open_on(Arc::new(vfs.clone()), &OpenOptions::default()).unwrap();
        let config = CollectionConfig::new(2).metric(Metric::L2);
        let c = db.create_collection("c", config).unwrap();
        upsert(&c, 0..1500);
        // Enough for the batch, and not for 1,500 rows.
        vfs.limit(20_000);
        upsert(&c, 0..400);
        assert!(!db.0.merge_due(None).unwrap_or(false), "there is no room");
        vfs.limit(usize::MAX);
        let segments = |db: &Database| {
            let names = db.0.vfs.list().unwrap();
            names.iter().filter(|name| name.contains("seg-")).count()
        };
        let before = vfs.op_count();
        assert!(!db.0.merge_due(None).unwrap(), "it was given up");
        assert_eq!(vfs.op_count(), before);
        assert_eq!(segments(&db), 1, "what was begun is gone");
        upsert(&c, 400..800);
        while db.0.merge_due(None).unwrap() {}
        let view = c.view().unwrap();
        assert_eq!(view.sealed_and_tail().0.len(), 1);
        assert!(view.sealed_and_tail().0[0].hidden.is_empty());
        assert_eq!(c.len().unwrap(), 1500);
    }

    #[test]
    fn a_merge_of_what_was_dropped_meanwhile_leaves_nothing() {
        let (db, c) = collection();
        upsert(&c, 0..1500);
        let workers = db.0.pool.workers().unwrap();
        let view = c.view().unwrap();
        let merge = Merge::new(&view, 0..1);
        let merged = merge.write(&db.0, &workers, None).unwrap();
        db.drop_collection("c").unwrap();
        db.0.write(|writing, snapshot| writing.replace(snapshot, &merge, merged))
            .unwrap();
        let files = db.0.vfs.list().unwrap();
        assert!(
            !files.iter().any(|name| name.starts_with("seg-")),
            "{files:?}"
        );
    }
}
