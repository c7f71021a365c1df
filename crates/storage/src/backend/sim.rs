//! A disk as bad as the contract of [`Vfs`] allows, for testing what is built on it.
//!
//! It remembers what was synced. At any moment it can be asked which choices a crash has: every name operation and every
//! 512-byte piece of a write that was not synced may be there or not, independently ([`Disk::crash`]). A sync of a
//! file that fails leaves what it should have written where the system's cache ends up: readable, never written by a later
//! sync, perhaps on the disk. Names are different: they are in the file system's journal, and a later sync covers them.
//!
//! Operations that change something are counted, so that one can be told to fail and a run can be repeated exactly. There is no
//! clock and no randomness.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::Pages;
use super::{Bytes, Lock, LockError, Vfs, VfsFile};

/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What happens to one operation instead of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails so, and has no effect. A file's sync: the bytes stay readable and are never written.
    Fails(io::ErrorKind),
    /// A write does half of what it should and says so; anything else just works.
    Short,
    /// It and everything after it fails.
    PowerOff,
}

/// What a file that became longer holds where the bytes themselves did not make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It only became as long as the bytes that did.
    Nothing,
    /// Zeros.
    Zeros,
    /// What somebody else's file held.
    Garbage,
}

/// A directory on a simulated disk. Clones are the same directory.
///
/// ```
/// use proxime_storage::{Fill, SimVfs, Vfs};
///
/// let vfs = SimVfs::new();
/// let file = vfs.create_new("a")?;
/// vfs.sync_dir()?;
/// file.write_at(b"synced", 0)?;
/// file.sync()?;
/// file.write_at(b", not synced", 6)?;
///
/// let disk = vfs.disk();
/// assert_eq!(disk.choices(), 1);
/// let lost = disk.crash(|_| false, Fill::Nothing);
/// assert_eq!(lost.files().next(), Some(("a", &b"synced"[..])));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimVfs(Arc<Mutex<Sim>>);

#[derive(Debug, Default)]
struct Sim {
    disk: Disk,
    faults: BTreeMap<usize, Fault>,
    off: bool,
    /// Bytes that can still be written.
    room: Option<usize>,
    reads: usize,
    failing_read: Option<usize>,
    ops: Vec<&'static str>,
    history: Option<Vec<Disk>>,
    locks: BTreeSet<String>,
    unique: u64,
}

/// What is on a simulated disk, and what of it was synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    files: Vec<Arc<Inode>>,
    /// As programs see them.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Since then.
    name_ops: Vec<NameOp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Inode {
    /// As programs see it.
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Since then.
    changes: Vec<(Change, State)>,
}

/// Of a change that is not known to be on the disk, or is but follows one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unsynced,
    /// A sync of it failed.
    Lost,
    Synced,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// By file, not only by name: what becomes of one of them does not depend on the others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NameOp {
    Add(String, usize),
    Rename(String, String, usize),
    Remove(String, usize),
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameOp::Add(name, file) => drop(names.insert(name.clone(), *file)),
            NameOp::Rename(from, to, file) => {
                NameOp::Remove(from.clone(), *file).apply(names);
                names.insert(to.clone(), *file);
            }
            NameOp::Remove(name, file) => {
                if names.get(name) == Some(file) {
                    names.remove(name);
                }
            }
        }
    }
}

impl Change {
    /// The pieces of it that make it to the disk or do not, each by itself.
    fn pieces(&self) -> Vec<Change> {
        let Change::Write { offset, bytes } = self else {
            return vec![self.clone()];
        };
        let (mut offset, mut rest, mut pieces) = (*offset, bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let room = SECTOR_BYTES - offset % SECTOR_BYTES;
            let (piece, after) = rest.split_at(room.min(rest.len()));
            pieces.push(Change::Write {
                offset,
                bytes: piece.to_vec(),
            });
            offset += piece.len();
            rest = after;
        }
        pieces
    }

    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Truncate(len) => file.resize(*len, 0),
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                file.resize(file.len().max(end), 0);
                if let Some(place) = file.get_mut(*offset..end) {
                    place.copy_from_slice(bytes);
                }
            }
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.changes.push((change, State::Unsynced));
    }

    fn sync(&mut self, works: bool) {
        let settled = if works { State::Synced } else { State::Lost };
        for (_, state) in &mut self.changes {
            if *state == State::Unsynced {
                *state = settled;
            }
        }
        if self
            .changes
            .iter()
            .all(|(_, state)| *state == State::Synced)
        {
            self.synced.clone_from(&self.now);
            self.changes.clear();
        }
    }

    /// After a crash that keeps what `keep` says, asked for one piece after the other.
    fn after_crash(&self, keep: &mut impl FnMut() -> bool, fill: Fill) -> Inode {
        let mut bytes = self.synced.clone();
        let len = self.now.len().max(bytes.len());
        match fill {
            Fill::Nothing => {}
            Fill::Zeros => bytes.resize(len, 0),
            Fill::Garbage => bytes.resize(len, 0xa7),
        }
        for (change, state) in &self.changes {
            for piece in change.pieces() {
                if *state == State::Synced || keep() {
                    piece.apply(&mut bytes);
                }
            }
        }
        Inode {
            now: bytes.clone(),
            synced: bytes,
            changes: Vec::new(),
        }
    }
}

