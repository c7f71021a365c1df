//! The seam between this crate and the operating system, and everything it may rely on.
//!
//! A [`Vfs`] is one directory; its files are named by single components that we choose. Its documentation is the whole
//! contract: what is durable when. [`OsVfs`] keeps it on a file system, [`MemVfs`] in memory, and [`SimVfs`] as badly as it
//! may: it loses, tears and reorders what was not synced, and fails when told to. No caller opens a file in another way.
//!
//! [`File`] adds to a [`VfsFile`] what every caller needs: complete reads and writes, and errors that name the file.

mod memory;
mod os;
mod sim;

use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use memory::MemVfs;
pub use os::OsVfs;
pub use sim::{Disk, Fault, Fill, SimVfs};

use crate::error::{Error, Result};
use crate::mmap::Advice;
use memory::Pages;

/// One directory of files.
///
/// Durability: a file's bytes survive a crash once [`VfsFile::sync`] returned; its name (created, renamed or removed) once
/// [`Vfs::sync_dir`] returned. Before that, any subset may survive, in any order. After a failed sync nothing is known.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Where this is, for messages.
    fn path(&self) -> &Path;

    /// Opens a regular file for reading. Symbolic links are not followed.
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>>;

    /// Creates an empty file for reading and writing; [`io::ErrorKind::AlreadyExists`] if the name is taken.
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>>;

    /// Renames, atomically; [`io::ErrorKind::AlreadyExists`] if `to` is taken.
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name. Open files and maps keep their bytes.
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// All names in the directory, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the exclusive lock `name` without waiting, leaving `owner` where the next who tries finds it. It is freed when
    /// the guard is dropped by the process that took it, and when that process ends.
    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError>;

    /// Sixteen bytes that no other store has.
    fn unique(&self) -> io::Result<[u8; 16]>;
}

/// One open file.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// Reads some bytes; 0 at the end of the file. May be short or interrupted.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some bytes, extending the file as needed. May be short or interrupted.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// That so many bytes are to come, for a file that would be moved while it grows.
    fn expect(&self, _bytes: u64) {}

    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Cuts or extends with zeros.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the bytes and the length durable.
    fn sync(&self) -> io::Result<()>;

    /// The same, without what reading the file does not need, such as times: cheaper for a file that is appended to.
    fn sync_data(&self) -> io::Result<()>;

    /// Marks the file as finished: read-only for everybody.
    fn seal(&self) -> io::Result<()>;

    /// The whole file as memory, at an address that is a multiple of 4,096. Only for files that are sealed.
    fn map(&self) -> io::Result<Bytes>;
}

/// A held lock. Dropping it frees the lock.
pub trait Lock: Send + Sync + fmt::Debug {}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Somebody has it; what they left as `owner`, if it can be read.
    Held(Option<String>),
    /// The system cannot lock here.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(e: io::Error) -> Self {
        LockError::Io(e)
    }
}

/// The bytes of a sealed file: mapped, or shared with a [`MemVfs`]. Clones share.
#[derive(Clone)]
pub struct Bytes(Inner);

#[derive(Clone)]
enum Inner {
    Mapped(Arc<memmap2::Mmap>),
    Shared(Pages),
}

impl Bytes {
    fn mapped(map: memmap2::Mmap) -> Self {
        Bytes(Inner::Mapped(Arc::new(map)))
    }

    fn shared(pages: Pages) -> Self {
        Bytes(Inner::Shared(pages))
    }

    /// Tells the system how a part of them will be read.
    pub(crate) fn advise(&self, advice: Advice, range: Range<usize>) {
        if let Inner::Mapped(map) = &self.0 {
            advice.give(map, range);
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Mapped(map) => map,
            Inner::Shared(pages) => pages.as_bytes(),
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

/// A file with its path: complete reads and writes, errors that say where.
#[derive(Debug)]
pub(crate) struct File {
    file: Box<dyn VfsFile>,
    path: PathBuf,
}

impl File {
    /// Opens for reading; `None` if there is no such file.
    pub(crate) fn open(vfs: &dyn Vfs, name: &str) -> Result<Option<File>> {
        let path = vfs.path().join(name);
        match vfs.open(name) {
            Ok(file) => Ok(Some(File { file, path })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io {
                op: "open",
                path,
                source,
            }),
        }
    }

    pub(crate) fn create(vfs: &dyn Vfs, name: &str) -> Result<File> {
        let path = vfs.path().join(name);
        match vfs.create_new(name) {
            Ok(file) => Ok(File { file, path }),
            Err(source) => Err(Error::Io {
                op: "create",
                path,
                source,
            }),
        }
    }

    /// The file that somebody else renamed.
    pub(crate) fn renamed(self, vfs: &dyn Vfs, name: &str) -> File {
        File {
            path: vfs.path().join(name),
            ..self
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> Result<u64> {
        self.file.size().map_err(|e| self.io("length", e))
    }

    /// Fills `out`; a file that ends before is damaged.
    pub(crate) fn read_exact(&self, mut out: &mut [u8], mut offset: u64) -> Result<()> {
        while !out.is_empty() {
            match self.file.read_at(out, offset) {
                Ok(0) => return Err(self.corrupt(offset, "the file ends here")),
                Ok(n) => {
                    out = out.get_mut(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io("read", e)),
            }
        }
        Ok(())
    }

    /// `len` bytes from `offset`. Allocates no more than the file holds from there on.
    pub(crate) fn read_vec(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        let file_len = self.len()?;
        if offset.checked_add(len).is_none_or(|end| end > file_len) {
            return Err(self.corrupt(file_len, "the file ends here"));
        }
        let mut bytes = Vec::new();
        let too_large = |_| self.io("allocate", io::ErrorKind::OutOfMemory.into());
        let len = usize::try_from(len)
            .map_err(|_| self.io("allocate", io::ErrorKind::OutOfMemory.into()))?;
        bytes.try_reserve_exact(len).map_err(too_large)?;
        bytes.resize(len, 0);
        self.read_exact(&mut bytes, offset)?;
        Ok(bytes)
    }

    pub(crate) fn write_all(&self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            match self.file.write_at(bytes, offset) {
                Ok(0) => return Err(self.io("write", io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    bytes = bytes.get(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io("write", e)),
            }
        }
        Ok(())
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.file.expect(bytes);
    }

    pub(crate) fn seal(&self) -> Result<()> {
        self.file.seal().map_err(|e| self.io("make read-only", e))
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync().map_err(|e| self.io("sync", e))
    }

    pub(crate) fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| self.io("sync", e))
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        self.file.truncate(len).map_err(|e| self.io("cut", e))
    }

    pub(crate) fn map(&self) -> Result<Bytes> {
        self.file.map().map_err(|e| self.io("map", e))
    }

    pub(crate) fn io(&self, op: &'static str, source: io::Error) -> Error {
        Error::Io {
            op,
            path: self.path.clone(),
            source,
        }
    }

    pub(crate) fn corrupt(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt {
            file: self.path.clone(),
            offset,
            what: what.into(),
        }
    }

    pub(crate) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::Unsupported {
            file: self.path.clone(),
            what: what.into(),
        }
    }
}
