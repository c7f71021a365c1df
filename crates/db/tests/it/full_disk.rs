//! A disk that is full refuses batches, and nothing else: what was acknowledged stays readable, and writing goes on when there is room.
//!
//! Needs a small file system of its own, which `cargo xtask torture` mounts.

use std::fs;
use std::path::Path;

use proxime::{Batch, Collection, Database, ErrorKind, Key};

use crate::support::{given_path, l2, rows};

const DIM: usize = 16;

/// Writes batches of so many rows, each row with the number of its batch, until the disk is full; the number of the one that failed.
fn fill(c: &Collection, mut number: i64, batch_rows: usize) -> i64 {
    loop {
        let ids = (0..batch_rows as i64).map(|i| Key::Int(number * 10_000 + i));
        let vectors = vec![number as f32; batch_rows * DIM];
        match c.upsert(Batch::new(ids.collect(), &rows(&vectors, DIM))) {
            Ok(()) => number += 1,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Io, "{e}");
                return number;
            }
        }
    }
}

fn assert_has(c: &Collection, numbers: std::ops::Range<i64>, batch_rows: usize) {
    for number in numbers.clone() {
        for row in [0, batch_rows as i64 - 1] {
            let record = c.get(&Key::Int(number * 10_000 + row)).unwrap().unwrap();
            assert_eq!(record.vector, [number as f32; DIM]);
        }
    }
    let failed = c.get(&Key::Int(numbers.end * 10_000)).unwrap();
    assert!(failed.is_none(), "nothing of the batch that failed");
}

fn check(disk: &Path, batch_rows: usize) -> i64 {
    let (path, filler) = (disk.join(format!("db-{batch_rows}")), disk.join("filler"));
    fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let db = Database::open(&path).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let full = fill(&c, 1, batch_rows);
    assert_has(&c, 1..full, batch_rows);
    assert_eq!(fill(&c, full, batch_rows), full, "still full");
    assert!(db.verify().unwrap().ok);

    fs::remove_file(&filler).unwrap();
    let full_again = fill(&c, full, batch_rows);
    assert!(full_again > full, "there is room again");
    assert_has(&c, 1..full_again, batch_rows);
    db.close().ok();
    let options = proxime::OpenOptions {
        read_only: true,
        ..Default::default()
    };
    let reader = Database::open_with(&path, &options).unwrap();
    assert_has(&reader.collection("c").unwrap(), 1..full_again, batch_rows);
    fs::remove_dir_all(&path).unwrap();
    full_again
}

#[test]
#[ignore = "needs a small file system"]
fn torture_full_disk() {
    let disk = given_path().unwrap();
    let counts = [1, 50, 1500].map(|batch_rows| (batch_rows, check(&disk, batch_rows)));
    println!(
        "full disk: (rows per batch, batches until it was full) {counts:?}; nothing acknowledged lost, writing went on when there was room"
    );
}
