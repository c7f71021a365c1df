//! What is on the disk is not believed: damage gives an error that names the file, or, in what is derived, exact answers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proxime::{Batch, Database, Error, ErrorKind, OpenOptions, SearchOptions};

use crate::support::{ids, int_ids, l2, points, rows};

const DIM: usize = 8;
const N: usize = 1500;

/// A store with one segment that has a graph; its segment file.
fn store(dir: &Path) -> PathBuf {
    let db = Database::open(dir.join("db")).unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    let data = points(N, DIM);
    c.upsert(Batch::new(int_ids(N), &rows(&data, DIM)).metadata(vec![Default::default(); N]))
        .unwrap();
    dir.join("db/seg-0000000000000001.seg")
}

/// Changes a finished file, which is read-only, as its owner can.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Offset and length of a section, from the segment's table.
pub(crate) fn section(path: &Path, kind: u32) -> (usize, usize) {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let line = (0..32)
        .map(|i| 128 + 48 * i)
        .find(|&at| bytes[at..at + 4] == kind.to_le_bytes())
        .unwrap();
    (number(line + 24), number(line + 32))
}

#[test]
fn a_truncated_segment() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    let len = fs::metadata(&segment).unwrap().len() as usize;
    for shorter in [len - 1, len / 2, 4096, 1, 0] {
        edit(&segment, |bytes| bytes.truncate(shorter));
        let error = Database::open(dir.path().join("db")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        let message = error.to_string();
        assert!(
            message.contains("seg-0000000000000001.seg is damaged at byte"),
            "{message}"
        );
        assert!(
            message.contains(&format!("{shorter} bytes instead of {len}")),
            "{message}"
        );
    }
    fs::remove_file(&segment).unwrap();
    let message = Database::open(dir.path().join("db"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("the file is missing"), "{message}");
}

#[test]
fn a_flipped_bit_in_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    for (kind, name) in [(1, "VEC"), (5, "IDS"), (6, "PAYLOAD")] {
        let (offset, len) = section(&segment, kind);
        let at = offset + len / 2;
        edit(&segment, |bytes| bytes[at] ^= 1);
        let error = Database::open(dir.path().join("db")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(
            error
                .to_string()
                .contains(&format!("the checksum of {name} block")),
            "{error}"
        );
        edit(&segment, |bytes| bytes[at] ^= 1);
    }
    Database::open(dir.path().join("db")).unwrap();
}

#[test]
fn a_damaged_graph_leaves_exact_answers() {
    let data = points(N, DIM);
    for kind in [2, 3, 4] {
        let dir = tempfile::tempdir().unwrap();
        let segment = store(dir.path());
        let (offset, len) = section(&segment, kind);
        edit(&segment, |bytes| bytes[offset + len / 2] ^= 0x10);
        let db = Database::open(dir.path().join("db")).unwrap();
        let c = db.collection("c").unwrap();
        let stats = c.stats().unwrap();
        assert_eq!(
            (stats.damaged_graphs, stats.graph.graphs, stats.live),
            (1, 0, N)
        );
        let queries = rows(&data, DIM);
        let found = c.search(queries, &SearchOptions::k(3)).unwrap();
        let exact = c
            .search(
                queries,
                &SearchOptions {
                    exact: true,
                    ..SearchOptions::k(3)
                },
            )
            .unwrap();
        assert!((0..N).all(|query| ids(&found, query) == ids(&exact, query)));
        let report = db.verify().unwrap();
        assert!(!report.ok && report.problems.is_empty());
        let problems = &report.collections[0].problems;
        assert!(
            problems.len() == 1 && problems[0].contains("seg-0000000000000001.seg is damaged"),
            "{problems:?}"
        );
        // It can be written to as before.
        c.upsert(Batch::new(int_ids(1), &rows(&data[..DIM], DIM)))
            .unwrap();
        assert_eq!(c.len().unwrap(), N);
    }
}

#[test]
fn verify_sees_what_happens_after_opening() {
    let dir = tempfile::tempdir().unwrap();
    let segment = store(dir.path());
    for read_only in [false, true] {
        let options = OpenOptions {
            read_only,
            ..OpenOptions::default()
        };
        let db = Database::open_with(dir.path().join("db"), &options).unwrap();
        assert!(db.verify().unwrap().ok);
        let (offset, _) = section(&segment, 1);
        edit(&segment, |bytes| bytes[offset] ^= 1);
        let report = db.verify().unwrap();
        let problems = &report.collections[0].problems;
        assert!(
            !report.ok && problems.len() == 1 && problems[0].contains("VEC block 0"),
            "{report:?}"
        );
        edit(&segment, |bytes| bytes[offset] ^= 1);
    }
}

#[test]
fn what_is_not_a_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    for path in [&file, dir.path()] {
        let error = Database::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains("not a Proxime store"), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let nothing = dir.path().join("nothing");
    for options in [
        OpenOptions {
            create: false,
            ..Default::default()
        },
        OpenOptions {
            read_only: true,
            ..Default::default()
        },
    ] {
        let error = Database::open_with(&nothing, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(!nothing.exists());
    }
}

#[test]
fn a_segment_that_does_not_fit_its_collection() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let vfs = std::sync::Arc::new(proxime_storage::OsVfs::open(dir.path().join("db")).unwrap());
    let (mut store, segments) =
        proxime_storage::Store::open(vfs, proxime_storage::Access::Write).unwrap();
    drop(segments);
    store
        .commit(|m| m.collections[0].config["dim"] = 4.into())
        .unwrap();
    drop(store);
    let error = Database::open(dir.path().join("db")).unwrap_err();
    assert!(
        matches!(error, Error::Storage(_)) && error.kind() == ErrorKind::Damaged,
        "{error}"
    );
    assert!(
        error.to_string().contains("does not fit the collection"),
        "{error}"
    );
}
