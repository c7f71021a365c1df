//! Records under every write and read give what maps and a loop over them give, on a disk that loses power now and then.
//!
//! Beside `model.rs`, which has few sequences with many rows: here are many sequences with few rows.

mod reads;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proxime::{
    Batch, Collection, CollectionConfig, Database, Dtype, Error, FieldType, Fill, Filter, Key,
    Metadata, OpenOptions, Schema, SimVfs, Transaction, Update, Value, field,
};

use crate::support::{l2, object, rows};
use reads::Read;

const NAMES: [&str; 2] = ["a", "b"];

type Records = BTreeMap<Key, Stored>;
type Model = [Records; 2];

/// Vector, metadata, version.
type Stored = ([f32; 2], Metadata, u64);

#[derive(Clone, Debug)]
enum Write {
    Add(Vec<Row>),
    Upsert(Vec<Row>),
    /// With new vectors, with new metadata.
    Update(Vec<Row>, bool, bool),
    Delete(Vec<Key>),
    /// Those whose "n" is so much.
    DeleteWhere(i64),
}

type Row = (Key, [f32; 2], i64);

/// A write to one of the collections.
#[derive(Clone, Debug)]
struct Asked {
    at: usize,
    write: Write,
    /// If there is a condition: one bit a row, whether the record has the version that is asked for.
    met: Option<u8>,
}

#[derive(Clone, Debug)]
enum Op {
    Write(Asked),
    /// Several, and whether it is committed.
    Together(Vec<Asked>, bool),
    Read(usize, Read),
    Compact(usize),
    Maintain,
    Reopen,
    /// The end of power: of what is not synced each thing is there or not, as the bits say.
    Crash(u64),
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (0..8i64).prop_map(Key::Int),
        "[ab]{0,1}".prop_map(Key::Text),
        (0..2u8).prop_map(|byte| Key::Uuid([byte; 16])),
        prop::collection::vec(0..2u8, 0..2).prop_map(Key::Bytes),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let n = prop_oneof![30 => 0..3i64, 1 => Just(TEXT), 1 => Just(LIST), 3 => Just(NOTHING)];
    (key(), (1..5i8, 1..5i8), n).prop_map(|(key, (x, y), n)| (key, [x.into(), y.into()], n))
}

fn write() -> impl Strategy<Value = Asked> {
    let batch = || prop::collection::vec(row(), 0..4);
    let write = prop_oneof![
        2 => batch().prop_map(Write::Add),
        4 => batch().prop_map(Write::Upsert),
        3 => (prop::collection::vec(row(), 0..3), 0..3).prop_map(|(rows, what)| Write::Update(rows, what != 0, what != 1)),
        2 => prop::collection::vec(key(), 0..4).prop_map(Write::Delete),
        1 => (0..3i64).prop_map(Write::DeleteWhere),
    ];
    // Mostly one that is met.
    let met = prop::option::weighted(0.3, prop_oneof![2 => Just(u8::MAX), 1 => any::<u8>()]);
    (0..2usize, write, met).prop_map(|(at, write, met)| Asked { at, write, met })
}

fn op() -> impl Strategy<Value = Op> {
    let at = || 0..2usize;
    prop_oneof![
        12 => write().prop_map(Op::Write),
        6 => (prop::collection::vec(write(), 0..4), prop::bool::weighted(0.9)).prop_map(|(writes, commit)| Op::Together(writes, commit)),
        14 => (at(), reads::read()).prop_map(|(at, read)| Op::Read(at, read)),
        1 => at().prop_map(Op::Compact),
        1 => Just(Op::Maintain),
        1 => Just(Op::Reopen),
        1 => any::<u64>().prop_map(Op::Crash),
    ]
}

/// Metadata that the schema of one collection does not take, if `n` is so much.
const TEXT: i64 = -1;
const LIST: i64 = -2;
/// No metadata.
const NOTHING: i64 = -3;

fn of(n: i64) -> Metadata {
    let value = match n {
        NOTHING => return Metadata::new(),
        TEXT => Value::from("3"),
        LIST => Value::List([0, 1, 1].map(Value::Int).to_vec()),
        _ => Value::Int(n),
    };
    object([("n", value)])
}

fn with_n(n: i64) -> Filter {
    field("n").eq(n)
}

impl Write {
    fn is_against_the_schema(&self) -> bool {
        match self {
            Write::Add(rows) | Write::Upsert(rows) | Write::Update(rows, _, true) => {
                rows.iter().any(|row| [TEXT, LIST].contains(&row.2))
            }
            Write::Update(..) | Write::Delete(_) | Write::DeleteWhere(_) => false,
        }
    }

