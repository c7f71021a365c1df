//! Whatever is damaged, every row whose blocks are whole comes over, every other is listed, and the source is left alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proxime::{Batch, Database, ErrorKind, Key, SalvageReport, Value};

use crate::damage::{edit, section};
use crate::support::{int_ids, l2, object, points, rows, upsert};

const DIM: usize = 16;
const N: usize = 7500;
/// The first so many were replaced: too few for the background to put the two segments together.
const REPLACED: usize = 1000;

struct Sample {
    dir: tempfile::TempDir,
    data: Vec<f32>,
}

impl Sample {
    /// In collection "c" segment 1 with metadata, and segment 2, which replaces some of it; a record of "d" in the log.
    fn new() -> Sample {
        let sample = Sample {
            dir: tempfile::tempdir().unwrap(),
            data: points(N + REPLACED, DIM),
        };
        let db = Database::open(sample.path("db")).unwrap();
        let c = db.create_collection("c", l2(DIM)).unwrap();
        let metadata = (0..N).map(|n| object([("n", Value::Int(n as i64))]));
        let all = rows(&sample.data[..N * DIM], DIM);
        c.upsert(Batch::new(int_ids(N), &all).metadata(metadata.collect()))
            .unwrap();
        upsert(&c, int_ids(REPLACED), &sample.data[N * DIM..]);
        let d = db.create_collection("d", l2(1)).unwrap();
        upsert(&d, vec!["x".into()], &[7.0]);
        sample
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.path("db").join(format!("seg-{number:016x}.seg"))
    }

    fn salvage(&self) -> (SalvageReport, Database) {
        let before = content(&self.path("db"));
        let report = Database::salvage(self.path("db"), self.path("new"), None).unwrap();
        assert!(
            content(&self.path("db")) == before,
            "the source has changed"
        );
        let db = Database::open(self.path("new")).unwrap();
        assert!(db.verify_deep().unwrap().ok);
        (report, db)
    }

    /// Whether exactly those of the ids are missing, and the others as they were stored.
    fn assert_has_all_but(
        &self,
        db: &Database,
        name: &str,
        missing: &BTreeSet<i64>,
        bare: &BTreeSet<i64>,
    ) {
        let c = db.collection(name).unwrap();
        assert_eq!(c.len().unwrap(), N - missing.len());
        for id in 0..N as i64 {
            let found = c.get(&Key::Int(id)).unwrap();
            assert_eq!(found.is_none(), missing.contains(&id), "{id}");
            let Some(found) = found else { continue };
            let row = if (id as usize) < REPLACED {
                N + id as usize
            } else {
                id as usize
            };
            assert_eq!(found.vector, &self.data[row * DIM..(row + 1) * DIM], "{id}");
            let expected = match (id as usize) < REPLACED || bare.contains(&id) {
                true => object([]),
                false => object([("n", Value::Int(id))]),
            };
            assert_eq!(found.metadata, expected, "{id}");
        }
    }
}

fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect();
    all.sort();
    all
}

fn none() -> BTreeSet<i64> {
    BTreeSet::new()
}

fn listed(lost: &[proxime::LostRows]) -> BTreeSet<i64> {
    let ids = lost.iter().flat_map(|run| &run.ids);
    ids.map(|key| match key {
        Key::Int(id) => *id,
        _ => panic!("{key}"),
    })
    .collect()
}

#[test]
fn a_sound_database_comes_over_whole() {
    let sample = Sample::new();
    let (report, db) = sample.salvage();
    assert!(report.complete, "{report:?}");
    assert_eq!(report.collections[0].records, N);
    sample.assert_has_all_but(&db, "c", &none(), &none());
    assert_eq!(
        db.collection("d")
            .unwrap()
            .get(&"x".into())
            .unwrap()
            .unwrap()
            .vector,
        [7.0]
    );
}

