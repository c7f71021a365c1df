//! Damage to every bit and every length of the golden stores: an error, or the right answer. Never another answer, never a panic.
//!
//! A part of it runs with the other tests. All of it runs as `cargo xtask torture`, which says for how long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proxime::{Database, OpenOptions, Verify};
use proxime_storage::{Access, SectionKind, Store};

use crate::golden::{Content, Golden, all, mounted, read};

/// What became of the damaged stores.
#[derive(Debug, Default)]
struct Counts {
    refused: AtomicUsize,
    right: AtomicUsize,
}

/// A file and what is done to it.
#[derive(Clone, Copy)]
enum Damage {
    Flip(usize),
    Cut(usize),
}

/// All damage to a store: each bit of each file, and each length that is less.
fn damage(files: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, Damage)> {
    let mut all = Vec::new();
    for (name, bytes) in files {
        all.extend((0..bytes.len() * 8).map(|bit| (name.as_str(), Damage::Flip(bit))));
        all.extend((0..bytes.len()).map(|len| (name.as_str(), Damage::Cut(len))));
    }
    all
}

/// Damages a file, and says how.
fn apply(bytes: &mut Vec<u8>, damage: Damage) -> String {
    match damage {
        Damage::Flip(bit) => {
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("bit {bit}")
        }
        Damage::Cut(len) => {
            bytes.truncate(len);
            format!("length {len}")
        }
    }
}

/// As a reader, as a writer, and as a reader that checks what it reads.
const WAYS: [(bool, Verify); 3] = [
    (true, Verify::Full),
    (false, Verify::Full),
    (true, Verify::Lazy),
];

