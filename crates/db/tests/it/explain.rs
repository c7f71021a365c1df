//! What a search says of itself is what it did.

use proxime::{Batch, Collection, Effort, Explanation, Metadata, SearchOptions, Value, field};

use crate::support::{ids, in_memory, int_ids, object, points, rows};

const DIM: usize = 8;
/// In a segment with a graph, and in the log.
const ROWS: [usize; 2] = [24_000, 50];
const QUERIES: usize = 20;
const EF: usize = 40;

/// Records with the numbers `i % 8000` and `i % 2`.
fn collection() -> (proxime::Database, Collection) {
    let (db, c) = in_memory(DIM);
    let data = points(ROWS[0] + ROWS[1], DIM);
    let (large, small) = data.split_at(ROWS[0] * DIM);
    let metadata = |i: usize| -> Metadata {
        object([
            ("rare", Value::Int((i % 8000) as i64)),
            ("half", Value::Int((i % 2) as i64)),
        ])
    };
    let all = int_ids(ROWS[0] + ROWS[1]);
    for (first, data) in [(0, large), (ROWS[0], small)] {
        let rows = rows(data, DIM);
        let ids = all[first..first + rows.n()].to_vec();
        let metadata = (first..first + rows.n()).map(metadata).collect();
        c.upsert(Batch::new(ids, &rows).metadata(metadata)).unwrap();
    }
    (db, c)
}

/// A search that does not widen by itself.
fn narrow() -> SearchOptions {
    SearchOptions {
        ef: Some(EF),
        ..SearchOptions::k(10)
    }
}

/// Searches both ways, which must find the same.
fn explained(c: &Collection, options: &SearchOptions) -> Explanation {
    let queries = points(QUERIES, DIM);
    let queries = rows(&queries, DIM);
    let (found, how) = c.explain(queries, options).unwrap();
    let plain = c.search(queries, options).unwrap();
    for query in 0..QUERIES {
        assert_eq!(ids(&found, query), ids(&plain, query));
    }
    assert_eq!((how.queries, how.segments.len()), (QUERIES, 2));
    assert_eq!([0, 1].map(|i| how.segments[i].rows), ROWS);
    how
}

/// Queries by the way they took.
fn ways(effort: &Effort) -> [usize; 4] {
    [
        effort.walks,
        effort.filtered_walks,
        effort.code_scans,
        effort.vector_scans,
    ]
}

#[test]
fn a_walk_and_a_scan_of_the_log() {
    let (_db, c) = collection();
    let how = explained(&c, &narrow());
    let [walk, scan] = [0, 1].map(|i| how.segments[i].effort);
    assert_eq!((ways(&walk), walk.ef), ([QUERIES, 0, 0, 0], EF));
    let (queries, ef) = (QUERIES as u64, EF as u64);
    assert!((ef * queries..=ROWS[0] as u64 * queries).contains(&walk.nodes));
    assert!(
        walk.code_distances > walk.nodes,
        "levels above are walked too"
    );
    assert_eq!(
        walk.screened, 0,
        "so few components are walked on int8 codes, without signs"
    );
    assert!((10 * queries..=ef * queries).contains(&walk.vectors_read));
    assert_eq!(walk.vector_distances, walk.vectors_read);

    assert_eq!(ways(&scan), [0, 0, 0, QUERIES]);
    assert_eq!((scan.ef, scan.nodes, scan.code_distances), (0, 0, 0));
    assert_eq!(scan.screened, 0);
    assert_eq!(scan.vector_distances, ROWS[1] as u64 * queries);
    assert!((ROWS[1] as u64..=scan.vector_distances).contains(&scan.vectors_read));
    assert_eq!(how.segments[1].name, "the log");
    assert_eq!([0, 1].map(|i| how.segments[i].available), ROWS);
}

#[test]
fn most_that_a_walk_meets_is_ruled_out_by_signs() {
    const DIM: usize = 128;
    let (_db, c) = in_memory(DIM);
    let data = points(8_000, DIM);
    c.upsert(Batch::new(int_ids(8_000), &rows(&data, DIM)))
        .unwrap();
    let queries = points(QUERIES, DIM);
    let (_, how) = c.explain(rows(&queries, DIM), &narrow()).unwrap();
    let walk = how.segments[0].effort;
    assert_eq!(walk.walks, QUERIES);
    // Codes are read of all that are in the beam at the end.
    let codes_read = walk.code_distances - walk.screened;
    assert!(
        (((EF * QUERIES) as u64)..walk.code_distances / 2).contains(&codes_read),
        "{walk:?}"
    );
}

#[test]
fn every_vector_if_exact() {
    let (_db, c) = collection();
    let exact = SearchOptions {
        exact: true,
        ..SearchOptions::k(10)
    };
    for (segment, rows) in explained(&c, &exact).segments.iter().zip(ROWS) {
        assert_eq!(ways(&segment.effort), [0, 0, 0, QUERIES]);
        let distances = (rows * QUERIES) as u64;
        assert_eq!(segment.effort.vector_distances, distances);
        assert_eq!(segment.effort.code_distances, 0);
    }
}

#[test]
fn filters_by_how_much_they_leave() {
    let (_db, c) = collection();
    let with = |filter| explained(&c, &SearchOptions::k(10).filter(filter));

    let few = with(field("rare").eq(7));
    assert_eq!(few.segments[0].available, 3);
    assert_eq!(ways(&few.segments[0].effort), [0, 0, 0, QUERIES]);
    assert_eq!(few.segments[0].effort.vectors_read, 3 * QUERIES as u64);

    let some = with(field("rare").lt(50));
    assert_eq!(some.segments[0].available, 150);
    assert_eq!(ways(&some.segments[0].effort), [0, 0, QUERIES, 0]);
    let distances = some.segments[0].effort.code_distances;
    assert_eq!(distances, 150 * QUERIES as u64);
    assert_eq!(some.segments[0].effort.screened, 0);

    let half = explained(&c, &narrow().filter(field("half").eq(1)));
    assert_eq!(half.segments[0].available, 12_000);
    // Where chance has left fewer around a query, all that match are looked at.
    let [walks, filtered_walks, code_scans, vector_scans] = ways(&half.segments[0].effort);
    assert_eq!(
        (walks, filtered_walks + code_scans, vector_scans),
        (0, QUERIES, 0)
    );
    assert!(filtered_walks > 0 && half.segments[0].effort.nodes > 0);
}

#[test]
fn times_are_those_of_stages() {
    let (_db, c) = collection();
    let how = explained(&c, &narrow());
    let [walk, scan] = [0, 1].map(|i| how.segments[i].effort);
    assert!(walk.codes_seconds > 0.0 && walk.rerank_seconds > 0.0 && walk.scan_seconds == 0.0);
    assert!(scan.codes_seconds == 0.0 && scan.scan_seconds > 0.0);
    assert!(how.prepare_seconds > 0.0 && how.search_seconds > 0.0);

    let nothing = explained(&c, &SearchOptions::k(0));
    assert_eq!(nothing.segments[0].effort, Effort::default());
}
