//! Any single operation may fail, the disk may be full, and the log goes on, or stops until it is opened again; never in between.

use std::io::ErrorKind;
use std::sync::Arc;

use proxime_storage::{Durability, Error, Fault, Fill, SimVfs};

use super::crash::Campaign;
use super::{BATCH, Script, Session, Step};

/// At an operation, and at the one after it.
pub(super) const FAULTS: [(Fault, Option<Fault>); 7] = [
    (Fault::Short, Some(Fault::Fails(ErrorKind::StorageFull))),
    (Fault::Fails(ErrorKind::Other), None),
    (Fault::Fails(ErrorKind::StorageFull), None),
    (Fault::Fails(ErrorKind::Interrupted), None),
    (Fault::Short, None),
    (
        Fault::Fails(ErrorKind::StorageFull),
        Some(Fault::Fails(ErrorKind::Other)),
    ),
    (Fault::PowerOff, None),
];

const STEPS: &[Step] = &[
    Step::Append,
    Step::Group(3),
    Step::Tick,
    Step::Checkpoint,
    Step::Append,
    Step::Flush,
    Step::Kill,
    Step::Append,
    Step::Reopen,
];

fn open(vfs: &SimVfs) -> Session {
    Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap()
}

/// Runs the steps once per operation, with a fault there and a crash at every operation from there on.
pub(super) fn anywhere(
    campaign: &mut Campaign,
    durability: Durability,
    (first, second): (Fault, Option<Fault>),
) {
    for at in 0.. {
        let vfs = SimVfs::new();
        vfs.record();
        vfs.inject(at, first);
        if let Some(second) = second {
            vfs.inject(at + 1, second);
        }
        let script = Script::run(campaign.mount(&vfs), &vfs, durability, STEPS);
        if vfs.op_count() <= at {
            break;
        }
        campaign.check_script(&vfs, &script, durability, at);
    }
}

#[test]
fn at_any_operation() {
    let mut campaign = Campaign::nesting_every(401);
    for faults in FAULTS {
        anywhere(&mut campaign, Durability::Always, faults);
    }
    for &faults in &FAULTS[..3] {
        anywhere(&mut campaign, BATCH, faults);
    }
    println!("{}", campaign.counts());
    assert!(campaign.distinct > 10_000);
}

#[test]
fn a_full_disk_refuses_and_keeps_what_it_has() {
    let mut refused = 0;
    for room in 0..2000 {
        let vfs = SimVfs::new();
        let mut session = open(&vfs);
        session.append(1).unwrap();
        vfs.limit(room);
        let mut rows = vec![1];
        for n in 2..5 {
            match session.append(n) {
                Ok(()) => rows.push(n),
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::StorageFull => {
                    refused += 1
                }
                Err(e) => panic!("{e}"),
            }
        }
        // Closing needs no room, and neither does reading.
        vfs.limit(0);
        assert!(session.checkpoint().is_err());
        session.close().unwrap();
        vfs.repair();
        let mut session = open(&vfs);
        assert_eq!(session.rows, rows, "{room} bytes of room");
        session.append(9).unwrap();
        session.checkpoint().unwrap();
    }
    assert!(refused > 1000);
}

#[test]
fn room_that_returns_is_used() {
    let vfs = SimVfs::new();
    let mut session = open(&vfs);
    session.append(1).unwrap();
    let before = vfs.disk();
    let unsynced = before.choices();
    vfs.limit(100);
    session.append(4).unwrap_err();
    assert!(
        before.files().eq(vfs.disk().files()),
        "the failed write was taken back"
    );
    assert_eq!(vfs.disk().choices(), unsynced, "durably");
    vfs.repair();
    session.append(3).unwrap();
    drop(session);
    assert_eq!(open(&vfs).rows, [1, 3]);
}

