//! Tails become segments beside the writers.
//!
//! A tail of a thousand rows is enough for a graph, and building one takes a hundred times as long as a small write. So it is not done in
//! one: the parts of the tail are *frozen*, so that later batches are kept apart from them, and the log is cut, which takes a moment of the
//! writer's mutex; then they are put together and written like a merge, while writing goes on behind them; and in another
//! moment the segment takes their place. Up to the frame at which they were frozen the collection is in segments then. If anybody else has
//! sealed them meanwhile (a large batch must not overtake a tail), what was written is thrown away.

use proxime_storage::Checkpoint;

use crate::commit::Writing;
use crate::compact::{Merge, Merged};
use crate::database::{Shared, hold_unless_stopped};
use crate::pool::Workers;
use crate::snapshot::{Snapshot, View};
use crate::{Progress, Result};

/// Rows and deletions in a tail that are enough for a segment with a graph. Searching a tail means looking at every row.
///
/// So few where every order of threads is tried that sealing, merging and being held back are among them.
pub(crate) const TAIL_MAX: usize = if cfg!(shuttle) { 8 } else { 1024 };
/// The log is not meant to grow beyond: it is read again when the store is opened.
pub(crate) const LOG_BYTES_MAX: u64 = 64 << 20;
/// Writers wait, or seal, when there is so many times as much as is enough.
pub(crate) const BEHIND_MAX: u64 = 4;

/// How far the background is behind those who write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lag {
    /// Nothing is to be sealed.
    None,
    /// Something is.
    Due,
    /// So much that writers are held back.
    Far,
}

/// Frozen tails, to be written.
pub(crate) struct Seal {
    pub(crate) tails: Vec<Merge>,
    /// The last frame that they have.
    pub(crate) seq: u64,
    /// The log's end then, if all before it is in these tails or in segments.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// How long the log was.
    pub(crate) log_bytes: u64,
}

impl Seal {
    /// Writes the segments, in the order of the tails.
    ///
    /// Errors: interrupted; the storage's. What was written before is in `written`.
    fn write(
        &self,
        database: &Shared,
        workers: &Workers,
        progress: Progress<'_>,
        written: &mut Vec<Merged>,
    ) -> Result<()> {
        for tail in &self.tails {
            written.push(tail.write(database, workers, Some(progress))?);
        }
        Ok(())
    }
}

impl Shared {
    /// Seals the tails that have become large, or every tail for a log that has; whether there were any.
    ///
    /// Errors: the storage's; what was acknowledged is so still, and stays in the log; it is tried again when the log has become larger.
    pub(crate) fn seal_due(&self, progress: Option<Progress<'_>>) -> Result<bool> {
        self.seal(Writing::freeze_due, progress)
    }

    /// Seals the tail of a collection, if it has one.
    pub(crate) fn seal_one(&self, id: u64, progress: Option<Progress<'_>>) -> Result<bool> {
        let freeze = |writing: &mut Writing, snapshot: &Snapshot| {
            writing.freeze(snapshot, |view| view.id == id)
        };
        self.seal(freeze, progress)
    }

    fn seal(
        &self,
        freeze: impl FnOnce(&mut Writing, &Snapshot) -> Result<Option<(Seal, Snapshot)>>,
        progress: Option<Progress<'_>>,
    ) -> Result<bool> {
        let workers = self.seal_pool.workers()?;
        let _sealing = hold_unless_stopped(&self.sealing, progress)?;
        let mut frozen = None;
        self.write(|writing, snapshot| {
            let Some((seal, next)) = freeze(writing, snapshot)? else {
                return Ok(snapshot.clone());
            };
            frozen = Some(seal);
            Ok(next)
        })?;
        let Some(seal) = frozen else {
            return Ok(false);
        };
        self.write_sealed(&seal, &workers, progress)?;
        Ok(true)
    }

    /// Writes what was frozen, and puts it in the tails' place.
    fn write_sealed(
        &self,
        seal: &Seal,
        workers: &Workers,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        let mut written = Vec::new();
        let outcome = seal.write(self, workers, &self.unless_closed(progress), &mut written);
        let files = written.iter().filter_map(Merged::file).cloned().collect();
        self.write_with(files, |writing, snapshot| {
            writing.end_seal(snapshot, seal, written, outcome)
        })
    }
}