    /// The ids whose records can have a condition; `None` if there can be none.
    fn ids(&self) -> Option<Vec<&Key>> {
        match self {
            Write::Upsert(rows) | Write::Update(rows, ..) => {
                Some(rows.iter().map(|row| &row.0).collect())
            }
            Write::Delete(ids) => Some(ids.iter().collect()),
            Write::Add(_) | Write::DeleteWhere(_) => None,
        }
    }
}

impl Asked {
    /// The versions that it is given, by somebody who has read `model`.
    fn versions(&self, model: &Model) -> Option<Vec<u64>> {
        let (ids, met) = (self.write.ids()?, self.met?);
        let version = |(row, id)| {
            let there = model[self.at].get(id).map_or(0, |stored| stored.2);
            there + u64::from(met & 1u8 << row == 0)
        };
        Some((0u32..).zip(ids).map(version).collect())
    }
}

/// Whether the records have these versions: of an upsert or update that has an id twice, the last row counts.
fn is_met(records: &Records, write: &Write, versions: &[u64]) -> bool {
    let ids = write.ids().unwrap();
    (0..ids.len()).all(|row| {
        let replaced = ids[row + 1..].contains(&ids[row]) && !matches!(write, Write::Delete(_));
        let version = records.get(ids[row]).map_or(0, |stored| stored.2);
        replaced || version == versions[row]
    })
}

/// What a write with this number does to the map; `None` if it is refused.
fn expected(
    records: &Records,
    write: &Write,
    versions: Option<&[u64]>,
    seq: u64,
) -> Option<Records> {
    if versions.is_some_and(|versions| !is_met(records, write, versions)) {
        return None;
    }
    let mut next = records.clone();
    match write {
        Write::Add(rows) => {
            for (key, vector, n) in rows {
                if next.insert(key.clone(), (*vector, of(*n), seq)).is_some() {
                    return None;
                }
            }
        }
        Write::Upsert(rows) => {
            let rows = rows.iter();
            next.extend(rows.map(|(key, vector, n)| (key.clone(), (*vector, of(*n), seq))));
        }
        Write::Update(rows, vectors, metadata) => {
            for (key, vector, n) in rows {
                let record = next.get_mut(key)?;
                record.2 = seq;
                if *vectors {
                    record.0 = *vector;
                }
                if *metadata {
                    record.1 = of(*n);
                }
            }
        }
        Write::Delete(keys) => keys.iter().for_each(|key| drop(next.remove(key))),
        Write::DeleteWhere(n) => next.retain(|_, (_, metadata, _)| *metadata != of(*n)),
    }
    Some(next)
}

/// The parts of a batch.
fn parts(batch: &[Row]) -> (Vec<Key>, Vec<f32>, Vec<Metadata>) {
    let keys = batch.iter().map(|row| row.0.clone()).collect();
    let vectors = batch.iter().flat_map(|row| row.1).collect();
    (keys, vectors, batch.iter().map(|row| of(row.2)).collect())
}

/// Does a write, alone or as a part of a transaction.
fn write_to(
    c: &Collection,
    together: Option<&mut Transaction>,
    write: &Write,
    versions: Option<&[u64]>,
) -> proxime::Result<()> {
    let batch = match write {
        Write::Add(batch) | Write::Upsert(batch) | Write::Update(batch, ..) => &batch[..],
        Write::Delete(_) | Write::DeleteWhere(_) => &[],
    };
    let (keys, vectors, metadata) = parts(batch);
    let vectors = rows(&vectors, 2);
    let mut full = Batch::new(keys.clone(), &vectors).metadata(metadata.clone());
    let mut update = Update::new(keys);
    if let Some(versions) = versions {
        full = full.if_versions(versions.to_vec());
        update = update.if_versions(versions.to_vec());
    }
    if let Write::Update(_, with_vectors, with_metadata) = write {
        update = match with_vectors {
            true => update.vectors(&vectors),
            false => update,
        };
        update = match with_metadata {
            true => update.metadata(metadata),
            false => update,
        };
    }
    match (write, together) {
        (Write::Add(_), None) => c.add(full),
        (Write::Add(_), Some(t)) => t.add(c, full),
        (Write::Upsert(_), None) => c.upsert(full),
        (Write::Upsert(_), Some(t)) => t.upsert(c, full),
        (Write::Update(..), None) => c.update(update),
        (Write::Update(..), Some(t)) => t.update(c, update),
        (Write::Delete(keys), None) => match versions {
            None => c.delete(keys).map(drop),
            Some(versions) => c.delete_if(keys, versions).map(drop),
        },
        (Write::Delete(keys), Some(t)) => match versions {
            None => t.delete(c, keys),
            Some(versions) => t.delete_if(c, keys, versions),
        },
        (Write::DeleteWhere(n), None) => c.delete_where(&with_n(*n)).map(drop),
        (Write::DeleteWhere(n), Some(t)) => t.delete_where(c, &with_n(*n)),
    }
}

