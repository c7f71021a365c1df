//! Real data: recall at default settings, the same bytes for any number of threads, always the full k.

use proxime::{Collection, CollectionConfig, Database, Key, Metric, Rows, SearchOptions};

use crate::support::{fashion_mnist, ids, int_ids, l2, points, rows, threads, upsert};

const DIM: usize = 784;

/// How much of the true `k` is found.
fn recall(c: &Collection, queries: Rows<'_, f32>, options: &SearchOptions) -> f64 {
    let k = options.k;
    let found = c.search(queries, options).unwrap();
    let exact = SearchOptions {
        exact: true,
        ..SearchOptions::k(k)
    };
    let exact = c.search(queries, &exact).unwrap();
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
        let recall = recall(&c, queries, &SearchOptions::k(10));
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
        let recall = recall(&c, queries, &SearchOptions::k(10));
        assert!(recall >= 0.95, "{metric}: {recall}");
    }
}

/// Codes are rounded to a part of a row's length from the middle of all, which may be more than a whole cluster. A search of the
/// default width knows, and asks the vectors.
#[test]
fn clusters_are_told_apart_that_codes_do_not() {
    const CLUSTERS: usize = 4;
    for (n, dim, spread) in [
        (4000, 2, 0.5),
        (4000, 64, 0.5),
        (1000, 200, 0.5),
        (4000, 200, 0.01),
    ] {
        let scaled = |data: Vec<f32>, factor: f32| data.into_iter().map(move |x| factor * x);
        let centers: Vec<f32> = scaled(points(CLUSTERS, dim), 10.0).collect();
        let data: Vec<f32> = scaled(points(n + 50, dim), spread)
            .zip(centers.iter().cycle())
            .map(|(x, center)| x + center)
            .collect();
        let (base, queries) = data.split_at(n * dim);
        let db = Database::in_memory().unwrap();
        let c = db.create_collection("c", l2(dim)).unwrap();
        upsert(&c, int_ids(n), base);
        let recall = recall(&c, rows(queries, dim), &SearchOptions::k(10));
        println!("{dim} components, spread {spread}: recall@10 {recall}");
        assert!(recall >= 0.9, "{dim} components, spread {spread}: {recall}");
    }
}

