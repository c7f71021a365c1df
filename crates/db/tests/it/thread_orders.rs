//! Threads that write small batches and read, in every order that a scheduler can think of: what readers see goes forward only, is never half
//! a batch, and has all that was acknowledged.

use std::io::ErrorKind;
use std::sync::Arc;

use proxime::{Batch, Collection, Database, Fault, Fill, Key, OpenOptions, SimVfs};
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

/// So many that no merge is due when some are replaced: the thread that does it would not be the scheduler's.
fn fill(c: &Collection) {
    let ids = (100..200).map(Key::Int).collect();
    c.upsert(Batch::new(ids, &rows(&[9.0; 100], 1))).unwrap();
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
    others: impl Fn(&Collection) + Sync,
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
        scope.spawn(|| others(c));
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

fn in_every_order(name: &str, fault: Option<Fault>, others: fn(&Collection)) {
    explore(&format!("database, {name}"), move || {
        let vfs = SimVfs::new();
        let db = open(&vfs);
        let c = db.create_collection("c", l2(1)).unwrap();
        fill(&c);
        if let Some(fault) = fault {
            vfs.inject(vfs.op_count() + choose(10), fault);
        }
        let told = write_and_read(&db, &c, others);
        check(&c, &told);
        vfs.repair();
        drop((c, db));
        for disk in [vfs.disk(), vfs.disk().crash(|_| false, Fill::Nothing)] {
            let db = open(&disk.mount());
            check(&db.collection("c").unwrap(), &told);
        }
    });
}

#[test]
fn orders_of_writing() {
    in_every_order("writing", None, |_| ());
}

#[test]
fn orders_of_compacting() {
    in_every_order("compacting", None, |c| c.compact(None).unwrap());
}

#[test]
fn orders_of_failing() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        in_every_order("failing", Some(Fault::Fails(kind)), |_| ());
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
        fill(&c);
        let before = vfs.op_count();
        write_and_read(&db, &c, |_| ());
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