fn together(
    db: &Database,
    collections: &[Collection; 2],
    writes: &[Asked],
    versions: &[Option<Vec<u64>>],
    commit: bool,
) -> proxime::Result<()> {
    let mut transaction = db.transaction();
    for (asked, versions) in writes.iter().zip(versions) {
        let (c, t) = (&collections[asked.at], Some(&mut transaction));
        write_to(c, t, &asked.write, versions.as_deref())?;
    }
    match commit {
        true => transaction.commit(),
        false => Ok(()),
    }
}

/// The model afterwards, if it agrees that the write was refused or not.
fn agree(outcome: proxime::Result<()>, expected: Option<Model>, before: Model) -> Model {
    match (outcome, expected) {
        (Ok(()), Some(after)) => after,
        (
            Err(
                Error::DuplicateId { .. }
                | Error::IdExists { .. }
                | Error::IdNotFound { .. }
                | Error::Schema { .. }
                | Error::Version { .. },
            ),
            None,
        ) => before,
        (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
    }
}

fn check_all(collections: &[Collection; 2], model: &Model) {
    for (c, records) in collections.iter().zip(model) {
        let found = c.scroll(None, 1000, None).unwrap();
        let found = found.into_iter().map(|record| {
            let vector = <[f32; 2]>::try_from(record.vector).unwrap();
            (record.id, (vector, record.metadata, record.version))
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            records.clone().into_iter().collect::<Vec<_>>()
        );
        assert_eq!(c.len().unwrap(), records.len());
    }
}

/// Types that hold all vectors of these tests as they are; one collection has a schema.
fn config(name: &str) -> CollectionConfig {
    match name == NAMES[0] {
        true => l2(2)
            .dtype(Dtype::F16)
            .schema(Schema::new().optional("n", FieldType::Int)),
        false => l2(2).dtype(Dtype::Int8),
    }
}

fn open(vfs: &SimVfs) -> (Database, [Collection; 2]) {
    let options = OpenOptions {
        threads: Some(1),
        ..OpenOptions::default()
    };
    let db = Database::open_on(Arc::new(vfs.clone()), &options).unwrap();
    let collections = NAMES.map(|name| match db.collection(name) {
        Ok(there) => there,
        Err(_) => db.create_collection(name, config(name)).unwrap(),
    });
    (db, collections)
}

/// The model after these writes as one, which count as one if there is anything to write; `None` if one of them is refused.
fn after(
    model: &Model,
    writes: &[Asked],
    versions: &[Option<Vec<u64>>],
    seq: &mut u64,
) -> Option<Model> {
    let mut next = model.clone();
    let mut written = false;
    for (asked, versions) in writes.iter().zip(versions) {
        let before = &next[asked.at];
        if asked.at == 0 && asked.write.is_against_the_schema() {
            return None;
        }
        let records = expected(before, &asked.write, versions.as_deref(), *seq + 1)?;
        written |= match &asked.write {
            Write::Delete(_) | Write::DeleteWhere(_) => records.len() < before.len(),
            Write::Add(rows) | Write::Upsert(rows) | Write::Update(rows, ..) => !rows.is_empty(),
        };
        next[asked.at] = records;
    }
    *seq += u64::from(written);
    Some(next)
}

fn run(ops: &[Op]) {
    let mut vfs = SimVfs::new();
    let (mut db, mut collections) = open(&vfs);
    let mut model = Model::default();
    let mut seq = 0;
    for op in ops {
        match op {
            Op::Write(asked) => {
                let versions = asked.versions(&model);
                let (c, write) = (&collections[asked.at], &asked.write);
                let outcome = write_to(c, None, write, versions.as_deref());
                let after = after(&model, std::slice::from_ref(asked), &[versions], &mut seq);
                model = agree(outcome, after, model);
            }
            Op::Together(writes, commit) => {
                let versions: Vec<_> = writes.iter().map(|asked| asked.versions(&model)).collect();
                let outcome = together(&db, &collections, writes, &versions, *commit);
                model = match (commit, &outcome) {
                    (true, _) | (false, Err(_)) => {
                        let after = after(&model, writes, &versions, &mut seq);
                        agree(outcome, after, model)
                    }
                    (false, Ok(())) => model,
                };
            }
            Op::Compact(at) => collections[*at].compact(None).unwrap(),
            Op::Maintain => db.maintain().unwrap(),
            Op::Reopen => {
                db.close().unwrap();
                (db, collections) = open(&vfs);
            }
            Op::Crash(bits) => {
                let left = vfs.disk();
                let left = left.crash(|choice| bits >> (choice % 64) & 1 == 1, Fill::Nothing);
                vfs = left.mount();
                (db, collections) = open(&vfs);
            }
            Op::Read(at, read) => reads::check(&collections[*at], &model[*at], read),
        }
        check_all(&collections, &model);
    }
    let report = db.verify().unwrap();
    assert!(report.ok, "{report:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn like_maps(ops in prop::collection::vec(op(), 50)) {
        run(&ops);
    }
}

/// More than a frame of the log holds: into segments, one for each collection, by one commit.
#[test]
fn a_large_transaction() {
    let vfs = SimVfs::new();
    let (db, collections) = open(&vfs);
    let text = "x".repeat(6 << 20);
    let before = vfs.disk();
    let mut transaction = db.transaction();
    for (id, c) in [0, 1, 2].into_iter().zip(collections.iter().cycle()) {
        let metadata = object([("text", Value::Text(text.clone()))]);
        let vector = [1.0, id as f32];
        let vector = rows(&vector, 2);
        let batch = Batch::new(vec![Key::Int(id)], &vector).metadata(vec![metadata]);
        transaction.add(c, batch).unwrap();
    }
    transaction.delete(&collections[0], &[Key::Int(0)]).unwrap();
    transaction.commit().unwrap();
    let stats = collections.each_ref().map(|c| c.stats().unwrap());
    assert_eq!(
        stats
            .each_ref()
            .map(|stats| (stats.segments, stats.tail_rows)),
        [(1, 0), (1, 0)]
    );
    for (disk, there) in [(vfs.disk(), [1, 1]), (before, [0, 0])] {
        let left = disk.crash(|_| false, Fill::Nothing).mount();
        let (_db, collections) = open(&left);
        assert_eq!(collections.each_ref().map(|c| c.len().unwrap()), there);
    }
}

#[test]
fn a_transaction_is_refused_as_a_whole() {
    let (db, [a, b]) = open(&SimVfs::new());
    let vectors = [1.0, 1.0];
    let one = rows(&vectors, 2);
    let batch = |id: i64| Batch::new(vec![Key::Int(id)], &one);
    a.add(batch(1)).unwrap();
    let refused = |fill: &dyn Fn(&mut Transaction)| {
        let mut transaction = db.transaction();
        transaction.upsert(&b, batch(5)).unwrap();
        fill(&mut transaction);
        let error = transaction.commit().unwrap_err().to_string();
        assert!(b.is_empty().unwrap());
        error
    };
    assert_eq!(
        refused(&|t| t.add(&a, batch(1)).unwrap()),
        "row 0: id 1 exists already; upsert replaces it"
    );
    let update = |id: i64| Update::new(vec![Key::Int(id)]).metadata(vec![of(1)]);
    assert_eq!(
        refused(&|t| t.update(&a, update(2)).unwrap()),
        "row 0: there is no record with id 2"
    );
    db.create_collection("gone", l2(2)).unwrap();
    let gone = db.collection("gone").unwrap();
    db.drop_collection("gone").unwrap();
    assert!(refused(&|t| t.upsert(&gone, batch(1)).unwrap()).contains("gone"));

    let mut transaction = db.transaction();
    let (other_db, [other, _]) = open(&SimVfs::new());
    assert!(transaction.upsert(&other, batch(1)).is_err());
    drop(other_db);
    let bad = [f32::NAN, 1.0];
    let bad = rows(&bad, 2);
    assert!(matches!(
        transaction.upsert(&a, Batch::new(vec![Key::Int(3)], &bad)),
        Err(Error::NotFinite {
            row: 0,
            column: 0,
            ..
        })
    ));
    assert!(matches!(
        a.update(Update::new(vec![Key::Int(1)])),
        Err(Error::Parameter { name: "update", .. })
    ));
}

/// Enough rows for a graph: what is kept is read while the segment is written.
#[test]
fn a_large_update() {
    let (_db, [a, _]) = open(&SimVfs::new());
    let n = 1500;
    let ids = || (0..n).map(Key::Int).collect::<Vec<_>>();
    let vectors: Vec<f32> = (0..n).flat_map(|i| [1.0, i as f32]).collect();
    let vectors = rows(&vectors, 2);
    a.upsert(Batch::new(ids(), &vectors)).unwrap();
    a.update(Update::new(ids()).metadata((0..n).map(of).collect()))
        .unwrap();
    let turned: Vec<f32> = (0..n).flat_map(|i| [i as f32, 1.0]).collect();
    let turned = rows(&turned, 2);
    a.update(Update::new(ids().split_off(700)).vectors(&rows(&turned.as_slice()[1400..], 2)))
        .unwrap();
    for id in [0, 699, 700, 1499] {
        let record = a.get(&Key::Int(id)).unwrap().unwrap();
        let vector = match id < 700 {
            true => [1.0, id as f32],
            false => [id as f32, 1.0],
        };
        assert_eq!((&record.vector[..], record.metadata), (&vector[..], of(id)));
    }
    assert_eq!(a.len().unwrap(), n as usize);
}

#[test]
fn a_condition_says_what_it_found() {
    let (db, [a, _]) = open(&SimVfs::new());
    let vectors = [1.0, 1.0];
    let one = rows(&vectors, 2);
    let batch = |id: i64, version| Batch::new(vec![Key::Int(id)], &one).if_versions(vec![version]);
    a.upsert(batch(7, 0)).unwrap();
    let version = a.get(&Key::Int(7)).unwrap().unwrap().version;
    a.upsert(batch(7, version)).unwrap();
    let stale = |outcome: proxime::Result<()>, id: i64, found| {
        let Err(error) = outcome else {
            panic!("it was done");
        };
        assert_eq!(error.kind(), proxime::ErrorKind::Conflict);
        let told = matches!(&error, Error::Version { id: i, row: 0, expected, found: f }
            if *i == Key::Int(id) && *expected == version && *f == found);
        assert!(told, "{error:?}");
    };
    stale(a.upsert(batch(7, version)), 7, version + 1);
    stale(a.upsert(batch(8, version)), 8, 0);
    let update = Update::new(vec![Key::Int(7)]).metadata(vec![of(1)]);
    let update = update.if_versions(vec![version]);
    stale(a.update(update), 7, version + 1);
    let delete = a.delete_if(&[Key::Int(7)], &[version]);
    stale(delete.map(drop), 7, version + 1);
    let mut transaction = db.transaction();
    transaction.upsert(&a, batch(8, 0)).unwrap();
    let ids = [Key::Int(7)];
    transaction.delete_if(&a, &ids, &[version]).unwrap();
    stale(transaction.commit(), 7, version + 1);
    assert_eq!(a.len().unwrap(), 1);
    assert!(matches!(
        a.delete_if(&ids, &[]),
        Err(Error::Parameter {
            name: "if_versions",
            ..
        })
    ));
    assert_eq!(a.delete_if(&ids, &[version + 1]).unwrap(), 1);
}

/// What is written straight to a segment has a number of its own, too.
#[test]
fn no_version_comes_twice() {
    let vfs = SimVfs::new();
    let (db, [a, _]) = open(&vfs);
    let n = 1100;
    let vectors: Vec<f32> = (0..n).flat_map(|i| [1.0, i as f32]).collect();
    let many = rows(&vectors, 2);
    let batch = || Batch::new((0..n).map(Key::Int).collect(), &many);
    let version = |c: &Collection| c.get(&Key::Int(3)).unwrap().unwrap().version;
    let mut seen = Vec::new();
    a.upsert(batch()).unwrap();
    seen.push(version(&a));
    a.upsert(batch()).unwrap();
    seen.push(version(&a));
    let few = rows(&vectors[6..8], 2);
    a.upsert(Batch::new(vec![Key::Int(3)], &few)).unwrap();
    seen.push(version(&a));
    let created = db.create_collection_with("c", l2(2), batch()).unwrap();
    seen.push(version(&created));
    assert_eq!(seen, [1, 2, 3, 4]);
    a.compact(None).unwrap();
    db.close().unwrap();
    let (db, [a, _]) = open(&vfs);
    assert_eq!(version(&a), 3);
    assert_eq!(version(&db.collection("c").unwrap()), 4);
    a.upsert(batch()).unwrap();
    assert_eq!(version(&a), 5);
}
