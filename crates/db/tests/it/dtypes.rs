//! What is stored narrower than float32 is what was said, in the log, in segments and after merges, and is found exactly.

use proptest::prelude::*;
use proxime::{
    Batch, Collection, Database, Dtype, Error, Key, MemVfs, Metric, OpenOptions, SearchOptions,
};

use std::sync::Arc;

use crate::support::{ids, int_ids, l2, points, rows, threads};

/// The nearest number with 11 significant bits, ties to even, as long as it is neither too large nor too small for its exponent.
fn half(x: f32) -> f32 {
    let unit = 2f64.powi(x.abs().log2().floor() as i32 - 10);
    ((f64::from(x) / unit).round_ties_even() * unit) as f32
}

fn create(dtype: Dtype, dim: usize) -> (Arc<MemVfs>, Database, Collection) {
    let vfs = Arc::new(MemVfs::new());
    let db = Database::open_on(vfs.clone(), &threads(2)).unwrap();
    let c = db.create_collection("c", l2(dim).dtype(dtype)).unwrap();
    (vfs, db, c)
}

/// `n` rows that the type holds, and what is to be stored of them.
fn sample(dtype: Dtype, n: usize, dim: usize) -> (Vec<f32>, Vec<f32>) {
    let given: Vec<f32> = match dtype {
        Dtype::Int8 => points(n, dim).iter().map(|x| (x * 255.0).round()).collect(),
        _ => points(n, dim),
    };
    let stored = match dtype {
        Dtype::F16 => given.iter().map(|&x| half(x)).collect(),
        _ => given.clone(),
    };
    (given, stored)
}

fn check(c: &Collection, stored: &[f32], dim: usize) {
    let n = stored.len() / dim;
    let get = |i: usize| c.get(&Key::Int(i as i64)).unwrap().unwrap().vector;
    for i in [0, 1, n / 2, n - 1] {
        assert_eq!(get(i), stored[i * dim..][..dim]);
    }
    let query = points(n + 1, dim).split_off(n * dim);
    let distance = |i: usize| -> f64 {
        let pairs = stored[i * dim..][..dim].iter().zip(&query);
        pairs
            .map(|(x, q)| (f64::from(*x) - f64::from(*q)).powi(2))
            .sum()
    };
    let mut nearest: Vec<usize> = (0..n).collect();
    nearest.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    for (exact, least) in [(true, 10), (false, 9)] {
        let options = SearchOptions {
            exact,
            ..SearchOptions::k(10)
        };
        let found = c.search(rows(&query, dim), &options).unwrap();
        let hits = ids(&found, 0);
        let there = nearest[..10]
            .iter()
            .filter(|&&i| hits.contains(&Key::Int(i as i64)));
        assert!(there.count() >= least, "exact: {exact}");
        for hit in found.hits(0) {
            let Key::Int(i) = hit.id() else {
                panic!("another id")
            };
            let (got, expected) = (f64::from(hit.distance()), distance(i as usize));
            assert!(
                (got - expected).abs() <= 1e-4 * expected.max(1.0),
                "{got} {expected}"
            );
            assert_eq!(*hit.vector(), stored[i as usize * dim..][..dim]);
        }
    }
}

#[test]
fn in_the_log_in_segments_and_after_merges() {
    let dim = 24;
    for dtype in [Dtype::F16, Dtype::Int8] {
        let (given, stored) = sample(dtype, 3000, dim);
        let (vfs, db, c) = create(dtype, dim);
        let store = |c: &Collection, from: usize, to: usize| {
            let some = rows(&given[from * dim..to * dim], dim);
            let ids = (from..to).map(|i| Key::Int(i as i64)).collect();
            c.upsert(Batch::new(ids, &some)).unwrap();
        };
        store(&c, 0, 50);
        check(&c, &stored[..50 * dim], dim);
        store(&c, 50, 2900);
        store(&c, 2900, 3000);
        check(&c, &stored, dim);
        c.compact(None).unwrap();
        check(&c, &stored, dim);
        let stats = c.stats().unwrap();
        let vectors = (stored.len() * dtype.bytes()) as u64;
        // Beside the vectors: codes of 64 bytes, links, ids.
        assert!(
            stats.bytes_on_disk < vectors + 3000 * (64 + 4 * 32 + 64),
            "{stats:?}"
        );
        let digest = c.digest().unwrap();
        db.close().unwrap();
        let db = Database::open_on(vfs, &OpenOptions::default()).unwrap();
        let c = db.collection("c").unwrap();
        assert_eq!((c.config().dtype, c.digest().unwrap()), (dtype, digest));
        let report = db.verify_deep().unwrap();
        assert!(report.ok, "{report:?}");
    }
}

#[test]
fn what_a_type_has_no_value_for_is_refused() {
    for (dtype, bad) in [
        (Dtype::F16, 65_520.0),
        (Dtype::F16, -1e30),
        (Dtype::Int8, 128.0),
        (Dtype::Int8, -129.0),
        (Dtype::Int8, 0.5),
    ] {
        for n in [3, 1200] {
            let (mut given, _) = sample(dtype, n, 2);
            let (_vfs, _db, c) = create(dtype, 2);
            given[5] = bad;
            let source = rows(&given, 2);
            let error = c.upsert(Batch::new(int_ids(n), &source)).unwrap_err();
            let told = matches!(error, Error::Unstorable { row: 2, column: 1, value, dtype: d, .. }
                if value == bad && d == dtype);
            assert!(told, "{error}");
            assert!(c.is_empty().unwrap());
        }
    }
    let (_vfs, db, _) = create(Dtype::F16, 2);
    let config = l2(2).metric(Metric::Cosine).dtype(Dtype::F16);
    let c = db.create_collection("cosine", config).unwrap();
    let tiny = [1e-9, -1e-9];
    let error = c
        .upsert(Batch::new(int_ids(1), &rows(&tiny, 2)))
        .unwrap_err();
    assert!(matches!(error, Error::ZeroVector { row: 0, .. }), "{error}");
    let nan = [f32::NAN, 1.0];
    let error = c
        .upsert(Batch::new(int_ids(1), &rows(&nan, 2)))
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotFinite {
                row: 0,
                column: 0,
                ..
            }
        ),
        "{error}"
    );
}

proptest! {
    /// Of any length, so that no conversion ends before its last components.
    #[test]
    fn halves_are_the_nearest(row in prop::collection::vec(prop_oneof![-60_000f32..-0.001, 0.001f32..60_000.0], 1..400)) {
        let (_vfs, _db, c) = create(Dtype::F16, row.len());
        c.upsert(Batch::new(int_ids(1), &rows(&row, row.len()))).unwrap();
        c.compact(None).unwrap();
        let expected: Vec<f32> = row.iter().map(|&x| half(x)).collect();
        prop_assert_eq!(c.get(&Key::Int(0)).unwrap().unwrap().vector, expected);
    }
}
