//! Files in good order whose content is hostile: every checksum holds, and nothing behind it can be believed. Whatever is done with such a
//! store ends in an answer or an error, soon; never in a panic.
//!
//! Sections and frames of the golden stores are changed in ways that parsers have stumbled over, and written through storage, which
//! seals them as its own. A part runs with the other tests, the rest as `cargo xtask torture`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxime::{Batch, Database, Key, OpenOptions, SearchOptions, Verify};
use proxime_storage::{Access, Collection, Durability, MemVfs, SegmentHeader, Store, Vfs};

use crate::campaign::KINDS;
use crate::golden::{Golden, Mounted, all};
use crate::support::rows;

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }

    /// Numbers at which parsers err.
    fn number(&mut self, len: usize) -> u64 {
        let len = len as u64;
        let all = [
            0,
            1,
            2,
            7,
            8,
            len - 1,
            len,
            len + 1,
            0x7fff_ffff,
            0x8000_0000,
            u64::from(u32::MAX),
            u64::MAX,
            u64::MAX - 7,
            1 << 62,
            self.0,
        ];
        all[self.below(all.len())]
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            bytes.push(self.0 as u8);
            return;
        }
        // Most structure is at the start.
        let near = if self.below(2) == 0 {
            bytes.len().min(64)
        } else {
            bytes.len()
        };
        let at = self.below(near);
        match self.below(6) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => {
                let number = self.number(bytes.len()).to_le_bytes();
                let at = at & !3;
                let end = bytes.len().min(at + [4, 8][self.below(2)]);
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            2 => bytes.truncate(at),
            3 => bytes.extend_from_within(at..),
            4 => {
                let other = self.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => {
                let end = bytes.len().min(at + 1 + self.below(64));
                bytes[at..end].fill([0, 0xff, 0x7f][self.below(3)]);
            }
        }
    }
}

/// The pieces that a store is made of.
struct Pieces {
    collections: Vec<Collection>,
    segments: Vec<(SegmentHeader, Vec<Vec<u8>>)>,
    frames: Vec<(u8, u64, Vec<u8>)>,
}

impl Pieces {
    fn of(golden: &Golden) -> Pieces {
        let (store, segments) =
            Store::open(Mounted::new(&golden.files()).vfs(), Access::Read).unwrap();
        let section = |segment: &proxime_storage::Segment, kind| {
            segment.read(kind).unwrap().unwrap_or_default()
        };
        let mut frames = Vec::new();
        store
            .replay(|frame| {
                frames.push((frame.kind, frame.collection, frame.payload.to_vec()));
                Ok::<_, proxime_storage::Error>(())
            })
            .unwrap();
        Pieces {
            collections: store.manifest().collections.clone(),
            segments: segments
                .iter()
                .map(|segment| {
                    (
                        *segment.header(),
                        KINDS.map(|kind| section(segment, kind)).to_vec(),
                    )
                })
                .collect(),
            frames,
        }
    }

    fn mutate(&mut self, random: &mut Random) {
        for _ in 0..1 + random.below(3) {
            let pieces = self.segments.len() * KINDS.len() + 2 * self.frames.len() + 1;
            let piece = random.below(pieces);
            if let Some((_, sections)) = self.segments.get_mut(piece / KINDS.len()) {
                let section = &mut sections[piece % KINDS.len()];
                random.mutate(section);
            } else if let Some((kind, _, payload)) = (piece - self.segments.len() * KINDS.len())
                .checked_sub(1)
                .and_then(|at| self.frames.get_mut(at / 2))
            {
                if random.below(8) == 0 {
                    *kind = random.below(128) as u8;
                }
                random.mutate(payload);
            } else {
                let config = self.collections[0].config.as_object_mut().unwrap();
                let name = config
                    .keys()
                    .nth(random.below(config.len()))
                    .unwrap()
                    .clone();
                config[&name] = random.number(16).into();
            }
        }
    }

