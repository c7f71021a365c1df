//! Threads that share a log, in every order that a scheduler can think of: with `--cfg shuttle`, by `cargo xtask torture`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proxime_storage::{Durability, Error, Fault, Fill, SimVfs};
use shuttle::thread;

use super::{BATCH, Session};

const THREADS: u64 = 3;
const EACH: u64 = 2;

/// What each was told, by seq.
fn append_from_threads(session: &Session) -> BTreeMap<u64, u64> {
    let told = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for t in 0..THREADS {
            let told = &told;
            scope.spawn(move || {
                for n in t * EACH..(t + 1) * EACH {
                    let written = session
                        .enqueue(n)
                        .and_then(|ticket| session.log.wait(ticket));
                    if let Ok(seq) = written {
                        let before = told.lock().unwrap().insert(seq, n);
                        assert_eq!(before, None, "a seq given twice");
                    }
                }
            });
        }
        scope.spawn(|| {
            for done in [session.log.tick(), session.log.flush()] {
                assert!(
                    done.is_ok() || session.poisoned() || matches!(done, Err(Error::Io { .. }))
                );
            }
        });
        scope.spawn(|| session.store.start_checkpoint().ok());
    });
    told.into_inner().unwrap()
}

fn in_every_order(durability: Durability, fault: Option<Fault>) {
    let name = format!("log, {durability:?}, {fault:?}");
    crate::orders::explore(&name, move || {
        let vfs = SimVfs::new();
        let session = Session::open(Arc::new(vfs.clone()), durability).unwrap();
        if let Some(fault) = fault {
            vfs.inject(vfs.op_count() + crate::orders::choose(12), fault);
        }
        let told = append_from_threads(&session);
        if fault.is_none() {
            assert!(told.keys().copied().eq(1..=THREADS * EACH));
        }
        drop(session);
        vfs.repair();
        let mut disks = vec![vfs.disk()];
        if durability == Durability::Always {
            disks.push(vfs.disk().crash(|_| false, Fill::Nothing));
        }
        for disk in disks {
            let rows = Session::open(Arc::new(disk.mount()), durability)
                .unwrap()
                .rows;
            for (seq, n) in &told {
                assert_eq!(rows.get(*seq as usize - 1), Some(n));
            }
        }
    });
}

#[test]
fn orders_of_appending() {
    for durability in [Durability::Always, BATCH, Durability::Os] {
        in_every_order(durability, None);
    }
}

#[test]
fn orders_of_failing() {
    use std::io::ErrorKind;
    for fault in [
        Fault::Fails(ErrorKind::StorageFull),
        Fault::Fails(ErrorKind::Other),
        Fault::Short,
    ] {
        in_every_order(Durability::Always, Some(fault));
    }
}
