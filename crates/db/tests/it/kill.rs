//! kill -9 at any moment: what the process had acknowledged on a pipe is there, whole, and nothing that was never begun.
//!
//! The child does operations that follow from their numbers and tells each number when the database has said yes; the parent, who
//! remembers, kills it, opens the database and compares it with a map to which the same was done.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proxime::{Batch, Collection, Database, Dtype, Key, SearchOptions};

use crate::support::{given_path, l2, rows};

/// Id and the number of the operation that wrote it.
type State = BTreeMap<i64, u64>;

const DIM: usize = 5;

/// Both numbers, in digits that every type holds.
fn vector(id: i64, n: u64) -> [f32; DIM] {
    [
        n % 100,
        n / 100 % 100,
        n / 10_000,
        id as u64 % 100,
        id as u64 / 100,
    ]
    .map(|digit| digit as f32)
}

/// Ids that operation `n` writes or, as the flag says, deletes.
fn operation(n: u64) -> (Vec<i64>, bool) {
    let some = |first: u64, count: u64| {
        (first..first + count)
            .map(|i| (i * 37 % 500) as i64)
            .collect()
    };
    match n % 16 {
        3 | 9 => (some(n, 20), true),
        // A segment of its own.
        7 => ((1000..2100).collect(), false),
        15 => ((1050..2000).collect(), true),
        _ => (some(n * 11, 1 + n % 60), false),
    }
}

fn apply(state: &mut State, n: u64) {
    let (ids, delete) = operation(n);
    for id in ids {
        match delete {
            true => drop(state.remove(&id)),
            false => drop(state.insert(id, n)),
        }
    }
}

fn perform(c: &Collection, n: u64) {
    let (ids, delete) = operation(n);
    let keys: Vec<Key> = ids.iter().map(|&id| Key::Int(id)).collect();
    if delete {
        c.delete(&keys).unwrap();
        return;
    }
    let vectors: Vec<f32> = ids.iter().flat_map(|&id| vector(id, n)).collect();
    c.upsert(Batch::new(keys, &rows(&vectors, DIM))).unwrap();
}

/// Not a test by itself: what the parent starts.
#[test]
#[ignore = "started by the others"]
fn child() {
    let Some(path) = given_path() else { return };
    let first: u64 = std::env::var("PROXIME_TEST_FIRST")
        .unwrap()
        .parse()
        .unwrap();
    let db = Database::open(path).unwrap();
    let c = db.collection("c").unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready").unwrap();
    for n in first.. {
        perform(&c, n);
        writeln!(out, "ack {n}").unwrap();
    }
}

/// Starts the child, kills it after `time`, and returns the last operation that it acknowledged.
fn life(path: &Path, first: u64, time: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
        .env("PROXIME_TEST_PATH", path)
        .env("PROXIME_TEST_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (opened, ready) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut last = None;
        for line in lines.map_while(Result::ok) {
            // Each is written by one call, and so whole.
            match line.strip_prefix("ack ").map(str::parse) {
                Some(Ok(n)) => last = Some(n),
                _ if line.ends_with("ready") => opened.send(()).unwrap(),
                _ => {}
            }
        }
        last
    });
    // One in four is killed while it is opening.
    if !first.is_multiple_of(4) {
        ready.recv().unwrap();
    }
    std::thread::sleep(time);
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap().unwrap_or(first - 1)
}

fn found(path: &Path) -> State {
    let db = Database::open(path).unwrap();
    let c = db.collection("c").unwrap();
    let all = SearchOptions {
        exact: true,
        ..SearchOptions::k(10_000)
    };
    let hits = c.search(rows(&[0.0; DIM], DIM), &all).unwrap();
    assert_eq!(hits.hits(0).len(), c.len().unwrap());
    let record = |id: Key| {
        let record = c.get(&id).unwrap().unwrap();
        let Key::Int(id) = id else { panic!("{id}") };
        let digit = |i: usize| record.vector[i] as u64;
        let n = digit(0) + 100 * digit(1) + 10_000 * digit(2);
        assert_eq!(record.vector, vector(id, n));
        (id, n)
    };
    hits.hits(0).map(|hit| record(hit.id())).collect()
}

/// Kills until `enough(kills, operations)`; kills and operations.
fn campaign(dtype: Dtype, enough: impl Fn(u64, u64) -> bool) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    Database::open(&path)
        .unwrap()
        .create_collection("c", l2(DIM).dtype(dtype))
        .unwrap();
    let (mut state, mut first, mut kills) = (State::new(), 1, 0);
    // On a machine that is busy an operation may need longer than usual: more time until one is done.
    let mut patience = 1;
    while !enough(kills, first - 1) {
        let time = Duration::from_micros(kills * 7_919 % 60_000) * patience;
        let acked = life(&path, first, time);
        patience = match acked < first {
            true => (patience * 2).min(64),
            false => 1,
        };
        (first..=acked).for_each(|n| apply(&mut state, n));
        let found = found(&path);
        if found != state {
            // The one that was under way may be there, whole.
            apply(&mut state, acked + 1);
            assert!(
                found == state,
                "after kill {kills}: neither with {acked} nor with the next operation"
            );
            first = acked + 2;
        } else {
            first = acked + 1;
        }
        kills += 1;
    }
    (kills, first - 1)
}

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Int8];

#[test]
fn a_few_kills() {
    for dtype in DTYPES {
        let (kills, operations) = campaign(dtype, |kills, operations| kills >= 2 && operations > 2);
        assert!(kills >= 2 && operations > 2);
    }
}

#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_kills() {
    let seconds = std::env::var("PROXIME_TORTURE_SECONDS").map_or(10.0, |s| s.parse().unwrap());
    for dtype in DTYPES {
        let started = Instant::now();
        let enough = |_, _| started.elapsed().as_secs_f64() > seconds / DTYPES.len() as f64;
        let (kills, operations) = campaign(dtype, enough);
        println!(
            "kill -9 of {dtype:?}: {kills} kills, {operations} operations; 0 acknowledged lost, 0 there in part"
        );
    }
}
