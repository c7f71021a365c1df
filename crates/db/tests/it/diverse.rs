//! Diversity against a loop that keeps every distance, and queries with filters of their own against one search each.

use proxime::{Batch, Diversity, Error, Filter, Key, SearchOptions, Value, field};

use crate::support::{ids, in_memory, int_ids, object, points, rows};

const DIM: usize = 4;
const ROWS: usize = 300;

fn l2_sq(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// Marginal relevance among the nearest, with the distances in f64.
fn expected(data: &[f32], query: &[f32], relevance: f64, candidates: usize, k: usize) -> Vec<Key> {
    let row = |i: usize| &data[i * DIM..(i + 1) * DIM];
    let mut near: Vec<usize> = (0..data.len() / DIM).collect();
    near.sort_by(|&a, &b| l2_sq(row(a), query).total_cmp(&l2_sq(row(b), query)));
    near.truncate(candidates.max(k));
    let mut chosen = vec![near.remove(0)];
    while chosen.len() < k && !near.is_empty() {
        let cost = |&i: &usize| {
            let apart = chosen
                .iter()
                .map(|&c| l2_sq(row(i), row(c)))
                .min_by(f64::total_cmp);
            relevance * l2_sq(row(i), query) - (1.0 - relevance) * apart.unwrap()
        };
        let least = (0..near.len()).min_by(|&a, &b| cost(&near[a]).total_cmp(&cost(&near[b])));
        chosen.push(near.remove(least.unwrap()));
    }
    chosen
        .into_iter()
        .take(k)
        .map(|i| Key::Int(i as i64))
        .collect()
}

#[test]
fn hits_are_those_of_a_loop() {
    let (_db, c) = in_memory(DIM);
    let data = points(ROWS, DIM);
    c.upsert(Batch::new(int_ids(ROWS), &rows(&data, DIM)))
        .unwrap();
    let queries = points(20, DIM);
    let mut differs = 0;
    for query in queries.chunks(DIM) {
        for relevance in [0.0f32, 0.3, 0.5, 0.9, 1.0] {
            for (k, candidates) in [(5, 20), (7, 3), (1, 10), (400, 10), (0, 10)] {
                let diversity = Diversity {
                    relevance,
                    candidates,
                };
                let found = c
                    .search_diverse(query, diversity, &SearchOptions::k(k))
                    .unwrap();
                let found = ids(&found, 0);
                if k > 0 {
                    assert_eq!(
                        found,
                        expected(&data, query, relevance.into(), candidates, k)
                    );
                } else {
                    assert_eq!(found, []);
                }
                let plain = c.search(rows(query, DIM), &SearchOptions::k(k)).unwrap();
                if relevance == 1.0 {
                    assert_eq!(found, ids(&plain, 0));
                } else {
                    differs += usize::from(found != ids(&plain, 0));
                }
            }
        }
    }
    assert!(differs > 100, "{differs}");
    for relevance in [-0.1, 1.1, f32::NAN] {
        let diversity = Diversity {
            relevance,
            candidates: 9,
        };
        let error = c
            .search_diverse(&queries[..DIM], diversity, &SearchOptions::k(3))
            .unwrap_err();
        assert!(matches!(
            error,
            Error::Parameter {
                name: "relevance",
                ..
            }
        ));
    }
}

#[test]
fn each_query_has_its_filter() {
    let (_db, c) = in_memory(DIM);
    let data = points(ROWS, DIM);
    let metadata = (0..ROWS as i64)
        .map(|i| object([("i", Value::Int(i))]))
        .collect();
    c.upsert(Batch::new(int_ids(ROWS), &rows(&data, DIM)).metadata(metadata))
        .unwrap();
    let queries = points(40, DIM);
    let queries = rows(&queries, DIM);
    let filter = |i: i64| (i % 3 > 0).then(|| field("i").ge(i * 7));
    let filters: Vec<Option<Filter>> = (0..40).map(filter).collect();
    for shared in [None, Some(field("i").lt(250))] {
        let options = SearchOptions {
            filter: shared,
            ..SearchOptions::k(5)
        };
        let found = c.search_each(queries, &filters, &options).unwrap();
        for (query, filter) in filters.iter().enumerate() {
            let both = options.filter.iter().chain(filter).cloned();
            let alone = SearchOptions {
                filter: both.reduce(|a, b| a & b),
                ..options.clone()
            };
            let alone = c.search(queries.slice(query..query + 1), &alone).unwrap();
            assert_eq!(ids(&found, query), ids(&alone, 0));
        }
    }
    let error = c
        .search_each(queries, &filters[1..], &SearchOptions::k(5))
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Parameter {
            name: "filters",
            ..
        }
    ));
    let wrong = vec![Some(field("i\\").eq(1)); 40];
    let error = c
        .search_each(queries, &wrong, &SearchOptions::k(5))
        .unwrap_err();
    assert!(matches!(error, Error::Filter(_)));
    let none = c
        .search_each(rows(&[], DIM), &[], &SearchOptions::k(5))
        .unwrap();
    assert_eq!(none.queries(), 0);
}