#[test]
fn rows_in_damaged_blocks_are_lost_and_listed() {
    let sample = Sample::new();
    let (vectors, _) = section(&sample.segment(1), 1);
    // Blocks of 64 rows each; those of block 0 and most of block 15 have been replaced.
    for block in [0, 15, 17] {
        edit(&sample.segment(1), |bytes| {
            bytes[vectors + block * 4096 + 5] ^= 1
        });
    }
    assert_eq!(
        Database::open(sample.path("db")).unwrap_err().kind(),
        ErrorKind::Damaged
    );
    let (report, db) = sample.salvage();
    let missing: BTreeSet<i64> = (REPLACED as i64..1024).chain(1088..1152).collect();
    let lost = &report.collections[0].lost;
    assert!(!report.complete && report.problems.is_empty(), "{report:?}");
    assert_eq!(listed(lost), missing);
    let runs: Vec<_> = lost
        .iter()
        .map(|run| (run.first_row, run.last_row))
        .collect();
    assert_eq!(runs, [(1000, 1023), (1088, 1151)]);
    assert!(lost[0].file.ends_with("seg-0000000000000001.seg"));
    sample.assert_has_all_but(&db, "c", &missing, &none());
}

#[test]
fn outdated_rows_do_not_come_back() {
    let sample = Sample::new();
    let (vectors, _) = section(&sample.segment(2), 1);
    edit(&sample.segment(2), |bytes| bytes[vectors] ^= 1);
    let (report, db) = sample.salvage();
    let missing: BTreeSet<i64> = (0..64).collect();
    assert_eq!(listed(&report.collections[0].lost), missing);
    sample.assert_has_all_but(&db, "c", &missing, &none());
}

#[test]
fn without_metadata_and_without_ids() {
    let sample = Sample::new();
    let (payload, len) = section(&sample.segment(1), 6);
    edit(&sample.segment(1), |bytes| bytes[payload + len - 1] ^= 1);
    let (report, db) = sample.salvage();
    let bare = listed(&report.collections[0].without_metadata);
    assert!(
        bare.contains(&(N as i64 - 1)) && bare.len() < N / 5,
        "{bare:?}"
    );
    assert!(!report.complete && report.collections[0].lost.is_empty());
    sample.assert_has_all_but(&db, "c", &none(), &bare);

    let sample = Sample::new();
    let (ids, _) = section(&sample.segment(1), 5);
    edit(&sample.segment(1), |bytes| bytes[ids + 4096 + 8] ^= 1);
    let (report, db) = sample.salvage();
    let [lost] = &report.collections[0].lost[..] else {
        panic!("{report:?}")
    };
    // Offsets, 512 in a block, of which the first is also the end of the row before.
    assert_eq!(
        (lost.first_row, lost.last_row, lost.ids.len()),
        (511, 1023, 0)
    );
    sample.assert_has_all_but(&db, "c", &(1000..1024).collect(), &none());
}

#[test]
fn a_damaged_index_loses_nothing() {
    for kind in [2, 3, 4] {
        let sample = Sample::new();
        let (offset, _) = section(&sample.segment(1), kind);
        edit(&sample.segment(1), |bytes| bytes[offset] ^= 1);
        let (report, db) = sample.salvage();
        assert!(report.complete, "{report:?}");
        sample.assert_has_all_but(&db, "c", &none(), &none());
    }
}

#[test]
fn structure_that_is_gone_is_found_out() {
    let header = |sample: &Sample| edit(&sample.segment(1), |bytes| bytes[70] ^= 1);
    let footer = |sample: &Sample| {
        edit(&sample.segment(1), |bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        });
    };
    let format = |sample: &Sample| edit(&sample.path("db/FORMAT"), |bytes| bytes[40] ^= 1);
    let no_format = |sample: &Sample| fs::remove_file(sample.path("db/FORMAT")).unwrap();
    let all: [&dyn Fn(&Sample); 4] = [&header, &footer, &format, &no_format];
    for (number, damage) in all.into_iter().enumerate() {
        let sample = Sample::new();
        damage(&sample);
        let (report, db) = sample.salvage();
        // A footer says nothing that is not known otherwise.
        assert_eq!(report.problems.is_empty(), number == 1, "{report:?}");
        sample.assert_has_all_but(&db, "c", &none(), &none());
    }
}

