//! Threads that write small batches and read, in every order that a scheduler can think of: what readers see goes forward only, is never half
//! a batch, and has all that was acknowledged. The threads in the background, which seal and merge, are among them: here a tail is
//! large when it has a few rows.

use std::io::ErrorKind;
use std::sync::Arc;

use proxime::{Batch, Collection, Database, Fault, Fill, Key, OpenOptions, SimVfs, Vfs};
use shuttle::thread;

use crate::orders::{choose, explore};
use crate::support::{l2, rows};

const WRITERS: i64 = 3;

fn open(vfs: &SimVfs) -> Database {
    let options = OpenOptions {
        threads: Some(1),
        ..OpenOptions::default()
    };
    Database::open_on(Arc::new(vfs.clone()), &options).unwrap()
}

/// Both ids of a writer, in one batch.
fn ids(writer: i64) -> Vec<Key> {
    vec![Key::Int(2 * writer), Key::Int(2 * writer + 1)]
}

fn upsert(c: &Collection, writer: i64, value: f32) -> proxime::Result<()> {
    c.upsert(Batch::new(ids(writer), &rows(&[value, value], 1)))
}

/// Rows that nobody touches, in a segment.
fn fill(db: &Database, c: &Collection) {
    let ids = (100..150).map(Key::Int).collect();
    c.upsert(Batch::new(ids, &rows(&[9.0; 50], 1))).unwrap();
    db.maintain().unwrap();
}

/// What a writer's batch is now, all of it seen in one snapshot; 0 before the first.
fn value(c: &Collection, writer: i64) -> f32 {
    let found = c.get_many(&ids(writer)).unwrap();
    let [a, b] = [0, 1].map(|i| found[i].as_ref().map_or(0.0, |record| record.vector[0]));
    assert_eq!(a, b, "half a batch");
    a
}

/// Two batches by each writer; how many each was told are there, and whether that is for certain.
fn write_and_read(
    db: &Database,
    c: &Collection,
    others: impl Fn(&Database, &Collection) + Sync,
) -> Vec<(f32, bool)> {
    thread::scope(|scope| {
        let writer = |writer| {
            scope.spawn(move || {
                let (mut told, mut certain) = (0.0, true);
                for n in [1.0, 2.0] {
                    match upsert(c, writer, n) {
                        Ok(()) => {
                            told = n;
                            assert_eq!(value(c, writer), n, "readers see what was acknowledged");
                        }
                        // After a failed sync nobody knows.
                        Err(_) => certain &= db.flush().is_ok(),
                    }
                }
                (told, certain)
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        scope.spawn(|| {
            let mut seen = [0.0; WRITERS as usize];
            for _ in 0..3 {
                for (writer, seen) in (0..).zip(&mut seen) {
                    let now = value(c, writer);
                    assert!(now >= *seen, "what was seen is taken back");
                    *seen = now;
                }
                thread::yield_now();
            }
        });
        scope.spawn(|| others(db, c));
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    })
}

fn check(c: &Collection, told: &[(f32, bool)]) {
    for (writer, &(told, certain)) in (0..).zip(told) {
        let found = value(c, writer);
        assert!(
            found == told || (!certain && found > told),
            "{writer}: {found}, told {told}"
        );
    }
}

/// Segments that no commit names would be there until the store is opened again, however much is written until then.
fn check_files(db: &Database, vfs: &SimVfs) {
    let segments = |name: &String| db.collection(name).unwrap().stats().unwrap().segments;
    let named: usize = db.collections().unwrap().iter().map(segments).sum();
    let names = vfs.list().unwrap();
    let files = names.iter().filter(|name| name.contains("seg-")).count();
    assert_eq!(files, named, "{names:?}");
}

fn in_every_order(name: &str, fault: Option<Fault>, others: fn(&Database, &Collection)) {
    explore(&format!("database, {name}"), move || {
        let vfs = SimVfs::new();
        let db = open(&vfs);
        let c = db.create_collection("c", l2(1)).unwrap();
        fill(&db, &c);
        // As many operations as all that is written here takes, seals included.
        let bad = vfs.op_count() + choose(40);
        if let Some(fault) = fault {
            vfs.inject(bad, fault);
        }
        let told = write_and_read(&db, &c, others);
        check(&c, &told);
        vfs.repair();
        if db.maintain().is_ok() {
            check(&c, &told);
            // What cannot be removed stays until the store is opened again.
            if fault.is_none() || vfs.ops().get(bad) != Some(&"unlink") {
                check_files(&db, &vfs);
            }
        }
        drop((c, db));
        for disk in [vfs.disk(), vfs.disk().crash(|_| false, Fill::Nothing)] {
            let db = open(&disk.mount());
            // Under whatever name.
            let names = db.collections().unwrap();
            check(&db.collection(&names[0]).unwrap(), &told);
        }
    });
}

#[test]
fn orders_of_writing() {
    in_every_order("writing", None, |_, _| ());
}

#[test]
fn orders_of_compacting() {
    in_every_order("compacting", None, |_, c| c.compact(None).unwrap());
}

#[test]
fn orders_of_sealing() {
    in_every_order("sealing by two", None, |db, _| db.maintain().unwrap());
}

#[test]
fn orders_of_renaming() {
    in_every_order("renaming", None, |db, _| {
        db.rename_collection("c", "d").unwrap();
    });
}

/// A large batch overtakes nothing, and what is being sealed then is thrown away.
#[test]
fn orders_of_overtaking() {
    in_every_order("overtaking", None, |_, c| {
        let ids = (200..1200).map(Key::Int).collect();
        c.upsert(Batch::new(ids, &rows(&[5.0; 1000], 1))).unwrap();
    });
}

/// The collection goes while it is written to and sealed, and so do its files.
#[test]
fn orders_of_dropping() {
    explore("database, dropping", || {
        let vfs = SimVfs::new();
        let db = open(&vfs);
        let c = db.create_collection("c", l2(1)).unwrap();
        let kept = db.create_collection("kept", l2(1)).unwrap();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (c, kept) = (&c, &kept);
                scope.spawn(move || {
                    for n in [1.0, 2.0] {
                        upsert(c, writer, n).ok();
                        upsert(kept, writer, n).unwrap();
                    }
                });
            }
            scope.spawn(|| db.drop_collection("c").unwrap());
        });
        let told = [(2.0, true); WRITERS as usize];
        db.maintain().unwrap();
        check_files(&db, &vfs);
        drop((c, kept, db));
        let vfs = vfs.disk().crash(|_| false, Fill::Nothing).mount();
        let db = open(&vfs);
        assert_eq!(db.collections().unwrap(), ["kept"]);
        check(&db.collection("kept").unwrap(), &told);
        check_files(&db, &vfs);
    });
}

