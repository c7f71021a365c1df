//! Whatever moment a write is stopped at, what was acknowledged is there after opening again, each batch whole or not at all.
//!
//! A script runs on a simulated disk. The disk before each of its operations is opened again as a killed process leaves it, and as
//! losses of power do: with nothing, everything, and each single thing of what was not synced.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proxime::{
    Batch, Collection, Database, Disk, Dtype, Durability, Fault, Fill, Key, Metadata, OpenOptions,
    SearchOptions, SimVfs, TextQuery,
};

use crate::support::{int_ids, l2, object, points, rows};

const DIM: usize = 2;

/// Stands for the row in the other collection.
const OTHER_ROW: i64 = i64::MAX;

/// Ids and a component of their vectors.
type State = BTreeMap<i64, f32>;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Ids from `first` on, with this in their vectors.
    Upsert {
        first: i64,
        n: usize,
        value: f32,
    },
    Delete {
        first: i64,
        n: usize,
    },
    Reopen,
    Compact,
    /// Waits for what the background does with full tails; where it is not there, that goes on beside the next steps.
    Maintain,
    /// A row into another collection, whose tail keeps the log from being cut.
    Other,
    /// A row of each collection, in a transaction.
    Both {
        id: i64,
        value: f32,
    },
}

use Step::{Both, Compact, Delete, Maintain, Other, Reopen, Upsert};

/// Small batches only, deleted and replaced.
const SMALL: &[Step] = &[
    Upsert {
        first: 0,
        n: 3,
        value: 1.0,
    },
    Delete { first: 1, n: 1 },
    Upsert {
        first: 1,
        n: 2,
        value: 2.0,
    },
    Reopen,
    Delete { first: 0, n: 9 },
    Upsert {
        first: 2,
        n: 1,
        value: 3.0,
    },
];
/// Tails that get full, and deletions that reach into their segments.
const SEALED: &[Step] = &[
    Upsert {
        first: 0,
        n: 700,
        value: 1.0,
    },
    Upsert {
        first: 600,
        n: 700,
        value: 2.0,
    },
    Maintain,
    Delete { first: 100, n: 5 },
    Upsert {
        first: 103,
        n: 1,
        value: 3.0,
    },
    Delete { first: 0, n: 1200 },
    Maintain,
];
/// The same beside writes, which replace and delete what is being sealed.
const SEALING: &[Step] = &[
    Upsert {
        first: 0,
        n: 700,
        value: 1.0,
    },
    Upsert {
        first: 600,
        n: 700,
        value: 2.0,
    },
    Delete { first: 100, n: 5 },
    Upsert {
        first: 103,
        n: 1,
        value: 3.0,
    },
    Upsert {
        first: 1290,
        n: 20,
        value: 4.0,
    },
    Delete { first: 700, n: 3 },
    Maintain,
    Upsert {
        first: 0,
        n: 1,
        value: 5.0,
    },
];
/// A large batch over a tail.
const LARGE: &[Step] = &[
    Upsert {
        first: 0,
        n: 5,
        value: 1.0,
    },
    Delete { first: 4, n: 1 },
    Upsert {
        first: 3,
        n: 1100,
        value: 2.0,
    },
    Upsert {
        first: 3,
        n: 1,
        value: 3.0,
    },
];

/// Both, while the log holds what belongs to somebody else.
const SHARED: &[Step] = &[
    Other,
    Upsert {
        first: 0,
        n: 5,
        value: 1.0,
    },
    Upsert {
        first: 3,
        n: 1100,
        value: 2.0,
    },
    Delete { first: 0, n: 4 },
    Upsert {
        first: 0,
        n: 2,
        value: 3.0,
    },
    Reopen,
    Upsert {
        first: 1,
        n: 999,
        value: 4.0,
    },
    Upsert {
        first: 1,
        n: 100,
        value: 5.0,
    },
    Reopen,
];

/// Two collections at once, and one of them sealed before the other.
const TOGETHER: &[Step] = &[
    Other,
    Upsert {
        first: 0,
        n: 3,
        value: 1.0,
    },
    Both { id: 1, value: 2.0 },
    // In place of what the frame before has, which stays in the log for the other.
    Upsert {
        first: 0,
        n: 1103,
        value: 3.0,
    },
    Both { id: 2, value: 4.0 },
    Reopen,
    Both {
        id: 5000,
        value: 5.0,
    },
    Compact,
];

/// Everything put together, and what was deleted with it.
const COMPACTED: &[Step] = &[
    Upsert {
        first: 0,
        n: 1100,
        value: 1.0,
    },
    Upsert {
        first: 3,
        n: 2,
        value: 2.0,
    },
    Delete { first: 4, n: 9 },
    Compact,
    Upsert {
        first: 5,
        n: 1,
        value: 3.0,
    },
    Delete { first: 0, n: 2000 },
    Compact,
];

