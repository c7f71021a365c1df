//! The tests of the log can fail: a disk that breaks one promise, which is what forgetting one step in the log comes to, is
//! noticed by the campaigns that pass on a disk that keeps them all.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proxime_storage::{Bytes, Durability, Lock, LockError, SimVfs, Vfs, VfsFile};

use super::crash::Campaign;
use super::faults;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// Frames are acknowledged without a sync.
    NoDataSync,
    /// Frames are acknowledged before the sync.
    LateDataSync,
    /// Files are named without having been synced.
    NoFileSync,
    /// Names are relied on without having been synced.
    NoDirSync,
    /// What a failed write left is not taken back.
    NoTruncate,
    /// It is taken back, but not durably: the sync after it is forgotten.
    NoSyncAfterTruncate,
    /// A short write is taken for a whole one.
    ShortWrites,
    /// A failed sync is taken for one that worked.
    HiddenFailures,
}

const LIES: [Lie; 8] = [
    Lie::NoDataSync,
    Lie::LateDataSync,
    Lie::NoFileSync,
    Lie::NoDirSync,
    Lie::NoTruncate,
    Lie::NoSyncAfterTruncate,
    Lie::ShortWrites,
    Lie::HiddenFailures,
];

/// A disk that says it did what it did not.
#[derive(Debug)]
pub(super) struct Liar {
    vfs: SimVfs,
    lie: Lie,
}

impl Liar {
    pub(super) fn new(vfs: &SimVfs, lie: Lie) -> Liar {
        Liar {
            vfs: vfs.clone(),
            lie,
        }
    }
}

impl Vfs for Liar {
    fn path(&self) -> &Path {
        self.vfs.path()
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        self.vfs.open(name)
    }
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(LyingFile {
            file: self.vfs.create_new(name)?,
            lie: self.lie,
            late: AtomicBool::new(false),
            cut: AtomicBool::new(false),
        }))
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        self.vfs.rename_noreplace(from, to)
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        self.vfs.unlink(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.vfs.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        match self.lie {
            Lie::NoDirSync => Ok(()),
            _ => self.vfs.sync_dir(),
        }
    }
    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        self.vfs.lock(name, owner)
    }
    fn unique(&self) -> io::Result<[u8; 16]> {
        self.vfs.unique()
    }
}

#[derive(Debug)]
struct LyingFile {
    file: Box<dyn VfsFile>,
    lie: Lie,
    /// A sync is still to be done.
    late: AtomicBool,
    /// Has been truncated, and not synced since.
    cut: AtomicBool,
}

impl LyingFile {
    fn hide(&self, done: io::Result<()>) -> io::Result<()> {
        match self.lie {
            Lie::HiddenFailures => Ok(()),
            _ => done,
        }
    }
}

impl VfsFile for LyingFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(out, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.late.swap(false, Ordering::Relaxed) {
            self.file.sync_data()?;
        }
        let written = self.file.write_at(bytes, offset)?;
        match self.lie {
            Lie::ShortWrites => Ok(bytes.len()),
            _ => Ok(written),
        }
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.cut.store(true, Ordering::Relaxed);
        match self.lie {
            Lie::NoTruncate => Ok(()),
            _ => self.file.truncate(len),
        }
    }
    fn sync(&self) -> io::Result<()> {
        match self.lie {
            Lie::NoFileSync => Ok(()),
            _ => self.hide(self.file.sync()),
        }
    }
    fn sync_data(&self) -> io::Result<()> {
        let after_cut = self.cut.swap(false, Ordering::Relaxed);
        match self.lie {
            Lie::NoDataSync => Ok(()),
            Lie::NoSyncAfterTruncate if after_cut => Ok(()),
            Lie::LateDataSync => {
                self.late.store(true, Ordering::Relaxed);
                Ok(())
            }
            _ => self.hide(self.file.sync_data()),
        }
    }
    fn seal(&self) -> io::Result<()> {
        self.file.seal()
    }
    fn map(&self) -> io::Result<Bytes> {
        self.file.map()
    }
}

/// All campaigns, until one notices.
fn campaigns(lie: Lie) {
    let mut campaign = Campaign::nesting_every(101).lying(lie);
    campaign.check_scripts(Durability::Always);
    for fault in faults::FAULTS {
        faults::anywhere(&mut campaign, Durability::Always, fault);
    }
}

#[test]
fn every_broken_promise_is_noticed() {
    for lie in LIES {
        let noticed = catch_unwind(AssertUnwindSafe(|| campaigns(lie))).is_err();
        assert!(noticed, "{lie:?} went unnoticed");
    }
}
