//! A sequence of calls on a database in memory, beside a map that is told the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxime::{
    Batch, CollectionConfig, Database, Key, MemVfs, Metadata, Metric, OpenOptions, Rows,
    SearchOptions, Value, field,
};

use crate::input::Input;

type Model = BTreeMap<Key, (Vec<f32>, Metadata)>;

const DIM: usize = 2;

fn key(input: &mut Input<'_>) -> Key {
    match input.below(40) {
        n if n % 3 == 0 => Key::Text(format!("k{n}")),
        n => Key::Int(n as i64),
    }
}

fn component(input: &mut Input<'_>) -> f32 {
    f32::from(input.byte()) - 128.0
}

fn metadata(input: &mut Input<'_>) -> Metadata {
    match input.below(3) {
        0 => Metadata::new(),
        n => Metadata::from([("a".to_owned(), Value::Int(n as i64))]),
    }
}

fn open(vfs: &MemVfs) -> Database {
    let options = OpenOptions {
        threads: Some(1),
        ..OpenOptions::default()
    };
    Database::open_on(Arc::new(vfs.clone()), &options).unwrap()
}

pub(crate) fn sequence(data: &[u8]) {
    let mut input = Input(data);
    let vfs = MemVfs::new();
    let mut db = open(&vfs);
    let config = CollectionConfig::new(DIM).metric(Metric::L2);
    db.create_collection("c", config).unwrap();
    let mut model = Model::new();
    while !input.is_empty() {
        step(&mut input, &db, &mut model);
        if input.below(8) == 0 {
            drop(db);
            db = open(&vfs);
        }
        check(&db, &model);
    }
}

fn step(input: &mut Input<'_>, db: &Database, model: &mut Model) {
    let c = db.collection("c").unwrap();
    match input.below(6) {
        0 => {
            let ids: Vec<Key> = (0..input.below(6)).map(|_| key(input)).collect();
            let deleted = c.delete(&ids).unwrap();
            let before = model.len();
            ids.iter().for_each(|id| drop(model.remove(id)));
            assert_eq!(deleted, before - model.len());
        }
        1 => {
            let filter = field("a").eq(1_i64);
            let deleted = c.delete_where(&filter).unwrap();
            let before = model.len();
            model.retain(|_, (_, metadata)| metadata.get("a") != Some(&Value::Int(1)));
            assert_eq!(deleted, before - model.len());
        }
        2 => c.compact(None).unwrap(),
        n => {
            let rows = 1 + input.below(9);
            let ids: Vec<Key> = (0..rows).map(|_| key(input)).collect();
            let vectors: Vec<f32> = (0..rows * DIM).map(|_| component(input)).collect();
            let all: Vec<Metadata> = (0..rows).map(|_| metadata(input)).collect();
            let source = Rows::new(&vectors, DIM).unwrap();
            let batch = Batch::new(ids.clone(), &source).metadata(all.clone());
            let new = ids.iter().collect::<std::collections::BTreeSet<_>>().len() == rows
                && ids.iter().all(|id| !model.contains_key(id));
            let written = if n == 3 {
                c.add(batch)
            } else {
                c.upsert(batch)
            };
            assert_eq!(written.is_ok(), n != 3 || new, "{written:?}");
            if written.is_ok() {
                for ((id, vector), metadata) in ids.into_iter().zip(vectors.chunks(DIM)).zip(all) {
                    model.insert(id, (vector.to_vec(), metadata));
                }
            }
        }
    }
}

fn check(db: &Database, model: &Model) {
    let c = db.collection("c").unwrap();
    assert_eq!(c.len().ok(), Some(model.len()));
    for (id, (vector, metadata)) in model {
        let record = c.get(id).unwrap();
        let found = record.map(|record| (record.vector, record.metadata));
        assert_eq!(found.as_ref(), Some(&(vector.clone(), metadata.clone())));
    }
    let Ok(query) = Rows::new(&[0.0, 0.0], DIM) else {
        return;
    };
    let found = c.search(query, &SearchOptions::k(50)).unwrap();
    let ids: std::collections::BTreeSet<Key> = found.hits(0).map(|hit| hit.id()).collect();
    assert!(ids.iter().eq(model.keys()));
}
