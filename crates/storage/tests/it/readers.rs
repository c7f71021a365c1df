//! Readers take no lock and are never disturbed: whenever a writer commits, opening gives one commit, whole.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proxime_storage::{
    Access, Error, Lock, LockError, MemVfs, OsVfs, SectionKind, Store, Vfs, VfsFile,
};

use crate::sample;

/// A directory in which something happens just before a file is opened.
struct Before<F> {
    vfs: Arc<dyn Vfs>,
    open: Mutex<F>,
}

impl<F> std::fmt::Debug for Before<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.vfs.fmt(f)
    }
}

impl<F: FnMut() + Send> Vfs for Before<F> {
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        self.open.lock().unwrap()();
        self.vfs.open(name)
    }
    fn path(&self) -> &Path {
        self.vfs.path()
    }
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        self.vfs.create_new(name)
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
        self.vfs.sync_dir()
    }
    fn lock(&self, name: &str, owner: &str) -> Result<Box<dyn Lock>, LockError> {
        self.vfs.lock(name, owner)
    }
    fn unique(&self) -> io::Result<[u8; 16]> {
        self.vfs.unique()
    }
}

/// Each commit replaces the only segment and says so in the configuration.
fn commit(store: &mut Store, n: u64) {
    let sections = [(SectionKind::Vectors, &[n as u8; 5000][..])];
    let segment = sample::write_segment(store, 1, &sections).unwrap();
    let edit = |m: &mut proxime_storage::Manifest| {
        m.collections[0].config = n.into();
        m.collections[0].segments = vec![segment];
    };
    store.commit(edit).unwrap();
}

/// Opens for reading while a commit happens before each of these openings of a file; the commit that is found.
fn overtaken(vfs: Arc<dyn Vfs>, at: &[usize]) -> Result<u64, Error> {
    sample::create(vfs.clone()).unwrap();
    let (mut writer, _) = Store::open(vfs.clone(), Access::Write).unwrap();
    commit(&mut writer, 1);
    let (at, mut opens, mut n) = (at.to_vec(), 0, 1);
    let open = move || {
        opens += 1;
        if at.contains(&opens) {
            n += 1;
            commit(&mut writer, n);
        }
    };
    let open = Mutex::new(open);
    let (store, segments) = Store::open(Arc::new(Before { vfs, open }), Access::Read)?;
    let found = store.manifest().collections[0].config.as_u64().unwrap();
    let bytes = segments[0].read(SectionKind::Vectors)?.unwrap();
    assert_eq!(bytes, [found as u8; 5000]);
    Ok(found)
}

#[test]
fn overtaken_by_commits() {
    // FORMAT, manifest and segment are opened; then, where one was gone, manifest and segment again.
    for (at, finds) in [
        (vec![1], 2),
        (vec![2], 2),
        (vec![3], 2),
        (vec![2, 3], 3),
        (vec![3, 4, 5], 4),
        (vec![9], 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let os = OsVfs::create(dir.path().join("store")).unwrap();
        for vfs in [Arc::new(os) as Arc<dyn Vfs>, Arc::new(MemVfs::new())] {
            assert_eq!(overtaken(vfs, &at).unwrap(), finds, "{at:?}");
        }
    }
}

#[test]
fn overtaken_for_ever() {
    let always: Vec<usize> = (1..1000).collect();
    let error = overtaken(Arc::new(MemVfs::new()), &always).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}
