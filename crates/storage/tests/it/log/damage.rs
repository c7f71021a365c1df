//! Damage to a log is an error, or what is missing was vouched for by nothing. Of a log that was closed, nothing is ever missing.

use std::sync::Arc;

use proxime_storage::{Durability, Error, MemVfs, SimVfs, Vfs};

use super::{BATCH, Session};
use crate::sample;

/// A store whose log is looked at closely.
struct Golden {
    what: &'static str,
    files: Vec<(String, Vec<u8>)>,
    rows: Vec<u64>,
    /// Vouched for in the log.
    vouched: usize,
    /// Vouched for even when the newest log ends early: in its header or in the manifest.
    floor: usize,
}

fn golden(
    what: &'static str,
    make: impl FnOnce(&Arc<dyn Vfs>) -> (Vec<u64>, usize, usize),
) -> Golden {
    let vfs = SimVfs::new();
    let (rows, vouched, floor) = make(&(Arc::new(vfs.clone()) as Arc<dyn Vfs>));
    let disk = vfs.disk();
    let files = disk
        .files()
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    Golden {
        what,
        files: files.collect(),
        rows,
        vouched,
        floor,
    }
}

fn session(vfs: &Arc<dyn Vfs>, numbers: std::ops::RangeInclusive<u64>) -> Session {
    let mut session = Session::open(vfs.clone(), Durability::Always).unwrap();
    numbers.for_each(|n| session.append(n).unwrap());
    session
}

fn goldens() -> Vec<Golden> {
    vec![
        golden("closed", |vfs| {
            let mut session = session(vfs, 1..=3);
            session.log.tick().unwrap();
            session.append(4).unwrap();
            session.close().unwrap();
            (vec![1, 2, 3, 4], 4, 4)
        }),
        golden("killed", |vfs| {
            drop(session(vfs, 1..=4));
            (vec![1, 2, 3, 4], 3, 0)
        }),
        golden("killed after a mark", |vfs| {
            session(vfs, 1..=4).log.tick().unwrap();
            (vec![1, 2, 3, 4], 4, 0)
        }),
        golden("carried", |vfs| {
            drop(session(vfs, 1..=3));
            drop(session(vfs, 4..=5));
            (vec![1, 2, 3, 4, 5], 4, 3)
        }),
        golden("two generations", |vfs| {
            let mut session = session(vfs, 1..=3);
            session.store.start_checkpoint().unwrap();
            session.append(4).unwrap();
            session.append(5).unwrap();
            (vec![1, 2, 3, 4, 5], 4, 3)
        }),
        golden("after a checkpoint", |vfs| {
            let mut session = session(vfs, 1..=3);
            session.checkpoint().unwrap();
            session.append(4).unwrap();
            session.close().unwrap();
            (vec![1, 2, 3, 4], 4, 4)
        }),
        golden("unsynced", |vfs| {
            let mut session = Session::open(vfs.clone(), BATCH).unwrap();
            (1..=6).for_each(|n| session.append(n).unwrap());
            (vec![1, 2, 3, 4, 5, 6], 4, 0)
        }),
    ]
}

#[derive(Debug, Default)]
struct Counts {
    variants: usize,
    refused: usize,
    /// Everything is there.
    whole: usize,
    /// Something is missing that nothing vouches for.
    shorter: usize,
}

impl Golden {
    fn logs(&self) -> Vec<&str> {
        let names = self.files.iter().map(|(name, _)| name.as_str());
        names.filter(|name| name.starts_with("wal-")).collect()
    }

    fn bytes(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(n, _)| n == name).unwrap().1
    }

    /// A directory with other bytes in one file, or without it.
    fn with(&self, name: &str, other: Option<&[u8]>) -> Arc<dyn Vfs> {
        let vfs = MemVfs::new();
        for (n, bytes) in &self.files {
            if n != name {
                sample::put(&vfs, n, bytes);
            }
        }
        if let Some(bytes) = other {
            sample::put(&vfs, name, bytes);
        }
        Arc::new(vfs)
    }

    /// `rows_min` are there, or the store is refused; and what is missing is reported.
    fn check(&self, name: &str, other: Option<&[u8]>, rows_min: usize, counts: &mut Counts) {
        counts.variants += 1;
        let vfs = self.with(name, other);
        match Session::open(vfs.clone(), Durability::Always) {
            Ok(session) => {
                let rows = session.rows;
                assert!(
                    self.rows.starts_with(&rows) && rows.len() >= rows_min,
                    "{}: {name}: found {rows:?}",
                    self.what
                );
                if rows.len() < self.rows.len() {
                    counts.shorter += 1;
                    assert!(!session.report.clean);
                } else {
                    counts.whole += 1;
                }
            }
            Err(Error::Corrupt { .. } | Error::Unsupported { .. }) => {
                counts.refused += 1;
                if let Some(bytes) = other {
                    assert_eq!(
                        sample::get(&*vfs, name),
                        bytes,
                        "what is refused is left alone"
                    );
                }
            }
            Err(e) => panic!("{}: {name}: {e}", self.what),
        }
    }
}