impl Disk {
    /// How many choices a crash has now, each with two outcomes.
    pub fn choices(&self) -> usize {
        let mut count = 0;
        self.crash(
            |_| {
                count += 1;
                true
            },
            Fill::Nothing,
        );
        count
    }

    /// What a crash leaves: of the choices, counted from 0, those that `keep` says. Nothing on it is unsynced.
    ///
    /// Choices come in the order of names and files, and always the same ones whatever is kept.
    pub fn crash(&self, mut keep: impl FnMut(usize) -> bool, fill: Fill) -> Disk {
        let mut asked = 0;
        let mut next = || {
            asked += 1;
            keep(asked - 1)
        };
        let mut names = self.synced_names.clone();
        for op in &self.name_ops {
            if next() {
                op.apply(&mut names);
            }
        }
        let files = self.files.iter().map(|file| match file.changes.is_empty() {
            true => Arc::clone(file),
            false => Arc::new(file.after_crash(&mut next, fill)),
        });
        Disk {
            files: files.collect(),
            synced_names: names.clone(),
            names,
            name_ops: Vec::new(),
        }
    }

    /// Files by name, as programs see them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.names.iter().filter_map(|(name, &file)| {
            let inode = self.files.get(file)?;
            Some((name.as_str(), inode.now.as_slice()))
        })
    }

    /// A machine with this disk. What is unsynced still is: the end of a process, not of power.
    pub fn mount(self) -> SimVfs {
        SimVfs::with(self)
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        Ok(*self.names.get(name).ok_or(io::ErrorKind::NotFound)?)
    }

    fn inode(&self, file: usize) -> io::Result<&Arc<Inode>> {
        Ok(self.files.get(file).ok_or(io::ErrorKind::NotFound)?)
    }

    fn inode_mut(&mut self, file: usize) -> io::Result<&mut Inode> {
        let inode = self.files.get_mut(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::make_mut(inode))
    }

    fn free(&self, name: &str) -> io::Result<()> {
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    fn name_op(&mut self, op: NameOp) {
        op.apply(&mut self.names);
        self.name_ops.push(op);
    }

    fn sync_names(&mut self) {
        self.synced_names.clone_from(&self.names);
        self.name_ops.clear();
    }
}

impl Sim {
    /// Counts an operation. `Ok(Some)`: it is to go on, but not as asked for.
    fn op(&mut self, what: &'static str) -> io::Result<Option<Fault>> {
        if let Some(history) = &mut self.history {
            history.push(self.disk.clone());
        }
        let fault = self.faults.get(&self.ops.len()).copied();
        self.ops.push(what);
        self.off |= fault == Some(Fault::PowerOff);
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        match fault {
            Some(Fault::Fails(kind)) if !what.starts_with("sync") => Err(kind.into()),
            fault => Ok(fault),
        }
    }

    /// Counts a sync: whether it works.
    fn sync_op(&mut self, what: &'static str) -> io::Result<Result<(), io::Error>> {
        Ok(match self.op(what)? {
            Some(Fault::Fails(kind)) => Err(kind.into()),
            _ => Ok(()),
        })
    }

    fn read(&mut self) -> io::Result<()> {
        self.reads += 1;
        if self.off || self.failing_read.is_some_and(|at| self.reads > at) {
            return Err(io::Error::other("cannot be read"));
        }
        Ok(())
    }
}

impl Default for SimVfs {
    fn default() -> SimVfs {
        SimVfs::with(Disk::default())
    }
}

impl SimVfs {
    /// An empty directory.
    pub fn new() -> SimVfs {
        SimVfs::default()
    }

    fn with(disk: Disk) -> SimVfs {
        SimVfs(Arc::new(Mutex::new(Sim {
            disk,
            ..Sim::default()
        })))
    }

    fn sim(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as it is now.
    pub fn disk(&self) -> Disk {
        self.sim().disk.clone()
    }

    /// Operations so far that change or sync something, by name.
    pub fn ops(&self) -> Vec<&'static str> {
        self.sim().ops.clone()
    }

    /// How many these are.
    pub fn op_count(&self) -> usize {
        self.sim().ops.len()
    }

    /// How often something was read.
    pub fn read_count(&self) -> usize {
        self.sim().reads
    }

    /// The disk before each operation from now on is kept.
    pub fn record(&self) {
        self.sim().history = Some(Vec::new());
    }

    /// The disk before each operation since [`record`](SimVfs::record), and now.
    pub fn history(&self) -> Vec<Disk> {
        let sim = self.sim();
        let mut history = sim.history.clone().unwrap_or_default();
        history.push(sim.disk.clone());
        history
    }

