//! After a crash at any operation the store is at a commit: none that was acknowledged is missing, none is there in part.
//!
//! A disk model remembers what was synced. The same work is cut off after each of its operations, and each time every subset
//! of the unsynced names, with unsynced bytes lost, torn or kept, is opened as a store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use proxime_storage::{
    Access, Bytes, Collection, Error, Lock, LockError, MemVfs, SectionKind, Store, Vfs, VfsFile,
};

use crate::sample;

#[derive(Clone, Debug)]
enum NameOp {
    Add(String, usize),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, usize>;

impl NameOp {
    fn apply(&self, names: &mut Names) -> io::Result<()> {
        match self {
            NameOp::Add(name, _) | NameOp::Rename(_, name) if names.contains_key(name) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            NameOp::Add(name, file) => drop(names.insert(name.clone(), *file)),
            NameOp::Rename(from, to) => {
                let file = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
                names.insert(to.clone(), file);
            }
            NameOp::Remove(name) => drop(names.remove(name).ok_or(io::ErrorKind::NotFound)?),
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Disk {
    /// Bytes now, and at the last sync.
    files: Vec<(Vec<u8>, Vec<u8>)>,
    names: Names,
    synced_names: Names,
    unsynced: Vec<NameOp>,
    ops: usize,
    /// From this operation on: each fails, or only this one does.
    fail_at: usize,
    fail_once: bool,
    failed: Option<&'static str>,
}

impl Disk {
    fn step(&mut self, what: &'static str) -> io::Result<()> {
        self.ops += 1;
        let fails = if self.fail_once {
            self.ops == self.fail_at
        } else {
            self.ops >= self.fail_at
        };
        if fails {
            self.failed.get_or_insert(what);
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }

    fn name_op(&mut self, op: NameOp) -> io::Result<()> {
        op.apply(&mut self.names)?;
        self.unsynced.push(op);
        Ok(())
    }

    /// Every disk that a crash now could leave: subsets of names by bit mask, bytes by `keep` eighths of the unsynced.
    fn after_crash(&self) -> Vec<MemVfs> {
        let mut images = Vec::new();
        for mask in 0..1u32 << self.unsynced.len() {
            let mut names = self.synced_names.clone();
            let kept = self
                .unsynced
                .iter()
                .enumerate()
                .filter(|(i, _)| mask & (1 << i) != 0);
            kept.for_each(|(_, op)| drop(op.apply(&mut names)));
            for keep in [0, 3, 8] {
                let image = MemVfs::new();
                for (name, &file) in &names {
                    let (now, synced) = &self.files[file];
                    let len = synced.len() + now.len().saturating_sub(synced.len()) * keep / 8;
                    let torn: Vec<u8> = (0..len)
                        .map(|i| if keep > 0 { now[i] } else { synced[i] })
                        .collect();
                    sample::put(&image, name, &torn);
                }
                images.push(image);
            }
        }
        images
    }
}

#[derive(Clone, Debug)]
struct Model(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct ModelFile(Model, usize);

#[derive(Debug)]
struct NoLock;
impl Lock for NoLock {}

impl Model {
    fn failing(fail_at: usize, fail_once: bool) -> Model {
        Model(Arc::new(Mutex::new(Disk {
            fail_at,
            fail_once,
            ..Disk::default()
        })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl Vfs for Model {
    fn path(&self) -> &Path {
        Path::new(":model:")
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let file = *self.disk().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(ModelFile(self.clone(), file)))
    }
    fn create_new(&self, name: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut disk = self.disk();
        disk.step("create")?;
        let file = disk.files.len();
        disk.files.push(Default::default());
        disk.name_op(NameOp::Add(name.into(), file))?;
        Ok(Box::new(ModelFile(self.clone(), file)))
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("rename")?;
        disk.name_op(NameOp::Rename(from.into(), to.into()))
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("unlink")?;
        disk.name_op(NameOp::Remove(name.into()))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }
    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("sync_dir")?;
        disk.synced_names = disk.names.clone();
        disk.unsynced.clear();
        Ok(())
    }
    fn lock(&self, _: &str, _: &str) -> Result<Box<dyn Lock>, LockError> {
        Ok(Box::new(NoLock))
    }
    fn unique(&self) -> io::Result<[u8; 16]> {
        Ok([7; 16])
    }
}

impl VfsFile for ModelFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.0.disk();
        let rest = disk.files[self.1]
            .0
            .get(offset as usize..)
            .unwrap_or_default();
        // One byte fewer than asked for: a short read.
        let n = rest.len().min(out.len()).min(out.len().max(2) - 1);
        out[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.0.disk();
        disk.step("write")?;
        let n = bytes.len().min(3000);
        let file = &mut disk.files[self.1].0;
        let end = offset as usize + n;
        if file.len() < end {
            file.resize(end, 0);
        }
        file[end - n..end].copy_from_slice(&bytes[..n]);
        Ok(n)
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.disk().files[self.1].0.len() as u64)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.disk().files[self.1].0.resize(len as usize, 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.step("sync")?;
        let (now, synced) = &mut disk.files[self.1];
        synced.clone_from(now);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }
    fn seal(&self) -> io::Result<()> {
        Ok(())
    }
    fn map(&self) -> io::Result<Bytes> {
        let image = MemVfs::new();
        sample::put(&image, "copy", &self.0.disk().files[self.1].0);
        image.open("copy")?.map()
    }
}

/// Commit `n` holds segments `n - 1` and `n`, so that each also removes one.
fn commit(store: &mut Store, n: u64) -> Result<(), Error> {
    let text = format!("segment of commit {n}");
    let segment = sample::write_segment(
        store,
        1,
        &[
            (SectionKind::Vectors, text.as_bytes()),
            (SectionKind::Ids, &[n as u8; 5000]),
        ],
    )?;
    store.commit(|m| {
        if n == 1 {
            m.collections.push(Collection::new(1, "c", 0.into()));
        }
        let c = &mut m.collections[0];
        c.config = n.into();
        c.segments.push(segment);
        if n > 2 {
            c.segments.remove(0);
        }
    })
}

/// Opens and commits three times; how many commits were acknowledged and attempted.
fn work(vfs: Arc<dyn Vfs>) -> (u64, u64) {
    let Ok((mut store, _)) = Store::open(vfs, Access::Create) else {
        return (0, 0);
    };
    for n in 1..=3 {
        if commit(&mut store, n).is_err() {
            return (n - 1, n);
        }
    }
    (3, 3)
}

/// The commit a store is at; panics unless everything of it is there.
fn check(vfs: Arc<dyn Vfs>) -> (Store, u64) {
    let (store, segments) = Store::open(vfs, Access::Create).unwrap();
    let n = store
        .manifest()
        .collections
        .first()
        .map_or(0, |c| c.config.as_u64().unwrap());
    let expected: Vec<u64> = (n.saturating_sub(1).max(1)..=n).collect();
    assert_eq!(segments.len(), expected.len());
    for (segment, n) in segments.iter().zip(expected) {
        assert_eq!(
            segment.read(SectionKind::Vectors).unwrap().unwrap(),
            format!("segment of commit {n}").as_bytes()
        );
        assert!(segment.verify().is_empty());
    }
    (store, n)
}

fn assert_recovers(disk: &Disk, acked: u64, attempted: u64, at: usize) -> usize {
    let images = disk.after_crash();
    let count = images.len();
    for image in images {
        let image: Arc<dyn Vfs> = Arc::new(image);
        let (mut store, found) = check(image.clone());
        assert!(
            (acked..=attempted).contains(&found),
            "op {at}: {acked} acknowledged, {attempted} attempted, found {found}"
        );
        commit(&mut store, found + 1).unwrap();
        drop(store);
        assert_eq!(check(image).1, found + 1);
    }
    count
}

#[test]
fn at_every_operation() {
    let mut images = 0;
    for at in 1.. {
        let model = Model::failing(at, false);
        let (acked, attempted) = work(Arc::new(model.clone()));
        let disk = model.disk();
        images += assert_recovers(&disk, acked, attempted, at);
        if disk.failed.is_none() {
            assert_eq!(acked, 3);
            break;
        }
    }
    assert!(images > 500, "{images} images");
}

#[test]
fn one_failure_is_survived_or_stops_all_writing() {
    for at in 1.. {
        let model = Model::failing(at, true);
        let vfs: Arc<dyn Vfs> = Arc::new(model.clone());
        let Ok((mut store, _)) = Store::open(vfs.clone(), Access::Create) else {
            continue;
        };
        let first = commit(&mut store, 1);
        let failed = model.disk().failed;
        match (first, failed) {
            (Ok(()), None) => break,
            // Removing what is obsolete may fail without a word.
            (Ok(()), Some(what)) => assert_eq!(what, "unlink"),
            (Err(_), Some(what)) => {
                let again = commit(&mut store, 1);
                if matches!(what, "create" | "write") {
                    again.unwrap();
                } else {
                    assert!(matches!(again, Err(Error::Poisoned)), "{what}: {again:?}");
                }
            }
            (Err(e), None) => panic!("{e}"),
        }
        drop(store);
        check(vfs);
    }
}