/// How much there is to seal, given the bytes of the log.
pub(crate) fn lag(view: &View, log_bytes: u64) -> Lag {
    let (rows, enough) = (view.tail_weight() as u64, TAIL_MAX as u64);
    let times = |n: u64| rows >= n * enough || log_bytes >= n * LOG_BYTES_MAX;
    match (times(1), times(BEHIND_MAX)) {
        (_, true) => Lag::Far,
        (true, _) => Lag::Due,
        _ => Lag::None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;
    use proxime_storage::{Fill, SimVfs};

    use super::*;
    use crate::{Batch, Collection, CollectionConfig, Database, Key, Metric, OpenOptions, Rows};

    /// What may happen around a seal, to one of two collections.
    #[derive(Clone, Debug)]
    enum Op {
        Upsert(usize, Vec<(i64, i8)>),
        /// So many rows that they go straight to a segment, and the tail before them.
        Large(usize, i8),
        Delete(usize, Vec<i64>),
        /// Of one collection, or of both.
        Freeze(Option<usize>),
        /// Writes and commits what was frozen last.
        End,
        Compact(usize),
        Crash(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let at = || 0..2usize;
        let rows = prop::collection::vec((0..12i64, 1..9i8), 1..5);
        prop_oneof![
            12 => (at(), rows).prop_map(|(at, rows)| Op::Upsert(at, rows)),
            1 => (at(), 1..9i8).prop_map(|(at, value)| Op::Large(at, value)),
            4 => (at(), prop::collection::vec(0..12i64, 1..4)).prop_map(|(at, ids)| Op::Delete(at, ids)),
            7 => prop::option::of(at()).prop_map(Op::Freeze),
            7 => Just(Op::End),
            2 => at().prop_map(Op::Compact),
            3 => any::<u64>().prop_map(Op::Crash),
        ]
    }

    fn open(vfs: &SimVfs) -> (Database, [Collection; 2]) {
        let options = OpenOptions {
            threads: Some(1),
            ..OpenOptions::default()
        };
        let db = Database::open_on(Arc::new(vfs.clone()), &options).unwrap();
        let collections = ["a", "b"].map(|name| {
            let config = CollectionConfig::new(1).metric(Metric::L2);
            let there = db.collection(name);
            there.unwrap_or_else(|_| db.create_collection(name, config).unwrap())
        });
        (db, collections)
    }

    fn upsert(c: &Collection, rows: &[(i64, i8)]) {
        let vectors: Vec<f32> = rows.iter().map(|(_, value)| f32::from(*value)).collect();
        let ids = rows.iter().map(|(id, _)| Key::Int(*id)).collect();
        c.upsert(Batch::new(ids, &Rows::new(&vectors, 1).unwrap()))
            .unwrap();
    }

    fn freeze(db: &Database, ids: &[u64]) -> Option<Seal> {
        let mut frozen = None;
        let freeze = |writing: &mut Writing, snapshot: &Snapshot| {
            let seal = writing.freeze(snapshot, |view| ids.contains(&view.id))?;
            let next = seal.map(|(seal, next)| {
                frozen = Some(seal);
                next
            });
            Ok(next.unwrap_or_else(|| snapshot.clone()))
        };
        db.0.write(freeze).unwrap();
        frozen
    }

    fn end(db: &Database, seal: &Seal) {
        let workers = db.0.seal_pool.workers().unwrap();
        db.0.write_sealed(seal, &workers, None).unwrap();
    }

    fn content(c: &Collection) -> BTreeMap<i64, i8> {
        let records = c.scroll(None, 10_000, None).unwrap().into_iter();
        let row = |record: crate::Record| match record.id {
            Key::Int(id) => (id, record.vector[0] as i8),
            other => panic!("{other}"),
        };
        records.map(row).collect()
    }

    fn run(ops: &[Op]) {
        let mut vfs = SimVfs::new();
        let (mut db, mut collections) = open(&vfs);
        let mut model = [BTreeMap::new(), BTreeMap::new()];
        let mut frozen = None;
        for op in ops {
            match op {
                Op::Upsert(at, rows) => {
                    upsert(&collections[*at], rows);
                    model[*at].extend(rows.iter().copied());
                }
                Op::Large(at, value) => {
                    let rows: Vec<_> = (6..1100).map(|id| (id, *value)).collect();
                    upsert(&collections[*at], &rows);
                    model[*at].extend(rows);
                }
                Op::Delete(at, ids) => {
                    let keys: Vec<Key> = ids.iter().copied().map(Key::Int).collect();
                    collections[*at].delete(&keys).unwrap();
                    model[*at].retain(|id, _| !ids.contains(id));
                }
                Op::Freeze(at) => {
                    let [a, b] = [collections[0].id, collections[1].id];
                    let ids = at.map_or(vec![a, b], |at| vec![collections[at].id]);
                    frozen = freeze(&db, &ids).or(frozen);
                }
                Op::End => drop(frozen.take().inspect(|seal| end(&db, seal))),
                Op::Compact(at) => collections[*at].compact(None).unwrap(),
                Op::Crash(bits) => {
                    let disk = vfs.disk();
                    vfs = disk
                        .crash(|n| bits >> (n % 64) & 1 == 1, Fill::Nothing)
                        .mount();
                    (db, collections) = open(&vfs);
                    frozen = None;
                }
            }
            assert_eq!(collections.each_ref().map(content), model);
        }
        let report = db.verify().unwrap();
        assert!(report.ok, "{report:?}");
        let left = vfs.disk().crash(|_| false, Fill::Nothing).mount();
        assert_eq!(open(&left).1.each_ref().map(content), model);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens_meanwhile(ops in prop::collection::vec(op(), 20)) {
            run(&ops);
        }
    }

    #[test]
    fn sealing_cuts_the_log_beside_writes() {
        let vfs = SimVfs::new();
        let (db, [a, _]) = open(&vfs);
        let logs = || {
            let names = db.0.vfs.list().unwrap();
            names.iter().filter(|name| name.starts_with("wal-")).count()
        };
        upsert(&a, &[(1, 1), (2, 1)]);
        let seal = freeze(&db, &[a.id]).unwrap();
        upsert(&a, &[(2, 2)]);
        assert_eq!(logs(), 2, "{:?}", db.0.vfs.list());
        end(&db, &seal);
        assert_eq!(logs(), 1, "what is in the segment is in the log no more");
        let stats = a.stats().unwrap();
        assert_eq!((stats.segments, stats.tail_rows, stats.live), (1, 1, 2));
    }

    #[test]
    fn a_seal_that_was_overtaken_leaves_nothing() {
        let vfs = SimVfs::new();
        let (db, [a, b]) = open(&vfs);
        upsert(&a, &[(1, 1)]);
        upsert(&b, &[(1, 1)]);
        let seal = freeze(&db, &[a.id, b.id]).unwrap();
        let rows: Vec<_> = (0..1100).map(|id| (id, 3)).collect();
        upsert(&a, &rows);
        db.drop_collection("b").unwrap();
        end(&db, &seal);
        let stats = a.stats().unwrap();
        assert_eq!((stats.tail_rows, stats.live), (0, 1100));
        let files = db.0.vfs.list().unwrap();
        let segments = files.iter().filter(|name| name.starts_with("seg-")).count();
        assert_eq!(segments, stats.segments, "{files:?}");
    }

    #[test]
    fn far_behind_is_a_multiple_of_due() {
        let (_db, [a, _]) = open(&SimVfs::new());
        let rows: Vec<_> = (0..600).map(|id| (id, 1)).collect();
        upsert(&a, &rows);
        let view = a.view().unwrap();
        assert_eq!(lag(&view, 0), Lag::None);
        assert_eq!(lag(&view, LOG_BYTES_MAX), Lag::Due);
        assert_eq!(lag(&view, BEHIND_MAX * LOG_BYTES_MAX), Lag::Far);
    }
}
