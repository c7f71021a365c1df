//! What each level promises when all goes well, and the small print of the calls.

use std::sync::Arc;

use proxime_storage::{Access, Durability, Error, MemVfs, OsVfs, Result, SimVfs, Store, Vfs};

use super::{BATCH, COLLECTION, KIND, Session, payload};

fn reopened(vfs: &Arc<dyn Vfs>) -> Session {
    Session::open(vfs.clone(), Durability::Always).unwrap()
}

#[test]
fn what_was_appended_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let os = OsVfs::create(dir.path().join("store")).unwrap();
    for vfs in [Arc::new(os) as Arc<dyn Vfs>, Arc::new(MemVfs::new())] {
        for durability in [Durability::Always, BATCH, Durability::Os] {
            let mut session = Session::open(vfs.clone(), durability).unwrap();
            let mut rows = session.rows.clone();
            for n in 1..10 {
                session.append(n).unwrap();
                rows.push(n);
            }
            session.checkpoint().unwrap();
            session.append(77).unwrap();
            rows.push(77);
            assert!(session.store.verify().is_empty());
            drop(session);
            let session = reopened(&vfs);
            assert_eq!(session.rows, rows);
            assert_eq!(session.report.replayed, 1);
            assert!(!session.report.clean && session.report.torn.is_none());
            session.close().unwrap();
            let session = reopened(&vfs);
            assert_eq!(session.rows, rows);
            assert!(session.report.clean);
        }
    }
}

#[test]
fn one_generation_is_left_after_opening_and_after_a_checkpoint() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let logs = || -> Vec<String> {
        let names = vfs.list().unwrap();
        names
            .into_iter()
            .filter(|name| name.contains("wal"))
            .collect()
    };
    let mut session = reopened(&vfs);
    session.append(1).unwrap();
    assert_eq!(logs(), ["wal-0000000001.log"]);
    drop(session);
    let mut session = reopened(&vfs);
    assert_eq!(logs(), ["wal-0000000002.log"]);
    assert_eq!(session.log.bytes(), 80);
    session.checkpoint().unwrap();
    assert_eq!(logs(), ["wal-0000000003.log"]);
    assert_eq!(session.log.bytes(), 0);
    // Nothing was logged since: nothing to cut.
    session.checkpoint().unwrap();
    assert_eq!(logs(), ["wal-0000000003.log"]);
}

/// Syncs of the log's file.
fn syncs(vfs: &SimVfs) -> usize {
    vfs.ops().iter().filter(|op| **op == "sync data").count()
}

#[test]
fn levels_differ_in_when_they_sync() {
    for (durability, expected) in [(Durability::Always, 4), (BATCH, 1), (Durability::Os, 0)] {
        let vfs = SimVfs::new();
        let mut session = Session::open(Arc::new(vfs.clone()), durability).unwrap();
        for n in 1..5 {
            session.append(n).unwrap();
        }
        assert_eq!(syncs(&vfs), expected, "{durability:?}");
        session.append(5).unwrap();
        session.log.flush().unwrap();
        assert_eq!(session.log.durable_seq(), 5);
        assert_eq!(syncs(&vfs), expected + 1, "{durability:?}");
    }
}

#[test]
fn ticks_sync_then_mark_then_rest() {
    let vfs = SimVfs::new();
    let mut session = Session::open(Arc::new(vfs.clone()), BATCH).unwrap();
    let log = session.log.clone();
    let ops_of_tick = || {
        let before = vfs.op_count();
        log.tick().unwrap();
        vfs.ops()[before..].to_vec()
    };
    assert!(ops_of_tick().is_empty());
    session.append(1).unwrap();
    assert_eq!(ops_of_tick(), ["sync data"]);
    assert_eq!(ops_of_tick(), ["write"]);
    assert_eq!(ops_of_tick(), ["sync data"]);
    assert!(ops_of_tick().is_empty());
}

#[test]
fn a_group_is_one_write_and_one_sync() {
    let vfs = SimVfs::new();
    let session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    let before = vfs.op_count();
    let tickets: Vec<_> = (1..6).map(|n| session.enqueue(n).unwrap()).collect();
    assert_eq!(vfs.op_count(), before, "queueing does no I/O");
    for (ticket, seq) in tickets.into_iter().zip(1..) {
        assert_eq!(ticket.seq(), seq);
        assert_eq!(session.log.wait(ticket).unwrap(), seq);
    }
    assert_eq!(vfs.ops()[before..], ["write", "sync data"]);
}

