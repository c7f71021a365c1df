//! Stores of released formats, checked in: every version opens them, and finds in them what was put there.
//!
//! Their content follows from the number of each record, so that whoever reads them needs no list. They are made once, by
//! `cargo test -p proxime --test it golden::make -- --ignored`, and never again: a new format gets new stores beside the old ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proxime::{
    Batch, CollectionConfig, Database, Dtype, Key, Metadata, Metric, OpenOptions, Params, Record,
    SearchOptions, Value,
};
use proxime_storage::{MemVfs, Vfs, VfsFile};

use crate::support::{object, rows};

/// A store by its folder, what is in it, and what was in it before its last batch.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    metric: Metric,
    dtype: Dtype,
    dim: usize,
    steps: Vec<Step>,
    /// Whether it was closed in good order. If not, damage to the last batch cannot be told from a torn end.
    pub(crate) closed: bool,
}

enum Step {
    /// Records so and so, made with this added to their numbers.
    Upsert(std::ops::Range<usize>, usize),
    Delete(std::ops::Range<usize>),
    /// Nothing is left to do for the background.
    Maintain,
}

type Content = BTreeMap<Key, Record>;

/// Content by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn all() -> [Golden; 6] {
    use Step::{Delete, Maintain, Upsert};
    let golden = |name, metric, dim, steps, closed| Golden {
        name,
        metric,
        dtype: Dtype::F32,
        dim,
        steps,
        closed,
    };
    [
        // A segment with a graph, metadata and ids of both kinds; rows and deletions in the log.
        golden(
            "mixed",
            Metric::L2,
            4,
            vec![Upsert(0..1000, 0), Delete(10..40), Upsert(0..20, 10_000)],
            true,
        ),
        // A segment that was written anew without what was deleted, and is too small for a graph; rows in the log.
        golden(
            "sealed",
            Metric::Dot,
            2,
            vec![Upsert(0..1000, 0), Delete(200..800), Upsert(0..500, 10_000)],
            true,
        ),
        // Three segments too small for graphs: rows, deletions of some of them and nothing else, and rows.
        golden(
            "deleted",
            Metric::L2,
            2,
            vec![
                Upsert(0..1000, 0),
                Delete(90..1000),
                Maintain,
                Delete(10..20),
                Upsert(1000..2000, 0),
                Delete(1080..2000),
                Maintain,
            ],
            true,
        ),
        // Everything in the log, which was not closed.
        golden(
            "logged",
            Metric::Cosine,
            3,
            vec![Upsert(0..9, 0), Delete(3..5), Upsert(7..12, 100)],
            false,
        ),
        // Narrow components: a segment, and rows in the log.
        Golden {
            dtype: Dtype::F16,
            ..golden(
                "f16",
                Metric::Cosine,
                3,
                vec![Upsert(0..1000, 0), Upsert(3..9, 100)],
                true,
            )
        },
        Golden {
            dtype: Dtype::Int8,
            ..golden(
                "int8",
                Metric::L2,
                2,
                vec![Upsert(0..1000, 0), Delete(10..990)],
                true,
            )
        },
    ]
}

fn key(number: usize) -> Key {
    match number % 2 {
        0 => Key::Int(number as i64),
        _ => Key::Text(format!("id {number}")),
    }
}

/// Numbers that the type holds exactly.
fn vector(number: usize, dim: usize, dtype: Dtype) -> Vec<f32> {
    let component = |j| {
        let integer = (number * (j + 3) % 97) as f32 - 48.0;
        match dtype {
            Dtype::F32 => integer + number as f32 / 1024.0 + 0.5,
            Dtype::F16 => integer + (number % 8) as f32 / 16.0 + 0.5,
            Dtype::Int8 => integer,
        }
    };
    (0..dim).map(component).collect()
}

fn metadata(number: usize) -> Metadata {
    match number % 3 {
        0 => object([
            ("n", Value::Int(number as i64)),
            (
                "tags",
                Value::List(vec![
                    Value::Text("ä".into()),
                    Value::Bool(true),
                    Value::Null,
                ]),
            ),
            (
                "at",
                Value::Object(object([("x", Value::Float(number as f64 / 2.0))])),
            ),
        ]),
        _ => Metadata::new(),
    }
}

