//! A collection of four times the memory that its process may have.

use std::path::Path;
use std::process::Command;

use proxime::{Collection, Database, Key, OpenOptions, Params, Preset, SearchOptions, Verify};

use crate::support::{another_process, given_path, ids, int_ids, l2, points, rows, upsert};

const ROWS: usize = 16_000;
const DIM: usize = 2048;
const QUERIES: usize = 20;

/// The limit is on memory that belongs to the process alone, and is what a copy of the int8 codes would take. Mapped files are
/// not counted: under pressure the system drops their pages and reads them again.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs ulimit -d")]
fn a_process_with_a_quarter_of_the_memory_finds_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let fast = Params::default().with_preset(Preset::Fast);
    let c = db.create_collection("c", l2(DIM).params(fast)).unwrap();
    upsert(&c, int_ids(ROWS), &points(ROWS, DIM));
    let expected = format!("found {:?}", found(&c));
    drop(c);
    db.close().unwrap();

    // A process for each way: what the allocator keeps of the first opening would be missing for the second.
    for way in ["child_opens_in_full", "child_opens_lazily"] {
        let child = another_process(&format!("larger_than_memory::{way}"), &path);
        let output = limited(4 * ROWS * DIM / 4, &child, &path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way}: {text}\n{error}");
        assert!(text.contains(&expected), "{way}: {text}\n{expected}");
    }
}

/// The same command with at most so many bytes of memory of its own.
fn limited(bytes: usize, command: &Command, path: &Path) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -d $0 && exec \"$@\""])
        .arg((bytes / 1024).to_string())
        .arg(command.get_program())
        .args(command.get_args())
        .env("PROXIME_TEST_PATH", path)
        // Without memory for a backtrace, a process that prints one when there is no memory never ends.
        .env("RUST_BACKTRACE", "0");
    limited
}

#[test]
#[ignore = "started by a_process_with_a_quarter_of_the_memory_finds_the_same"]
fn child_opens_in_full() {
    let Some(path) = given_path() else { return };
    println!("found {:?}", found_by_reader(&path, Verify::Full));
}

#[test]
#[ignore = "started by a_process_with_a_quarter_of_the_memory_finds_the_same"]
fn child_opens_lazily() {
    let Some(path) = given_path() else { return };
    println!("found {:?}", found_by_reader(&path, Verify::Lazy));
}

fn found_by_reader(path: &Path, verify: Verify) -> Vec<Vec<Key>> {
    let options = OpenOptions {
        read_only: true,
        verify,
        threads: Some(1),
        ..OpenOptions::default()
    };
    let db = Database::open_with(path, &options).unwrap();
    found(&db.collection("c").unwrap())
}

fn found(c: &Collection) -> Vec<Vec<Key>> {
    let queries = points(QUERIES, DIM);
    let results = c
        .search(rows(&queries, DIM), &SearchOptions::k(10))
        .unwrap();
    (0..QUERIES).map(|query| ids(&results, query)).collect()
}