/// It is closed while it is written to and sealed: whoever was told that a batch is there was told the truth.
#[test]
fn orders_of_closing() {
    explore("database, closing", || {
        let vfs = SimVfs::new();
        let db = open(&vfs);
        let c = db.create_collection("c", l2(1)).unwrap();
        fill(&db, &c);
        let told: Vec<(f32, bool)> = thread::scope(|scope| {
            let writer = |writer| {
                let c = &c;
                scope.spawn(move || {
                    let told = [1.0, 2.0].map(|n| upsert(c, writer, n).map(|()| n));
                    // One that failed may have been on its way.
                    let certain = told.iter().all(Result::is_ok);
                    (told.into_iter().flatten().fold(0.0, f32::max), certain)
                })
            };
            let writers: Vec<_> = (0..WRITERS).map(writer).collect();
            scope.spawn(|| db.close().unwrap());
            writers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        drop((c, db));
        for disk in [vfs.disk(), vfs.disk().crash(|_| false, Fill::Nothing)] {
            let vfs = disk.mount();
            let db = open(&vfs);
            check(&db.collection("c").unwrap(), &told);
            check_files(&db, &vfs);
        }
    });
}

#[test]
fn orders_of_failing() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        in_every_order("failing", Some(Fault::Fails(kind)), |_, _| ());
    }
}

/// That a sync is shared is not only allowed: there are orders in which it happens.
#[test]
fn orders_that_share_a_sync() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let fewest = Arc::new(AtomicUsize::new(usize::MAX));
    let seen = Arc::clone(&fewest);
    explore("database, sharing", move || {
        let vfs = SimVfs::new();
        let db = open(&vfs);
        let c = db.create_collection("c", l2(1)).unwrap();
        fill(&db, &c);
        let before = vfs.op_count();
        write_and_read(&db, &c, |_, _| ());
        let syncs = vfs.ops()[before..]
            .iter()
            .filter(|op| **op == "sync data")
            .count();
        assert!(syncs <= 2 * WRITERS as usize);
        seen.fetch_min(syncs, Ordering::Relaxed);
    });
    // The first of each writer together, or but for one that came first, and the same for the second.
    assert!(fewest.load(Ordering::Relaxed) <= 3);
}
