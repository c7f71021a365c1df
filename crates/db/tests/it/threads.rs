//! Several threads write small batches at once: what each was told is true, for readers now and for whoever opens the store next.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proxime::{
    Batch, Collection, Database, Durability, Fault, Fill, Key, OpenOptions, SimVfs, VectorSource,
};

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

/// Rows that take as long as somebody else wants.
struct Slow {
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl VectorSource for Slow {
    fn rows(&self) -> usize {
        1000
    }

    fn dim(&self) -> usize {
        1
    }

    fn read(&self, _: usize, out: &mut [f32]) -> proxime::Result<()> {
        self.begun.send(()).ok();
        let go_on = self.go_on.lock().unwrap().recv_timeout(PATIENCE);
        // When the other end is gone, too.
        assert_ne!(go_on, Err(RecvTimeoutError::Timeout), "nobody goes on");
        out.fill(1.0);
        Ok(())
    }
}

/// What is acknowledged is synced in time, however long somebody else is the writer.
#[test]
fn a_large_batch_keeps_nobody_from_syncing() {
    let vfs = SimVfs::new();
    let db = open(&vfs, Durability::BATCH);
    let c = db.create_collection("c", l2(1)).unwrap();
    upsert(&c, 5000, 3).unwrap();
    let ((begun, beginning), (go, go_on)) = (channel(), channel());
    let slow = Slow {
        begun,
        go_on: Mutex::new(go_on),
    };
    let on_disk = |id| {
        let vfs = vfs.disk().crash(|_| false, Fill::Nothing).mount();
        let db = open(&vfs, Durability::Always);
        value(&db.collection("c").unwrap(), id)
    };
    thread::scope(|scope| {
        let ids = (0..1000).map(Key::Int).collect();
        let writer = scope.spawn(|| c.upsert(Batch::new(ids, &slow)));
        beginning.recv().unwrap();
        let started = Instant::now();
        while on_disk(5000).is_none() {
            assert!(started.elapsed() < PATIENCE / 2, "nobody syncs");
            thread::sleep(Duration::from_millis(5));
        }
        db.flush().unwrap();
        assert!(!writer.is_finished());
        drop(go);
        writer.join().unwrap().unwrap();
    });
    assert_eq!((on_disk(5000), on_disk(7)), (Some(3), Some(1)));
}
