//! What may happen to a collection while its tail is being sealed in the background: nothing of it harms what was acknowledged.
//!
//! The sealing thread is stopped at one point, where the segment is complete and no commit names it yet, until the test lets it go on.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxime::{Collection, Database, Error, Fill, Key, OpenOptions, SimVfs, Vfs};

use crate::support::{l2, threads, upsert};
use crate::watched::Watched;

/// Longer than any of this takes on any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Less than a large batch; two of them are enough to be sealed.
const BATCH_ROWS: usize = 600;

/// Stops the sealing thread before its segment gets its name: tells that it has arrived, and hears what to do, go on or panic.
fn gate(vfs: &SimVfs, arrived: Sender<()>, then: Receiver<bool>) -> Watched {
    let watched = Watched::new(Arc::new(vfs.clone()));
    let door = Mutex::new(Some((arrived, then)));
    watched.before(move |op, name| {
        let sealing = std::thread::current().name() == Some("proxime-seal");
        if !(op == "rename" && name.starts_with("seg-") && sealing) {
            return;
        }
        let Some((arrived, then)) = door.lock().unwrap().take() else {
            return;
        };
        arrived.send(()).unwrap();
        let go_on = then.recv_timeout(PATIENCE).unwrap();
        assert!(go_on, "a mistake of ours, by the test's wish");
    });
    watched
}

/// A collection "c" of 1,200 rows, all of them `[1.0]`, that is being sealed.
struct Sealing {
    vfs: SimVfs,
    gate: Arc<Watched>,
    db: Database,
    c: Collection,
    then: Sender<bool>,
}

impl Sealing {
    fn start() -> Sealing {
        let (arrived, arrival) = channel();
        let (then, what) = channel();
        let vfs = SimVfs::new();
        let gate = Arc::new(gate(&vfs, arrived, what));
        let db = Database::open_on(gate.clone(), &threads(1)).unwrap();
        let c = db.create_collection("c", l2(1)).unwrap();
        for first in [0, BATCH_ROWS as i64] {
            write(&c, first, BATCH_ROWS, 1.0);
        }
        arrival.recv_timeout(PATIENCE).unwrap();
        assert_eq!(stats(&c), (0, 1200), "nothing is sealed yet");
        Sealing {
            vfs,
            gate,
            db,
            c,
            then,
        }
    }

    /// Lets it seal, and waits until nothing is left to do.
    fn go_on(&self) {
        self.then.send(true).unwrap();
        self.db.maintain().unwrap();
    }

    fn end(self, expected: &[(&str, usize)]) {
        check(&self.db, &self.vfs, expected);
        let vfs = self.vfs.disk().crash(|_| false, Fill::Nothing).mount();
        check(&open(&vfs), &vfs, expected);
    }
}

/// These collections with so many records, and no segments but theirs.
fn check(db: &Database, vfs: &SimVfs, expected: &[(&str, usize)]) {
    let mut segments = 0;
    for &(name, live) in expected {
        let c = db.collection(name).unwrap();
        assert_eq!(c.len().unwrap(), live, "{name}");
        segments += stats(&c).0;
    }
    assert_eq!(db.collections().unwrap().len(), expected.len());
    let names = vfs.list().unwrap();
    let files = names.iter().filter(|name| name.starts_with("seg-")).count();
    assert_eq!(files, segments, "{names:?}");
    assert!(db.verify().unwrap().ok);
}

fn open(vfs: &SimVfs) -> Database {
    Database::open_on(Arc::new(vfs.clone()), &threads(1)).unwrap()
}

fn write(c: &Collection, first: i64, n: usize, value: f32) {
    let ids = (first..first + n as i64).map(Key::Int).collect();
    upsert(c, ids, &vec![value; n]);
}

/// Segments in files, and rows in the tail.
fn stats(c: &Collection) -> (usize, usize) {
    let stats = c.stats().unwrap();
    (stats.segments, stats.tail_rows)
}

fn value(c: &Collection, id: i64) -> Option<f32> {
    let record = c.get(&Key::Int(id)).unwrap();
    record.map(|record| record.vector[0])
}

#[test]
fn rows_are_replaced_and_deleted() {
    let s = Sealing::start();
    write(&s.c, 5, 1, 2.0);
    assert_eq!(s.c.delete(&[Key::Int(7), Key::Int(900)]).unwrap(), 2);
    let is_right = |c: &Collection| {
        assert_eq!(
            [5, 6, 7].map(|id| value(c, id)),
            [Some(2.0), Some(1.0), None]
        );
        assert_eq!(c.len().unwrap(), 1198);
    };
    is_right(&s.c);
    s.go_on();
    assert_eq!(stats(&s.c), (1, 1));
    is_right(&s.c);
    s.end(&[("c", 1198)]);
}

#[test]
fn a_large_batch_overtakes_it() {
    let s = Sealing::start();
    write(&s.c, 0, 1100, 3.0);
    assert_eq!(stats(&s.c).1, 0, "the tail is sealed with it");
    s.go_on();
    assert_eq!((value(&s.c, 0), value(&s.c, 1150)), (Some(3.0), Some(1.0)));
    s.end(&[("c", 1200)]);
}

#[test]
fn the_collection_is_dropped_and_another_takes_its_name() {
    let s = Sealing::start();
    s.db.drop_collection("c").unwrap();
    let c = s.db.create_collection("c", l2(1)).unwrap();
    write(&c, 1, 3, 4.0);
    s.go_on();
    assert!(matches!(s.c.len(), Err(Error::CollectionNotFound { .. })));
    s.end(&[("c", 3)]);
}

#[test]
fn the_collection_is_renamed() {
    let s = Sealing::start();
    s.db.rename_collection("c", "d").unwrap();
    write(&s.c, 2000, 1, 4.0);
    s.go_on();
    s.end(&[("d", 1201)]);
}

#[test]
fn others_read_and_are_backed_up() {
    let s = Sealing::start();
    let reading = OpenOptions {
        read_only: true,
        ..threads(1)
    };
    let reader = Database::open_on(s.gate.clone(), &reading).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    s.db.backup(&copy, None).unwrap();
    s.go_on();
    let later = Database::open_on(s.gate.clone(), &reading).unwrap();
    for db in [reader, later, Database::open(&copy).unwrap()] {
        let c = db.collection("c").unwrap();
        assert_eq!((c.len().unwrap(), value(&c, 1199)), (1200, Some(1.0)));
        assert!(db.verify().unwrap().ok);
    }
    s.end(&[("c", 1200)]);
}

#[test]
fn the_database_is_closed_or_dropped() {
    for close in [true, false] {
        let Sealing {
            vfs, db, c, then, ..
        } = Sealing::start();
        let closing = std::thread::spawn(move || match close {
            true => db.close().unwrap(),
            false => drop((db, c)),
        });
        then.send(true).unwrap();
        closing.join().unwrap();
        check(&open(&vfs), &vfs, &[("c", 1200)]);
    }
}

#[test]
fn the_thread_panics() {
    let s = Sealing::start();
    s.then.send(false).unwrap();
    // The thread that takes its place is started by a write that comes when it is gone.
    for turn in 0.. {
        write(&s.c, 0, 1, 2.0);
        if stats(&s.c).0 > 0 {
            break;
        }
        assert!(turn < 60_000, "nobody seals any more");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(value(&s.c, 0), Some(2.0));
    s.db.maintain().unwrap();
    s.end(&[("c", 1200)]);
}
