//! Damage to every bit and every length of the golden stores: an error, or the right answer. Never another answer, never a panic.
//!
//! A part of it runs with the other tests. All of it runs as `cargo xtask torture`, which says for how long.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proxime::{Database, Key, OpenOptions, Record, SearchOptions, Verify};
use proxime_storage::{Access, SectionKind, Store};

use crate::golden::{Files, Golden, Mounted, all, read};
use crate::support::{ids, rows};

/// How many damaged stores were tried, and what became of them, each opened in some ways.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    tried: usize,
    refused: usize,
    right: usize,
}

/// A file and what is done to it.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
}

/// All damage to a store: each bit of each file, and each length that is less.
fn damage(files: &Files) -> Vec<(&str, Damage)> {
    let mut all = Vec::new();
    for (name, bytes) in files {
        all.extend((0..bytes.len() * 8).map(|bit| (name.as_str(), Damage::Flip(bit))));
        all.extend((0..bytes.len()).map(|len| (name.as_str(), Damage::Cut(len))));
    }
    all
}

impl Damage {
    fn inflict(self, store: &Mounted<'_>, name: &str) {
        match self {
            Damage::Flip(bit) => {
                let byte = store.made_of(name)[bit / 8] ^ 1 << (bit % 8);
                store.write(name, bit / 8, &[byte]);
            }
            Damage::Cut(len) => store.truncate(name, len),
        }
    }

    fn mend(self, store: &Mounted<'_>, name: &str) {
        let right = store.made_of(name);
        match self {
            Damage::Flip(bit) => store.write(name, bit / 8, &right[bit / 8..=bit / 8]),
            Damage::Cut(len) => store.write(name, len, &right[len..]),
        }
    }
}

/// As a reader, as a writer, and as a reader that checks what it reads.
const WAYS: [(bool, Verify); 3] = [
    (true, Verify::Full),
    (false, Verify::Full),
    (true, Verify::Lazy),
];

/// What can be found in a golden store: after each step, and what may be found in it now.
struct Answers {
    steps: Vec<Vec<Record>>,
    closed: bool,
    /// Of each version two records.
    sample: Vec<Key>,
    /// By the digest of all that reads and searches are made of: after which step it is, read in full once, and what it answers.
    seen: Mutex<BTreeMap<String, (usize, Answer)>>,
}

/// The sample's records, and what is near one of them.
type Answer = (Vec<Option<Record>>, Vec<Key>);

impl Answers {
    fn of(golden: &Golden) -> Answers {
        let steps: Vec<_> = (0..=golden.steps()).map(|n| golden.records(n)).collect();
        let mut sample = BTreeMap::new();
        for record in &steps[golden.steps()] {
            let (_, last) = sample
                .entry(record.version)
                .or_insert((&record.id, &record.id));
            *last = &record.id;
        }
        Answers {
            sample: sample
                .into_values()
                .flat_map(|(first, last)| [first.clone(), last.clone()])
                .collect(),
            steps,
            closed: golden.closed,
            seen: Mutex::default(),
        }
    }

    /// After which step this is what there is; `None`: after none.
    ///
    /// Errors: damage.
    fn step(&self, db: &Database) -> proxime::Result<Option<usize>> {
        // The digest needs rows that were replaced, too: without one, reading may still find everything.
        let known = self.digest(db).ok();
        if let Some((digest, answer)) = &known
            && let Some((step, before)) = self.seen.lock().unwrap().get(digest)
        {
            return Ok(Some(*step).filter(|_| answer == before));
        }
        let records = read(db)?;
        let step = self.steps.iter().rposition(|step| *step == records);
        if let (Some((digest, answer)), Some(step)) = (known, step) {
            self.seen.lock().unwrap().insert(digest, (step, answer));
        }
        Ok(step)
    }

    fn digest(&self, db: &Database) -> proxime::Result<(String, Answer)> {
        let c = db.collection("docs")?;
        let digest = c.digest()?;
        let of = self.steps.iter().flatten().next_back();
        let query = &of.unwrap().vector;
        let near = c.search(rows(query, query.len()), &SearchOptions::k(10))?;
        Ok((digest, (c.get_many(&self.sample)?, ids(&near, 0))))
    }

    /// Of a log that was not closed the batch that nothing vouches for may be gone; a cut takes with it what vouches.
    fn right(&self, damage: Damage) -> RangeInclusive<usize> {
        let newest = self.steps.len() - 1;
        let oldest = match (self.closed, damage) {
            (true, _) => newest,
            (false, Damage::Flip(_)) => newest - 1,
            (false, Damage::Cut(_)) => 0,
        };
        oldest..=newest
    }
}

/// Opens the damaged store in each way: it is refused, or what is found is right, and of a store that was closed the damage is told.
fn open_in_each_way<'a>(
    store: &mut Mounted<'a>,
    files: &'a Files,
    (name, damage): (&str, Damage),
    answers: &Answers,
) -> Counts {
    let mut counts = Counts::default();
    damage.inflict(store, name);
    for (read_only, verify) in WAYS {
        let options = OpenOptions {
            read_only,
            verify,
            create: false,
            threads: Some(1),
            ..OpenOptions::default()
        };
        let opened = Database::open_on(store.vfs(), &options).and_then(|db| {
            Ok((
                answers.step(&db)?,
                db.collection("docs")?.stats()?.damaged_graphs,
            ))
        });
        let Ok((step, damaged)) = opened else {
            counts.refused += 1;
            continue;
        };
        assert!(
            step.is_some_and(|step| answers.right(damage).contains(&step)),
            "{name}, {damage:?}: another answer, or that after step {step:?}"
        );
        // Lazily, what nobody needed was not looked at; and a log whose end alone is damaged has all its batches.
        let silent = matches!(verify, Verify::Lazy) || !name.starts_with("seg-");
        let told = silent || damaged == 1;
        assert!(told, "{name}, {damage:?}: answered without a word");
        counts.right += 1;
        if !read_only {
            // It has begun a log of its own.
            *store = Mounted::new(files);
            damage.inflict(store, name);
        }
    }
    damage.mend(store, name);
    assert!(
        store.is_unchanged(),
        "{name}, {damage:?}: who is refused changes nothing"
    );
    counts
}

