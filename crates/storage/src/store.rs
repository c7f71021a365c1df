//! One open directory: who may write, which commit is current, and how the next one comes about.
//!
//! The order of a commit, each step durable before the next begins: segments are written under temporary names, sealed,
//! synced, named, and the directory synced; the manifest goes the same way, and the sync after its naming is the moment of the
//! commit. Then what only the old commit named is removed; if that fails, opening for writing does it later. A failed write
//! (a full disk) leaves the store as it was. After a failed *sync* or rename nobody knows what is on the disk: the store is
//! poisoned and refuses to write until it is opened again.
//!
//! Readers take no lock. A reader that finds a file gone has been overtaken by a commit and starts again from the newer one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::{File, Lock, LockError, Vfs};
use crate::checksum;
use crate::error::{Error, Result};
use crate::format;
use crate::manifest::{self, Manifest, ROWS_MAX, SegmentRef, StoreId};
use crate::names::{self, LOG_NUMBER_MAX, Name};
use crate::segment::{SectionKind, Segment, SegmentHeader, SegmentWriter};
use crate::wal::Log;

mod backup;
mod log;

pub use backup::Backup;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without a lock, changing nothing.
    Read,
    /// As the one writer, if the store exists.
    Write,
    /// As the one writer; an empty directory becomes a store.
    Create,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    access: Access,
    manifest: Arc<Manifest>,
    /// Once [`Store::recover`] has started it.
    log: Option<Log>,
    /// What opening removed.
    swept: Vec<String>,
}

/// What a store shares with its log and its segment writers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) store: StoreId,
    next_file_id: AtomicU64,
    poisoned: AtomicBool,
    /// Held until nobody can write any more: the store, its log and its segment writers are gone, or the store was closed.
    lock: Mutex<Option<Box<dyn Lock>>>,
}

/// How often a reader that is overtaken by commits starts again.
const READ_ATTEMPTS_MAX: usize = 10;

impl Store {
    /// Opens the store and the segments of its newest commit, in the manifest's order.
    ///
    /// Errors: nothing there; not a store; locked; damaged in any way that matters; written by a newer version. What is not
    /// ours is left as it is.
    pub fn open(vfs: Arc<dyn Vfs>, access: Access) -> Result<(Store, Vec<Segment>)> {
        checksum::self_test()?;
        let mut names = list(&*vfs)?;
        refuse_foreign(&*vfs, &names, access)?;
        let mut lock = None;
        if access != Access::Read {
            lock = Some(take_lock(&*vfs)?);
            // A name that is there may be that of a writer who was killed before syncing it. Nothing may rest on it, and nothing
            // that it replaces may be removed, until it stays.
            vfs.sync_dir().map_err(|source| Error::Io {
                op: "sync directory",
                path: vfs.path().to_owned(),
                source,
            })?;
            names = list(&*vfs)?;
        }
        let store = match format::read(&*vfs, access)? {
            Some(store) => store,
            None if access == Access::Create => format::create(&*vfs)?,
            None => {
                return Err(Error::NotFound {
                    path: vfs.path().to_owned(),
                });
            }
        };
        let shared = Arc::new(Shared {
            vfs,
            store,
            next_file_id: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
            lock: Mutex::new(lock),
        });
        let (manifest, segments) = match shared.load_newest(access)? {
            Some(loaded) => loaded,
            None if names.iter().any(belongs_to_a_commit) => {
                return Err(shared.missing(Name::Manifest(1)));
            }
            None if access == Access::Create => (shared.first_commit()?, Vec::new()),
            None => {
                return Err(Error::NotFound {
                    path: shared.vfs.path().to_owned(),
                });
            }
        };
        shared.start_after(&manifest, &names);
        let mut swept = Vec::new();
        if access != Access::Read {
            swept = shared.sweep(&manifest, &names);
        }
        Ok((
            Store {
                shared,
                access,
                manifest: Arc::new(manifest),
                log: None,
                swept,
            },
            segments,
        ))
    }

