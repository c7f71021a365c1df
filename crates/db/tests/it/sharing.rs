//! One writer, many readers: locks, snapshots, closing.

use std::process::id;

use proxime::{Batch, Database, Error, ErrorKind, Key, OpenOptions, SearchOptions};

use crate::support::{
    given_path, ids, in_another_process, in_memory, int_ids, l2, points, rows, threads, upsert,
};

const READ: OpenOptions = OpenOptions {
    threads: None,
    read_only: true,
    create: false,
    durability: proxime::Durability::Always,
    verify: proxime::Verify::Full,
};

#[test]
fn a_second_writer_learns_at_once_who_is_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let first = Database::open(&path).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(
        error
            .to_string()
            .contains(&format!("open for writing by process {}", id())),
        "{error}"
    );

    let output = in_another_process("sharing::child_opens", dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!("open for writing by process {}", id())),
        "{text}"
    );

    first.close().unwrap();
    let output = in_another_process("sharing::child_opens", dir.path());
    assert!(String::from_utf8(output.stdout).unwrap().contains("opened"));
}

/// The other process; does nothing unless started by the test above.
#[test]
#[ignore = "started by a_second_writer_learns_at_once_who_is_first"]
fn child_opens() {
    let Some(path) = given_path() else { return };
    match Database::open(path.join("db")) {
        Ok(_) => println!("opened"),
        Err(e) => println!("{e}"),
    }
}

#[test]
fn a_reader_sees_the_commit_it_opened_and_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let writer = Database::open(&path).unwrap();
    let c = writer.create_collection("c", l2(1)).unwrap();
    upsert(&c, int_ids(2), &[1.0, 2.0]);
    let reader = Database::open_with(&path, &READ).unwrap();
    assert!(reader.read_only() && !writer.read_only());
    upsert(&c, int_ids(3), &[5.0, 6.0, 7.0]);
    let old = reader.collection("c").unwrap();
    assert_eq!(old.len().unwrap(), 2);
    assert_eq!(old.get(&Key::Int(0)).unwrap().unwrap().vector, [1.0]);
    assert_eq!(
        Database::open_with(&path, &READ)
            .unwrap()
            .collection("c")
            .unwrap()
            .len()
            .unwrap(),
        3
    );
    assert!(reader.verify().unwrap().ok);

    assert!(matches!(
        reader.create_collection("d", l2(1)),
        Err(Error::ReadOnly)
    ));
    let source = rows(&[1.0], 1);
    assert!(matches!(
        old.upsert(Batch::new(int_ids(1), &source)),
        Err(Error::ReadOnly)
    ));
}

#[test]
fn closing_closes_every_clone_and_frees_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let clone = db.clone();
    let c = db.create_collection("c", l2(1)).unwrap();
    upsert(&c, int_ids(1), &[1.0]);
    let results = c
        .search(rows(&[1.0], 1), &SearchOptions::default())
        .unwrap();
    clone.close().unwrap();
    db.close().unwrap();
    assert!(matches!(db.collections(), Err(Error::Closed)));
    assert!(matches!(db.verify(), Err(Error::Closed)));
    assert!(matches!(c.len(), Err(Error::Closed)));
    assert!(matches!(
        c.search(rows(&[1.0], 1), &SearchOptions::default()),
        Err(Error::Closed)
    ));
    assert!(matches!(
        c.add(Batch::new(vec![], &rows(&[], 1))),
        Err(Error::Closed)
    ));
    assert_eq!((ids(&results, 0), c.name()), (int_ids(1), "c"));
    Database::open(&path).unwrap();
}

#[test]
fn searches_go_on_while_batches_are_written() {
    let db = Database::in_memory_with(&threads(2)).unwrap();
    let c = db.create_collection("c", l2(4)).unwrap();
    let data = points(1200, 4);
    upsert(&c, int_ids(300), &data[..1200]);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut lens = Vec::new();
                    while lens.last() != Some(&1200) {
                        let results = c
                            .search(rows(&data[..4], 4), &SearchOptions::k(2000))
                            .unwrap();
                        lens.push(results.hits(0).len());
                        assert_eq!(ids(&results, 0)[0], Key::Int(0));
                    }
                    lens.dedup();
                    lens
                })
            })
            .collect();
        for batch in 1..4 {
            let ids = (batch * 300..(batch + 1) * 300)
                .map(|id| Key::Int(id as i64))
                .collect();
            upsert(&c, ids, &data[batch * 1200..][..1200]);
        }
        for reader in readers {
            let lens = reader.join().unwrap();
            assert!(
                lens.iter().all(|len| [300, 600, 900, 1200].contains(len)) && lens.is_sorted(),
                "{lens:?}"
            );
        }
    });
    assert!(in_memory(1).0.verify().unwrap().ok);
}
