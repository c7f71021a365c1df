//! A database: one directory (or memory), collections by name.
//!
//! [`Shared`] is what handles share. Readers take the current snapshot and need nothing else; writers take the writer's mutex,
//! write, commit, and publish the next snapshot; small batches wait for the log without the mutex (`commit.rs`). Lock order:
//! merging, then writing, then published; the background's is held for moments, under none of them.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use arc_swap::ArcSwap;
use proxime_storage::{
    Access, Durability, Manifest, MemVfs, OsVfs, RecoveryReport, SegmentHeader, SegmentRef,
    SegmentWriter, Store, Vfs,
};

use crate::background::Background;
use crate::collection::{self, Existing};
use crate::commit::{Outcome, SharedLog, Writing};
use crate::compact::GivenUp;
use crate::entry::Entry;
use crate::pool::{Pool, Workers};
use crate::seal::Lag;
use crate::segment::{Known, Segment};
use crate::snapshot::{Snapshot, View};
use crate::sync::{Mutex, MutexGuard, thread};
use crate::writer::{open_written, write_segment};
use crate::{
    Batch, Collection, CollectionConfig, Error, OpenOptions, Progress, Result, Rows, Stage, Verify,
    VerifyReport, config, verify,
};

/// How often a reader that is overtaken by commits starts again.
const READ_ATTEMPTS_MAX: usize = 10;

/// How long somebody who may be told to stop leaves a mutex that is held for long alone.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// An open database. Clones are the same handle.
///
/// One handle at a time can write to a store; any number, in any process, can read. Handles and collections can be used
/// from several threads at once. A forked child can go on reading through a handle, not writing.
#[derive(Clone, Debug)]
pub struct Database(pub(crate) Arc<Inner>);

/// What keeps a database open: the handle and its collections.
pub(crate) struct Inner(pub(crate) Arc<Shared>);

impl Deref for Inner {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What handles and the thread in the background share.
pub(crate) struct Shared {
    path: Option<PathBuf>,
    /// Who opened it.
    pid: u32,
    pub(crate) read_only: bool,
    pub(crate) pool: Pool,
    /// Of half the threads, for merges in the background: a write that builds a graph must not queue behind one.
    pub(crate) merge_pool: Pool,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) closed: AtomicBool,
    /// `None` once closed, and for reading only. Held through a whole write.
    writing: Mutex<Option<Writing>>,
    /// That of the writer, whom nobody has to wait for who syncs.
    log: SharedLog,
    /// What was found in the log.
    recovery: RecoveryReport,
    /// Of all threads, for sealing: writers may wait for it, and it must not queue behind a merge.
    pub(crate) seal_pool: Pool,
    /// Held through a whole merge.
    pub(crate) merging: Mutex<()>,
    pub(crate) given_up: Mutex<GivenUp>,
    /// Held while tails are sealed.
    pub(crate) sealing: Mutex<()>,
    pub(crate) background: Mutex<Background>,
    snapshot: ArcSwap<Snapshot>,
    /// The version of the snapshot; held while it is replaced.
    published: Mutex<u64>,
}