/// Of hundreds of clusters all about as far apart, descents end in a wrong one now and then. A search of the default width knows, and
/// looks farther.
#[test]
fn many_small_clusters_are_found() {
    const DIM: usize = 128;
    const CLUSTERS: usize = 600;
    let n = 30 * CLUSTERS;
    let centers = points(CLUSTERS, DIM);
    let data: Vec<f32> = (points(n + 1000, DIM).into_iter().rev())
        .zip(centers.iter().cycle())
        .map(|(x, center)| 0.04 * x + 4.0 * center)
        .collect();
    let (base, queries) = data.split_at(n * DIM);
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", l2(DIM)).unwrap();
    upsert(&c, int_ids(n), base);
    let queries = rows(queries, DIM);
    let found = recall(&c, queries, &SearchOptions::k(10));
    let narrow = SearchOptions {
        ef: Some(64),
        ..SearchOptions::k(10)
    };
    let by_beam_alone = recall(&c, queries, &narrow);
    println!("recall@10 {found}, by a beam of 64 alone {by_beam_alone}");
    assert!(found >= 0.995, "{found}");
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

/// A data set of clusters in which a narrow beam goes wrong, in `segments` segments; held-out queries of the same kind, queries
/// halfway between two of those, which are of no cluster, and queries with the components of some in another order, which are like
/// nothing.
fn clustered(metric: Metric, segments: usize) -> (Database, Collection, [Vec<f32>; 3]) {
    const N: usize = 6000;
    const CLUSTERED_DIM: usize = 48;
    let noise = points(N + 400, CLUSTERED_DIM);
    let centres = points(60, CLUSTERED_DIM);
    let mut data: Vec<f32> = noise;
    for (row, values) in data.chunks_exact_mut(CLUSTERED_DIM).enumerate() {
        let centre = &centres[row * 7919 % 60 * CLUSTERED_DIM..][..CLUSTERED_DIM];
        values
            .iter_mut()
            .zip(centre)
            .for_each(|(x, c)| *x = *x * 0.6 + c);
    }
    let held_out = data.split_off(N * CLUSTERED_DIM);
    let between = |pair: (&f32, &f32)| (pair.0 + pair.1) / 2.0;
    let (left, right) = held_out.split_at(200 * CLUSTERED_DIM);
    let outside = left.iter().zip(right).map(between).collect();
    let strange = left.iter().rev().copied().collect();
    let db = Database::in_memory().unwrap();
    let config = CollectionConfig::new(CLUSTERED_DIM).metric(metric);
    let c = db.create_collection("c", config).unwrap();
    let each = N / segments;
    for segment in 0..segments {
        let ids = (segment * each..(segment + 1) * each).map(|id| Key::Int(id as i64));
        let rows = &data[segment * each * CLUSTERED_DIM..][..each * CLUSTERED_DIM];
        upsert(&c, ids.collect(), rows);
    }
    (db, c, [held_out, outside, strange])
}

#[test]
fn a_recall_that_is_asked_for_is_delivered() {
    for (metric, segments) in [
        (Metric::L2, 1),
        (Metric::L2, 3),
        (Metric::Cosine, 1),
        (Metric::Dot, 1),
    ] {
        let (_db, c, groups) = clustered(metric, segments);
        let kinds = ["held out", "between clusters", "like nothing"];
        for (what, queries) in kinds.iter().zip(&groups) {
            let queries = rows(queries, c.config().dim);
            for k in [1, 10, 30] {
                let narrow = SearchOptions {
                    ef: Some(1),
                    ..SearchOptions::k(k)
                };
                let narrow = c.measure_recall(queries, &narrow).unwrap();
                for target in [0.9, 0.95, 0.99] {
                    let options = SearchOptions {
                        recall: Some(target),
                        ..SearchOptions::k(k)
                    };
                    let got = c.measure_recall(queries, &options).unwrap();
                    println!(
                        "{metric}, {segments} segments, {what}, k {k}: {target} asked, {got:?}, narrow {:.3}",
                        narrow.recall
                    );
                    assert!(
                        got.recall >= target - got.interval,
                        "{metric}, {what}, k {k}, {target}: {got:?}"
                    );
                    assert_eq!(got.queries, queries.n());
                }
            }
        }
    }
}

/// What hard queries need is not what easy ones pay.
#[test]
fn a_beam_is_as_wide_as_the_query_is_hard() {
    let (_db, c, groups) = clustered(Metric::L2, 1);
    let options = SearchOptions {
        recall: Some(0.95),
        ..SearchOptions::k(10)
    };
    let [easy, _, hard] = groups.map(|queries| {
        let queries = rows(&queries, c.config().dim);
        let (found, how) = c.explain(queries, &options).unwrap();
        let effort = &how.segments[0].effort;
        println!("{effort:?}");
        assert_eq!(effort.vectors_read, effort.vector_distances);
        assert!(effort.walks >= found.queries());
        effort.code_distances / found.queries() as u64
    });
    assert!(2 * easy < hard, "{easy} and {hard} distances");
}

#[test]
fn measured_recall_is_that_of_a_count_by_hand() {
    let (_db, c, [held_out, ..]) = clustered(Metric::L2, 1);
    let queries = rows(&held_out, c.config().dim);
    let narrow = SearchOptions {
        ef: Some(20),
        ..SearchOptions::k(10)
    };
    let measured = c.measure_recall(queries, &narrow).unwrap();
    assert!((measured.recall - recall(&c, queries, &narrow)).abs() < 1e-9);
    assert!(
        measured.interval > 0.0 && measured.interval < 0.05,
        "{measured:?}"
    );
}

#[test]
fn a_recall_that_cannot_be_is_refused() {
    let (_db, c, [held_out, ..]) = clustered(Metric::L2, 1);
    let queries = rows(&held_out, c.config().dim);
    for recall in [0.0, -1.0, 1.001, f64::NAN, f64::INFINITY] {
        let options = SearchOptions {
            recall: Some(recall),
            ..SearchOptions::k(3)
        };
        let error = c.search(queries, &options).unwrap_err().to_string();
        assert!(
            error.contains("recall") && error.contains(&recall.to_string()),
            "{error}"
        );
    }
    let both = SearchOptions {
        recall: Some(0.9),
        ef: Some(50),
        ..SearchOptions::k(3)
    };
    assert!(
        c.search(queries, &both)
            .unwrap_err()
            .to_string()
            .contains("without ef")
    );
}