    /// Operation `op`, counted from 0, goes wrong in this way.
    pub fn inject(&self, op: usize, fault: Fault) {
        self.sim().faults.insert(op, fault);
    }

    /// Every operation goes well again.
    pub fn repair(&self) {
        let mut sim = self.sim();
        (sim.off, sim.room, sim.failing_read) = (false, None, None);
        sim.faults.clear();
    }

    /// So many bytes can be written from now on; more is [`io::ErrorKind::StorageFull`].
    pub fn limit(&self, bytes: usize) {
        self.sim().room = Some(bytes);
    }

    /// So many reads work from now on, and none after them.
    pub fn limit_reads(&self, reads: usize) {
        let mut sim = self.sim();
        sim.failing_read = Some(sim.reads + reads);
    }
}

impl Vfs for SimVfs {
    fn path(&self) -> &Path {
        Path::new(":simulated:")
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut sim = self.sim();
        sim.read()?;
        let file = sim.disk.file(name)?;
        Ok(self.handle(file, false))
    }

    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut sim = self.sim();
        sim.op("create")?;
        if sim.room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        sim.disk.free(name)?;
        let file = sim.disk.files.len();
        sim.disk.name_op(NameOp::Add(name.to_owned(), file));
        sim.disk.files.push(Arc::default());
        Ok(self.handle(file, true))
    }

    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        let mut sim = self.sim();
        sim.op("rename")?;
        let file = sim.disk.file(from)?;
        sim.disk.free(to)?;
        let op = NameOp::Rename(from.to_owned(), to.to_owned(), file);
        sim.disk.name_op(op);
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut sim = self.sim();
        sim.op("unlink")?;
        let file = sim.disk.file(name)?;
        sim.disk.name_op(NameOp::Remove(name.to_owned(), file));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut sim = self.sim();
        sim.read()?;
        Ok(sim.disk.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut sim = self.sim();
        sim.sync_op("sync directory")??;
        sim.disk.sync_names();
        Ok(())
    }

    /// Locks are not on the disk.
    fn lock(&self, name: &str, _owner: &str) -> Result<Box<dyn Lock>, LockError> {
        if !self.sim().locks.insert(name.to_owned()) {
            return Err(LockError::Held(None));
        }
        Ok(Box::new(SimLock {
            vfs: self.clone(),
            name: name.to_owned(),
        }))
    }

    /// Counts, so that runs can be repeated.
    fn unique(&self) -> io::Result<[u8; 16]> {
        let mut sim = self.sim();
        sim.unique += 1;
        // A machine that starts again must not start counting again.
        let number = (sim.disk.files.len() as u128) << 64 | u128::from(sim.unique);
        Ok(number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_le_bytes())
    }
}

impl SimVfs {
    fn handle(&self, file: usize, writable: bool) -> Box<dyn VfsFile> {
        Box::new(SimFile {
            vfs: self.clone(),
            file,
            writable,
        })
    }
}

#[derive(Debug)]
struct SimFile {
    vfs: SimVfs,
    file: usize,
    writable: bool,
}

impl SimFile {
    fn writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn sync_as(&self, what: &'static str) -> io::Result<()> {
        let mut sim = self.vfs.sim();
        let works = sim.sync_op(what)?;
        sim.disk.inode_mut(self.file)?.sync(works.is_ok());
        works
    }
}

impl VfsFile for SimFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut sim = self.vfs.sim();
        sim.read()?;
        let inode = sim.disk.inode(self.file)?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let rest = inode.now.get(offset..).unwrap_or_default();
        // A read may be short, and so it is.
        let n = rest.len().min(out.len()).min(out.len().max(2) - 1);
        if let (Some(from), Some(to)) = (rest.get(..n), out.get_mut(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.writable()?;
        let mut sim = self.vfs.sim();
        let mut n = bytes.len();
        if sim.op("write")? == Some(Fault::Short) && n > 1 {
            n /= 2;
        }
        if let Some(room) = &mut sim.room {
            n = n.min(*room);
            *room -= n;
        }
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let change = Change::Write {
            offset: usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?,
            bytes: bytes.get(..n).unwrap_or_default().to_vec(),
        };
        sim.disk.inode_mut(self.file)?.change(change);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        let mut sim = self.vfs.sim();
        sim.read()?;
        Ok(sim.disk.inode(self.file)?.now.len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        let mut sim = self.vfs.sim();
        sim.op("truncate")?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        sim.disk.inode_mut(self.file)?.change(Change::Truncate(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_as("sync")
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_as("sync data")
    }

    fn seal(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Bytes> {
        let mut sim = self.vfs.sim();
        sim.read()?;
        Ok(Bytes::shared(Pages::of(&sim.disk.inode(self.file)?.now)?))
    }
}

#[derive(Debug)]
struct SimLock {
    vfs: SimVfs,
    name: String,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.vfs.sim().locks.remove(&self.name);
    }
}
