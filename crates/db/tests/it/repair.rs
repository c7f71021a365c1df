//! A damaged index is built again; nothing else changes.

use std::fs;
use std::path::Path;

use proxime::{Batch, Database, Key, OpenOptions, Value};

use crate::damage::{edit, section};
use crate::support::{int_ids, l2, object, points, rows, upsert};

const DIM: usize = 8;
const N: usize = 1500;

/// Segment 1 with metadata and replaced rows, segment 2 small, segment 3 with a graph in another collection.
fn store(path: &Path) -> String {
    let db = Database::open(path).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let metadata = (0..N).map(|n| object([("n", Value::Int(n as i64))]));
    let data = points(N, DIM);
    c.upsert(Batch::new(int_ids(N), &rows(&data, DIM)).metadata(metadata.collect()))
        .unwrap();
    upsert(&c, int_ids(40), &data[..40 * DIM]);
    let d = db.create_collection("d", l2(DIM)).unwrap();
    upsert(&d, int_ids(N), &data);
    c.digest().unwrap()
}

fn segments(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("seg-"))
        .collect();
    names.sort();
    names
}

#[test]
fn each_derived_section() {
    for (kind, name) in [(2, "CODES"), (3, "CODEBOOK"), (4, "GRAPH")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let digest = store(&path);
        let before = segments(&path);
        let damaged = path.join(&before[0]);
        let (offset, len) = section(&damaged, kind);
        edit(&damaged, |bytes| bytes[offset + len / 2] ^= 0x10);

        let db = Database::open(&path).unwrap();
        let c = db.collection("c").unwrap();
        assert_ne!(c.digest().unwrap(), digest);
        let report = db.rebuild_index(None).unwrap();
        let [rebuilt] = &report.rebuilt[..] else {
            panic!("{report:?}")
        };
        assert_eq!((rebuilt.collection.as_str(), rebuilt.rows), ("c", N));
        assert!(rebuilt.file.ends_with(&before[0]), "{rebuilt:?}");
        assert!(rebuilt.problem.contains(name), "{rebuilt:?}");
        assert_eq!(c.stats().unwrap().damaged_graphs, 0);
        assert_eq!(
            segments(&path)[..1],
            before[1..],
            "the others are the same files"
        );
        let digest = c.digest().unwrap();
        drop((c, db));

        let db = Database::open(&path).unwrap();
        assert!(db.verify_deep().unwrap().ok);
        let c = db.collection("c").unwrap();
        assert_eq!((c.digest().unwrap(), c.len().unwrap()), (digest, N));
        let record = c.get(&Key::Int(1234)).unwrap().unwrap();
        assert_eq!(record.metadata, object([("n", Value::Int(1234))]));
        assert!(
            c.get(&Key::Int(7)).unwrap().unwrap().metadata.is_empty(),
            "replaced stays so"
        );
    }
}

#[test]
fn nothing_to_do_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    store(&path);
    let before = segments(&path);
    let db = Database::open(&path).unwrap();
    let manifest = db.verify().unwrap().manifest;
    assert!(db.rebuild_index(None).unwrap().rebuilt.is_empty());
    assert_eq!(
        (segments(&path), db.verify().unwrap().manifest),
        (before, manifest)
    );
    drop(db);
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let reader = Database::open_with(&path, &options).unwrap();
    assert!(reader.rebuild_index(None).is_err());
}

#[test]
fn codes_that_do_not_belong_to_the_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let path = crate::verify::store_with_wrong_codes(dir.path());
    let db = Database::open(&path).unwrap();
    assert!(!db.verify_deep().unwrap().ok);
    let report = db.rebuild_index(None).unwrap();
    assert!(
        report.rebuilt[0].problem.contains("the code of row 1234"),
        "{report:?}"
    );
    assert!(db.verify_deep().unwrap().ok);
}
