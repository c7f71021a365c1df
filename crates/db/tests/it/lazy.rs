//! A store that is opened lazily: nothing is read before it is needed, and nothing damaged is ever made use of.

use std::path::{Path, PathBuf};

use proxime::{
    Batch, Collection, Database, ErrorKind, Key, OpenOptions, SearchOptions, Value, Verify, field,
};

use crate::damage::{edit, section};
use crate::support::{ids, int_ids, l2, object, points, rows};

const DIM: usize = 8;
const N: usize = 1500;
/// Rows whose vectors are in one block.
const ROWS_PER_BLOCK: usize = 4096 / (4 * DIM);

/// Two collections, the first with a graph and metadata; the first one's segment.
fn store(dir: &Path) -> PathBuf {
    let db = Database::open(dir.join("db")).unwrap();
    let metadata = (0..N as i64).map(|n| object([("n", Value::Int(n))]));
    let data = points(N, DIM);
    let c = db.create_collection("c", l2(DIM)).unwrap();
    c.upsert(Batch::new(int_ids(N), &rows(&data, DIM)).metadata(metadata.collect()))
        .unwrap();
    let other = db.create_collection("other", l2(1)).unwrap();
    other
        .upsert(Batch::new(int_ids(1), &rows(&[1.0], 1)))
        .unwrap();
    dir.join("db/seg-0000000000000001.seg")
}

fn open(dir: &Path, read_only: bool) -> Database {
    let options = OpenOptions {
        verify: Verify::Lazy,
        read_only,
        create: false,
        ..OpenOptions::default()
    };
    Database::open_with(dir.join("db"), &options).unwrap()
}

fn flip(segment: &Path, kind: u32, at: usize) {
    let (offset, _) = section(segment, kind);
    edit(segment, |bytes| bytes[offset + at] ^= 1);
}

fn row(number: usize) -> Vec<f32> {
    points(N, DIM)[number * DIM..][..DIM].to_vec()
}

fn nearest(c: &Collection, number: usize, exact: bool) -> proxime::Result<Vec<Key>> {
    let options = SearchOptions {
        exact,
        ..SearchOptions::k(1)
    };
    Ok(ids(&c.search(rows(&row(number), DIM), &options)?, 0))
}

#[test]
fn answers_as_any_other() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    for read_only in [true, false] {
        let db = open(dir.path(), read_only);
        assert_eq!(db.collections().unwrap(), ["c", "other"]);
        let c = db.collection("c").unwrap();
        for number in [0, 777, N - 1] {
            let key = Key::Int(number as i64);
            let found = nearest(&c, number, false).unwrap();
            assert_eq!(found, std::slice::from_ref(&key));
            let record = c.get(&key).unwrap().unwrap();
            assert_eq!(record.vector, row(number));
            assert_eq!(record.metadata["n"], Value::Int(number as i64));
        }
        assert_eq!(c.count(&field("n").lt(10_i64)).unwrap(), 10);
        assert_eq!(c.stats().unwrap().graph.graphs, 1);
        assert!(db.verify_deep().unwrap().ok);
    }
    let digest = |db: Database| db.collection("c").unwrap().digest().unwrap();
    assert_eq!(
        digest(open(dir.path(), true)),
        digest(Database::open(dir.path().join("db")).unwrap())
    );
}

/// Written to, with rows in the log and a merge, it is what it would have been.
#[test]
fn is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    for lives in 0..3 {
        let db = open(dir.path(), false);
        let c = db.collection("c").unwrap();
        assert_eq!(
            c.delete(&[Key::Int(lives), Key::Int(9000 + lives - 1)])
                .unwrap(),
            1 + usize::from(lives > 0)
        );
        c.upsert(Batch::new(
            vec![Key::Int(9000 + lives)],
            &rows(&row(0), DIM),
        ))
        .unwrap();
        assert_eq!(c.len().unwrap(), N - lives as usize);
    }
    let db = open(dir.path(), false);
    let c = db.collection("c").unwrap();
    c.compact(None).unwrap();
    assert_eq!(c.len().unwrap(), N - 2);
    assert!(c.get(&Key::Int(2)).unwrap().is_none() && c.get(&Key::Int(9002)).unwrap().is_some());
    assert!(db.verify_deep().unwrap().ok);
}

