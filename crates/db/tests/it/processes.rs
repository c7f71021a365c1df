//! One process writes and many read; what is left of processes that are gone; media and directories that cannot be written to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use proxime::{Batch, Database, ErrorKind, Key, OpenOptions, SearchOptions, Verify};

use crate::support::{
    SmallDisk, another_process, by_nobody, given_path, ids, int_ids, l2, points, rows, upsert,
};

const READERS: usize = 3;
const BATCHES: i64 = 60;
const BATCH_ROWS: usize = 40;

fn reading(verify: Verify) -> OpenOptions {
    OpenOptions {
        read_only: true,
        create: false,
        verify,
        threads: Some(1),
        ..OpenOptions::default()
    }
}

/// Batches that replace one another, large and small, so that there are frames, seals and merges to be met in the middle.
#[test]
fn readers_in_other_processes_see_whole_batches_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let c = db.create_collection("c", l2(2)).unwrap();
    let reader = || {
        another_process("processes::child_reads", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let readers: Vec<_> = (0..READERS).map(|_| reader()).collect();
    for number in 0..BATCHES {
        let batch_rows = match number % 20 {
            19 => 1200,
            _ => BATCH_ROWS,
        };
        let vectors = vec![number as f32; 2 * batch_rows];
        upsert(&c, int_ids(batch_rows), &vectors);
    }
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(text.contains("to the last"), "{text}");
    }
}

/// Another process; does nothing unless started by the test above.
#[test]
#[ignore = "started by readers_in_other_processes_see_whole_batches_only"]
fn child_reads() {
    let Some(path) = given_path() else { return };
    let first = int_ids(BATCH_ROWS);
    let (mut last, mut turn) = (-1.0, 0);
    while last < (BATCHES - 1) as f32 {
        turn += 1;
        let verify = if turn % 2 == 0 {
            Verify::Lazy
        } else {
            Verify::Full
        };
        let db = Database::open_with(&path, &reading(verify)).unwrap();
        let records = db.collection("c").unwrap().get_many(&first).unwrap();
        let mut numbers: Vec<f32> = records.iter().flatten().map(|r| r.vector[0]).collect();
        numbers.dedup();
        assert!(numbers.len() <= 1, "halves of batches: {numbers:?}");
        let number = numbers.first().copied().unwrap_or(-1.0);
        assert!(number >= last, "{number} after {last}");
        last = number;
    }
    println!("{turn} times, to the last");
}

/// The lock is the system's, on the file; what is written there is only for telling who has it.
#[test]
fn a_lock_file_that_names_a_living_process_but_is_not_locked_keeps_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    Database::open(&path).unwrap().close().unwrap();
    let lock = path.join("LOCK");
    for left in [
        format!("{} somewhere", std::process::id()),
        "1 here".into(),
        "\0\0".into(),
    ] {
        fs::write(&lock, &left).unwrap();
        let db = Database::open(&path).unwrap();
        assert_ne!(fs::read_to_string(&lock).unwrap(), left);
        let error = Database::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        db.close().unwrap();
    }
}

/// A store with a segment and rows in the log, closed.
fn store_of_1300(path: &Path) {
    let data = points(1300, 8);
    let db = Database::open(path).unwrap();
    let c = db.create_collection("c", l2(8)).unwrap();
    upsert(&c, int_ids(1200), &data[..1200 * 8]);
    let in_log = (1200..1300).map(Key::Int).collect();
    c.upsert(Batch::new(in_log, &rows(&data[1200 * 8..], 8)))
        .unwrap();
    db.close().unwrap();
}

/// It is read, verified and backed up; who wants to write is told that the file system says no.
fn check_reading_only(path: &Path) {
    let data = points(1300, 8);
    for verify in [Verify::Full, Verify::Lazy] {
        let db = Database::open_with(path, &reading(verify)).unwrap();
        let c = db.collection("c").unwrap();
        assert_eq!(c.len().unwrap(), 1300);
        for row in [0, 1250] {
            let query = rows(&data[row * 8..][..8], 8);
            let hits = c.search(query, &SearchOptions::k(1)).unwrap();
            assert_eq!(ids(&hits, 0), [Key::Int(row as i64)]);
        }
        assert!(db.verify().unwrap().ok);
        let elsewhere = tempfile::tempdir().unwrap();
        db.backup(elsewhere.path().join("copy"), None).unwrap();
        let copy = Database::open(elsewhere.path().join("copy")).unwrap();
        assert_eq!(copy.collection("c").unwrap().len().unwrap(), 1300);
    }
    let error = Database::open(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("db"), "{error}");
}

#[test]
fn a_medium_that_nobody_can_write_to_is_read() {
    let Some(disk) = SmallDisk::mount(8) else {
        return;
    };
    let path = disk.path().join("db");
    store_of_1300(&path);
    disk.make_read_only();
    check_reading_only(&path);
}

/// Another user than its owner, who may read and not write: neither the files nor the directory.
#[test]
fn a_directory_that_one_may_not_write_to_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(dir.path(), 0o755);
    let path = dir.path().join("db");
    store_of_1300(&path);
    for file in fs::read_dir(&path).unwrap() {
        allow(&file.unwrap().path(), 0o444);
    }
    allow(&path, 0o555);
    let before = listed(&path);
    let Some(mut child) = by_nobody("processes::child_reads_only", &path, dir.path()) else {
        return;
    };
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("all is there"), "{text}");
    assert_eq!(listed(&path), before);
    // So that it can be removed again by whoever is not root.
    allow(&path, 0o755);
}

fn listed(path: &Path) -> Vec<(String, u64)> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let bytes = entry.metadata().unwrap().len();
        (entry.file_name().into_string().unwrap(), bytes)
    };
    let mut all: Vec<_> = fs::read_dir(path).unwrap().map(entry).collect();
    all.sort();
    all
}

/// Another process; does nothing unless started by the test above.
#[test]
#[ignore = "started by a_directory_that_one_may_not_write_to_is_read"]
fn child_reads_only() {
    let Some(path) = given_path() else { return };
    let written = fs::write(path.join("x"), []).unwrap_err();
    assert_eq!(written.kind(), std::io::ErrorKind::PermissionDenied);
    check_reading_only(&path);
    println!("all is there");
}
