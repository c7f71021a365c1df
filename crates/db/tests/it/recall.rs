//! Real data: recall at default settings, the same bytes for any number of threads, always the full k.

use proxime::{Collection, CollectionConfig, Database, Key, Metric, Rows, SearchOptions};

use crate::support::{fashion_mnist, ids, int_ids, l2, points, rows, threads, upsert};

const DIM: usize = 784;

/// How much of the true `k` is found.
fn recall(c: &Collection, queries: Rows<'_, f32>, k: usize) -> f64 {
    let found = c.search(queries, &SearchOptions::k(k)).unwrap();
    let exact = c
        .search(
            queries,
            &SearchOptions {
                exact: true,
                ..SearchOptions::k(k)
            },
        )
        .unwrap();
    let hits: usize = (0..queries.n())
        .map(|query| {
            let truth = ids(&exact, query);
            assert_eq!((truth.len(), found.hits(query).len()), (k, k));
            found
                .hits(query)
                .filter(|hit| truth.contains(&hit.id()))
                .count()
        })
        .sum();
    hits as f64 / (queries.n() * k) as f64
}

#[test]
fn fashion_mnist_at_default_settings() {
    let (base, queries) = fashion_mnist();
    let queries = rows(&queries[..200 * DIM], DIM);
    let mut digests = Vec::new();
    for count in [1, 2] {
        let db = Database::in_memory_with(&threads(count)).unwrap();
        let c = db.create_collection("c", l2(DIM)).unwrap();
        upsert(&c, int_ids(10_000), &base);
        assert_eq!(c.stats().unwrap().graph.unreachable, 0);
        digests.push(c.digest().unwrap());
        let recall = recall(&c, queries, 10);
        println!("recall@10 {recall}");
        assert!(recall >= 0.95, "{recall}");
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn every_metric_over_several_segments() {
    let (base, queries) = fashion_mnist();
    let queries = rows(&queries[..50 * DIM], DIM);
    for metric in Metric::ALL {
        let db = Database::in_memory().unwrap();
        let c = db
            .create_collection("c", CollectionConfig::new(DIM).metric(metric))
            .unwrap();
        for (first, n) in [(0, 1500), (1500, 300), (1800, 1200)] {
            let ids = (first..first + n).map(|id| Key::Int(id as i64)).collect();
            upsert(&c, ids, &base[first * DIM..][..n * DIM]);
        }
        // Half of the first segment is replaced.
        upsert(
            &c,
            (0..750).map(Key::Int).collect(),
            &base[3000 * DIM..][..750 * DIM],
        );
        let recall = recall(&c, queries, 10);
        assert!(recall >= 0.95, "{metric}: {recall}");
    }
}

#[test]
fn the_full_k_even_when_most_rows_are_replaced() {
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", l2(4)).unwrap();
    let data = points(2000, 4);
    upsert(&c, int_ids(2000), &data);
    // Far away, and each into a segment of its own: the graph's segment keeps 5 live rows.
    let far: Vec<f32> = data.iter().map(|x| x + 100.0).collect();
    for part in 0..2 {
        let kept: Vec<Key> = (0..2000)
            .filter(|id| id % 400 != 3 && id % 2 == part)
            .map(Key::Int)
            .collect();
        upsert(&c, kept.clone(), &far[..kept.len() * 4]);
    }
    assert_eq!(c.len().unwrap(), 2000);
    for k in [1, 5, 6, 300, 2000] {
        let results = c
            .search(
                rows(&data[..40], 4),
                &SearchOptions {
                    ef: Some(1),
                    ..SearchOptions::k(k)
                },
            )
            .unwrap();
        for query in 0..10 {
            let mut found = ids(&results, query);
            assert_eq!(found.len(), k);
            let near = found
                .iter()
                .take(5)
                .filter(|id| matches!(id, Key::Int(id) if id % 400 == 3))
                .count();
            assert_eq!(near, k.min(5));
            found.sort();
            found.dedup();
            assert_eq!(found.len(), k, "no record twice");
        }
    }
}
