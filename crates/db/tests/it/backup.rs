//! A backup is the database at one moment, as a database of its own.

use std::ops::ControlFlow;
use std::path::Path;

use proxime::{Database, Error, ErrorKind, OpenOptions, SearchOptions, Stage};

use crate::damage::{edit, section};
use crate::support::{ids, int_ids, l2, points, rows, upsert};

const DIM: usize = 8;
const N: usize = 1500;

fn filled(path: &Path) -> Database {
    let db = Database::open(path).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    upsert(&c, int_ids(N), &points(N, DIM));
    db.create_collection("empty", l2(3)).unwrap();
    db
}

fn digest(db: &Database) -> String {
    db.collection("c").unwrap().digest().unwrap()
}

#[test]
fn there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let [source, backup, restored] = ["db", "backup", "restored"].map(|name| dir.path().join(name));
    let db = filled(&source);
    let before = digest(&db);
    db.backup(&backup, None).unwrap();
    upsert(&db.collection("c").unwrap(), int_ids(20), &points(20, DIM));
    assert_ne!(digest(&db), before);

    Database::restore(&backup, &restored, None).unwrap();
    for path in [&backup, &restored] {
        let copy = Database::open(path).unwrap();
        assert!(copy.verify_deep().unwrap().ok);
        assert_eq!(copy.collections().unwrap(), ["c", "empty"]);
        assert_eq!(digest(&copy), before);
        let c = copy.collection("c").unwrap();
        upsert(&c, int_ids(3), &[0.25; 3 * DIM]);
        let found = c
            .search(rows(&[0.25; DIM], DIM), &SearchOptions::k(3))
            .unwrap();
        assert_eq!(ids(&found, 0), int_ids(3));
    }
}

#[test]
fn by_a_handle_that_only_reads_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(&dir.path().join("db"));
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let reader = Database::open_with(dir.path().join("db"), &options).unwrap();
    // The reader's commit is gone: the backup is of the newest.
    upsert(&db.collection("c").unwrap(), int_ids(20), &points(20, DIM));
    db.drop_collection("empty").unwrap();
    reader.backup(dir.path().join("backup"), None).unwrap();
    let copy = Database::open(dir.path().join("backup")).unwrap();
    assert_eq!(
        (digest(&copy), copy.collections().unwrap()),
        (digest(&db), vec!["c".to_owned()])
    );
}

#[test]
fn of_one_whose_graph_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let [source, backup] = ["db", "backup"].map(|name| dir.path().join(name));
    filled(&source).close().unwrap();
    let file = source.join("seg-0000000000000001.seg");
    let (offset, len) = section(&file, 4);
    edit(&file, |bytes| bytes[offset + len / 2] ^= 0x10);

    let db = Database::open(&source).unwrap();
    db.backup(&backup, None).unwrap();
    let copy = Database::open(&backup).unwrap();
    let c = copy.collection("c").unwrap();
    assert_eq!(
        (c.stats().unwrap().damaged_graphs, c.len().unwrap()),
        (1, N)
    );
    assert!(copy.rebuild_index(None).is_ok() && copy.verify_deep().unwrap().ok);
}

#[test]
fn of_a_database_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (db, c) = crate::support::in_memory(DIM);
    upsert(&c, int_ids(N), &points(N, DIM));
    db.backup(dir.path().join("backup"), None).unwrap();
    assert_eq!(
        digest(&Database::open(dir.path().join("backup")).unwrap()),
        digest(&db)
    );
}

#[test]
fn refusals_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(&dir.path().join("db"));
    let taken = dir.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("file"), "text").unwrap();
    for dest in [&taken, &dir.path().join("db")] {
        let refused = db.backup(dest, None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists, "{refused}");
    }
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);
    let nothing = Database::restore(dir.path().join("nothing"), dir.path().join("new"), None);
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!dir.path().join("new").exists());
    db.close().unwrap();
    assert!(matches!(
        db.backup(dir.path().join("new"), None),
        Err(Error::Closed)
    ));
}

#[test]
fn progress_is_told_and_may_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(&dir.path().join("db"));
    let told = std::sync::Mutex::new(Vec::new());
    let watch = |stage, done, all| {
        assert_eq!(stage, Stage::Copy);
        told.lock().unwrap().push((done, all));
        ControlFlow::Continue(())
    };
    db.backup(dir.path().join("watched"), Some(&watch)).unwrap();
    let told = told.into_inner().unwrap();
    let last = *told.last().unwrap();
    assert!(
        told.is_sorted() && last.0 == last.1 && last.1 > N * DIM * 4,
        "{told:?}"
    );

    let stop = |_, _, _| ControlFlow::Break(());
    let stopped = db.backup(dir.path().join("stopped"), Some(&stop));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    db.backup(dir.path().join("stopped"), None).unwrap();
}
