//! A directory in which something happens before an operation.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use proxime_storage::{Bytes, Lock, LockError, Vfs, VfsFile};

/// Clones are the same directory.
#[derive(Clone)]
pub(crate) struct Watched {
    vfs: Arc<dyn Vfs>,
    before: Arc<Mutex<Callback>>,
}

type Callback = Arc<dyn Fn(&str, &str) + Send + Sync>;

impl Watched {
    pub(crate) fn new(vfs: Arc<dyn Vfs>) -> Watched {
        Watched {
            vfs,
            before: Arc::new(Mutex::new(Arc::new(|_, _| ()))),
        }
    }

    /// From now on this is called before each "open", "rename", "write" and "sync" with that word and the name of the file; the new
    /// one of a rename, and that under which it was created of what is done to a file. It may be called by several threads at once.
    pub(crate) fn before(&self, callback: impl Fn(&str, &str) + Send + Sync + 'static) {
        *self.before.lock().unwrap() = Arc::new(callback);
    }

    fn tell(&self, op: &str, name: &str) {
        let callback = Arc::clone(&self.before.lock().unwrap_or_else(PoisonError::into_inner));
        callback(op, name);
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.vfs.fmt(f)
    }
}

impl Vfs for Watched {
    fn path(&self) -> &Path {
        self.vfs.path()
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        self.tell("open", name);
        self.vfs.open(name)
    }
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(WatchedFile {
            file: self.vfs.create_new(name)?,
            name: name.to_owned(),
            directory: self.clone(),
        }))
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        self.tell("rename", to);
        self.vfs.rename_noreplace(from, to)
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        self.vfs.unlink(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.vfs.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.vfs.sync_dir()
    }
    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        self.vfs.lock(name, owner)
    }
    fn unique(&self) -> io::Result<[u8; 16]> {
        self.vfs.unique()
    }
}

/// One that was created: only these are written to.
#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn VfsFile>,
    name: String,
    directory: Watched,
}

impl VfsFile for WatchedFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(out, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.directory.tell("write", &self.name);
        self.file.write_at(bytes, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.directory.tell("sync", &self.name);
        self.file.sync()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn seal(&self) -> io::Result<()> {
        self.file.seal()
    }
    fn map(&self) -> io::Result<Bytes> {
        self.file.map()
    }
}