    /// The current commit.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Starts a segment file. It belongs to the store once a commit lists it.
    pub fn create_segment(&self, header: SegmentHeader) -> Result<SegmentWriter> {
        self.writable()?;
        if header.rows > ROWS_MAX {
            return Err(Error::Section {
                kind: SectionKind::Vectors,
                problem: "a segment has at most 2^31 - 1 rows",
            });
        }
        let file_id = self.shared.next_file_id.fetch_add(1, Ordering::Relaxed);
        SegmentWriter::new(Arc::clone(&self.shared), file_id, header)
    }

    /// Makes the edited manifest the newest commit, durably, and removes the files that it no longer names. If that fails the
    /// store is as before, and files that only the new manifest named are removed.
    ///
    /// Errors: the system's; [`Error::Poisoned`] after an earlier failed sync.
    pub fn commit(&mut self, edit: impl FnOnce(&mut Manifest)) -> Result<()> {
        self.writable()?;
        let mut next = (*self.manifest).clone();
        edit(&mut next);
        (next.wal_first_gen, next.last_seq) = (self.manifest.wal_first_gen, self.manifest.last_seq);
        self.make_current(next)
    }

    /// The rest of a commit, log included.
    fn make_current(&mut self, mut next: Manifest) -> Result<()> {
        let logged = self.log.as_ref().map_or(0, Log::durable_seq);
        next.durable_seq = self.manifest.durable_seq.max(logged);
        let old = self.manifest.file_ids();
        let new = next.file_ids();
        if let Err(e) = self.shared.write_manifest(&mut next) {
            if !self.shared.poisoned.load(Ordering::Relaxed) {
                self.shared
                    .remove(new.difference(&old).map(|&id| Name::Segment(id)));
            }
            return Err(e);
        }
        self.shared
            .remove(old.difference(&new).map(|&id| Name::Segment(id)));
        self.shared.remove([Name::Manifest(self.manifest.number)]);
        self.manifest = Arc::new(next);
        Ok(())
    }

    /// Removes finished segments that no commit names, and none will.
    pub fn discard(&self, segments: impl IntoIterator<Item = SegmentRef>) {
        let named = self.manifest.file_ids();
        let unnamed = segments.into_iter().map(|segment| segment.file_id);
        let unnamed = unnamed.filter(|id| !named.contains(id));
        self.shared.remove(unnamed.map(Name::Segment));
    }

    /// Opens a segment that the manifest names.
    pub fn open_segment(&self, pinned: &SegmentRef) -> Result<Segment> {
        self.shared.open_segment(pinned, self.access)
    }

    /// Reads FORMAT and the current manifest again and compares, and a writer's log; what is wrong with them.
    pub fn verify(&self) -> Vec<Error> {
        let vfs = &*self.shared.vfs;
        let changed = |name: Name| Error::Corrupt {
            file: vfs.path().join(name.to_string()),
            offset: 0,
            what: "it is not what it was when the store was opened".into(),
        };
        let number = self.manifest.number;
        let format = format::read(vfs, self.access).and_then(|store| {
            if store == Some(self.shared.store) {
                Ok(())
            } else {
                Err(changed(Name::Format))
            }
        });
        let manifest = manifest::read(vfs, self.shared.store, number, self.access).and_then(
            |read| match read {
                Some(read) if read == *self.manifest => Ok(()),
                // A reader's manifest is removed when a newer one is there.
                None if self.access == Access::Read => Ok(()),
                _ => Err(changed(Name::Manifest(number))),
            },
        );
        [format, manifest, self.verify_log()]
            .into_iter()
            .filter_map(Result::err)
            .collect()
    }

    fn writable(&self) -> Result<()> {
        if self.access == Access::Read {
            return Err(Error::ReadOnly);
        }
        self.shared.not_poisoned()
    }
}

impl Shared {
    /// Lets the next writer in.
    fn unlock(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(lock.take());
    }

