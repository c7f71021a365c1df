//! Several threads write small batches at once: what each was told is true, for readers now and for whoever opens the store next.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::thread;

use proxime::{Batch, Collection, Database, Durability, Fault, Fill, Key, OpenOptions, SimVfs};

use crate::support::{l2, rows};

const THREADS: i64 = 4;
const EACH: i64 = 25;

fn open(vfs: &SimVfs, durability: Durability) -> Database {
    let options = OpenOptions {
        durability,
        threads: Some(1),
        ..OpenOptions::default()
    };
    Database::open_on(Arc::new(vfs.clone()), &options).unwrap()
}

fn upsert(c: &Collection, id: i64, value: i64) -> proxime::Result<()> {
    c.upsert(Batch::new(vec![Key::Int(id)], &rows(&[value as f32], 1)))
}

fn value(c: &Collection, id: i64) -> Option<i64> {
    let record = c.get(&Key::Int(id)).unwrap();
    record.map(|record| record.vector[0] as i64)
}

/// Each thread writes, replaces and deletes ids of its own; what it was told they are, `None` for one that it was told nothing of.
fn write_from_threads(db: &Database, c: &Collection) -> BTreeMap<i64, Option<Option<i64>>> {
    let told = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for t in 0..THREADS {
            let told = &told;
            scope.spawn(move || {
                let mut certain = BTreeMap::<i64, Option<Option<i64>>>::new();
                for n in 0..EACH {
                    let id = 100 * t + n % 10;
                    let (written, becomes) = match n % 5 {
                        4 => (c.delete(&[Key::Int(id)]).map(drop), None),
                        _ => (upsert(c, id, n), Some(n)),
                    };
                    match written {
                        Ok(()) => {
                            certain.insert(id, Some(becomes));
                            assert_eq!(value(c, id), becomes, "readers see what was acknowledged");
                        }
                        // Told that it is not there, unless a sync has failed: then nobody knows.
                        Err(_) if db.flush().is_ok() => {}
                        Err(_) => drop(certain.insert(id, None)),
                    }
                }
                told.lock().unwrap().extend(certain);
            });
        }
    });
    told.into_inner().unwrap()
}

fn check(c: &Collection, told: &BTreeMap<i64, Option<Option<i64>>>, when: &str) {
    for (&id, certain) in told {
        if let Some(expected) = certain {
            assert_eq!(value(c, id), *expected, "{when}: {id}");
        }
    }
}

#[test]
fn everybody_is_told_the_truth() {
    for durability in [Durability::Always, Durability::BATCH, Durability::Os] {
        let vfs = SimVfs::new();
        let db = open(&vfs, durability);
        let c = db.create_collection("c", l2(1)).unwrap();
        let told = write_from_threads(&db, &c);
        assert_eq!(told.len() as i64, THREADS * 10);
        check(&c, &told, "now");
        let live = c.len().unwrap();
        db.close().unwrap();
        let db = open(&vfs, durability);
        let c = db.collection("c").unwrap();
        check(&c, &told, "later");
        assert_eq!(c.len().unwrap(), live);
    }
}

/// A failure in the middle: those whose batches were queued behind it fail as well, and what others were told stays true.
#[test]
fn a_fault_in_the_middle() {
    for fault in [
        Fault::Fails(ErrorKind::StorageFull),
        Fault::Fails(ErrorKind::Other),
        Fault::Short,
        Fault::PowerOff,
    ] {
        for at in [0, 1, 2, 3, 10, 11, 20, 21, 40] {
            let vfs = SimVfs::new();
            let db = open(&vfs, Durability::Always);
            let c = db.create_collection("c", l2(1)).unwrap();
            upsert(&c, 0, 0).unwrap();
            vfs.inject(vfs.op_count() + at, fault);
            let told = write_from_threads(&db, &c);
            let when = format!("{fault:?} at {at}");
            check(&c, &told, &when);
            vfs.repair();
            let goes_on = upsert(&c, 1000, 7).is_ok();
            let live = c.len().unwrap();
            drop((c, db));
            for disk in [vfs.disk(), vfs.disk().crash(|_| false, Fill::Nothing)] {
                let db = open(&disk.mount(), Durability::Always);
                let c = db.collection("c").unwrap();
                check(&c, &told, &when);
                if goes_on {
                    assert_eq!(
                        (c.len().unwrap(), value(&c, 1000)),
                        (live, Some(7)),
                        "{when}"
                    );
                }
                assert!(db.verify().unwrap().ok);
            }
        }
    }
}