#[test]
fn undamaged() {
    for golden in goldens() {
        let mut counts = Counts::default();
        golden.check("none", None, golden.rows.len(), &mut counts);
        assert_eq!(
            (counts.whole, counts.refused),
            (1, 0),
            "{}: {counts:?}",
            golden.what
        );
    }
}

#[test]
fn every_bit() {
    for golden in goldens() {
        let mut counts = Counts::default();
        for name in golden.logs() {
            let bytes = golden.bytes(name);
            for bit in 0..bytes.len() * 8 {
                let mut other = bytes.to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                golden.check(name, Some(&other), golden.vouched, &mut counts);
            }
        }
        println!("{}: {counts:?}", golden.what);
        assert!(
            counts.refused > counts.variants / 8,
            "{}: {counts:?}",
            golden.what
        );
        if golden.vouched == golden.rows.len() {
            assert_eq!(counts.shorter, 0, "{}", golden.what);
        }
    }
}

#[test]
fn every_length() {
    for golden in goldens() {
        let mut counts = Counts::default();
        for name in golden.logs() {
            let bytes = golden.bytes(name);
            for len in 0..bytes.len() {
                golden.check(name, Some(&bytes[..len]), golden.floor, &mut counts);
            }
            for more in [&[0][..], &[0; 8], &[0xff; 513], &bytes[88..]] {
                let longer = [bytes, more].concat();
                golden.check(name, Some(&longer), golden.vouched, &mut counts);
            }
        }
        println!("{}: {counts:?}", golden.what);
        if golden.floor == golden.rows.len() {
            assert_eq!(counts.shorter, 0, "{}", golden.what);
        }
    }
}

#[test]
fn every_block_zeroed_or_copied() {
    for golden in goldens() {
        let mut counts = Counts::default();
        for name in golden.logs() {
            let bytes = golden.bytes(name);
            // Sectors, and pieces as small as frames' alignment.
            for size in [512, 64, 8] {
                let blocks = bytes.len() / size;
                for i in 0..blocks {
                    for j in [i + 1, i + 2, i + 7, blocks / 2, 0] {
                        let mut other = bytes.to_vec();
                        if j < blocks {
                            other.copy_within(i * size..(i + 1) * size, j * size);
                        } else {
                            other[i * size..][..size].fill(0);
                        }
                        golden.check(name, Some(&other), golden.floor, &mut counts);
                    }
                }
            }
        }
        assert!(counts.refused > 0, "{}: {counts:?}", golden.what);
        if golden.floor == golden.rows.len() {
            assert_eq!(counts.shorter, 0, "{}", golden.what);
        }
    }
}

#[test]
fn a_log_that_is_gone() {
    for golden in goldens() {
        for name in golden.logs() {
            let mut counts = Counts::default();
            // A newer generation without a manifest that knows of it leaves no trace; the manifest knows of the first.
            let first = name == golden.logs()[0];
            let rows_min = if first {
                golden.rows.len()
            } else {
                golden.floor
            };
            golden.check(name, None, rows_min, &mut counts);
            assert_eq!(
                counts.refused,
                usize::from(first),
                "{}: {name}",
                golden.what
            );
        }
    }
}

#[test]
fn a_log_of_another_store_or_of_another_generation() {
    let all = goldens();
    let closed = &all[0];
    let other = SimVfs::new();
    // So that its identity differs: they count up.
    other.unique().unwrap();
    let other: Arc<dyn Vfs> = Arc::new(other);
    session(&other, 1..=4).close().unwrap();
    let mut counts = Counts::default();
    let name = closed.logs()[0];
    closed.check(name, Some(&sample::get(&*other, name)), 5, &mut counts);
    let two = all.iter().find(|golden| golden.logs().len() == 2).unwrap();
    let (first, second) = (two.logs()[0], two.logs()[1]);
    two.check(first, Some(two.bytes(second)), 6, &mut counts);
    two.check(second, Some(two.bytes(first)), 6, &mut counts);
    assert_eq!(counts.refused, 3);
}

#[test]
fn an_older_copy_of_a_closed_log() {
    let vfs: Arc<dyn Vfs> = Arc::new(SimVfs::new());
    let mut first = session(&vfs, 1..=2);
    let name = "wal-0000000001.log";
    let older = sample::get(&*vfs, name);
    first.append(3).unwrap();
    first.close().unwrap();
    sample::put(&*vfs, name, &older);
    let error = Session::open(vfs, Durability::Always)
        .unwrap_err()
        .to_string();
    assert!(error.contains("up to frame 3 was durable"), "{error}");
}
