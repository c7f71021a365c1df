//! A directory in memory: databases that need no disk, and tests.
//!
//! Bytes live in whole pages, so that a file is as well aligned as a mapped one and its vectors can be read where they are.
//! A map shares the pages; whoever writes to the file afterwards writes to a copy.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytemuck::{Pod, Zeroable};

use super::{Bytes, Lock, LockError, Vfs, VfsFile};
use crate::error::Result;

const PAGE_BYTES: usize = 4096;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_BYTES]);

/// Copied from here, and never a value of a function: for a frame with the alignment of a page, rustc 1.95 (LLVM 22) can leave out
/// the instructions that save registers and set the frame up, and the function returns to nowhere.
static ZERO: Page = Page([0; PAGE_BYTES]);

/// The content of a file.
#[derive(Clone, Default)]
pub(super) struct Pages {
    pages: Arc<Vec<Page>>,
    len: usize,
}

impl Pages {
    pub(super) fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice::<Page, u8>(&self.pages)
            .get(..self.len)
            .unwrap_or_default()
    }

    /// Whole pages with these bytes.
    pub(super) fn of(bytes: &[u8]) -> io::Result<Pages> {
        let mut pages = Pages::default();
        pages.write(bytes, 0)?;
        Ok(pages)
    }

    fn resize(&mut self, len: usize) -> io::Result<()> {
        let pages = Arc::make_mut(&mut self.pages);
        let count = len.div_ceil(PAGE_BYTES);
        pages
            .try_reserve(count.saturating_sub(pages.len()))
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        pages.truncate(count);
        while pages.len() < count {
            pages.extend_from_slice(slice::from_ref(&ZERO));
        }
        if let Some(tail) = bytemuck::cast_slice_mut::<Page, u8>(pages).get_mut(len..) {
            tail.fill(0);
        }
        self.len = len;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: usize) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        if end > self.len {
            self.resize(end)?;
        }
        let all =
            bytemuck::cast_slice_mut::<Page, u8>(Arc::make_mut(&mut self.pages).as_mut_slice());
        if let Some(place) = all.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }
}

/// A directory in memory. Clones are the same directory; it is gone with the last one.
#[derive(Clone, Debug, Default)]
pub struct MemVfs(Arc<Directory>);

#[derive(Debug, Default)]
struct Directory {
    files: Mutex<BTreeMap<String, MemFile>>,
    locks: Mutex<BTreeMap<String, String>>,
}

#[derive(Clone, Default)]
struct MemFile {
    pages: Arc<RwLock<Pages>>,
    writable: bool,
}

impl MemVfs {
    /// An empty directory.
    pub fn new() -> MemVfs {
        MemVfs::default()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, MemFile>> {
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    fn locks(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vfs for MemVfs {
    fn path(&self) -> &Path {
        Path::new(":memory:")
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let file = self
            .files()
            .get(name)
            .cloned()
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemFile {
            writable: false,
            ..file
        }))
    }

    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut files = self.files();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = MemFile::default();
        files.insert(name.to_owned(), file.clone());
        Ok(Box::new(MemFile {
            writable: true,
            ..file
        }))
    }

    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files();
        if !files.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if files.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.files()
            .remove(name)
            .map(drop)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        let mut locks = self.0.locks();
        if let Some(owner) = locks.get(name) {
            return Err(LockError::Held(Some(owner.clone())));
        }
        self.files().entry(name.to_owned()).or_default();
        locks.insert(name.to_owned(), owner.to_owned());
        Ok(Box::new(MemLock {
            directory: Arc::clone(&self.0),
            name: name.to_owned(),
        }))
    }

    /// A number that no other store in this process has; there is nobody else to meet.
    fn unique(&self) -> io::Result<[u8; 16]> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ok(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_le_bytes())
    }
}

impl MemFile {
    fn read<T>(&self, f: impl FnOnce(&Pages) -> T) -> T {
        f(&self.pages.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, f: impl FnOnce(&mut Pages) -> io::Result<()>) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        f(&mut self.pages.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl VfsFile for MemFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(|pages| {
            let rest = usize::try_from(offset)
                .ok()
                .and_then(|at| pages.as_bytes().get(at..))
                .unwrap_or_default();
            let n = rest.len().min(out.len());
            if let (Some(from), Some(to)) = (rest.get(..n), out.get_mut(..n)) {
                to.copy_from_slice(from);
            }
            Ok(n)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.write(|pages| pages.write(bytes, offset))?;
        Ok(bytes.len())
    }

    /// Pages that are never written to take no memory. Where there is no room, whoever writes hears of it.
    fn expect(&self, bytes: u64) {
        let count = usize::try_from(bytes.div_ceil(PAGE_BYTES as u64)).unwrap_or(usize::MAX);
        let _ = self.write(|pages| {
            let pages = Arc::make_mut(&mut pages.pages);
            let more = count.saturating_sub(pages.len());
            pages
                .try_reserve_exact(more)
                .map_err(|_| io::ErrorKind::OutOfMemory.into())
        });
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.read(|pages| pages.len as u64))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.write(|pages| pages.resize(len))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    /// Gives back the room that was reserved for growing.
    fn seal(&self) -> io::Result<()> {
        self.write(|pages| {
            Arc::make_mut(&mut pages.pages).shrink_to_fit();
            Ok(())
        })
    }

    fn map(&self) -> io::Result<Bytes> {
        Ok(Bytes::shared(self.read(Pages::clone)))
    }
}

impl std::fmt::Debug for MemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemFile({})", self.read(|pages| pages.len))
    }
}

#[derive(Debug)]
struct MemLock {
    directory: Arc<Directory>,
    name: String,
}

impl Lock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.directory.locks().remove(&self.name);
    }
}
