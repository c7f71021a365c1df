//! Many threads share a log: what each was told is there, in the order of seqs, and groups share their syncs.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::thread;

use proxime_storage::{Durability, Error, Fault, Fill, MemVfs, OsVfs, SimVfs, Vfs};

use super::{BATCH, COLLECTION, KIND, Session, payload};
use crate::watched::Watched;

const THREADS: u64 = 4;
const EACH: u64 = 60;

/// Every thread appends its own numbers; what each was told, by seq, and whether it was told of a failure.
fn append_from_threads(session: &Session) -> (BTreeMap<u64, u64>, usize) {
    let told = Mutex::new((BTreeMap::new(), 0));
    thread::scope(|scope| {
        for t in 0..THREADS {
            let told = &told;
            scope.spawn(move || {
                for n in t * EACH..(t + 1) * EACH {
                    let seq = session
                        .enqueue(n)
                        .and_then(|ticket| session.log.wait(ticket));
                    let mut told = told.lock().unwrap();
                    match seq {
                        Ok(seq) => assert_eq!(told.0.insert(seq, n), None, "a seq given twice"),
                        Err(_) => told.1 += 1,
                    }
                }
            });
        }
        scope.spawn(|| {
            for i in 0..EACH {
                let done = if i % 2 == 0 {
                    session.log.tick()
                } else {
                    session.log.flush()
                };
                assert!(done.is_ok() || session.poisoned());
            }
        });
        scope.spawn(|| {
            for _ in 0..3 {
                let cut = session.store.start_checkpoint();
                assert!(cut.is_ok() || session.poisoned());
            }
        });
    });
    told.into_inner().unwrap()
}

#[test]
fn everybody_is_told_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Always, BATCH, Durability::Os] {
        let path = dir
            .path()
            .join(format!("{durability:?}").replace([' ', '{', '}', ':'], ""));
        let os = OsVfs::create(path).unwrap();
        for vfs in [Arc::new(os) as Arc<dyn Vfs>, Arc::new(MemVfs::new())] {
            let session = Session::open(vfs.clone(), durability).unwrap();
            let (told, failures) = append_from_threads(&session);
            assert_eq!((told.len() as u64, failures), (THREADS * EACH, 0));
            session.close().unwrap();
            let session = Session::open(vfs, durability).unwrap();
            assert!(told.keys().copied().eq(1..=THREADS * EACH));
            assert!(told.into_values().eq(session.rows), "in the order of seqs");
        }
    }
}

/// One thread queues, others wait: nobody waits for ever, and whoever comes first writes for all.
#[test]
fn tickets_can_be_waited_for_by_anybody() {
    let vfs = SimVfs::new();
    let session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    let before = vfs.op_count();
    let tickets: Vec<_> = (0..8).map(|n| session.enqueue(n).unwrap()).collect();
    thread::scope(|scope| {
        for ticket in tickets {
            scope.spawn(|| session.log.wait(ticket).unwrap());
        }
    });
    assert_eq!(vfs.ops()[before..], ["write", "sync data"]);
}

/// A failure in the middle of it all: who was told that a frame is there finds it, even without power.
#[test]
fn a_fault_in_the_middle() {
    for fault in [
        Fault::Fails(ErrorKind::StorageFull),
        Fault::Fails(ErrorKind::Other),
        Fault::Short,
        Fault::PowerOff,
    ] {
        for at in [0, 1, 2, 3, 20, 21, 40, 41] {
            let vfs = SimVfs::new();
            let session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
            vfs.inject(vfs.op_count() + at, fault);
            let (told, failures) = append_from_threads(&session);
            drop(session);
            vfs.repair();
            for disk in [vfs.disk(), vfs.disk().crash(|_| false, Fill::Nothing)] {
                let rows = Session::open(Arc::new(disk.mount()), Durability::Always)
                    .unwrap()
                    .rows;
                for (seq, n) in &told {
                    assert_eq!(rows.get(*seq as usize - 1), Some(n), "{fault:?} at {at}");
                }
                assert!(rows.len() <= told.len() + failures);
            }
        }
    }
}

/// Frames queued behind a group that fails are numbered after it: they fail, and their seqs are given again.
#[test]
fn what_is_queued_while_a_write_fails() {
    let vfs = SimVfs::new();
    let watched = Watched::new(Arc::new(vfs.clone()));
    let session = Session::open(Arc::new(watched.clone()), Durability::Always).unwrap();
    let first = session.enqueue(1).unwrap();
    let behind = Arc::new(Mutex::new(None));
    let (log, disk, ticket) = (session.log.clone(), vfs.clone(), Arc::clone(&behind));
    watched.before(move |op, _| {
        let mut ticket = ticket.lock().unwrap();
        if op == "write" && ticket.is_none() {
            *ticket = log.enqueue(KIND, COLLECTION, &[&payload(2)]).ok();
            disk.limit(0);
        }
    });
    session.log.wait(first).unwrap_err();
    watched.before(|_, _| ());
    vfs.repair();
    let behind = behind.lock().unwrap().take().unwrap();
    assert_eq!(behind.seq(), 2);
    session.log.wait(behind).unwrap_err();
    let ticket = session.enqueue(9).unwrap();
    assert_eq!(session.log.wait(ticket).unwrap(), 1);
    drop(session);
    let session = Session::open(Arc::new(vfs), Durability::Always).unwrap();
    assert_eq!(session.rows, [9]);
}

/// A bug of ours must not leave others waiting.
#[test]
fn a_leader_that_panics() {
    let watched = Watched::new(Arc::new(SimVfs::new()));
    let session = Session::open(Arc::new(watched.clone()), Durability::Always).unwrap();
    let tickets: Vec<_> = (1..4).map(|n| session.enqueue(n).unwrap()).collect();
    watched.before(|op, _| assert_ne!(op, "write", "as planned"));
    thread::scope(|scope| {
        let waiters = tickets.into_iter().map(|ticket| {
            let log = &session.log;
            scope.spawn(move || log.wait(ticket))
        });
        let outcomes: Vec<_> = waiters.map(thread::ScopedJoinHandle::join).collect();
        assert_eq!(
            outcomes.iter().filter(|outcome| outcome.is_err()).count(),
            1
        );
        for outcome in outcomes.into_iter().flatten() {
            assert!(matches!(outcome, Err(Error::Poisoned)), "{outcome:?}");
        }
    });
    assert!(session.poisoned());
}

#[test]
fn failures_reach_every_waiter() {
    let vfs = SimVfs::new();
    let session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    vfs.limit(0);
    thread::scope(|scope| {
        for n in 0..8 {
            let session = &session;
            scope.spawn(move || {
                let result = session
                    .enqueue(n)
                    .and_then(|ticket| session.log.wait(ticket));
                assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
            });
        }
    });
    vfs.repair();
    let ticket = session.enqueue(9).unwrap();
    assert_eq!(session.log.wait(ticket).unwrap(), 1);
}