impl Database {
    /// Opens the store in directory `path` for reading and writing; creates it if nothing is there.
    ///
    /// Errors: another writer has it; the directory is not a store; damage.
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(path, &OpenOptions::default())
    }

    /// Opens with options.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Database> {
        let path = path.as_ref();
        let vfs = match access(options) {
            Access::Create => OsVfs::create(path)?,
            Access::Read | Access::Write => OsVfs::open(path)?,
        };
        Database::start(Some(path.to_owned()), Arc::new(vfs), options)
    }

    /// A database in memory, gone with its last handle; otherwise the same.
    pub fn in_memory() -> Result<Database> {
        Database::in_memory_with(&OpenOptions::default())
    }

    /// In memory, with options; only `threads` matters.
    pub fn in_memory_with(options: &OpenOptions) -> Result<Database> {
        let options = OpenOptions {
            threads: options.threads,
            ..OpenOptions::default()
        };
        Database::start(None, Arc::new(MemVfs::new()), &options)
    }

    /// On a file system of the caller's own: for tests with one that fails, and for stores in other places.
    pub fn open_on(vfs: Arc<dyn Vfs>, options: &OpenOptions) -> Result<Database> {
        Database::start(None, vfs, options)
    }

    fn start(path: Option<PathBuf>, vfs: Arc<dyn Vfs>, options: &OpenOptions) -> Result<Database> {
        let pool = Pool::new(options.threads)?;
        let verify = options.verify;
        let (writing, snapshot, recovery) = match options.read_only {
            true => (
                None,
                read_newest(&vfs, verify)?.1,
                RecoveryReport::default(),
            ),
            false => {
                let (store, segments) = Store::open(Arc::clone(&vfs), access(options))?;
                let snapshot = load(&store, segments, verify)?;
                let (writing, snapshot, recovery) =
                    Writing::start(store, options.durability, snapshot)?;
                (Some(writing), snapshot, recovery)
            }
        };
        let shared = Arc::new(Shared {
            path,
            pid: std::process::id(),
            read_only: options.read_only,
            merge_pool: Pool::of_background(pool.threads().div_ceil(2))?,
            seal_pool: Pool::of_background(pool.threads())?,
            pool,
            vfs,
            closed: AtomicBool::new(false),
            log: writing
                .as_ref()
                .map(Writing::shared_log)
                .unwrap_or_default(),
            writing: Mutex::new(writing),
            recovery,
            merging: Mutex::new(()),
            given_up: Mutex::default(),
            sealing: Mutex::new(()),
            background: Mutex::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            published: Mutex::new(0),
        });
        if matches!(options.durability, Durability::Batch { .. }) && !options.read_only {
            *hold(&shared.background) = Background::with_ticks(&shared)?;
        }
        Ok(Database(Arc::new(Inner(shared))))
    }

    /// Creates a collection. Its name: any UTF-8 of 1 to 255 bytes; it never becomes part of a path.
    ///
    /// Errors: the name is taken or impossible; a parameter out of range.
    pub fn create_collection(&self, name: &str, config: CollectionConfig) -> Result<Collection> {
        config::to_json(&config)?;
        let no_rows = Rows::new(&[], config.dim)?;
        self.create_collection_with(name, config, Batch::new(Vec::new(), &no_rows))
    }

    /// Creates a collection with its first records, in one commit: afterwards both are there, or neither.
    ///
    /// Errors: as [`create_collection`](Database::create_collection), and as [`Collection::upsert`].
    pub fn create_collection_with(
        &self,
        name: &str,
        config: CollectionConfig,
        batch: Batch<'_>,
    ) -> Result<Collection> {
        config::check_name(name)?;
        let json = config::to_json(&config)?;
        self.0.check_writable()?;
        let checked = collection::check(batch, &config, Existing::Replace)?;
        self.0.write(|writing, snapshot| {
            snapshot.check_free(name)?;
            let id = writing.store.manifest().next_collection_id;
            let mut view = View::new(id, name.to_owned(), config.clone());
            let mut stored = proxime_storage::Collection::new(id, name, json);
            if checked.ids.rows() > 0 {
                let workers = self.0.pool.workers()?;
                let checked = checked.numbered(writing.next_seq());
                let (pinned, segment) =
                    write_segment(&writing.store, &workers, id, &config, checked)?;
                let taken = writing.take_seq();
                taken.inspect_err(|_| writing.store.discard([pinned.clone()]))?;
                view = view.with_newest(segment);
                stored.segments.push(pinned);
            }
            let push = |manifest: &mut Manifest| manifest.collections.push(stored);
            writing.store.commit(push)?;
            Ok(snapshot.with(view))
        })?;
        self.collection(name)
    }

    /// Removes a collection and its files, durably. Handles to it give [`Error::CollectionNotFound`] from then on; results
    /// already found stay valid, and its name and aliases are free again.
    ///
    /// Errors: no collection of that name; an alias.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        self.0.write(|writing, snapshot| {
            let dropped = snapshot.named(name)?.id;
            writing.flush()?;
            writing
                .store
                .commit(|manifest| manifest.remove_collection(dropped))?;
            Ok(snapshot.without(dropped))
        })
    }

    /// Gives a collection another name, durably. Handles to it stay good; their [`Collection::name`] is the one that they were asked
    /// for by.
    ///
    /// Errors: no collection of that name; an alias; the new name is taken or impossible.
    pub fn rename_collection(&self, name: &str, new_name: &str) -> Result<()> {
        config::check_name(new_name)?;
        self.0.write(|writing, snapshot| {
            let entry = snapshot.named(name)?;
            snapshot.check_free(new_name)?;
            // At the weaker levels the new name must not survive what was acknowledged before it.
            writing.flush()?;
            writing.store.commit(|manifest| {
                if let Some(stored) = manifest.collection_mut(entry.id) {
                    stored.name = new_name.to_owned();
                }
            })?;
            Ok(snapshot.with_entry(entry.renamed(new_name)))
        })
    }

    /// The collection of that name, or that it is an alias of.
    pub fn collection(&self, name: &str) -> Result<Collection> {
        let snapshot = self.0.snapshot()?;
        let entry = snapshot.by_any_name(name);
        let entry = entry.ok_or_else(|| snapshot.not_found(name))?;
        Ok(Collection::new(Arc::clone(&self.0), entry))
    }

    /// The names of all collections, in order of creation.
    pub fn collections(&self) -> Result<Vec<String>> {
        Ok(self
            .0
            .snapshot()?
            .collections
            .iter()
            .map(|entry| entry.name.clone())
            .collect())
    }

    /// The directory; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether the handle was opened for reading only.
    pub fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// What opening found in the log: batches that were in no segment, and an end that was cut off. Empty for a reader.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.0.recovery
    }

    /// Returns when everything that was acknowledged is on the disk. At [`Durability::Always`] it is already.
    pub fn flush(&self) -> Result<()> {
        self.0.check_writable()?;
        let log = hold(&self.0.log).clone();
        Ok(log.map_or(Ok(()), |log| log.flush())?)
    }

    /// Does at once what is otherwise done in the background when there is time: tails that are large become segments, and segments
    /// that are many, or of which much is replaced or deleted, are merged, also where that has failed before. Returns when nothing of
    /// that is left.
    ///
    /// Errors: those that every write has. Cost: none if nothing is due.
    pub fn maintain(&self) -> Result<()> {
        self.0.check_writable()?;
        hold(&self.0.given_up).clear();
        while self.0.seal_due(None)? {}
        while self.0.merge_due(None)? {}
        Ok(())
    }

    /// Reads everything again and checks it against its checksums, its structure and itself. Changes nothing. Writes wait.
    ///
    /// Errors: only what keeps it from looking; what it finds is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.0.verify(None)
    }

    /// As [`verify`](Database::verify), and then computes again: all codes from their vectors, the place of each id, and for
    /// 200 stored vectors of each collection what the graphs and an exact search find, with the recall of the former.
    ///
    /// Errors: as for `verify`; no threads. Cost: as for storing everything once more, without graphs.
    pub fn verify_deep(&self) -> Result<VerifyReport> {
        self.0.verify(Some(&*self.0.pool.workers()?))
    }

    /// Releases the lock, after waiting for a write that is under way. Later calls through any clone or collection give
    /// [`Error::Closed`]; results already found stay valid. Closing twice is fine. Dropping the last clone closes too.
    ///
    /// Errors: the disk's, and then what the durability level does not promise may be lost.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is there to be told; what was acknowledged is as safe as the level says.
        self.close().ok();
    }
}

