//! What is left of a damaged store is found piece by piece. (Rows of segments are looked at by the layer above.)

use std::sync::Arc;

use proxime_storage::{Durability, Remains, SimVfs, Vfs};

use crate::log::{Session, payload};
use crate::sample::{get, put};

/// Three rows in a segment, six in the log.
fn vfs() -> SimVfs {
    let vfs = SimVfs::new();
    let mut session = Session::open(Arc::new(vfs.clone()), Durability::Always).unwrap();
    (1..=3).for_each(|n| session.append(n).unwrap());
    session.checkpoint().unwrap();
    (4..=9).for_each(|n| session.append(n).unwrap());
    session.close().unwrap();
    vfs
}

fn name(vfs: &SimVfs, start: &str) -> String {
    let names = vfs.list().unwrap();
    names
        .into_iter()
        .find(|name| name.starts_with(start))
        .unwrap()
}

fn seqs(remains: &Remains) -> Vec<u64> {
    let frames = remains.frames.iter();
    frames
        .inspect(|frame| assert_eq!(frame.payload, payload(frame.seq)))
        .map(|frame| frame.seq)
        .collect()
}

#[test]
fn a_sound_store() {
    let remains = Remains::read(&vfs()).unwrap();
    assert!(remains.problems.is_empty() && remains.newest, "{remains:?}");
    assert_eq!(seqs(&remains), [4, 5, 6, 7, 8, 9]);
    assert_eq!(remains.segments.len(), 1);
}

#[test]
fn each_byte_of_the_log_takes_at_most_one_frame() {
    let vfs = vfs();
    let log = name(&vfs, "wal-");
    let whole = get(&vfs, &log);
    for at in 88..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        put(&vfs, &log, &damaged);
        let remains = Remains::read(&vfs).unwrap();
        let seqs = seqs(&remains);
        assert!(seqs.len() >= 5 && seqs.is_sorted(), "{at}: {seqs:?}");
        assert_eq!(remains.problems.len(), 1, "{at}");
    }
    put(&vfs, &log, &whole[..whole.len() / 2]);
    assert!(seqs(&Remains::read(&vfs).unwrap()).starts_with(&[4, 5]));
}

#[test]
fn a_log_is_found_without_a_manifest() {
    let vfs = vfs();
    vfs.unlink(&name(&vfs, "MANIFEST")).unwrap();
    let remains = Remains::read(&vfs).unwrap();
    assert!(remains.manifest.is_none() && remains.problems.len() == 1);
    assert_eq!((seqs(&remains).len(), remains.segments.len()), (6, 1));
}
