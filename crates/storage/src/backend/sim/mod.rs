//! A disk as bad as the contract of [`Vfs`] allows, for testing what is built on it.
//!
//! It remembers what was synced. At any moment it can be asked which choices a crash has: every name operation and every
//! 512-byte piece of a write that was not synced may be there or not, independently ([`Disk::crash`]). A sync of a
//! file that fails leaves what it should have written where the system's cache ends up: readable, never written by a later
//! sync, perhaps on the disk. Names are different: they are in the file system's journal, and a later sync covers them.
//!
//! Operations that change something are counted, so that one can be told to fail and a run can be repeated exactly. There is no
//! clock and no randomness.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::{Change, NameOp};
pub use disk::{Disk, Fill};

use super::memory::Pages;
use super::{Bytes, Lock, LockError, Vfs, VfsFile};

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