fn options(durability: Durability) -> OpenOptions {
    OpenOptions {
        threads: Some(1),
        durability,
        ..OpenOptions::default()
    }
}

fn open(vfs: &SimVfs, durability: Durability) -> proxime::Result<(Database, Collection)> {
    open_as(Dtype::F32, vfs, durability)
}

/// The collection's type, if it is not there yet.
fn open_as(
    dtype: Dtype,
    vfs: &SimVfs,
    durability: Durability,
) -> proxime::Result<(Database, Collection)> {
    let db = Database::open_on(Arc::new(vfs.clone()), &options(durability))?;
    let c = match db.collection("c") {
        Ok(c) => c,
        Err(_) => db.create_collection("c", l2(DIM).dtype(dtype))?,
    };
    Ok((db, c))
}

fn upsert(c: &Collection, first: i64, n: usize, value: f32) -> proxime::Result<()> {
    // Numbers that every type holds.
    let data: Vec<f32> = (0..n).flat_map(|i| [value, (i % 100) as f32]).collect();
    let data = rows(&data, DIM);
    let ids = (first..first + n as i64).map(Key::Int).collect();
    c.upsert(Batch::new(ids, &data).metadata(vec![text(value); n]))
}

/// One word, which tells the value.
fn text(value: f32) -> Metadata {
    object([("text", format!("value{value}").into())])
}

