//! Filtered searches against a loop over the records: the same hits where search is exact, always as many as there are, and at
//! least 95 % of the true ones at the default settings, whatever the filter.

use proptest::prelude::*;
use proxime::{Batch, Collection, Error, Key, Metadata, SearchOptions, Value, field};

use super::naive::{Tree, any_tree, metadata};
use crate::support::{fashion_mnist, ids, in_memory, int_ids, object, points, rows};

const DIM: usize = 784;
const K: usize = 10;

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Ids of the records that match, nearest first, ties by id.
fn brute(query: &[f32], records: &[(i64, &[f32], &Metadata)], tree: &Tree) -> Vec<(f32, Key)> {
    let mut found: Vec<(f32, Key)> = records
        .iter()
        .filter(|(_, _, metadata)| tree.matches(metadata))
        .map(|(id, vector, _)| (distance(query, vector), Key::Int(*id)))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn like_a_loop(
        kinds in prop::collection::vec(metadata(), 1..12),
        replaced in prop::collection::vec(metadata(), 1..20),
        trees in prop::collection::vec(any_tree(), 1..8),
        k in prop::sample::select(vec![0usize, 1, 3, 10, 200, 3000]),
        ef in prop::sample::select(vec![None, Some(1), Some(2000)]),
        reach in prop::sample::select(vec![None, Some(1.0f32), Some(40.0)]),
    ) {
        const N: usize = 1100; // enough for a graph
        let (_db, c) = in_memory(2);
        // Small integers: many ties, no rounding.
        let data: Vec<f32> = (0..2 * N).map(|i| (i * i % 31) as f32).collect();
        let first: Vec<Metadata> = (0..N).map(|i| kinds[i * 7 % kinds.len()].clone()).collect();
        c.upsert(Batch::new(int_ids(N), &rows(&data, 2)).metadata(first.clone())).unwrap();
        let (again, moved) = (replaced.len(), points(replaced.len(), 2));
        c.upsert(Batch::new(int_ids(again), &rows(&moved, 2)).metadata(replaced.clone())).unwrap();

        let old = (again..N).map(|i| (i as i64, &data[2 * i..][..2], &first[i]));
        let new = (0..again).map(|i| (i as i64, &moved[2 * i..][..2], &replaced[i]));
        let records: Vec<_> = new.chain(old).collect();
        let query = [3.0, 14.0];
        for tree in &trees {
            let mut truth = brute(&query, &records, tree);
            let options = SearchOptions { k, ef, max_distance: reach, ..SearchOptions::default() };
            let options = options.filter(tree.built());
            prop_assert_eq!(c.count(&tree.built()).unwrap(), truth.len());
            truth.retain(|(distance, _)| reach.is_none_or(|reach| *distance <= reach));
            truth.truncate(k);
            let exact = SearchOptions { exact: true, ..options.clone() };
            let hits = c.search(rows(&query, 2), &exact).unwrap();
            let found: Vec<_> = hits.hits(0).map(|hit| (hit.distance(), hit.id())).collect();
            prop_assert_eq!(&found, &truth);
            let hits = c.search(rows(&query, 2), &options).unwrap();
            prop_assert!(reach.is_some() || hits.hits(0).len() == truth.len());
            for hit in hits.hits(0) {
                prop_assert!(tree.matches(&hit.metadata().unwrap()));
                prop_assert!(hit.distance() <= reach.unwrap_or(f32::INFINITY));
            }
            prop_assert!(hits.hits(0).is_sorted_by_key(|hit| hit.distance()));
        }
    }
}

/// The images with a random number below 1000, and their place in the order of distance from the first image.
fn images() -> (proxime::Database, Collection, Vec<f32>) {
    let (base, queries) = fashion_mnist();
    let (db, c) = in_memory(DIM);
    let mut order: Vec<usize> = (0..10_000).collect();
    let image = |i: usize| &base[i * DIM..][..DIM];
    order.sort_by(|&a, &b| distance(image(0), image(a)).total_cmp(&distance(image(0), image(b))));
    let mut metadata = vec![Metadata::new(); 10_000];
    let random = points(10_000, 1);
    for (place, &i) in order.iter().enumerate() {
        let number = ((random[i] + 0.5) * 1000.0) as i64;
        metadata[i] = object([
            ("random", Value::Int(number)),
            ("place", Value::Int(place as i64)),
        ]);
    }
    let vectors = rows(&base, DIM);
    c.upsert(Batch::new(int_ids(10_000), &vectors).metadata(metadata))
        .unwrap();
    // Near the first image first.
    let mut queries: Vec<&[f32]> = queries.chunks(DIM).collect();
    queries.sort_by(|a, b| distance(image(0), a).total_cmp(&distance(image(0), b)));
    (db, c, queries.concat())
}

#[test]
fn recall_by_selectivity_near_and_far() {
    let (_db, c, queries) = images();
    let queries_of = |from: usize| rows(&queries[from * DIM..][..60 * DIM], DIM);
    for per_mille in [900, 500, 100, 20, 5, 1] {
        let random = || field("random").lt(per_mille);
        let close = || field("place").lt(per_mille * 10);
        let far = || field("place").ge(10_000 - per_mille * 10);
        let cases = [
            ("random", queries_of(470), random()),
            ("correlated", queries_of(0), close()),
            ("anticorrelated", queries_of(940), close()),
            ("farthest", queries_of(0), far()),
            (
                "around a hole",
                queries_of(0),
                random() & field("place").ge(200),
            ),
        ];
        for (name, queries, filter) in cases {
            let options = SearchOptions::k(K).filter(filter);
            let exact = SearchOptions {
                exact: true,
                ..options.clone()
            };
            let (found, truth) = (
                c.search(queries, &options).unwrap(),
                c.search(queries, &exact).unwrap(),
            );
            let wanted = K.min(c.count(options.filter.as_ref().unwrap()).unwrap());
            let mut common = 0;
            for query in 0..queries.n() {
                let truth = ids(&truth, query);
                assert_eq!((truth.len(), found.hits(query).len()), (wanted, wanted));
                common += found
                    .hits(query)
                    .filter(|hit| truth.contains(&hit.id()))
                    .count();
            }
            let recall = common as f64 / (wanted * queries.n()) as f64;
            println!("{per_mille} of 1000, {name}: recall@10 {recall:.3}");
            assert!(recall >= 0.95, "{per_mille} of 1000, {name}: {recall}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_db, c) = in_memory(2);
    let query = [0.0, 0.0];
    let wrong = SearchOptions::default().filter(field("a").lt(true));
    assert!(matches!(
        c.search(rows(&query, 2), &wrong),
        Err(Error::Filter(_))
    ));
    let nan = SearchOptions {
        max_distance: Some(f32::NAN),
        ..SearchOptions::default()
    };
    let error = c.search(rows(&query, 2), &nan).unwrap_err();
    assert_eq!(error.to_string(), "max_distance = NaN; it must be a number");
}