#[test]
fn a_group_fails_together_and_so_does_what_is_queued_behind() {
    let vfs = SimVfs::new();
    let session = open(&vfs);
    let tickets: Vec<_> = (1..4).map(|n| session.enqueue(n).unwrap()).collect();
    vfs.limit(90);
    for ticket in tickets {
        let error = session.log.wait(ticket).unwrap_err();
        assert!(matches!(error, Error::Io { op: "write", .. }), "{error}");
    }
    vfs.repair();
    let ticket = session.enqueue(7).unwrap();
    assert_eq!(session.log.wait(ticket).unwrap(), 1);
    drop(session);
    assert_eq!(open(&vfs).rows, [7]);
}

#[test]
fn a_failed_sync_stops_everything_until_reopened() {
    let vfs = SimVfs::new();
    let mut session = open(&vfs);
    session.append(1).unwrap();
    // The write, then the sync.
    vfs.inject(vfs.op_count() + 1, Fault::Fails(ErrorKind::Other));
    assert!(matches!(
        session.append(2),
        Err(Error::Io { op: "sync", .. })
    ));
    let before = vfs.op_count();
    assert!(matches!(session.enqueue(3), Err(Error::Poisoned)));
    assert!(matches!(session.append(3), Err(Error::Poisoned)));
    assert!(matches!(session.log.flush(), Err(Error::Poisoned)));
    assert!(matches!(session.log.tick(), Err(Error::Poisoned)));
    assert!(matches!(session.checkpoint(), Err(Error::Poisoned)));
    assert!(matches!(session.store.commit(|_| ()), Err(Error::Poisoned)));
    assert!(matches!(session.close(), Err(Error::Poisoned)));
    assert_eq!(vfs.op_count(), before, "nothing was written");
    // The frame is readable, but no sync of that file would ever write it. Once it was found, it has to stay.
    let session = open(&vfs);
    assert_eq!(session.rows, [1, 2]);
    drop(session);
    assert_eq!(
        open(&vfs.disk().crash(|_| false, Fill::Nothing).mount()).rows,
        [1, 2]
    );
}

#[test]
fn what_cannot_be_taken_back_stops_everything() {
    let vfs = SimVfs::new();
    let mut session = open(&vfs);
    vfs.limit(10);
    vfs.inject(vfs.op_count() + 2, Fault::Fails(ErrorKind::Other));
    session.append(1).unwrap_err();
    assert_eq!(vfs.ops().last(), Some(&"truncate"));
    vfs.repair();
    assert!(matches!(session.append(2), Err(Error::Poisoned)));
    drop(session);
    let session = open(&vfs);
    assert_eq!(session.rows, [0; 0]);
    assert_eq!(session.report.torn.unwrap().bytes, 10);
}

#[test]
fn unreadable_logs_are_left_alone() {
    let vfs = SimVfs::new();
    let mut session = open(&vfs);
    for n in 1..4 {
        session.append(n).unwrap();
    }
    drop(session);
    let disk = vfs.disk();
    for reads in 0.. {
        vfs.limit_reads(reads);
        match Session::open(Arc::new(vfs.clone()), Durability::Always) {
            Ok(session) => {
                assert_eq!(session.rows, [1, 2, 3]);
                assert!(reads > 10);
                break;
            }
            Err(e) => assert!(matches!(e, Error::Io { .. }), "{e}"),
        }
        vfs.repair();
        assert!(disk.files().eq(vfs.disk().files()), "after {reads} reads");
    }
}

/// Who builds on a frame that has failed meanwhile is told why; the place behind what is there is free.
#[test]
fn nothing_is_built_on_a_frame_that_has_failed() {
    let vfs = SimVfs::new();
    let session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    let before = session.log.last_seq();
    let ticket = session.enqueue(1).unwrap();
    let seq = ticket.seq();
    vfs.inject(vfs.op_count(), Fault::Fails(ErrorKind::StorageFull));
    session.log.wait(ticket).unwrap_err();
    let full =
        |e: Error| matches!(e, Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull);
    let behind = |seq| session.log.enqueue_after(seq, 0, 1, &[b"x"]);
    assert!(full(behind(seq).unwrap_err()));
    assert!(full(session.log.flush_after(seq).unwrap_err()));
    let ticket = behind(before).unwrap();
    assert_eq!(session.log.wait(ticket).unwrap(), seq);
}
