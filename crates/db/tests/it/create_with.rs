//! A collection created with its first records is there with them, or not at all.

use std::ops::ControlFlow;

use proxime::{Batch, Database, Error, Key, SearchOptions};

use crate::support::{ids, int_ids, l2, points, rows};

#[test]
fn both_in_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    // The first write names the log: that is a commit, too.
    db.create_collection_with("log", l2(1), Batch::new(int_ids(1), &rows(&[1.0], 1)))
        .unwrap();
    let before = db.verify().unwrap().manifest;
    let data = points(1_200, 4);
    let batch = rows(&data, 4);
    let c = db
        .create_collection_with("c", l2(4), Batch::new(int_ids(1_200), &batch))
        .unwrap();
    assert_eq!(c.len().unwrap(), 1_200);
    assert_eq!(db.verify().unwrap().manifest, before + 1);
    let digest = c.digest().unwrap();
    db.close().unwrap();

    let db = Database::open(&path).unwrap();
    let c = db.collection("c").unwrap();
    assert_eq!(c.digest().unwrap(), digest);
    let found = c.search(rows(&data[..4], 4), &SearchOptions::k(1)).unwrap();
    assert_eq!(ids(&found, 0), [Key::Int(0)]);
    assert!(db.verify().unwrap().ok);
}

#[test]
fn or_neither() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let files = || std::fs::read_dir(&path).unwrap().count();
    let db = Database::open(&path).unwrap();
    let before = files();
    let mut data = points(1_200, 4);
    data[4_777] = f32::NAN;
    let bad = rows(&data, 4);
    let batch = || Batch::new(int_ids(1_200), &bad);
    let error = db.create_collection_with("c", l2(4), batch()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotFinite {
                row: 1_194,
                column: 1,
                ..
            }
        ),
        "{error}"
    );
    let error = db.create_collection_with("c", l2(5), batch()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Dimension {
                expected: 5,
                got: 4,
                ..
            }
        ),
        "{error}"
    );
    let data = points(1_200, 4);
    let good = rows(&data, 4);
    let stop = |_, _, _| ControlFlow::Break(());
    let stopped = Batch::new(int_ids(1_200), &good).progress(&stop);
    let error = db.create_collection_with("c", l2(4), stopped).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert!(db.collections().unwrap().is_empty());
    assert_eq!(files(), before);

    db.create_collection("c", l2(4)).unwrap();
    let error = db.create_collection_with("c", l2(4), batch()).unwrap_err();
    assert!(matches!(error, Error::CollectionExists { .. }), "{error}");
}
