//! Words find what a naive reading of all texts finds, with the same scores, however the records were written; and nearness
//! and words together are what their definition says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proxime::{
    Batch, Collection, Database, Error, Fusion, Key, Metadata, OpenOptions, Scored, SearchOptions,
    TextQuery, Value, Verify, WordCounts, field,
};

use crate::support::{in_memory, l2, object, points, rows, threads};

const DIM: usize = 2;
const WORDS: [&str; 7] = ["a", "Bee", "SEA", "dé", "e5", "f", "g"];

/// A record as the oracle knows it: its words, and a number to filter by.
type Record = (Vec<usize>, i64);

fn text(words: &[usize]) -> String {
    let words: Vec<&str> = words
        .iter()
        .map(|&word| WORDS[word % WORDS.len()])
        .collect();
    words.join(", ")
}

fn metadata((words, number): &Record) -> Metadata {
    // Half of the text in one field, half in a list in another.
    let (title, body) = words.split_at(words.len() / 2);
    let body = vec![Value::Int(3), text(body).into(), Value::Null];
    object([
        ("title", text(title).into()),
        ("body", Value::List(body)),
        ("number", Value::Int(*number)),
    ])
}

fn upsert(c: &Collection, records: &[(i64, Record)], data: &[f32]) {
    let ids = records.iter().map(|(id, _)| Key::Int(*id)).collect();
    let vectors: Vec<f32> = (records.iter())
        .flat_map(|(id, _)| data[DIM * *id as usize..][..DIM].to_vec())
        .collect();
    let vectors = rows(&vectors, DIM);
    let metadata = records.iter().map(|(_, record)| metadata(record));
    c.upsert(Batch::new(ids, &vectors).metadata(metadata.collect()))
        .unwrap();
}

/// BM25 of every record, as it is written in books.
fn oracle(records: &BTreeMap<i64, Record>, query: &[usize]) -> BTreeMap<i64, f64> {
    let texts: Vec<&Vec<usize>> = records.values().map(|(words, _)| words).collect();
    let n = texts.iter().filter(|words| !words.is_empty()).count() as f64;
    let mean = texts.iter().map(|words| words.len()).sum::<usize>() as f64 / n;
    let count = |words: &[usize], word: usize| {
        let same = words
            .iter()
            .filter(|&&w| w % WORDS.len() == word % WORDS.len());
        same.count() as f64
    };
    let score = |words: &Vec<usize>| -> f64 {
        let share = |&word: &usize| {
            let df = texts.iter().filter(|text| count(text, word) > 0.0).count() as f64;
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            let tf = count(words, word);
            idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * words.len() as f64 / mean))
        };
        query.iter().map(share).sum()
    };
    let scores = records.iter().map(|(&id, (words, _))| (id, score(words)));
    scores.filter(|(_, score)| *score > 0.0).collect()
}

fn query(words: &[usize]) -> TextQuery {
    TextQuery::new(text(words).to_uppercase(), ["title", "body"])
}

fn id(key: Key) -> i64 {
    match key {
        Key::Int(id) => id,
        other => panic!("{other}"),
    }
}

fn scores(found: &Scored) -> Vec<(i64, f64)> {
    let ids = found.hits.hits(0).map(|hit| id(hit.id()));
    assert_eq!(ids.len(), found.scores.len());
    ids.zip(&found.scores)
        .map(|(id, score)| (id, score.score))
        .collect()
}

/// Best first, by id where scores are equal, and each as the oracle has it: the best of it.
fn assert_best(found: &[(i64, f64)], truth: &BTreeMap<i64, f64>, k: usize) {
    let in_order = |a: &(i64, f64), b: &(i64, f64)| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0);
    assert!(found.is_sorted_by(in_order), "{found:?}");
    let mut best: Vec<f64> = truth.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(found.len(), k.min(best.len()));
    for ((id, score), best) in found.iter().zip(best) {
        let own = truth.get(id).copied().unwrap_or(0.0);
        assert!((score - own).abs() < 1e-9, "{id}: {score}, not {own}");
        assert!(
            (score - best).abs() < 1e-9,
            "{id}: {score}, and {best} is better"
        );
    }
}