#[test]
fn a_frame_that_nobody_waits_for_is_written_with_the_next() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let session = reopened(&vfs);
    drop(session.enqueue(1).unwrap());
    session.log.flush().unwrap();
    drop(session);
    assert_eq!(reopened(&vfs).rows, [1]);
}

#[test]
fn queued_frames_are_bounded() {
    let vfs = SimVfs::new();
    let session = Session::open(Arc::new(vfs.clone()), Durability::Os).unwrap();
    let large = vec![0; (64 << 20) - 40];
    let before = vfs.op_count();
    drop(session.log.enqueue(KIND, COLLECTION, &[&large]).unwrap());
    assert_eq!(vfs.op_count(), before);
    drop(session.enqueue(1).unwrap());
    assert_eq!(vfs.ops()[before..], ["write"]);
}

#[test]
fn misuse_is_told() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let misused =
        |result: Result<()>| assert!(matches!(result, Err(Error::Log { .. })), "{result:?}");
    let (mut store, _) = Store::open(vfs.clone(), Access::Create).unwrap();
    misused(store.start_checkpoint().map(drop));
    let (log, _) = store
        .recover(Durability::Always, |_| Ok::<_, Error>(()))
        .unwrap();
    misused(
        store
            .recover(Durability::Always, |_| Ok::<_, Error>(()))
            .map(drop),
    );
    misused(log.append(128, 1, &[]).map(drop));
    misused(log.append(1, 1, &[&vec![0; (64 << 20) - 39]]).map(drop));
    let old = store.start_checkpoint().unwrap();
    log.append(0, 0, &[]).unwrap();
    let new = store.start_checkpoint().unwrap();
    store.commit_checkpoint(new, |_| ()).unwrap();
    misused(store.commit_checkpoint(old, |_| ()));
    store.close().unwrap();
    misused(log.append(1, 1, &[]).map(drop));
    log.flush().unwrap();

    let (mut store, _) = Store::open(vfs, Access::Read).unwrap();
    let refused = store.recover(Durability::Always, |_| Ok::<_, Error>(()));
    assert!(matches!(refused, Err(Error::ReadOnly)));
}

#[test]
fn an_upper_layer_that_refuses_a_frame_changes_nothing() {
    let vfs = SimVfs::new();
    let mut session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    session.append(1).unwrap();
    session.append(2).unwrap();
    drop(session);
    let (mut store, _) = Store::open(Arc::new(vfs.clone()), Access::Write).unwrap();
    let before = vfs.op_count();
    let refused = store.recover(Durability::Always, |frame| match frame.seq {
        1 => Ok(()),
        _ => Err(Error::ReadOnly),
    });
    assert!(matches!(refused, Err(Error::ReadOnly)));
    assert_eq!(vfs.op_count(), before);
    drop(store);
    assert_eq!(reopened(&(Arc::new(vfs) as Arc<dyn Vfs>)).rows, [1, 2]);
}

#[test]
fn commits_of_segments_leave_the_log_alone() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut session = reopened(&vfs);
    session.append(1).unwrap();
    let meddle = |manifest: &mut proxime_storage::Manifest| {
        (
            manifest.wal_first_gen,
            manifest.last_seq,
            manifest.durable_seq,
        ) = (9, 9, 9);
    };
    session.store.commit(meddle).unwrap();
    let manifest = session.store.manifest();
    assert_eq!(
        (
            manifest.wal_first_gen,
            manifest.last_seq,
            manifest.durable_seq
        ),
        (1, 0, 1)
    );
    assert_eq!(
        session.store.commit(|m| m.collections.clear()).ok(),
        Some(())
    );
    drop(session);
    assert_eq!(reopened(&vfs).rows, [1]);
}

#[test]
fn a_manifest_that_could_not_be_read_is_not_written() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut session = reopened(&vfs);
    let twice = |manifest: &mut proxime_storage::Manifest| {
        for id in [1, 2] {
            let collection = proxime_storage::Collection::new(id, "same", 0.into());
            manifest.collections.push(collection);
        }
    };
    assert!(matches!(
        session.store.commit(twice),
        Err(Error::Io { op: "encode", .. })
    ));
    session.append(1).unwrap();
    session.close().unwrap();
    assert_eq!(reopened(&vfs).rows, [1]);
}

#[test]
fn payloads_of_the_tests_differ_in_size() {
    let sizes: std::collections::BTreeSet<usize> = (0..5).map(|n| payload(n).len()).collect();
    assert!(sizes.len() == 5 && sizes.last() > Some(&512));
}