#[test]
fn a_damaged_vector_is_an_error_for_whoever_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    flip(&segment, 1, 4 * DIM * 700);
    for read_only in [true, false] {
        let db = open(dir.path(), read_only);
        let c = db.collection("c").unwrap();
        let block = 700 / ROWS_PER_BLOCK * ROWS_PER_BLOCK;
        for number in [block, 700, block + ROWS_PER_BLOCK - 1] {
            for _ in 0..2 {
                let error = c.get(&Key::Int(number as i64)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
                assert!(error.to_string().contains("VEC block"), "{error}");
            }
        }
        for number in [block - 1, block + ROWS_PER_BLOCK] {
            assert_eq!(
                c.get(&Key::Int(number as i64)).unwrap().unwrap().vector,
                row(number)
            );
        }
        for exact in [false, true] {
            assert_eq!(
                nearest(&c, 700, exact).unwrap_err().kind(),
                ErrorKind::Damaged
            );
        }
        // A search of this width does not look at the nearest a second time.
        let options = SearchOptions {
            ef: Some(64),
            ..SearchOptions::k(1)
        };
        let found = c.search(rows(&row(700), DIM), &options);
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(c.digest().unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(db.collection("other").unwrap().len().unwrap(), 1);
        assert!(!db.verify().unwrap().ok);
    }
}

#[test]
fn damaged_metadata_is_an_error_for_whoever_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    let (_, len) = section(&segment, 6);
    for (at, whose) in [(8 * 600, 600), (len - 1, N - 1)] {
        flip(&segment, 6, at);
        let db = open(dir.path(), true);
        let c = db.collection("c").unwrap();
        assert_eq!(
            c.get(&Key::Int(whose as i64)).unwrap_err().kind(),
            ErrorKind::Damaged
        );
        assert!(c.get(&Key::Int(1)).unwrap().is_some());
        assert_eq!(nearest(&c, whose, false).unwrap(), [Key::Int(whose as i64)]);
        let error = c.count(&field("n").lt(10_i64)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "an index reads all of it");
        flip(&segment, 6, at);
    }
}

#[test]
fn a_damaged_index_is_found_at_the_first_search_and_done_without() {
    for kind in [2, 3, 4] {
        let dir = tempfile::tempdir().unwrap();
        let segment = store(dir.path());
        flip(&segment, kind, 40);
        let db = open(dir.path(), false);
        let c = db.collection("c").unwrap();
        for number in [3, 1200] {
            assert_eq!(
                nearest(&c, number, false).unwrap(),
                [Key::Int(number as i64)]
            );
        }
        assert_eq!(c.stats().unwrap().damaged_graphs, 1);
        assert_eq!(db.rebuild_index(None).unwrap().rebuilt.len(), 1);
        assert_eq!(c.stats().unwrap().damaged_graphs, 0);
    }
}

/// Ids belong to the collection: it cannot be used without, the others can.
#[test]
fn damaged_ids_are_found_when_the_collection_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    flip(&segment, 5, 100);
    let db = open(dir.path(), false);
    let c = db.collection("c").unwrap();
    for _ in 0..2 {
        assert_eq!(c.len().unwrap_err().kind(), ErrorKind::Damaged);
        let written = c.upsert(Batch::new(int_ids(1), &rows(&row(0), DIM)));
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Damaged);
    }
    let other = db.collection("other").unwrap();
    other
        .upsert(Batch::new(int_ids(2), &rows(&[1.0, 2.0], 1)))
        .unwrap();
    assert_eq!(other.len().unwrap(), 2);
}

/// Structure is checked at once, lazily or not.
#[test]
fn a_file_that_is_not_the_one_named_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    edit(&segment, |bytes| bytes.truncate(bytes.len() - 1));
    let options = OpenOptions {
        verify: Verify::Lazy,
        ..OpenOptions::default()
    };
    let error = Database::open_with(dir.path().join("db"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
}
