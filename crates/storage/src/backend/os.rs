//! A directory of the operating system.
//!
//! Every operation goes through the directory's own descriptor, so that a store stays itself when its path is renamed and no
//! name can lead out of it: names are single components, links are never followed, anything but a regular file is refused.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{Bytes, Lock, LockError, Vfs, VfsFile};
use crate::error::{Error, Result};
use crate::mmap;

/// A directory on a file system.
#[derive(Debug)]
pub struct OsVfs {
    path: PathBuf,
    dir: std::fs::File,
}

impl OsVfs {
    /// An existing directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<OsVfs> {
        let path = path.into();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(dir) => Ok(OsVfs {
                path,
                dir: dir.into(),
            }),
            Err(Errno::NOENT) => Err(Error::NotFound { path }),
            Err(Errno::NOTDIR) => Err(Error::NotAStore {
                path,
                reason: "it is a file, not a directory",
            }),
            Err(e) => Err(Error::Io {
                op: "open",
                path,
                source: e.into(),
            }),
        }
    }

    /// The directory, created if nothing is there, for its owner only. Its parent must exist.
    pub fn create(path: impl Into<PathBuf>) -> Result<OsVfs> {
        let path = path.into();
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => {
                return Err(Error::Io {
                    op: "create directory",
                    path,
                    source: e.into(),
                });
            }
        }
        let vfs = OsVfs::open(path)?;
        vfs.sync_new().map_err(|source| Error::Io {
            op: "sync parent directory",
            path: vfs.path.clone(),
            source,
        })?;
        Ok(vfs)
    }

    /// An empty directory may have been created a moment ago, by us or by somebody who crashed: make its own name durable.
    fn sync_new(&self) -> io::Result<()> {
        if !self.list()?.is_empty() {
            return Ok(());
        }
        let parent = rustix::fs::openat(
            &self.dir,
            "..",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        std::fs::File::from(parent).sync_all()
    }

    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<std::fs::File> {
        // Opening a pipe would wait for its other end; with NONBLOCK it does not, and is refused below.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd: OwnedFd = rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(fd.into())
    }
}

impl Vfs for OsVfs {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(self.open_at(name, OFlags::RDONLY)?))
    }

    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(self.open_at(
            name,
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        )?))
    }

    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.dir, from, &self.dir, to, RenameFlags::NOREPLACE) {
            // Some file systems cannot: a second name, which never replaces, and the first removed.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::linkat(&self.dir, from, &self.dir, to, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(&self.dir, from, AtFlags::empty())?)
            }
            done => Ok(done?),
        }
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.dir.sync_all()
    }

    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        let mut file = self.open_at(name, OFlags::RDWR | OFlags::CREATE)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_owner(&mut file))),
            Err(TryLockError::Error(e)) => return Err(LockError::Io(e)),
        }
        let guard = OsLock {
            file,
            pid: std::process::id(),
        };
        guard.file.set_len(0)?;
        (&guard.file).write_all(owner.as_bytes())?;
        Ok(Box::new(guard))
    }

    fn unique(&self) -> io::Result<[u8; 16]> {
        let mut bytes = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// What the owner wrote. They lock first and write then, so an empty file is looked at a few times before giving up.
fn read_owner(file: &mut std::fs::File) -> Option<String> {
    const OWNER_BYTES_MAX: u64 = 1024;
    for _ in 0..10 {
        let mut owner = String::new();
        file.rewind().ok()?;
        file.take(OWNER_BYTES_MAX).read_to_string(&mut owner).ok()?;
        if !owner.is_empty() {
            return Some(owner);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

impl VfsFile for std::fs::File {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, out, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        std::fs::File::sync_data(self)
    }

    fn seal(&self) -> io::Result<()> {
        self.set_permissions(std::fs::Permissions::from_mode(0o444))
    }

    fn map(&self) -> io::Result<Bytes> {
        mmap::map(self).map(Bytes::mapped)
    }
}

/// The lock belongs to the open file, which a forked child shares. Freeing it explicitly, and only in the process that took
/// it, keeps a child's exit from freeing the parent's lock and a living child from keeping it.
#[derive(Debug)]
struct OsLock {
    file: std::fs::File,
    pid: u32,
}

impl Lock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            // Whoever finds the file locked next must not read our name in it. Nothing to do about a failure.
            self.file.set_len(0).ok();
            self.file.unlock().ok();
        }
    }
}
