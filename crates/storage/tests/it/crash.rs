//! After a crash at any operation the store is at a commit: none that was acknowledged is missing, none is there in part.
//!
//! The same work is looked at before each of its operations, and each time every disk that a crash then could leave is opened as a
//! store.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;

use proxime_storage::{Access, Collection, Disk, Error, Fault, SectionKind, SimVfs, Store, Vfs};

use crate::images::{fingerprint, power_losses};
use crate::sample;

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

/// Opens and commits three times; how many operations each commit was acknowledged after.
fn work(vfs: &SimVfs) -> Vec<usize> {
    let (mut store, _) = Store::open(Arc::new(vfs.clone()), Access::Create).unwrap();
    let mut acked = Vec::new();
    for n in 1..=3 {
        commit(&mut store, n).unwrap();
        acked.push(vfs.op_count());
    }
    acked
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

fn assert_recovers(image: Disk, acked: u64, ops: usize) {
    let image: Arc<dyn Vfs> = Arc::new(image.mount());
    let (mut store, found) = check(image.clone());
    assert!(
        (acked..=acked + 1).contains(&found),
        "after {ops} operations: {acked} acknowledged, found {found}"
    );
    commit(&mut store, found + 1).unwrap();
    drop(store);
    assert_eq!(check(image).1, found + 1);
}

#[test]
fn at_every_operation() {
    let vfs = SimVfs::new();
    vfs.record();
    let acks = work(&vfs);
    let (mut images, mut seen) = (0, HashSet::new());
    for (ops, disk) in vfs.history().into_iter().enumerate() {
        let acked = acks.iter().filter(|&&ack| ack <= ops).count() as u64;
        // The last is the disk as it is: a process was killed.
        for image in power_losses(&disk).into_iter().chain([disk]) {
            images += 1;
            if seen.insert((fingerprint(&image), acked)) {
                assert_recovers(image, acked, ops);
            }
        }
    }
    assert!(
        images > 5000 && seen.len() > 200,
        "{images} images, {} differ",
        seen.len()
    );
}

#[test]
fn one_failure_is_survived_or_stops_all_writing() {
    for at in 0.. {
        let disk = SimVfs::new();
        disk.inject(at, Fault::Fails(ErrorKind::Other));
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let Ok((mut store, _)) = Store::open(vfs.clone(), Access::Create) else {
            continue;
        };
        let first = commit(&mut store, 1);
        let failed = disk.ops().get(at).copied();
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