/// Opens the damaged store in each way.
fn try_one(
    golden: &Golden,
    files: &BTreeMap<String, Vec<u8>>,
    name: &str,
    damage: Damage,
    right: &[Content],
    counts: &Counts,
) {
    let mut damaged = files.clone();
    let what = apply(damaged.get_mut(name).unwrap(), damage);
    for (read_only, verify) in WAYS {
        let options = OpenOptions {
            read_only,
            verify,
            create: false,
            threads: Some(1),
            ..OpenOptions::default()
        };
        let opened = Database::open_on(mounted(&damaged), &options).and_then(|db| read(&db));
        match opened {
            Err(_) => counts.refused.fetch_add(1, Ordering::Relaxed),
            Ok(content) => {
                assert!(
                    right.contains(&content),
                    "{}/{name}, {what}: another answer",
                    golden.name
                );
                counts.right.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// As much of the campaign as there is time for, spread over all of it; how much that was.
fn run(golden: &Golden, time: Duration, tried_min: usize) -> (usize, usize, Counts) {
    let files = golden.files();
    let all = damage(&files);
    let right: Vec<Content> = (0..=golden.steps())
        .map(|steps| golden.content(steps))
        .collect();
    let counts = Counts::default();
    let stride = stride(all.len());
    let started = Instant::now();
    let mut tried = 0;
    while tried < all.len() && (tried < tried_min || started.elapsed() < time) {
        let (name, damage) = all[tried * stride % all.len()];
        // Of a log that was not closed the batch that nothing vouches for may be gone; a cut takes with it what vouches.
        let oldest = match (golden.closed, damage) {
            (true, _) => golden.steps(),
            (false, Damage::Flip(_)) => golden.steps() - 1,
            (false, Damage::Cut(_)) => 0,
        };
        let right = &right[oldest..];
        try_one(golden, &files, name, damage, right, &counts);
        tried += 1;
    }
    (tried, all.len(), counts)
}

/// A stride that has no factor in common with the number visits everything once, in no order that files know of.
fn stride(number: usize) -> usize {
    let start = (number as f64 * 0.618) as usize | 1;
    (start..).find(|&stride| gcd(stride, number) == 1).unwrap()
}

fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

/// What storage finds in a store: the manifest, each section that can be read, and each frame of the log.
fn contents(
    files: &BTreeMap<String, Vec<u8>>,
) -> proxime_storage::Result<(String, Vec<Section>, Vec<Vec<u8>>)> {
    let (store, segments) = Store::open(mounted(files), Access::Read)?;
    let mut sections = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        for kind in KINDS {
            match segment.read(kind) {
                Ok(bytes) => sections.push((number, kind, bytes)),
                Err(_) if kind.is_derived() => {}
                Err(e) => return Err(e),
            }
        }
    }
    let mut frames = Vec::new();
    store.replay(|frame| {
        frames.push(frame.payload.to_vec());
        Ok::<_, proxime_storage::Error>(())
    })?;
    Ok((format!("{:?}", store.manifest()), sections, frames))
}

type Section = (usize, SectionKind, Option<Vec<u8>>);

pub(crate) const KINDS: [SectionKind; 8] = [
    SectionKind::Vectors,
    SectionKind::Codes,
    SectionKind::Codebook,
    SectionKind::Graph,
    SectionKind::Ids,
    SectionKind::Payload,
    SectionKind::Deleted,
    SectionKind::Versions,
];

/// The stores, smallest first, and what each has of the time: its part of what those before have left.
fn shares_of_time() -> impl Iterator<Item = (Golden, Duration)> {
    let seconds = std::env::var("PROXIME_TORTURE_SECONDS").map_or(10.0, |s| s.parse().unwrap());
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut stores = Vec::from(all());
    stores.sort_by_key(|golden| golden.files().values().map(Vec::len).sum::<usize>());
    let left = (1..=stores.len() as u32).rev();
    let share = move |left| end.saturating_duration_since(Instant::now()) / left;
    stores
        .into_iter()
        .zip(left)
        .map(move |(golden, left)| (golden, share(left)))
}

/// Every bit and every length, by what storage hands up: nothing but what was written, or an error.
#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_every_bit() {
    for (golden, time) in shares_of_time() {
        let files = golden.files();
        let (manifest, sections, frames) = contents(&files).unwrap();
        let damage = damage(&files);
        let refused = AtomicUsize::new(0);
        let check = |&(name, damage): &(&str, Damage)| {
            let mut damaged = files.clone();
            apply(damaged.get_mut(name).unwrap(), damage);
            let Ok((found_manifest, found, found_frames)) = contents(&damaged) else {
                refused.fetch_add(1, Ordering::Relaxed);
                return;
            };
            assert_eq!(found_manifest, manifest);
            assert!(
                found.iter().all(|section| sections.contains(section)),
                "{name}"
            );
            assert!(
                frames.starts_with(&found_frames) && (!golden.closed || found_frames == frames),
                "{name}"
            );
        };
        // Two threads, each with every other one, in an order that spreads what there is time for over all of it.
        let (stride, started, tried) = (stride(damage.len()), Instant::now(), AtomicUsize::new(0));
        let work = |first: usize| {
            let mine = (first..damage.len()).step_by(2);
            for turn in mine.take_while(|_| started.elapsed() < time) {
                check(&damage[turn * stride % damage.len()]);
                tried.fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| work(0));
            scope.spawn(|| work(1));
        });
        println!(
            "bits and lengths of {}, through storage: {} of {}, {} refused, the others read as written but for derived sections",
            golden.name,
            tried.into_inner(),
            damage.len(),
            refused.into_inner()
        );
    }
}

#[test]
fn a_part_of_the_damage_campaign() {
    for golden in all() {
        let (tried, _, counts) = run(&golden, Duration::ZERO, 300);
        let [refused, right] = [counts.refused, counts.right].map(AtomicUsize::into_inner);
        assert_eq!((tried, refused + right), (300, 900));
        assert!(refused > 300, "{}: {refused} refused", golden.name);
    }
}

#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_damage_campaign() {
    for (golden, time) in shares_of_time() {
        let (tried, of, counts) = run(&golden, time, 1);
        let [refused, right] = [counts.refused, counts.right].map(AtomicUsize::into_inner);
        println!(
            "damage to {}: {tried} of {of} flips and cuts, opened three times each: {refused} refused, {right} answered rightly, 0 otherwise",
            golden.name
        );
    }
}
