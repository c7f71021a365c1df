//! Readers take no lock and are never disturbed: whenever a writer commits, opening gives one commit, whole.

use std::sync::{Arc, Mutex};

use proxime_storage::{Access, Error, MemVfs, OsVfs, SectionKind, Store, Vfs};

use crate::sample;
use crate::watched::Watched;

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
    let (at, watched) = (at.to_vec(), Watched::new(vfs));
    let counts = Mutex::new((writer, 0, 1));
    watched.before(move |op, _| {
        let (writer, opens, n) = &mut *counts.lock().unwrap();
        *opens += usize::from(op == "open");
        if op == "open" && at.contains(opens) {
            *n += 1;
            commit(writer, *n);
        }
    });
    let (store, segments) = Store::open(Arc::new(watched), Access::Read)?;
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
