//! A write that is told to stop stops, at any stage, and leaves the store as it was.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use proxime::{Batch, Database, Error, MemVfs, OpenOptions, Stage, Vfs};
use proxime_storage::{Bytes, Lock, LockError, VfsFile};

use crate::support::{int_ids, l2, points, rows, upsert};

#[test]
fn at_any_stage() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(8)).unwrap();
    let data = points(3000, 8);
    upsert(&c, int_ids(10), &data[..80]);
    let (digest, files) = (c.digest().unwrap(), files(dir.path()));
    for stop in [Stage::Write, Stage::Build, Stage::Commit] {
        let progress = |stage, _, _| {
            if stage == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let source = rows(&data, 8);
        let error = c
            .upsert(Batch::new(int_ids(3000), &source).progress(&progress))
            .unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{stop}: {error}");
        assert_eq!(
            (c.digest().unwrap(), self::files(dir.path())),
            (digest.clone(), files.clone()),
            "{stop}"
        );
    }
    upsert(&c, int_ids(3000), &data);
    assert_eq!(c.len().unwrap(), 3000);
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("db")).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn progress_counts_up_to_all_rows() {
    let (_db, c) = crate::support::in_memory(64);
    let data = points(5000, 64);
    let seen = Mutex::new(Vec::new());
    let progress = |stage, done, total| {
        seen.lock().unwrap().push((stage, done));
        assert_eq!(total, 5000);
        ControlFlow::Continue(())
    };
    c.upsert(Batch::new(int_ids(5000), &rows(&data, 64)).progress(&progress))
        .unwrap();
    let seen = seen.into_inner().unwrap();
    for stage in [Stage::Write, Stage::Build] {
        let done: Vec<usize> = seen
            .iter()
            .filter(|(at, _)| *at == stage)
            .map(|(_, done)| *done)
            .collect();
        assert!(
            done.len() > 3 && done.is_sorted() && done.last() == Some(&5000),
            "{stage}: {done:?}"
        );
    }
    assert_eq!(seen.last().unwrap().0, Stage::Commit);
}

/// A disk whose next sync, once it is told to be slow, lasts until somebody lets it end.
#[derive(Clone, Debug, Default)]
struct SlowDisk {
    files: Arc<MemVfs>,
    sync: Arc<(Mutex<Sync>, Condvar)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sync {
    #[default]
    Fast,
    Slow,
    Begun,
}

impl SlowDisk {
    fn set(&self, to: Sync) {
        *self.sync.0.lock().unwrap() = to;
        self.sync.1.notify_all();
    }

    fn is(&self, state: Sync) -> bool {
        *self.sync.0.lock().unwrap() == state
    }

    /// Gives up after a while: a test that waits for this has failed.
    fn wait_while(&self, state: Sync) {
        let now = self.sync.0.lock().unwrap();
        let patience = Duration::from_secs(20);
        let waited = self
            .sync
            .1
            .wait_timeout_while(now, patience, |now| *now == state);
        drop(waited.unwrap());
    }
}

#[derive(Debug)]
struct SlowFile(Box<dyn VfsFile>, SlowDisk);

impl Vfs for SlowDisk {
    fn path(&self) -> &Path {
        self.files.path()
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        self.files.open(name)
    }
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(SlowFile(
            self.files.create_new(name)?,
            self.clone(),
        )))
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename_noreplace(from, to)
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        self.files.unlink(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }
    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        self.files.lock(name, owner)
    }
    fn unique(&self) -> io::Result<[u8; 16]> {
        self.files.unique()
    }
}

impl VfsFile for SlowFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(out, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
    fn sync(&self) -> io::Result<()> {
        if self.1.is(Sync::Slow) {
            self.1.set(Sync::Begun);
            self.1.wait_while(Sync::Begun);
        }
        self.0.sync()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn seal(&self) -> io::Result<()> {
        self.0.seal()
    }
    fn map(&self) -> io::Result<Bytes> {
        self.0.map()
    }
}

#[test]
fn nobody_who_stops_waits_for_the_disk() {
    let disk = SlowDisk::default();
    let open = || Database::open_on(Arc::new(disk.clone()), &OpenOptions::default()).unwrap();
    let db = open();
    let c = db.create_collection("c", l2(8)).unwrap();
    let data = points(3000, 8);
    let (digest, names) = (c.digest().unwrap(), disk.list().unwrap());
    disk.set(Sync::Slow);
    let progress = |stage, _, _| {
        if stage != Stage::Build {
            return ControlFlow::Continue(());
        }
        disk.wait_while(Sync::Slow);
        ControlFlow::Break(())
    };
    let source = rows(&data, 8);
    let stopped = c.upsert(Batch::new(int_ids(3000), &source).progress(&progress));
    assert!(disk.is(Sync::Begun), "the sync has ended, or never began");
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(c.digest().unwrap(), digest);
    assert_eq!(disk.list().unwrap(), names);
    // Not even the lock is held by a sync that nobody waits for.
    drop((c, db));
    let c = open().collection("c").unwrap();
    assert!(disk.is(Sync::Begun));
    disk.set(Sync::Fast);
    upsert(&c, int_ids(3000), &data);
    assert_eq!(c.len().unwrap(), 3000);
}
