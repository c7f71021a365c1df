//! A dropped collection is gone, from memory and from the disk, but not from the hands of those who found something in it.

use std::sync::Arc;

use proxime::{Batch, Database, Error, Key, OpenOptions, SearchOptions, SimVfs, Verify};

use crate::support::{ids, in_memory, int_ids, l2, points, rows, threads, upsert};

#[test]
fn its_name_and_its_files_are_free() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let files = || std::fs::read_dir(&path).unwrap().count();
    let db = Database::open(&path).unwrap();
    let kept = db.create_collection("kept", l2(2)).unwrap();
    upsert(&kept, int_ids(3), &points(3, 2));
    let before = files();
    let gone = db.create_collection("gone", l2(4)).unwrap();
    upsert(&gone, int_ids(1500), &points(1500, 4));
    upsert(&gone, int_ids(5), &points(5, 4));
    assert!(files() > before);

    db.drop_collection("gone").unwrap();
    assert_eq!(files(), before);
    assert_eq!(db.collections().unwrap(), ["kept"]);
    let again = db.create_collection("gone", l2(7)).unwrap();
    assert!(again.is_empty().unwrap());
    db.close().unwrap();

    let db = Database::open(&path).unwrap();
    assert_eq!(db.collections().unwrap(), ["kept", "gone"]);
    assert_eq!(db.collection("kept").unwrap().len().unwrap(), 3);
    assert_eq!(db.collection("gone").unwrap().config().dim, 7);
    assert!(db.verify().unwrap().ok);
}

#[test]
fn old_handles_see_it_gone_and_old_results_stay() {
    let (db, c) = in_memory(1);
    upsert(&c, int_ids(3), &[1.0, 2.0, 3.0]);
    let found = c.search(rows(&[0.0], 1), &SearchOptions::k(2)).unwrap();
    db.drop_collection("c").unwrap();
    db.create_collection("c", l2(1)).unwrap();

    let is_gone =
        |error: &Error| matches!(error, Error::CollectionNotFound { name, .. } if name == "c");
    assert!(is_gone(&c.len().unwrap_err()));
    let one = rows(&[1.0], 1);
    let error = c.upsert(Batch::new(int_ids(1), &one)).unwrap_err();
    assert!(is_gone(&error), "not written into its namesake");
    assert_eq!(ids(&found, 0), [Key::Int(0), Key::Int(1)]);
}

#[test]
fn what_is_not_there_or_not_writable_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    db.create_collection("c", l2(1)).unwrap();
    let error = db.drop_collection("d").unwrap_err();
    assert!(matches!(error, Error::CollectionNotFound { name, .. } if name == "d"));
    db.close().unwrap();
    assert!(matches!(db.drop_collection("c"), Err(Error::Closed)));

    let read_only = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let reader = Database::open_with(&path, &read_only).unwrap();
    assert!(matches!(reader.drop_collection("c"), Err(Error::ReadOnly)));
    assert_eq!(reader.collections().unwrap(), ["c"]);
}

#[test]
fn renamed() {
    let vfs = Arc::new(SimVfs::new());
    let lazily = OpenOptions {
        verify: Verify::Lazy,
        ..threads(1)
    };
    let db = Database::open_on(vfs.clone(), &lazily).unwrap();
    let c = db.create_collection("old", l2(2)).unwrap();
    db.create_collection("taken", l2(2)).unwrap();
    upsert(&c, int_ids(3), &points(3, 2));
    for name in ["taken", "old"] {
        let refused = db.rename_collection("old", name);
        assert!(matches!(refused, Err(Error::CollectionExists { name: n }) if n == name));
    }
    assert!(matches!(
        db.rename_collection("none", "x"),
        Err(Error::CollectionNotFound { .. })
    ));
    assert!(matches!(
        db.rename_collection("old", ""),
        Err(Error::Name { .. })
    ));
    db.rename_collection("old", "new").unwrap();
    upsert(&c, vec![Key::Int(9)], &[1.0, 1.0]);
    assert_eq!(db.collections().unwrap(), ["new", "taken"]);
    drop((db, c));
    // Renamed once more before it is read, with rows in the log.
    let db = Database::open_on(vfs.clone(), &lazily).unwrap();
    db.rename_collection("new", "newest").unwrap();
    assert_eq!(db.collection("newest").unwrap().len().unwrap(), 4);
    assert!(db.collection("new").is_err() && db.collection("old").is_err());
    drop(db);
    let db = Database::open_on(vfs, &lazily).unwrap();
    assert_eq!(db.collection("newest").unwrap().len().unwrap(), 4);
    assert!(db.verify().unwrap().ok);
}