fn both(db: &Database, c: &Collection, id: i64, value: f32) {
    let other = db.collection("other").unwrap();
    let data = [value; DIM];
    let data = rows(&data, DIM);
    let mut transaction = db.transaction();
    for (c, id) in [(c, id), (&other, 0)] {
        transaction
            .upsert(
                c,
                Batch::new(vec![Key::Int(id)], &data).metadata(vec![text(value)]),
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

fn apply(state: &mut State, step: Step) {
    match step {
        Upsert { first, n, value } => state.extend((first..first + n as i64).map(|id| (id, value))),
        Delete { first, n } => state.retain(|id, _| !(first..first + n as i64).contains(id)),
        Reopen | Compact | Maintain => {}
        Other => drop(state.insert(OTHER_ROW, 7.0)),
        Both { id, value } => state.extend([(id, value), (OTHER_ROW, value)]),
    }
}

/// What is in both, read in two ways.
fn found(db: &Database, c: &Collection) -> State {
    let k = c.len().unwrap();
    let all = SearchOptions {
        exact: true,
        ..SearchOptions::k(k)
    };
    let results = c.search(rows(&[0.0, 0.0], DIM), &all).unwrap();
    let state: State = results
        .hits(0)
        .map(|hit| match hit.id() {
            Key::Int(id) => (id, hit.vector()[0]),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(state.len(), k);
    let mut state = state;
    if let Ok(other) = db.collection("other") {
        let row = other.get(&Key::Int(0)).unwrap();
        state.extend(row.map(|row| (OTHER_ROW, row.vector[0])));
    }
    for (&id, &value) in state.iter().filter(|(id, _)| **id != OTHER_ROW).step_by(97) {
        assert_eq!(c.get(&Key::Int(id)).unwrap().unwrap().vector[0], value);
    }
    state
}

/// The records that the words of these values find, with these values.
fn by_words(c: &Collection, state: &State) -> State {
    let mut values: Vec<f32> = state.values().copied().collect();
    values.sort_by(f32::total_cmp);
    values.dedup();
    let found = values.into_iter().flat_map(|value| {
        let query = TextQuery::new(format!("value{value}"), ["text"]);
        let found = c
            .search_text(&query, &SearchOptions::k(usize::MAX))
            .unwrap();
        let ids = found.hits.hits(0).map(|hit| match hit.id() {
            Key::Int(id) => id,
            other => panic!("{other}"),
        });
        ids.map(|id| (id, value)).collect::<Vec<_>>()
    });
    found.collect()
}

/// The states that a script goes through, and how many operations had been done when each was acknowledged.
struct Run {
    vfs: SimVfs,
    states: Vec<State>,
    acked_at: Vec<usize>,
}

impl Run {
    fn of(dtype: Dtype, steps: &[Step], durability: Durability) -> Run {
        let vfs = SimVfs::new();
        vfs.record();
        let (mut db, mut c) = open_as(dtype, &vfs, durability).unwrap();
        let (mut states, mut acked_at) = (vec![State::new()], vec![vfs.history().len()]);
        for &step in steps {
            let mut state = states.last().unwrap().clone();
            apply(&mut state, step);
            match step {
                Upsert { first, n, value } => upsert(&c, first, n, value).unwrap(),
                Delete { first, n } => {
                    let ids: Vec<Key> = (first..first + n as i64).map(Key::Int).collect();
                    let gone = c.delete(&ids).unwrap();
                    assert_eq!(gone, states.last().unwrap().len() - state.len());
                }
                Other => {
                    let other = db.create_collection("other", l2(DIM)).unwrap();
                    upsert(&other, 0, 1, 7.0).unwrap();
                }
                Both { id, value } => both(&db, &c, id, value),
                Compact => c.compact(None).unwrap(),
                Maintain => db.maintain().unwrap(),
                Reopen => {
                    db.close().unwrap();
                    (db, c) = open(&vfs, durability).unwrap();
                }
            }
            assert_eq!(found(&db, &c), state);
            states.push(state);
            acked_at.push(vfs.history().len());
        }
        Run {
            vfs,
            states,
            acked_at,
        }
    }

    /// States that may be found after so many operations, given that those before `acked` may not.
    fn allowed(&self, ops: usize, everything: bool) -> &[State] {
        let done = self.acked_at.iter().filter(|&&at| at <= ops).count();
        let first = if everything {
            done.saturating_sub(1)
        } else {
            0
        };
        &self.states[first..self.states.len().min(done + 1)]
    }

    fn check(&self, image: Disk, ops: usize, everything: bool, what: &str) {
        let vfs = image.mount();
        let (db, c) =
            open(&vfs, Durability::Always).unwrap_or_else(|e| panic!("op {ops}, {what}: {e}"));
        let state = found(&db, &c);
        let mut own = state.clone();
        own.remove(&OTHER_ROW);
        assert_eq!(by_words(&c, &own), own, "op {ops}, {what}");
        let allowed = self.allowed(ops, everything);
        assert!(
            allowed.contains(&state),
            "op {ops}, {what}: {} records",
            state.len()
        );
        // It can be written to, and opened once more.
        upsert(&c, 5000, 1, 9.0).unwrap();
        assert!(db.verify().unwrap().ok);
        drop((db, c));
        let (db, c) = open(
            &vfs.disk().crash(|_| false, Fill::Nothing).mount(),
            Durability::Always,
        )
        .unwrap();
        let mut after = state;
        after.insert(5000, 9.0);
        assert_eq!(found(&db, &c), after, "op {ops}, {what}, and again");
    }
}

/// Nothing, everything, and each single thing of what was not synced.
fn power_losses(disk: &Disk) -> Vec<Disk> {
    let choices = disk.choices();
    let mut images = vec![
        disk.crash(|_| false, Fill::Nothing),
        disk.crash(|_| true, Fill::Nothing),
    ];
    let step = choices.div_ceil(6).max(1);
    images.extend(
        (0..choices)
            .step_by(step)
            .map(|one| disk.crash(|choice| choice == one, Fill::Nothing)),
    );
    images.extend(
        (0..choices)
            .step_by(step)
            .map(|one| disk.crash(|choice| choice != one, Fill::Nothing)),
    );
    images
}

fn fingerprint(disk: &Disk) -> Vec<(String, u128)> {
    let digest = |bytes: &[u8]| xxhash_rust::xxh3::xxh3_128(bytes);
    disk.files()
        .map(|(name, bytes)| (name.to_owned(), digest(bytes)))
        .collect()
}

fn crash_everywhere(steps: &[Step], durability: Durability) {
    crash_everywhere_as(Dtype::F32, steps, durability);
}

fn crash_everywhere_as(dtype: Dtype, steps: &[Step], durability: Durability) {
    let run = Run::of(dtype, steps, durability);
    let strict = durability == Durability::Always;
    let mut seen = HashSet::new();
    let mut images = 0;
    for (ops, disk) in run.vfs.history().into_iter().enumerate() {
        let done = run.allowed(ops, true).len();
        for image in power_losses(&disk) {
            if seen.insert((fingerprint(&image), run.allowed(ops, strict).len(), done)) {
                run.check(image, ops, strict, "no power");
                images += 1;
            }
        }
        if seen.insert((fingerprint(&disk), run.allowed(ops, true).len(), done)) {
            run.check(disk, ops, true, "killed");
            images += 1;
        }
    }
    assert!(images > 20, "{images} images");
}

#[test]
fn small_batches() {
    crash_everywhere(SMALL, Durability::Always);
}

#[test]
fn small_batches_at_the_weakest_level() {
    crash_everywhere(SMALL, Durability::Os);
}

#[test]
fn full_tails() {
    crash_everywhere(SEALED, Durability::Always);
}

#[test]
fn full_tails_at_the_weakest_level() {
    crash_everywhere(SEALED, Durability::Os);
}

#[test]
fn tails_sealed_beside_writes() {
    crash_everywhere(SEALING, Durability::Always);
}

#[test]
fn tails_sealed_beside_writes_at_the_weakest_level() {
    crash_everywhere(SEALING, Durability::Os);
}

#[test]
fn beside_another_tail() {
    crash_everywhere(SHARED, Durability::Always);
}

#[test]
fn beside_another_tail_at_the_weakest_level() {
    crash_everywhere(SHARED, Durability::Os);
}

#[test]
fn several_collections_at_once() {
    crash_everywhere(TOGETHER, Durability::Always);
}

#[test]
fn several_collections_at_once_at_the_weakest_level() {
    crash_everywhere(TOGETHER, Durability::Os);
}

#[test]
fn while_all_is_put_together() {
    crash_everywhere(COMPACTED, Durability::Os);
}

#[test]
fn a_large_batch_over_a_tail() {
    crash_everywhere(LARGE, Durability::Always);
}

#[test]
fn halves_and_bytes() {
    crash_everywhere_as(Dtype::F16, SMALL, Durability::Always);
    crash_everywhere_as(Dtype::F16, SEALED, Durability::Always);
    crash_everywhere_as(Dtype::Int8, LARGE, Durability::Os);
    crash_everywhere_as(Dtype::Int8, COMPACTED, Durability::Os);
}

/// A tail that a large batch overtakes has deletions from older segments in it: they are still known when the store is opened again.
#[test]
fn deletions_under_a_large_batch() {
    let large = |first| Upsert {
        first,
        n: 1100,
        value: 1.0,
    };
    let steps = [large(0), Delete { first: 1, n: 2 }, large(2000), Reopen];
    let run = Run::of(Dtype::F32, &steps, Durability::Always);
    assert_eq!(run.states.last().unwrap().len(), 2198);
}

/// A full disk, or an error, at every operation of the second batch and of the thread that seals after it; what is written then; and
/// the loss of power after all of it: what was acknowledged is there, whatever the disk has of the rest.
#[test]
fn an_error_at_every_operation() {
    let (mut failed, mut seen) = (0, HashSet::new());
    for at in 0.. {
        let vfs = SimVfs::new();
        let (db, c) = open(&vfs, Durability::Always).unwrap();
        upsert(&c, 0, 700, 1.0).unwrap();
        let mut allowed = vec![found(&db, &c)];
        let start = vfs.op_count();
        vfs.inject(start + at, Fault::Fails(std::io::ErrorKind::StorageFull));
        for (first, n, value) in [(600, 700, 2.0), (650, 1, 3.0)] {
            let outcome = upsert(&c, first, n, value);
            // Where it fails, sealing is tried again later: that is not an error of the batch.
            db.maintain().ok();
            let expected = allowed.clone();
            let after = expected.iter().cloned().map(|mut state| {
                apply(&mut state, Upsert { first, n, value });
                state
            });
            match outcome {
                Ok(()) => allowed = after.collect(),
                // After a failed sync nobody knows; then the writer was told.
                Err(_) => allowed.extend(after.collect::<Vec<_>>()),
            }
            failed += usize::from(outcome.is_err());
            assert_eq!(found(&db, &c), allowed[0], "op {at}");
        }
        let reached = vfs.op_count() - start > at;
        drop((db, c));
        let mut images = power_losses(&vfs.disk());
        images.push(vfs.disk());
        for image in images {
            if !seen.insert((fingerprint(&image), failed)) {
                continue;
            }
            let (db, c) = open(&image.mount(), Durability::Always).unwrap();
            assert!(allowed.contains(&found(&db, &c)), "op {at}");
        }
        if !reached {
            assert!(allowed.len() == 1 && failed > 1, "{failed} of {at}");
            return;
        }
    }
}

#[test]
fn a_reader_sees_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let data = points(20, DIM);
    c.upsert(Batch::new(int_ids(20), &rows(&data, DIM)))
        .unwrap();
    c.delete(&[Key::Int(3)]).unwrap();
    let read = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let reader = Database::open_with(&path, &read).unwrap();
    let seen = reader.collection("c").unwrap();
    assert_eq!(seen.len().unwrap(), 19);
    assert_eq!(seen.get(&Key::Int(3)).unwrap(), None);
    assert_eq!(seen.digest().unwrap(), c.digest().unwrap());
    assert!(reader.verify().unwrap().ok);
    c.upsert(Batch::new(int_ids(1500), &rows(&points(1500, DIM), DIM)))
        .unwrap();
    assert_eq!(seen.len().unwrap(), 19, "what it opened");
    let again = Database::open_with(&path, &read).unwrap();
    assert_eq!(again.collection("c").unwrap().len().unwrap(), 1500);
}
