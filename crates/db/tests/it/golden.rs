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
use proxime_storage::{MemVfs, Vfs};

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
}

pub(crate) type Content = BTreeMap<Key, Record>;

pub(crate) fn all() -> [Golden; 5] {
    use Step::{Delete, Upsert};
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

    /// What is in it after so many steps.
    pub(crate) fn content(&self, steps: usize) -> Content {
        let mut content = Content::new();
        for (version, step) in (1..).zip(&self.steps[..steps]) {
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
            }
        }
        db
    }

    /// The files, LOCK excepted: by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
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

/// A store in memory, made of these files.
pub(crate) fn mounted(files: &BTreeMap<String, Vec<u8>>) -> Arc<dyn Vfs> {
    let vfs = MemVfs::new();
    for (name, bytes) in files {
        let file = vfs.create_new(name).unwrap();
        let mut at = 0;
        while at < bytes.len() {
            at += file.write_at(&bytes[at..], at as u64).unwrap();
        }
        file.seal().unwrap();
    }
    Arc::new(vfs)
}

/// Everything that is found page by page, and by looking at every vector.
pub(crate) fn read(db: &Database) -> proxime::Result<Content> {
    let c = db.collection("docs")?;
    let records = c.scroll(None, 10_000, None)?;
    let content: Content = records
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let query = vector(1, c.config().dim, c.config().dtype);
    let options = SearchOptions {
        exact: true,
        ..SearchOptions::k(10_000)
    };
    let found = c.search(rows(&query, c.config().dim), &options)?;
    let ids: std::collections::BTreeSet<Key> = found.hits(0).map(|hit| hit.id()).collect();
    assert!(ids.iter().eq(content.keys()), "search and scroll differ");
    Ok(content)
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
            let db = Database::open_on(mounted(&files), &options).unwrap();
            assert!(read(&db).unwrap() == expected, "{}", golden.name);
            let c = db.collection("docs").unwrap();
            for id in (0..1000).map(key) {
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