impl Golden {
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(self.name)
    }

    /// What is in it after so many steps, in the order of ids.
    pub(crate) fn records(&self, steps: usize) -> Vec<Record> {
        self.content(steps).into_values().collect()
    }

    fn content(&self, steps: usize) -> Content {
        let mut content = Content::new();
        let mut version = 0;
        for step in &self.steps[..steps] {
            version += u64::from(!matches!(step, Step::Maintain));
            match step {
                Step::Upsert(numbers, shift) => content.extend(numbers.clone().map(|number| {
                    let record = Record {
                        id: key(number),
                        vector: vector(number + shift, self.dim, self.dtype),
                        metadata: metadata(number + shift),
                        version,
                    };
                    (key(number), record)
                })),
                Step::Delete(numbers) => {
                    content.retain(|id, _| !numbers.clone().any(|n| key(n) == *id))
                }
                Step::Maintain => {}
            }
        }
        content
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.len()
    }

    fn make(&self, folder: &Path) -> Database {
        let db = Database::open(folder).unwrap();
        let params = Params::default().with_m(4).unwrap();
        let config = CollectionConfig::new(self.dim)
            .metric(self.metric)
            .dtype(self.dtype)
            .params(params);
        let c = db.create_collection("docs", config).unwrap();
        for step in &self.steps {
            match step {
                Step::Upsert(numbers, shift) => {
                    let vectors: Vec<f32> = numbers
                        .clone()
                        .flat_map(|n| vector(n + shift, self.dim, self.dtype))
                        .collect();
                    let metadata = numbers.clone().map(|n| metadata(n + shift)).collect();
                    let ids = numbers.clone().map(key).collect();
                    c.upsert(Batch::new(ids, &rows(&vectors, self.dim)).metadata(metadata))
                        .unwrap();
                }
                Step::Delete(numbers) => {
                    let ids: Vec<Key> = numbers.clone().map(key).collect();
                    assert_eq!(c.delete(&ids).unwrap(), ids.len());
                }
                Step::Maintain => db.maintain().unwrap(),
            }
        }
        db
    }

    /// The files, LOCK excepted.
    pub(crate) fn files(&self) -> Files {
        let entries = fs::read_dir(self.folder()).unwrap();
        let file = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        };
        entries
            .map(file)
            .filter(|(name, _)| name != "LOCK")
            .collect()
    }
}

/// A store in memory, made of these files, and a way to change them behind its back.
pub(crate) struct Mounted<'a> {
    files: &'a Files,
    vfs: MemVfs,
    handles: BTreeMap<&'a str, Box<dyn VfsFile>>,
}

impl<'a> Mounted<'a> {
    pub(crate) fn new(files: &'a Files) -> Mounted<'a> {
        let vfs = MemVfs::new();
        let create = |name: &'a String| (name.as_str(), vfs.create_new(name).unwrap());
        let handles = files.keys().map(create).collect();
        let mounted = Mounted {
            files,
            vfs,
            handles,
        };
        for (name, bytes) in files {
            mounted.write(name, 0, bytes);
        }
        mounted
    }

    pub(crate) fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.vfs.clone())
    }

    /// What a file was made of.
    pub(crate) fn made_of(&self, name: &str) -> &'a [u8] {
        &self.files[name]
    }

    pub(crate) fn write(&self, name: &str, at: usize, bytes: &[u8]) {
        let written = self.handles[name].write_at(bytes, at as u64).unwrap();
        assert_eq!(written, bytes.len());
    }

    pub(crate) fn truncate(&self, name: &str, len: usize) {
        self.handles[name].truncate(len as u64).unwrap();
    }

    /// Whether these are the files that it was made of, and no others; that of the lock excepted.
    pub(crate) fn is_unchanged(&self) -> bool {
        let mut names = self.vfs.list().unwrap();
        names.retain(|name| name != "LOCK");
        let same = |name: &String| *self.vfs.open(name).unwrap().map().unwrap() == self.files[name];
        names.iter().eq(self.files.keys()) && names.iter().all(same)
    }
}

/// Everything that is found page by page, and by looking at every vector.
pub(crate) fn read(db: &Database) -> proxime::Result<Vec<Record>> {
    let c = db.collection("docs")?;
    let records = c.scroll(None, 10_000, None)?;
    let query = vector(1, c.config().dim, c.config().dtype);
    let options = SearchOptions {
        exact: true,
        ..SearchOptions::k(10_000)
    };
    let found = c.search(rows(&query, c.config().dim), &options)?;
    let mut ids: Vec<Key> = found.hits(0).map(|hit| hit.id()).collect();
    ids.sort_unstable();
    assert!(
        ids.iter().eq(records.iter().map(|record| &record.id)),
        "search and scroll differ"
    );
    Ok(records)
}

#[test]
fn every_one_opens_and_holds_what_was_put_there() {
    for golden in all() {
        let files = golden.files();
        let bytes: usize = files.values().map(Vec::len).sum();
        assert!(
            bytes > 0 && bytes <= 256 << 10,
            "{}: {bytes} bytes",
            golden.name
        );
        let expected = golden.content(golden.steps());
        for read_only in [true, false] {
            let options = OpenOptions {
                read_only,
                ..OpenOptions::default()
            };
            let db = Database::open_on(Mounted::new(&files).vfs(), &options).unwrap();
            assert!(
                read(&db).unwrap().iter().eq(expected.values()),
                "{}",
                golden.name
            );
            let c = db.collection("docs").unwrap();
            for id in (0..2000).map(key) {
                assert_eq!(c.get(&id).unwrap().as_ref(), expected.get(&id));
            }
            let report = db.verify_deep().unwrap();
            assert!(report.ok, "{report:?}");
        }
    }
}

#[test]
#[ignore = "makes the files that the others read"]
fn make() {
    for golden in all() {
        let folder = golden.folder();
        if folder.exists() {
            continue;
        }
        fs::create_dir_all(folder.parent().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("db");
        let mut db = Some(golden.make(&made));
        if golden.closed {
            db.take();
        }
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(&made).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "LOCK" {
                fs::write(
                    folder.join(entry.file_name()),
                    fs::read(entry.path()).unwrap(),
                )
                .unwrap();
            }
        }
    }
}
