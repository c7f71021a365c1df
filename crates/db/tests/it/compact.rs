//! Compacting leaves one segment that depends on the records and their order alone.

use std::ops::ControlFlow;

use proxime::{Batch, Collection, Database, Error, Key};

use crate::support::{in_memory, int_ids, l2, points, rows, upsert};

const DIM: usize = 8;

fn ids(range: std::ops::Range<usize>) -> Vec<Key> {
    range.map(|id| Key::Int(id as i64)).collect()
}

/// The same records, the last written last, in batches of so many.
fn written_by(c: &Collection, data: &[f32], per_batch: usize) {
    for first in (0..data.len() / DIM).step_by(per_batch) {
        let last = (first + per_batch).min(data.len() / DIM);
        upsert(c, ids(first..last), &data[first * DIM..last * DIM]);
    }
}

#[test]
fn the_same_bytes_whatever_came_before() {
    let data = points(3000, DIM);
    let mut digests = Vec::new();
    for per_batch in [3000, 1000, 999, 130] {
        let (_db, c) = in_memory(DIM);
        // What is replaced and deleted leaves no trace.
        upsert(&c, ids(100..200), &data[..100 * DIM]);
        upsert(&c, ids(5000..6200), &data[..1200 * DIM]);
        assert_eq!(c.delete(&ids(5000..7000)).unwrap(), 1200);
        written_by(&c, &data, per_batch);
        c.compact(None).unwrap();
        let stats = c.stats().unwrap();
        assert_eq!((stats.rows, stats.live, stats.segments), (3000, 3000, 1));
        digests.push(c.digest().unwrap());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn stopped_half_way_nothing_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let data = points(2500, DIM);
    upsert(&c, int_ids(2500), &data);
    upsert(&c, int_ids(1), &data[..DIM]);
    let files = || std::fs::read_dir(dir.path().join("db")).unwrap().count();
    let error = c
        .compact(Some(&|_, _, _| ControlFlow::Break(())))
        .unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    let before = (c.stats().unwrap().rows, files());
    let error = c
        .compact(Some(&|_, _, _| ControlFlow::Break(())))
        .unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert_eq!((c.stats().unwrap().rows, files()), before);
    c.compact(None).unwrap();
    assert_eq!(c.stats().unwrap().rows, 2500);
    assert!(db.verify().unwrap().ok);
}

#[test]
fn others_write_meanwhile() {
    let (_db, c) = in_memory(DIM);
    let data = points(6000, DIM);
    upsert(&c, int_ids(3000), &data[..3000 * DIM]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 0..200 {
                let row = &data[(3000 + i) * DIM..][..DIM];
                c.upsert(Batch::new(vec![Key::Int(i as i64)], &rows(row, DIM)))
                    .unwrap();
                assert_eq!(c.delete(&[Key::Int(1000 + i as i64)]).unwrap(), 1);
            }
        });
        for _ in 0..3 {
            c.compact(None).unwrap();
        }
        writer.join().unwrap();
    });
    assert_eq!(c.len().unwrap(), 2800);
    for i in 0..200 {
        let found = c.get(&Key::Int(i as i64)).unwrap().unwrap();
        assert_eq!(found.vector, data[(3000 + i) * DIM..][..DIM]);
        assert_eq!(c.get(&Key::Int(1000 + i as i64)).unwrap(), None);
    }
}

/// The bytes of all files.
fn bytes_in(dir: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(dir).unwrap();
    // What is removed meanwhile takes no room.
    let sizes = files.filter_map(|file| file.ok()?.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}

#[test]
fn what_is_replaced_takes_little_room_however_fast() {
    const N: usize = 8000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let c = db.create_collection("c", l2(64)).unwrap();
    let data = points(N, 64);
    upsert(&c, int_ids(N), &data);
    let live = bytes_in(&path);
    let done = std::sync::atomic::AtomicBool::new(false);
    let peak = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                peak = peak.max(bytes_in(&path));
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            peak
        });
        // All over the collection, twice.
        for batch in 0..160 {
            let ids = (0..100).map(|i| ((batch * 100 + i) * 4801) % N);
            let rows: Vec<f32> = ids
                .clone()
                .flat_map(|id| data[id * 64..][..64].to_vec())
                .collect();
            upsert(&c, ids.map(|id| Key::Int(id as i64)).collect(), &rows);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(peak * 10 <= live * 22, "{peak} of {live}");
    db.maintain().unwrap();
    let rest = bytes_in(&path);
    assert!(rest * 10 <= live * 12, "{rest} of {live}");
    assert_eq!(c.len().unwrap(), N);
}