    /// A store in good order with these pieces; `None` if storage refuses to write them.
    fn write(&self) -> Option<Arc<dyn Vfs>> {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let (mut store, _) = Store::open(Arc::clone(&vfs), Access::Create).unwrap();
        let mut pinned = Vec::new();
        for (header, sections) in &self.segments {
            let mut writer = store.create_segment(*header).ok()?;
            for (kind, bytes) in KINDS.into_iter().zip(sections) {
                if bytes.is_empty() {
                    continue;
                }
                let width = match kind {
                    proxime_storage::SectionKind::Vectors => 4 * header.dim,
                    proxime_storage::SectionKind::Codes => header.dim.next_multiple_of(64),
                    _ => 1,
                };
                let whole = bytes.len() - bytes.len() % width as usize;
                writer.begin(kind, width).ok()?;
                writer.append(&bytes[..whole]).ok()?;
            }
            pinned.push(writer.finish().ok()?);
        }
        let collections = self.collections.clone();
        store
            .commit(|manifest| {
                manifest.collections = collections;
                manifest.collections[0].segments = pinned;
                manifest.collections[0].applied_seq = 0;
            })
            .ok()?;
        let no_frames = |_: proxime_storage::Frame<'_>| Ok::<_, proxime_storage::Error>(());
        let (log, _) = store.recover(Durability::Always, no_frames).ok()?;
        for (kind, collection, payload) in &self.frames {
            log.append(*kind, *collection, &[payload]).ok()?;
        }
        drop(log);
        store.close().ok()?;
        Some(vfs)
    }
}

/// Everything that reads or writes, each as far as it gets; whether the store opened.
fn exercise(vfs: &Arc<dyn Vfs>) -> bool {
    let options = |read_only| OpenOptions {
        read_only,
        verify: if read_only {
            Verify::Lazy
        } else {
            Verify::Full
        },
        create: false,
        threads: Some(1),
        ..OpenOptions::default()
    };
    let reader = Database::open_on(Arc::clone(vfs), &options(true));
    let writer = Database::open_on(Arc::clone(vfs), &options(false));
    for db in [&reader, &writer].into_iter().flatten() {
        db.verify_deep().ok();
        let Ok(c) = db.collection("docs") else {
            continue;
        };
        c.stats().ok();
        c.digest().ok();
        for number in 0..40 {
            c.get(&Key::Int(number)).ok();
        }
        let query = vec![0.5; c.config().dim];
        for exact in [false, true] {
            let options = SearchOptions {
                exact,
                ..SearchOptions::k(20)
            };
            if let Ok(found) = c.search(rows(&query, query.len()), &options) {
                assert_eq!(found.hits(0).len(), c.len().unwrap().min(20), "{exact}");
                found.hits(0).for_each(|hit| drop(hit.metadata()));
            }
        }
        if db.read_only() {
            continue;
        }
        db.rebuild_index(None).ok();
        c.upsert(Batch::new(vec![1.into()], &rows(&query, query.len())))
            .ok();
        c.delete(&[2.into()]).ok();
    }
    reader.is_ok() || writer.is_ok()
}

/// Cases from `first` on until `enough(cases)`; how many there were, and how many opened.
fn run(first: u64, mut enough: impl FnMut(usize) -> bool) -> (usize, usize) {
    let golden = all();
    let (mut cases, mut opened) = (0, 0);
    while !enough(cases) {
        let case = first + cases as u64;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut pieces = Pieces::of(&golden[case as usize % golden.len()]);
            pieces.mutate(&mut Random(case.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let started = Instant::now();
            let opened = pieces.write().is_some_and(|vfs| exercise(&vfs));
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "it takes too long"
            );
            opened
        }));
        opened += usize::from(outcome.unwrap_or_else(|_| panic!("case {case}")));
        cases += 1;
    }
    (cases, opened)
}

#[test]
fn a_part_of_the_hostile_stores() {
    let (cases, opened) = run(0, |cases| cases == 60);
    assert!(opened > 10 && opened < cases, "{opened} of {cases}");
}

#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_hostile_stores() {
    let seconds = std::env::var("PROXIME_TORTURE_SECONDS").map_or(10.0, |s| s.parse().unwrap());
    let first = std::env::var("PROXIME_TORTURE_CASE").map_or(1000, |s| s.parse().unwrap());
    let started = Instant::now();
    let (cases, opened) = run(first, |_| started.elapsed().as_secs_f64() > seconds);
    println!(
        "hostile stores with good checksums: {cases} from case {first} on, {opened} opened and were read, searched, repaired and written to; 0 panics"
    );
}