/// A campaign against one store, that two threads share: damage in an order that spreads what there is time for over all of it.
struct Campaign<'a> {
    damage: Vec<(&'a str, Damage)>,
    stride: usize,
    next: AtomicUsize,
    counts: Mutex<Counts>,
    /// Where it says how far it is, for the next time.
    note: Option<PathBuf>,
}

impl<'a> Campaign<'a> {
    /// One that begins where the last of this name ended, if `PROXIME_TORTURE_NOTES` is a folder that says so.
    fn new(name: &str, files: &'a Files) -> Campaign<'a> {
        let damage = damage(files);
        let note =
            std::env::var_os("PROXIME_TORTURE_NOTES").map(|dir| PathBuf::from(dir).join(name));
        let text = note.as_ref().and_then(|note| fs::read_to_string(note).ok());
        let counts = text.map_or_else(Counts::default, |text| {
            let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap());
            let mut next = || numbers.next().unwrap();
            Counts {
                tried: next(),
                refused: next(),
                right: next(),
            }
        });
        Campaign {
            stride: stride(damage.len()),
            damage,
            next: counts.tried.into(),
            counts: counts.into(),
            note,
        }
    }

    /// At least `tried_min`, and as much as there is time for.
    fn run<F: FnMut((&'a str, Damage)) -> Counts>(
        self,
        time: Duration,
        tried_min: usize,
        worker: impl Fn() -> F + Sync,
    ) -> (Counts, usize) {
        let started = Instant::now();
        let go_on = || self.next.load(Ordering::Relaxed) < tried_min || started.elapsed() < time;
        let all = self.damage.len();
        let work = || {
            let (mut one, mut mine) = (worker(), Counts::default());
            while go_on() {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                if turn >= all {
                    break;
                }
                let found = one(self.damage[turn * self.stride % all]);
                mine.tried += 1;
                mine.refused += found.refused;
                mine.right += found.right;
            }
            let mut counts = self.counts.lock().unwrap();
            counts.tried += mine.tried;
            counts.refused += mine.refused;
            counts.right += mine.right;
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        let counts = self.counts.into_inner().unwrap();
        if let Some(note) = self.note {
            let Counts {
                tried,
                refused,
                right,
            } = counts;
            fs::write(note, format!("{tried} {refused} {right}\n")).unwrap();
        }
        (counts, all)
    }
}

fn through_the_database(golden: &Golden, time: Duration, tried_min: usize) -> (Counts, usize) {
    let (files, answers) = (golden.files(), Answers::of(golden));
    let campaign = Campaign::new(&format!("database-{}", golden.name), &files);
    let (files, answers) = (&files, &answers);
    campaign.run(time, tried_min, || {
        let mut store = Mounted::new(files);
        move |damage| open_in_each_way(&mut store, files, damage, answers)
    })
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
    mounted: &Mounted<'_>,
) -> proxime_storage::Result<(String, Vec<Section>, Vec<Vec<u8>>)> {
    let (store, segments) = Store::open(mounted.vfs(), Access::Read)?;
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
        let (manifest, sections, frames) = contents(&Mounted::new(&files)).unwrap();
        let check = |store: &Mounted<'_>, (name, damage): (&str, Damage)| {
            damage.inflict(store, name);
            let found = contents(store);
            damage.mend(store, name);
            let Ok((found_manifest, found, found_frames)) = found else {
                return 0;
            };
            assert_eq!(found_manifest, manifest);
            assert!(
                found.iter().all(|section| sections.contains(section)),
                "{name}, {damage:?}"
            );
            assert!(
                frames.starts_with(&found_frames) && (!golden.closed || found_frames == frames),
                "{name}, {damage:?}"
            );
            1
        };
        let campaign = Campaign::new(&format!("storage-{}", golden.name), &files);
        let (files, check) = (&files, &check);
        let (counts, of) = campaign.run(time, 1, || {
            let store = Mounted::new(files);
            move |damage| {
                let right = check(&store, damage);
                Counts {
                    tried: 1,
                    refused: 1 - right,
                    right,
                }
            }
        });
        let Counts { tried, refused, .. } = counts;
        println!(
            "bits and lengths of {}, through storage: {tried} of {of}, {refused} refused, the others read as written but for derived sections",
            golden.name,
        );
    }
}

#[test]
fn a_part_of_the_damage_campaign() {
    for golden in all() {
        let (counts, _) = through_the_database(&golden, Duration::ZERO, 300);
        let Counts {
            tried,
            refused,
            right,
        } = counts;
        assert!(tried >= 300 && refused + right == WAYS.len() * tried);
        assert!(refused > 300, "{}: {refused} refused", golden.name);
    }
}

#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_damage_campaign() {
    for (golden, time) in shares_of_time() {
        let (counts, of) = through_the_database(&golden, time, 1);
        let Counts {
            tried,
            refused,
            right,
        } = counts;
        println!(
            "damage to {}: {tried} of {of} flips and cuts, opened three times each: {refused} refused, {right} answered rightly, 0 otherwise",
            golden.name
        );
    }
}