fn record() -> impl Strategy<Value = Record> {
    (prop::collection::vec(0..WORDS.len(), 0..12), 0..3i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn like_a_loop(
        first in prop::collection::vec(record(), 1..40),
        again in prop::collection::vec(record(), 0..10),
        deleted in prop::collection::vec(0..40i64, 0..10),
        sealed in any::<bool>(),
        wanted in prop::collection::vec(0..WORDS.len(), 0..4),
        k in prop::sample::select(vec![0usize, 1, 3, 100]),
    ) {
        let (_db, c) = in_memory(DIM);
        let data = points(40, DIM);
        let first: Vec<_> = (0..).zip(first).collect();
        let again: Vec<_> = (0..).map(|i| 3 * i).zip(again).collect();
        upsert(&c, &first, &data);
        if sealed {
            c.compact(None).unwrap();
        }
        upsert(&c, &again, &data);
        c.delete(&deleted.iter().copied().map(Key::Int).collect::<Vec<_>>()).unwrap();
        let mut records: BTreeMap<i64, Record> = first.into_iter().chain(again).collect();
        records.retain(|id, _| !deleted.contains(id));

        let truth = oracle(&records, &wanted);
        let found = c.search_text(&query(&wanted), &SearchOptions::k(k)).unwrap();
        assert_best(&scores(&found), &truth, k);
        prop_assert!(found.scores.iter().all(|score| score.score == score.text));
        prop_assert!(found.hits.hits(0).all(|hit| hit.distance().is_nan()));

        // A filter takes records away and leaves scores as they are.
        let filter = SearchOptions::k(k).filter(field("number").ge(1));
        let found = c.search_text(&query(&wanted), &filter).unwrap();
        let some = truth.into_iter().filter(|(id, _)| records[id].1 >= 1).collect();
        assert_best(&scores(&found), &some, k);
    }

    #[test]
    fn with_the_counts_of_all_parts_of_the_records_score_like_the_whole(
        records in prop::collection::vec(record(), 3..60),
        wanted in prop::collection::vec(0..WORDS.len(), 0..4),
        parts in 1..4usize,
    ) {
        let data = points(60, DIM);
        let records: Vec<_> = (0i64..).zip(records).collect();
        let (_db, whole) = in_memory(DIM);
        upsert(&whole, &records, &data);
        let collections: Vec<_> = (0..parts).map(|_| in_memory(DIM)).collect();
        let mut query = query(&wanted);
        let mut all = WordCounts::default();
        for (part, (_db, c)) in collections.iter().enumerate() {
            let own: Vec<_> = records.iter().skip(part).step_by(parts).cloned().collect();
            upsert(c, &own, &data);
            all.add(&c.word_counts(&query).unwrap());
        }
        prop_assert_eq!(&all, &whole.word_counts(&query).unwrap());
        let truth = scores(&whole.search_text(&query, &SearchOptions::k(100)).unwrap());
        query.counts = Some(all);
        let mut found: Vec<_> = collections
            .iter()
            .flat_map(|(_db, c)| scores(&c.search_text(&query, &SearchOptions::k(100)).unwrap()))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(found, truth);
    }

    #[test]
    fn words_and_nearness_are_put_together_as_defined(
        records in prop::collection::vec(record(), 1..60),
        wanted in prop::collection::vec(0..WORDS.len(), 0..4),
        filtered in any::<bool>(),
        reach in prop::sample::select(vec![None, Some(0.2f32)]),
        k in prop::sample::select(vec![0usize, 1, 5, 100]),
    ) {
        let (_db, c) = in_memory(DIM);
        let data = points(60, DIM);
        let records: BTreeMap<i64, Record> = (0..).zip(records).collect();
        upsert(&c, &records.clone().into_iter().collect::<Vec<_>>(), &data);
        let vector = [0.1, -0.2];
        let mut options = SearchOptions { max_distance: reach, exact: true, ..SearchOptions::k(k) };
        if filtered {
            options = options.filter(field("number").ge(1));
        }
        let inside = |id: &i64| !filtered || records[id].1 >= 1;
        let distance = |id: i64| -> f32 {
            let own = &data[DIM * id as usize..][..DIM];
            own.iter().zip(vector).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let near = |id: &i64| reach.is_none_or(|reach| distance(*id) <= reach);
        let mut by_vector: Vec<i64> = records.keys().copied().filter(inside).filter(near).collect();
        by_vector.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        let texts = oracle(&records, &wanted);
        let found = c.search_text(&query(&wanted), &SearchOptions::k(100)).unwrap();
        let by_words: Vec<i64> = scores(&found).iter().map(|(id, _)| *id).filter(inside).collect();

        let rank = |list: &[i64], id| list.iter().position(|&other| other == id);
        let share = |list: &[i64], id| rank(list, id).map_or(0.0, |at| 1.0 / (61.0 + at as f64));
        let fused = |id: &i64| share(&by_vector, *id) + share(&by_words, *id);
        let truth: BTreeMap<i64, f64> = by_vector.iter().map(|id| (*id, fused(id))).collect();
        let both = query(&wanted).vector(vector, Fusion::Rrf);
        let found = c.search_text(&both, &options).unwrap();
        assert_best(&scores(&found), &truth, k);
        for (hit, score) in found.hits.hits(0).zip(&found.scores) {
            let id = id(hit.id());
            prop_assert!((hit.distance() - distance(id)).abs() < 1e-6);
            prop_assert!((score.text - texts.get(&id).copied().unwrap_or(0.0)).abs() < 1e-9);
        }
        for fusion in [Fusion::Dbsf, Fusion::Weights { vector: 1.0, text: 0.3 }] {
            let found = c.search_text(&query(&wanted).vector(vector, fusion), &options).unwrap();
            prop_assert_eq!(found.scores.len(), k.min(truth.len()), "{:?}", fusion);
            prop_assert!(found.scores.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}

/// Weights of one alone give its order; the other's sub-scores stay what they are.
#[test]
fn weights_decide() {
    let (_db, c) = in_memory(DIM);
    let records: Vec<(i64, Record)> = vec![
        (0, (vec![0, 1], 0)),
        (1, (vec![1, 1], 0)),
        (2, (vec![2], 0)),
    ];
    upsert(&c, &records, &[0.0, 0.0, 1.0, 1.0, 0.1, 0.0]);
    let ask = |vector, text| {
        let fusion = Fusion::Weights { vector, text };
        let query = query(&[1]).vector([0.0, 0.0], fusion);
        let found = c.search_text(&query, &SearchOptions::k(3)).unwrap();
        found
            .hits
            .hits(0)
            .map(|hit| id(hit.id()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(1.0, 0.0), [0, 2, 1]);
    assert_eq!(ask(0.0, 1.0), [1, 0, 2]);
    assert_eq!(ask(1.0, 0.1), [0, 2, 1]);
}

/// One segment, several, tails, put together, closed and opened again: the same hits with the same scores, bit by bit.
#[test]
fn how_records_were_written_does_not_show() {
    const N: usize = 2500;
    let records: Vec<(i64, Record)> = (0..N as i64)
        .map(|i| {
            (
                i,
                (
                    (0..i as usize % 9)
                        .map(|j| i as usize * (j + 3) / 5)
                        .collect(),
                    i % 3,
                ),
            )
        })
        .collect();
    let data = points(N, DIM);
    let filled = |batch: usize| {
        let db = Database::in_memory().unwrap();
        let c = db.create_collection("c", l2(DIM)).unwrap();
        records
            .chunks(batch)
            .for_each(|some| upsert(&c, some, &data));
        c.delete(&(0..N as i64).step_by(7).map(Key::Int).collect::<Vec<_>>())
            .unwrap();
        (db, c)
    };
    let answers = |c: &Collection| -> Vec<Vec<(i64, f64)>> {
        let wanted = [vec![0], vec![1, 3], vec![2, 2, 6]];
        let found = wanted.iter().flat_map(|words| {
            let near = query(words).vector([0.1, 0.1], Fusion::Rrf);
            [query(words), near].map(|query| {
                let exact = SearchOptions {
                    exact: true,
                    ..SearchOptions::k(50)
                };
                scores(&c.search_text(&query, &exact).unwrap())
            })
        });
        found.collect()
    };
    let (_one, whole) = filled(N);
    let expected = answers(&whole);
    for batch in [1000, 300] {
        let (_db, c) = filled(batch);
        assert!(answers(&c) == expected, "batches of {batch}");
        c.compact(None).unwrap();
        assert!(answers(&c) == expected, "batches of {batch}, put together");
    }
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = filled(600);
    db.backup(dir.path().join("copy"), None).unwrap();
    for verify in [Verify::Full, Verify::Lazy] {
        let options = OpenOptions {
            verify,
            ..threads(1)
        };
        let db = Database::open_with(dir.path().join("copy"), &options).unwrap();
        assert!(
            answers(&db.collection("c").unwrap()) == expected,
            "{verify:?}"
        );
    }
}

#[test]
fn queries_that_cannot_be_right() {
    let (_db, c) = in_memory(DIM);
    upsert(&c, &[(0, (vec![0], 0))], &[0.0, 0.0]);
    let refused = |query: &TextQuery, options: &SearchOptions, named: &str| match c
        .search_text(query, options)
        .unwrap_err()
    {
        Error::Parameter { name, .. } => assert_eq!(name, named),
        other => panic!("{other}"),
    };
    let options = SearchOptions::k(3);
    refused(&TextQuery::new("a", [""; 0]), &options, "fields");
    refused(
        &TextQuery::new("a ".repeat(1 << 20), ["title"]),
        &options,
        "text",
    );
    let near = SearchOptions {
        max_distance: Some(1.0),
        ..options.clone()
    };
    refused(&query(&[0]), &near, "max_distance");
    let wide = SearchOptions {
        ef: Some(0),
        ..options.clone()
    };
    refused(&query(&[0]).vector([0.0, 0.0], Fusion::Rrf), &wide, "ef");
    for (vector, text) in [
        (0.0, 0.0),
        (-1.0, 2.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
    ] {
        let weights = Fusion::Weights { vector, text };
        refused(&query(&[0]).vector([0.0, 0.0], weights), &options, "fusion");
    }
    let error = c
        .search_text(&query(&[0]).vector([0.0; 3], Fusion::Rrf), &options)
        .unwrap_err();
    assert!(matches!(error, Error::Dimension { .. }), "{error}");
    let error = c
        .search_text(&TextQuery::new("a", ["x\\"]), &options)
        .unwrap_err();
    assert!(matches!(error, Error::Filter(_)), "{error}");

    // No words, and fields that hold no text, find nothing and are no error.
    for (text, fields) in [
        ("", "title"),
        ("?!", "title"),
        ("a", "number"),
        ("a", "nowhere"),
    ] {
        let found = c
            .search_text(&TextQuery::new(text, [fields]), &options)
            .unwrap();
        assert!(found.scores.is_empty(), "{text} {fields}");
        let both = TextQuery::new(text, [fields]).vector([1.0, 1.0], Fusion::Dbsf);
        assert_eq!(c.search_text(&both, &options).unwrap().scores.len(), 1);
    }
}