impl Inner {
    /// Runs one write to a collection, when the background is not too far behind, and has it do what is due then. `progress` can stop the
    /// waiting.
    ///
    /// Errors: those of `work` and of the log; [`Error::CollectionNotFound`].
    pub(crate) fn write_to(
        &self,
        id: u64,
        name: &str,
        progress: Option<Progress<'_>>,
        work: impl FnOnce(&mut Writing, &Snapshot, &View, &Workers) -> Result<Outcome>,
    ) -> Result<()> {
        self.wait_for_background(id, progress)?;
        self.write_and_wait(id, name, work)?;
        self.wake_background(id);
        Ok(())
    }
}

impl Shared {
    /// What readers see now.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(Error::Closed),
            false => Ok(self.snapshot.load_full()),
        }
    }

    fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        // In a forked child the mutex may be held by a thread that does not exist; and the lock is the parent's.
        if self.not_forked().is_err() {
            return Ok(());
        }
        // Files of a merge must be gone before the next writer makes some of the same names.
        let background = std::mem::take(&mut *hold(&self.background));
        background.stop();
        // The same for a writer who seals.
        drop(hold(&self.sealing));
        let writing = hold(&self.writing).take();
        writing.map_or(Ok(()), Writing::close)
    }

    /// Runs one write alone: `work` makes it durable and says what readers see then.
    pub(crate) fn write(
        &self,
        work: impl FnOnce(&mut Writing, &Snapshot) -> Result<Snapshot>,
    ) -> Result<()> {
        self.check_writable()?;
        let mut writing = self.writing();
        let writing = writing.as_mut().ok_or(Error::Closed)?;
        let snapshot = self.settled(writing)?;
        let next = work(writing, &snapshot)?;
        self.publish(writing.next_version(), Arc::new(next));
        Ok(())
    }

    /// The same with `files` that it is to commit. They go if it cannot even begin, because a batch that it would have to wait for fails.
    pub(crate) fn write_with(
        &self,
        files: Vec<SegmentRef>,
        work: impl FnOnce(&mut Writing, &Snapshot) -> Result<Snapshot>,
    ) -> Result<()> {
        let mut begun = false;
        let written = self.write(|writing, snapshot| {
            begun = true;
            work(writing, snapshot)
        });
        if !begun {
            // Of a store that is closed, whoever opens it next removes them.
            let discard = |store: &Store| {
                store.discard(files);
                Ok(())
            };
            self.with_store(discard).ok();
        }
        written
    }

    /// What has been written, queued batches included.
    fn newest(&self, writing: &mut Writing) -> Result<Arc<Snapshot>> {
        // Both at once: what is older than the version is in the snapshot.
        let published = hold(&self.published);
        Ok(writing.newest((*published, self.snapshot()?)))
    }

    /// The same when it is all acknowledged.
    fn settled(&self, writing: &mut Writing) -> Result<Arc<Snapshot>> {
        let snapshot = self.newest(writing)?;
        writing.settle()?;
        Ok(snapshot)
    }

    /// Shows readers what was acknowledged. What is newer than this has it, too, and is not taken back.
    fn publish(&self, version: u64, snapshot: Arc<Snapshot>) {
        let mut published = hold(&self.published);
        if version > *published {
            *published = version;
            self.snapshot.store(snapshot);
        }
    }

    /// Runs one write to a collection and returns when it is acknowledged.
    ///
    /// The mutex is held while the write finds its place behind those before it, not while it waits for the disk: so
    /// those that come meanwhile share the next sync.
    fn write_and_wait(
        &self,
        id: u64,
        name: &str,
        work: impl FnOnce(&mut Writing, &Snapshot, &View, &Workers) -> Result<Outcome>,
    ) -> Result<()> {
        self.check_writable()?;
        let workers = self.pool.workers()?;
        let mut guard = self.writing();
        let writing = guard.as_mut().ok_or(Error::Closed)?;
        let snapshot = self.newest(writing)?;
        let view = snapshot.by_id(id)?;
        let view = view.ok_or_else(|| snapshot.not_found(name))?;
        match work(writing, &snapshot, view, &workers)? {
            // It may rest on what is queued only.
            Outcome::Nothing => writing.settle(),
            Outcome::Committed(view) => {
                self.publish(writing.next_version(), Arc::new(snapshot.with(view)));
                Ok(())
            }
            Outcome::Queued(view, ticket) => {
                let queued = writing.queue(&ticket, snapshot.with(view));
                drop(guard);
                let log = hold(&self.log).clone().ok_or(Error::Closed)?;
                log.wait(ticket)?;
                self.publish(queued.version, queued.snapshot);
                Ok(())
            }
        }
    }

    /// How much there is to seal after the last write to a collection.
    pub(crate) fn lag(&self, id: u64) -> Lag {
        let snapshot = self.snapshot().ok();
        let view = snapshot.as_ref().and_then(|s| s.by_id(id).ok().flatten());
        let writing = self.writing();
        let lag = view
            .zip(writing.as_ref())
            .map(|(view, writing)| writing.lag(view));
        lag.unwrap_or(Lag::None)
    }

    /// Syncs what was acknowledged at [`Durability::Batch`].
    pub(crate) fn tick(&self) {
        let log = hold(&self.log).clone();
        log.map(|log| log.tick().ok());
    }

    /// Errors: what every write through this handle would end with.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        self.not_forked()?;
        self.snapshot().map(drop)
    }

    /// Deeply if there are workers for that.
    fn verify(&self, workers: Option<&Workers>) -> Result<VerifyReport> {
        if self.read_only {
            self.snapshot()?;
            return self.verify_newest(workers);
        }
        self.with_store(|store| Ok(verify::verify(store, workers)))
    }

    /// Looks at the store while nobody writes to it.
    pub(crate) fn with_store<T>(&self, look: impl FnOnce(&Store) -> Result<T>) -> Result<T> {
        self.not_forked()?;
        let mut writing = self.writing();
        let writing = writing.as_mut().ok_or(Error::Closed)?;
        // Whatever becomes of what is queued, nobody adds to the log then.
        self.settled(writing).ok();
        look(&writing.store)
    }

    /// A new file for a segment that no commit names yet.
    pub(crate) fn create_segment(&self, header: SegmentHeader) -> Result<SegmentWriter> {
        self.with_store(|store| Ok(store.create_segment(header)?))
    }

    /// What was written to such a file.
    ///
    /// Errors: the storage's; then it is gone.
    pub(crate) fn open_written(
        &self,
        config: &CollectionConfig,
        pinned: &SegmentRef,
        known: Known,
    ) -> Result<Segment> {
        self.with_store(|store| open_written(store, config, pinned, known))
    }

    /// Of a commit that is not the newest, files may have been removed: then look at the newer one.
    fn verify_newest(&self, workers: Option<&Workers>) -> Result<VerifyReport> {
        loop {
            let (store, _) = Store::open(Arc::clone(&self.vfs), Access::Read)?;
            let report = verify::verify(&store, workers);
            if report.ok || !store.is_overtaken()? {
                return Ok(report);
            }
        }
    }

    fn not_forked(&self) -> Result<()> {
        let child = std::process::id();
        if child == self.pid {
            Ok(())
        } else {
            Err(Error::Forked {
                owner: self.pid,
                child,
            })
        }
    }

    /// A panic in a write left the store at its last commit, so the mutex's poison means nothing.
    fn writing(&self) -> MutexGuard<'_, Option<Writing>> {
        hold(&self.writing)
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a mutex of ours guards is whole at every moment.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same of one that may be held for long; gives up when the caller is to stop.
///
/// Errors: interrupted.
pub(crate) fn hold_unless_stopped<'a, T>(
    mutex: &'a Mutex<T>,
    progress: Option<Progress<'_>>,
) -> Result<MutexGuard<'a, T>> {
    let Some(progress) = progress else {
        return Ok(hold(mutex));
    };
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(whole)) => return Ok(whole.into_inner()),
            Err(TryLockError::WouldBlock) if progress(Stage::Wait, 0, 0).is_break() => {
                return Err(Error::Interrupted);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOOK_AGAIN),
        }
    }
}