#[test]
fn without_a_manifest_names_are_made_up() {
    for remove in [true, false] {
        let sample = Sample::new();
        let manifest = content(&sample.path("db"))
            .into_iter()
            .find(|(path, _)| path.to_string_lossy().contains("MANIFEST"))
            .unwrap()
            .0;
        match remove {
            true => fs::remove_file(manifest).unwrap(),
            false => edit(&manifest, |bytes| bytes[100] ^= 1),
        }
        let (report, db) = sample.salvage();
        assert!(!report.complete && report.manifest.is_none());
        // The record of the other collection is in the log, which does not say how long its vectors are.
        assert_eq!(report.problems.len(), 2, "{report:?}");
        assert!(report.problems[1].contains("of the log is of an unknown"));
        assert_eq!(db.collections().unwrap(), ["collection-1"]);
        sample.assert_has_all_but(&db, "collection-1", &none(), &none());
        assert_eq!(db.collection("collection-1").unwrap().config(), &l2(DIM));
    }
}

#[test]
fn a_segment_that_is_cut_or_gone_is_said_to_be() {
    for cut in [Some(5000), Some(0), None] {
        let sample = Sample::new();
        match cut {
            Some(len) => edit(&sample.segment(1), |bytes| bytes.truncate(len)),
            None => fs::remove_file(sample.segment(1)).unwrap(),
        }
        let (report, db) = sample.salvage();
        assert!(
            report.problems[0].contains("seg-0000000000000001.seg"),
            "{report:?}"
        );
        assert_eq!(db.collection("c").unwrap().len().unwrap(), REPLACED);
    }
}

#[test]
fn what_was_logged_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (source, dest) = (dir.path().join("db"), dir.path().join("new"));
    {
        let db = Database::open(&source).unwrap();
        let c = db.create_collection("c", l2(2)).unwrap();
        upsert(&c, int_ids(2000), &points(2000, 2));
        // A segment that deletes, then the log.
        c.delete(&int_ids(1200)[100..]).unwrap();
        upsert(&c, int_ids(1000), &points(1000, 2));
        c.delete(&int_ids(1000)[100..]).unwrap();
        upsert(&c, vec![6.into(), 5000.into()], &[1.0, 2.0, 3.0, 4.0]);
    }
    let report = Database::salvage(&source, &dest, None).unwrap();
    assert!(report.complete, "{report:?}");
    let (old, new) = (
        Database::open(&source).unwrap(),
        Database::open(&dest).unwrap(),
    );
    let [old, new] = [&old, &new].map(|db| db.collection("c").unwrap());
    assert_eq!(new.len().unwrap(), 100 + 800 + 1);
    for id in (0..2000).chain([5000]).map(Key::Int) {
        // In the new database it was written anew.
        let [old, new] = [&old, &new].map(|c| {
            let record = c.get(&id).unwrap();
            record.map(|record| (record.vector, record.metadata))
        });
        assert_eq!(old, new);
    }
}

#[test]
fn damage_anywhere_keeps_what_it_does_not_touch() {
    const ROWS: usize = 1000;
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("db");
    {
        let db = Database::open(&source).unwrap();
        let c = db.create_collection("c", l2(2)).unwrap();
        upsert(&c, int_ids(ROWS), &points(ROWS, 2));
        upsert(&c, int_ids(3), &points(3, 2));
    }
    let mut tried = 0;
    for (file, whole) in content(&source) {
        if file.ends_with("LOCK") {
            continue;
        }
        for at in (0..whole.len()).step_by(1777) {
            edit(&file, |bytes| bytes[at] ^= 0x40);
            let dest = dir.path().join(format!("new-{tried}"));
            let report = Database::salvage(&source, &dest, None).unwrap();
            let db = Database::open(&dest).unwrap();
            let name = db.collections().unwrap().pop().unwrap();
            let records = db.collection(&name).unwrap().len().unwrap();
            let listed: u32 = (report.collections.iter().flat_map(|c| &c.lost))
                .map(|run| run.last_row - run.first_row + 1)
                .sum();
            // Rows whose id is not known may also be in the log.
            let all = records + listed as usize;
            assert!((ROWS..=ROWS + 3).contains(&all), "{at}: {report:?}");
            edit(&file, |bytes| bytes.copy_from_slice(&whole));
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn what_cannot_be_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let nothing = Database::salvage(path("nothing"), path("new"), None).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    fs::create_dir(path("empty")).unwrap();
    let empty = Database::salvage(path("empty"), path("new"), None).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Refused);
    assert!(!path("new").exists());
    let sample = Sample::new();
    let taken = Database::salvage(sample.path("db"), sample.path("db"), None).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
}
