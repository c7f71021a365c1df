//! A disk that is full refuses what needs room, and nothing else: what was acknowledged stays readable, here and for whoever opens
//! the store, and everything goes on when there is room. On a real file system of a few megabytes, where one can be mounted.

use std::fs;
use std::ops::Range;
use std::path::Path;

use proxime::{Batch, Collection, Database, ErrorKind, Key, OpenOptions};

use crate::support::{SmallDisk, l2, rows};

const DIM: usize = 64;
const DISK_MIB: usize = 8;

/// Takes room that can be given back.
struct Filler<'a>(&'a Path);

impl Filler<'_> {
    fn take(&self, mib: usize) {
        fs::write(self.0.join("filler"), vec![1; mib << 20]).unwrap();
    }

    /// All that is left, to the last byte.
    fn take_the_rest(&self) {
        fs::write(self.0.join("rest"), vec![1; DISK_MIB << 20]).unwrap_err();
    }

    fn give_back(&self) {
        for name in ["filler", "rest"] {
            fs::remove_file(self.0.join(name)).unwrap();
        }
    }
}

/// Writes batches of so many rows, each row with the number of its batch, until the disk is full; the number of the one that failed.
fn fill(c: &Collection, mut number: i64, batch_rows: i64) -> i64 {
    loop {
        let ids = (0..batch_rows).map(|i| Key::Int(number * 10_000 + i));
        let vectors = vec![number as f32; batch_rows as usize * DIM];
        match c.upsert(Batch::new(ids.collect(), &rows(&vectors, DIM))) {
            Ok(()) => number += 1,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Io, "{e}");
                return number;
            }
        }
    }
}

fn assert_has(db: &Database, numbers: Range<i64>, batch_rows: i64) {
    let c = db.collection("c").unwrap();
    assert_eq!(
        c.len().unwrap() as i64,
        (numbers.end - numbers.start) * batch_rows
    );
    for number in numbers {
        for row in [0, batch_rows - 1] {
            let record = c.get(&Key::Int(number * 10_000 + row)).unwrap().unwrap();
            assert_eq!(record.vector, [number as f32; DIM]);
        }
    }
}

fn open(path: &Path, read_only: bool) -> proxime::Result<Database> {
    let options = OpenOptions {
        read_only,
        ..OpenOptions::default()
    };
    Database::open_with(path, &options)
}

/// What is done without room either works or fails as it should.
fn allow_full(outcome: proxime::Result<()>) {
    if let Err(e) = outcome {
        assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    }
}

/// By such batches; some are kept in the log, some sealed in the background, some are segments of their own.
fn check(batch_rows: i64) {
    let Some(disk) = SmallDisk::mount(DISK_MIB) else {
        return;
    };
    let (path, filler) = (disk.path().join("db"), Filler(disk.path()));
    filler.take(6);
    let db = Database::open(&path).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let full = fill(&c, 1, batch_rows);
    filler.take_the_rest();
    assert!(full > 2);
    assert_has(&db, 1..full, batch_rows);
    allow_full(c.compact(None));
    assert_has(&db, 1..full, batch_rows);
    assert!(db.verify().unwrap().ok);
    assert_has(&open(&path, true).unwrap(), 1..full, batch_rows);
    allow_full(db.close());
    assert_has(&open(&path, true).unwrap(), 1..full, batch_rows);
    allow_full(open(&path, false).map(drop));

    filler.give_back();
    let db = open(&path, false).unwrap();
    assert_has(&db, 1..full, batch_rows);
    let c = db.collection("c").unwrap();
    c.compact(None).unwrap();
    let full_again = fill(&c, full, batch_rows);
    assert!(full_again > full, "there is room again");
    assert_has(&db, 1..full_again, batch_rows);
    assert!(db.verify().unwrap().ok);
    allow_full(db.close());
    assert_has(&open(&path, true).unwrap(), 1..full_again, batch_rows);
}

#[test]
fn batches_of_a_few_rows() {
    check(7);
}

#[test]
fn batches_that_are_segments() {
    check(1500);
}

#[test]
fn a_handle_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(DISK_MIB) else {
        return;
    };
    let filler = Filler(disk.path());
    filler.take(6);
    let db = Database::open(disk.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let full = fill(&c, 1, 100);
    filler.take_the_rest();
    assert_has(&db, 1..full, 100);
    filler.give_back();
    let full_again = fill(&c, full, 100);
    assert!(full_again > full);
    assert_has(&db, 1..full_again, 100);
}

#[test]
fn a_backup_that_does_not_fit() {
    let Some(disk) = SmallDisk::mount(DISK_MIB) else {
        return;
    };
    let (dir, filler) = (tempfile::tempdir().unwrap(), Filler(disk.path()));
    let db = Database::open(dir.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let vectors = vec![1.0; 8000 * DIM];
    let ids = (0..8000).map(|i| Key::Int(10_000 + i)).collect();
    c.upsert(Batch::new(ids, &rows(&vectors, DIM))).unwrap();
    filler.take(6);
    let copy = disk.path().join("copy");
    let error = db.backup(&copy, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(open(&copy, true).is_err(), "what is cut short is no store");
    assert_has(&db, 1..2, 8000);

    filler.take_the_rest();
    filler.give_back();
    db.backup(&copy, None).unwrap();
    assert_has(&open(&copy, true).unwrap(), 1..2, 8000);
}
