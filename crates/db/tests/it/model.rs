//! Any sequence of operations gives what a map and a loop over it give.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proxime::{
    Batch, Collection, CollectionConfig, Database, Error, Hit, Key, Metadata, Metric,
    SearchOptions, Value,
};

use crate::support::{object, rows};

const DIM: usize = 2;

type Model = BTreeMap<Key, (Vec<f32>, Metadata)>;

#[derive(Clone, Debug)]
enum Op {
    /// Ids, and whether they must be new.
    Store(Vec<(Key, Vec<f32>)>, bool, bool),
    /// Rows of integer ids from the first on: from 1,000 on they get a graph, and a few hundred at a time fill a tail.
    Bulk(i64, i64),
    Delete(Vec<Key>),
    Get(Key),
    Search(Vec<f32>, usize),
    Compact,
    Reopen,
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (-5..20i64).prop_map(Key::Int),
        "[ab]{0,2}".prop_map(Key::Text)
    ]
}

/// Small integers, so that there are many ties and no rounding; not zero, for cosine.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(1..5i8, DIM).prop_map(|v| v.into_iter().map(f32::from).collect())
}

fn op() -> impl Strategy<Value = Op> {
    let batch = prop::collection::vec((key(), vector()), 0..8);
    prop_oneof![
        6 => (batch, any::<bool>(), any::<bool>()).prop_map(|(batch, new, metadata)| Op::Store(batch, new, metadata)),
        1 => (0..40i64).prop_map(|first| Op::Bulk(first, 1020)),
        2 => (0..40i64, 200..999i64).prop_map(|(first, n)| Op::Bulk(first, n)),
        4 => prop::collection::vec(key(), 0..6).prop_map(Op::Delete),
        1 => (0..900i64, 1..400i64).prop_map(|(first, n)| Op::Delete((first..first + n).map(Key::Int).collect())),
        3 => key().prop_map(Op::Get),
        5 => (vector(), 0..12usize).prop_map(|(query, k)| Op::Search(query, k)),
        1 => Just(Op::Compact),
        2 => Just(Op::Reopen),
    ]
}

fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    match metric {
        Metric::L2 => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum(),
        Metric::Dot => -dot(a, b),
        Metric::Cosine => 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
    }
}

fn metadata_of(key: &Key, with: bool) -> Metadata {
    if with {
        object([("id", Value::Text(key.to_string())), ("n", Value::Int(1))])
    } else {
        Metadata::new()
    }
}

fn store(c: &Collection, model: &mut Model, batch: &[(Key, Vec<f32>)], new: bool, with: bool) {
    let data: Vec<f32> = batch
        .iter()
        .flat_map(|(_, vector)| vector)
        .copied()
        .collect();
    let keys: Vec<Key> = batch.iter().map(|(key, _)| key.clone()).collect();
    let metadata: Vec<Metadata> = keys.iter().map(|key| metadata_of(key, with)).collect();
    let source = rows(&data, DIM);
    let full = Batch::new(keys.clone(), &source);
    let full = if with {
        full.metadata(metadata.clone())
    } else {
        full
    };
    let repeats = (1..keys.len()).any(|i| keys[..i].contains(&keys[i]));
    let exists = keys.iter().any(|key| model.contains_key(key));
    match if new { c.add(full) } else { c.upsert(full) } {
        Err(Error::DuplicateId { id, first_row, row }) => {
            assert!(new && keys[first_row] == id && keys[row] == id && first_row < row);
        }
        Err(Error::IdExists { id, row }) => {
            assert!(new && !repeats && keys[row] == id && model.contains_key(&id))
        }
        Err(e) => panic!("{e}"),
        Ok(()) => {
            assert!(!new || !(repeats || exists));
            for ((key, vector), metadata) in batch.iter().zip(metadata) {
                model.insert(key.clone(), (vector.clone(), metadata));
            }
        }
    }
}

fn search(c: &Collection, model: &Model, query: &[f32], k: usize) {
    let metric = c.config().metric;
    let mut truth: Vec<(f32, &Key)> = model
        .iter()
        .map(|(key, (v, _))| (distance(metric, query, v), key))
        .collect();
    truth.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    for exact in [true, false] {
        let results = c
            .search(
                rows(query, DIM),
                &SearchOptions {
                    exact,
                    ..SearchOptions::k(k)
                },
            )
            .unwrap();
        let hits: Vec<Hit<'_>> = results.hits(0).collect();
        assert_eq!(hits.len(), k.min(model.len()));
        for hit in &hits {
            let (vector, metadata) = &model[&hit.id()];
            assert!((hit.distance() - distance(metric, query, vector)).abs() < 1e-5);
            assert_eq!(
                (&*hit.vector(), &hit.metadata().unwrap()),
                (&vector[..], metadata)
            );
        }
        assert!(hits.is_sorted_by_key(|hit| hit.distance()));
        let mut distinct: Vec<Key> = hits.iter().map(Hit::id).collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), hits.len());
        let nearest = hits
            .iter()
            .zip(&truth)
            .all(|(hit, truth)| (hit.distance() - truth.0).abs() < 1e-5);
        // Cosine rounds, so that what ties here may not tie there.
        let same = hits
            .iter()
            .zip(&truth)
            .all(|(hit, truth)| hit.id() == *truth.1);
        assert!(
            !exact || nearest && (same || metric == Metric::Cosine),
            "{hits:?} is not {truth:?}"
        );
    }
}

fn run(path: &Path, metric: Metric, ops: &[Op]) {
    let mut db = Database::open(path).unwrap();
    db.create_collection("c", CollectionConfig::new(DIM).metric(metric))
        .unwrap();
    let mut model = Model::new();
    for op in ops {
        let c = db.collection("c").unwrap();
        match op {
            Op::Store(batch, new, metadata) => store(&c, &mut model, batch, *new, *metadata),
            Op::Delete(ids) => {
                let before = model.len();
                ids.iter().for_each(|id| drop(model.remove(id)));
                assert_eq!(c.delete(ids).unwrap(), before - model.len());
            }
            Op::Bulk(first, n) => {
                let batch: Vec<(Key, Vec<f32>)> = (*first..first + n)
                    .map(|i| {
                        (
                            Key::Int(i),
                            vec![1.0 + (i % 37) as f32, 1.0 + (i / 37) as f32],
                        )
                    })
                    .collect();
                store(&c, &mut model, &batch, false, true);
            }
            Op::Get(key) => {
                let found = c
                    .get(key)
                    .unwrap()
                    .map(|record| (record.vector, record.metadata));
                assert_eq!(found.as_ref(), model.get(key));
            }
            Op::Search(query, k) => search(&c, &model, query, *k),
            Op::Compact => {
                c.compact(None).unwrap();
                let stats = c.stats().unwrap();
                assert_eq!((stats.rows, stats.tail_rows), (model.len(), 0));
                assert!(stats.segments <= 1);
                let digest = c.digest().unwrap();
                db.close().unwrap();
                db = Database::open(path).unwrap();
                assert_eq!(db.collection("c").unwrap().digest().unwrap(), digest);
            }
            Op::Reopen => {
                db.close().unwrap();
                db = Database::open(path).unwrap();
            }
        }
        assert_eq!(db.collection("c").unwrap().len().unwrap(), model.len());
    }
    let report = db.verify().unwrap();
    assert!(
        report.ok && report.collections[0].live == model.len(),
        "{report:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn like_a_map(metric in prop::sample::select(Metric::ALL.to_vec()), ops in prop::collection::vec(op(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        run(&dir.path().join("db"), metric, &ops);
    }
}