fn access(options: &OpenOptions) -> Access {
    match (options.read_only, options.create) {
        (true, _) => Access::Read,
        (false, false) => Access::Write,
        (false, true) => Access::Create,
    }
}

/// What a reader sees: the newest commit and what has been logged since. Taken at a moment without a newer commit in between;
/// if there is none for long, without the log.
fn read_newest(vfs: &Arc<dyn Vfs>, verify: Verify) -> Result<(Store, Snapshot)> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (store, segments) = Store::open(Arc::clone(vfs), Access::Read)?;
        let committed = load(&store, segments, verify)?;
        let mut snapshot = committed.clone();
        let manifest = store.manifest();
        let replayed = store.replay(|frame| snapshot.apply(manifest, frame));
        match (store.is_overtaken()?, replayed) {
            (false, Ok(_)) => return Ok((store, snapshot)),
            (false, Err(e)) => return Err(e),
            (true, _) if attempts == READ_ATTEMPTS_MAX => return Ok((store, committed)),
            (true, _) => {}
        }
    }
}

/// All collections of the store's commit. `segments` are in the manifest's order.
fn load(
    store: &Store,
    segments: Vec<proxime_storage::Segment>,
    verify: Verify,
) -> Result<Snapshot> {
    let manifest = store.manifest();
    let mut files = segments.into_iter();
    let mut collections = Vec::new();
    for collection in &manifest.collections {
        let config = config::from_json(&collection.config).map_err(|what| Error::Damaged {
            file: format!("manifest {}", manifest.number),
            what: format!("collection {:?}: {what}", collection.name),
        })?;
        let (id, name) = (collection.id, collection.name.clone());
        let pairs = collection.segments.iter().zip(files.by_ref());
        let files = pairs.map(|(pinned, file)| (Arc::new(file), pinned.bytes));
        collections.push(Arc::new(match verify {
            Verify::Lazy => Entry::unread(id, name, config, files.collect()),
            Verify::Full => {
                let segments: Result<_> = files
                    .map(|(file, bytes)| Segment::load(&file, bytes, id, &config, verify))
                    .collect();
                Entry::loaded(Arc::new(View::new(id, name, config).with_all(segments?)))
            }
        }));
    }
    let aliases = Arc::new(manifest.aliases.clone());
    Ok(Snapshot {
        collections,
        aliases,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Key, Metric, Rows, SearchOptions};

    /// A handle as a forked child sees it: the same memory, another process.
    fn as_in_a_child(db: &mut Database) {
        let inner = Arc::get_mut(&mut db.0).unwrap();
        Arc::get_mut(&mut inner.0).unwrap().pid ^= 1;
    }

    #[test]
    fn a_forked_child_reads_but_does_not_write_or_unlock() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::open(dir.path().join("db")).unwrap();
        let vectors = [1.0, 2.0];
        let rows = Rows::new(&vectors, 2).unwrap();
        let config = CollectionConfig::new(2).metric(Metric::L2);
        db.create_collection("c", config.clone())
            .unwrap()
            .upsert(Batch::new(vec![Key::Int(1)], &rows))
            .unwrap();
        as_in_a_child(&mut db);
        let c = db.collection("c").unwrap();
        assert_eq!(
            c.search(rows, &SearchOptions::default())
                .unwrap()
                .hits(0)
                .len(),
            1
        );
        assert!(c.get(&Key::Int(1)).unwrap().is_some());
        let owner = std::process::id() ^ 1;
        let forked =
            |e| matches!(e, Error::Forked { owner: o, child } if o == owner && child == owner ^ 1);
        assert!(forked(
            c.upsert(Batch::new(vec![Key::Int(1)], &rows)).unwrap_err()
        ));
        assert!(forked(db.create_collection("d", config).unwrap_err()));
        assert!(forked(db.verify().unwrap_err()));
        let held = db.0.writing();
        assert!(!c.is_held_back());
        assert!(forked(c.delete(&[Key::Int(1)]).unwrap_err()));
        assert!(forked(db.transaction().commit().unwrap_err()));
        assert!(forked(db.maintain().unwrap_err()));
        db.close().unwrap();
        drop(held);
        assert!(matches!(db.collection("c"), Err(Error::Closed)));
        assert!(db.0.writing().is_some(), "the lock is the parent's");
    }
}