    pub(crate) fn not_poisoned(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Relaxed) {
            Err(Error::Poisoned)
        } else {
            Ok(())
        }
    }

    pub(crate) fn poison<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|_| self.poisoned.store(true, Ordering::Relaxed))
    }

    fn path(&self, name: Name) -> PathBuf {
        self.vfs.path().join(name.to_string())
    }

    /// Syncs a file. What a failed sync has lost, no later one brings back.
    pub(crate) fn sync(&self, file: &File) -> Result<()> {
        self.not_poisoned()?;
        self.poison(file.sync())
    }

    /// Seals, syncs and names a file whose bytes are all written.
    pub(crate) fn publish(&self, file: &File, tmp: Name, name: Name) -> Result<()> {
        file.seal()?;
        self.name(file, tmp, name)
    }

    /// Syncs a file and gives it its name, durably.
    pub(crate) fn name(&self, file: &File, tmp: Name, name: Name) -> Result<()> {
        self.sync(file)?;
        let io = |op| {
            move |source| Error::Io {
                op,
                path: self.path(name),
                source,
            }
        };
        self.poison(
            self.vfs
                .rename_noreplace(&tmp.to_string(), &name.to_string())
                .map_err(io("rename to")),
        )?;
        self.poison(self.vfs.sync_dir().map_err(io("sync directory of")))
    }

    /// Numbers the manifest and writes it.
    fn write_manifest(&self, next: &mut Manifest) -> Result<()> {
        next.parent = next.number;
        next.number += 1;
        next.store = self.store;
        next.writer = concat!("proxime-storage ", env!("CARGO_PKG_VERSION")).to_owned();
        next.next_file_id = self.next_file_id.load(Ordering::Relaxed);
        let after_all = next.collections.iter().map(|c| c.id + 1).max().unwrap_or(1);
        next.next_collection_id = next.next_collection_id.max(after_all);
        let name = Name::Manifest(next.number);
        let not_written = |e: std::io::Error| Error::Io {
            op: "encode",
            path: self.path(name),
            source: e,
        };
        if let Some(problem) = next.problem(next.number, self.store) {
            return Err(not_written(std::io::Error::other(problem)));
        }
        let bytes = manifest::encode(next).map_err(|e| not_written(e.into()))?;
        let bytes = bytes.ok_or_else(|| not_written(std::io::ErrorKind::FileTooLarge.into()))?;

        let tmp = Name::TmpManifest(next.number);
        self.remove([tmp]);
        let written = File::create(&*self.vfs, &tmp.to_string()).and_then(|file| {
            file.write_all(&bytes, 0)?;
            self.publish(&file, tmp, name)
        });
        written.inspect_err(|_| self.remove([tmp]))
    }

    /// For a store with neither manifest nor segments: one whose creation was cut short.
    fn first_commit(&self) -> Result<Manifest> {
        self.next_file_id.store(1, Ordering::Relaxed);
        let mut manifest = Manifest::empty(self.store);
        self.write_manifest(&mut manifest)?;
        Ok(manifest)
    }

    /// The newest manifest and its segments; `None` if there is no manifest.
    fn load_newest(&self, access: Access) -> Result<Option<(Manifest, Vec<Segment>)>> {
        let mut attempts = 0;
        loop {
            let Some(number) = newest(&list(&*self.vfs)?) else {
                return Ok(None);
            };
            match self.load(number, access) {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(e) => {
                    attempts += 1;
                    // What a reader found wrong with a manifest that is no longer the newest may be its removal.
                    let overtaken =
                        access == Access::Read && newest(&list(&*self.vfs)?) != Some(number);
                    if !overtaken || attempts == READ_ATTEMPTS_MAX {
                        return Err(e);
                    }
                }
            }
        }
    }

    fn load(&self, number: u64, access: Access) -> Result<(Manifest, Vec<Segment>)> {
        let manifest = manifest::read(&*self.vfs, self.store, number, access)?
            .ok_or_else(|| self.missing(Name::Manifest(number)))?;
        let segments = manifest
            .segments()
            .map(|pinned| self.open_segment(pinned, access))
            .collect::<Result<_>>()?;
        Ok((manifest, segments))
    }

    fn open_segment(&self, pinned: &SegmentRef, access: Access) -> Result<Segment> {
        let segment = Segment::open(&*self.vfs, self.store, pinned, access)?;
        segment.ok_or_else(|| self.missing(Name::Segment(pinned.file_id)))
    }

    fn missing(&self, name: Name) -> Error {
        Error::Corrupt {
            file: self.path(name),
            offset: 0,
            what: "the file is missing".into(),
        }
    }

    /// New files are numbered after every file that is, or may still be, there.
    fn start_after(&self, manifest: &Manifest, names: &[Name]) {
        // A number that no store of ours gets to is none to go on from: it would leave no room.
        let after = names.iter().map(|name| match name {
            Name::Segment(id) | Name::TmpSegment(id) if *id < LOG_NUMBER_MAX => id + 1,
            _ => 0,
        });
        let next = after.fold(manifest.next_file_id, u64::max);
        self.next_file_id.store(next, Ordering::Relaxed);
    }

    /// Removes what a crash or a failed removal left behind.
    fn sweep(&self, manifest: &Manifest, names: &[Name]) -> Vec<String> {
        let named = manifest.file_ids();
        let garbage = |name: &Name| match name {
            Name::TmpSegment(_) | Name::TmpManifest(_) | Name::TmpLog(_) => true,
            Name::Segment(id) => !named.contains(id),
            Name::Manifest(number) => *number < manifest.number,
            Name::Log(generation) => *generation < manifest.wal_first_gen,
            Name::Format | Name::Lock => false,
        };
        let garbage = names.iter().copied().filter(garbage);
        self.remove(garbage.clone());
        garbage.map(|name| name.to_string()).collect()
    }

    /// Removing is tidying: what fails now is done when the store is next opened for writing.
    pub(crate) fn remove(&self, names: impl IntoIterator<Item = Name>) {
        for name in names {
            self.vfs.unlink(&name.to_string()).ok();
        }
    }
}

/// Files that are there only if there has been a commit.
fn belongs_to_a_commit(name: &Name) -> bool {
    matches!(name, Name::Segment(_) | Name::Log(_))
}

/// Names of ours; `None`-parsed names belong to somebody else and are never touched.
pub(crate) fn list(vfs: &dyn Vfs) -> Result<Vec<Name>> {
    let names = vfs.list().map_err(|source| Error::Io {
        op: "list",
        path: vfs.path().to_owned(),
        source,
    })?;
    Ok(names.iter().filter_map(|name| Name::parse(name)).collect())
}

fn newest(names: &[Name]) -> Option<u64> {
    names
        .iter()
        .filter_map(|name| {
            if let Name::Manifest(number) = name {
                Some(*number)
            } else {
                None
            }
        })
        .max()
}

/// Before anything is created or locked: only an empty directory may become a store.
fn refuse_foreign(vfs: &dyn Vfs, names: &[Name], access: Access) -> Result<()> {
    if names.contains(&Name::Format) {
        return Ok(());
    }
    if names
        .iter()
        .any(|name| belongs_to_a_commit(name) || matches!(name, Name::Manifest(_)))
    {
        let what = "the file is missing".to_owned();
        return Err(Error::Corrupt {
            file: vfs.path().join(names::FORMAT),
            offset: 0,
            what,
        });
    }
    let all = vfs.list().map_err(|source| Error::Io {
        op: "list",
        path: vfs.path().to_owned(),
        source,
    })?;
    if all.iter().any(|name| Name::parse(name).is_none()) {
        return Err(Error::NotAStore {
            path: vfs.path().to_owned(),
            reason: "the directory has files, but none called FORMAT",
        });
    }
    if access == Access::Create {
        Ok(())
    } else {
        Err(Error::NotFound {
            path: vfs.path().to_owned(),
        })
    }
}

/// `pid` on the first line of LOCK, the host on the second: for the message of whoever comes second.
fn take_lock(vfs: &dyn Vfs) -> Result<Box<dyn Lock>> {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let owner = format!("{}\n{host}\n", std::process::id());
    vfs.lock(names::LOCK, &owner).map_err(|e| match e {
        LockError::Held(owner) => {
            let owner = owner.unwrap_or_default();
            let mut lines = owner.lines();
            let pid = lines.next().and_then(|pid| pid.parse().ok());
            Error::Locked {
                path: vfs.path().to_owned(),
                pid,
                host: lines.next().map(str::to_owned),
            }
        }
        LockError::Io(source) => Error::Io {
            op: "lock",
            path: vfs.path().join(names::LOCK),
            source,
        },
    })
}
