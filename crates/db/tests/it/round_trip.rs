//! What is stored is found again: at once, after opening again, by another process, with its exact types.

use proxime::{
    Batch, CollectionConfig, Database, Key, Metric, OpenOptions, Params, Record, SearchOptions,
    Value,
};

use crate::support::{
    given_path, ids, in_another_process, in_memory, int_ids, l2, object, points, rows, upsert,
};

fn all_types() -> proxime::Metadata {
    object([
        ("null", Value::Null),
        ("bool", Value::Bool(true)),
        ("int", Value::Int(i64::MIN)),
        ("float", Value::Float(1.0)),
        ("text", Value::Text("日本".into())),
        (
            "list",
            Value::List(vec![Value::Int(1), Value::List(vec![])]),
        ),
        ("object", Value::Object(object([("", Value::Float(-0.5))]))),
    ])
}

#[test]
fn after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let data = points(1200, 8);
    let params = Params::default().with_m(8).unwrap().with_seed(42);
    let digest = {
        let db = Database::open(&path).unwrap();
        let c = db
            .create_collection("日本/../..", l2(8).params(params))
            .unwrap();
        let source = rows(&data, 8);
        c.upsert(Batch::new(int_ids(1200), &source)).unwrap();
        let (few, metadata) = (rows(&data[..16], 8), vec![all_types(), object([])]);
        c.upsert(Batch::new(vec!["a".into(), Key::Int(7)], &few).metadata(metadata))
            .unwrap();
        db.create_collection("empty", CollectionConfig::new(3))
            .unwrap();
        c.digest().unwrap()
    };
    let db = Database::open(&path).unwrap();
    assert_eq!(db.collections().unwrap(), ["日本/../..", "empty"]);
    assert_eq!(db.path(), Some(&*path));
    let c = db.collection("日本/../..").unwrap();
    assert_eq!(*c.config(), l2(8).params(params));
    assert_eq!((c.len().unwrap(), c.digest().unwrap()), (1201, digest));
    let get = |id: Key| c.get(&id).unwrap();
    let expected = Record {
        id: "a".into(),
        vector: data[..8].to_vec(),
        metadata: all_types(),
        version: get("a".into()).map_or(0, |record| record.version),
    };
    assert_eq!(get("a".into()), Some(expected));
    assert_eq!(get(Key::Int(7)).unwrap().vector, data[8..16]);
    assert_eq!(get(Key::Int(8)).unwrap().vector, data[64..72]);
    assert_eq!(get(Key::Int(1200)), None);
    assert_eq!(get("7".into()), None);
    let stats = c.stats().unwrap();
    assert_eq!((stats.rows, stats.live), (1202, 1201));
    assert_eq!(
        (stats.segments, stats.tail_rows, stats.graph.graphs),
        (1, 2, 1)
    );
    assert_eq!(
        (
            stats.graph.rows,
            stats.graph.unreachable,
            stats.damaged_graphs
        ),
        (1200, 0, 0)
    );
    let on_disk: u64 = std::fs::read_dir(&path)
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum();
    // Beside the segments: the manifest, and two rows in the log.
    assert!((stats.bytes_on_disk..stats.bytes_on_disk + 4096).contains(&on_disk));
    let report = db.verify().unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(
        (report.collections[0].rows, report.collections[0].live),
        (1202, 1201)
    );
}

#[test]
fn hits_carry_what_was_stored() {
    let (db, c) = in_memory(2);
    let data = [0.0, 0.0, 3.0, 4.0, 6.0, 8.0];
    let source = rows(&data, 2);
    let metadata = vec![
        object([("n", 0.into())]),
        object([("n", 1.into())]),
        object([]),
    ];
    c.add(Batch::new(vec!["a".into(), "b".into(), Key::Int(3)], &source).metadata(metadata))
        .unwrap();
    let results = c
        .search(rows(&[0.0, 0.0, 6.0, 8.0], 2), &SearchOptions::k(2))
        .unwrap();
    db.close().unwrap();
    assert_eq!(results.queries(), 2);
    let hits: Vec<_> = results.hits(0).collect();
    assert_eq!((hits[0].id(), hits[0].distance()), ("a".into(), 0.0));
    assert_eq!((hits[1].id(), hits[1].distance()), ("b".into(), 25.0));
    assert_eq!(
        (&*hits[1].vector(), hits[1].metadata().unwrap()),
        (&[3.0, 4.0][..], object([("n", 1.into())]))
    );
    assert_eq!(ids(&results, 1), [Key::Int(3), "b".into()]);
    assert_eq!(results.hits(2).len(), 0);
}

#[test]
fn distances_are_those_of_the_metric() {
    for (metric, expected) in [
        (Metric::L2, 20.0),
        (Metric::Dot, -3.0),
        (Metric::Cosine, 1.0 - 3.0 / 5.0),
    ] {
        let db = Database::in_memory().unwrap();
        let c = db
            .create_collection("c", CollectionConfig::new(2).metric(metric))
            .unwrap();
        upsert(&c, int_ids(1), &[3.0, 4.0]);
        let results = c
            .search(rows(&[1.0, 0.0], 2), &SearchOptions::default())
            .unwrap();
        let distance = results.hits(0).next().unwrap().distance();
        assert!((distance - expected).abs() < 1e-6, "{metric}: {distance}");
    }
}

#[test]
fn equal_distances_come_in_the_order_of_ids() {
    let (_db, c) = in_memory(1);
    upsert(
        &c,
        vec!["b".into(), Key::Int(9), "a".into()],
        &[1.0, 1.0, -1.0],
    );
    upsert(
        &c,
        vec![Key::Int(-4), "".into(), "z".into()],
        &[-1.0, 1.0, 0.5],
    );
    let found = |k| ids(&c.search(rows(&[0.0], 1), &SearchOptions::k(k)).unwrap(), 0);
    let order = [
        "z".into(),
        Key::Int(-4),
        Key::Int(9),
        "".into(),
        "a".into(),
        "b".into(),
    ];
    for k in 0..9 {
        assert_eq!(found(k), order[..k.min(6)]);
    }
}

#[test]
fn many_equal_distances_too() {
    let (_db, c) = in_memory(1);
    let backwards: Vec<Key> = (0..100).rev().map(Key::Int).collect();
    upsert(&c, backwards, &[2.0; 100]);
    for k in [1, 2, 99] {
        let found = ids(&c.search(rows(&[0.0], 1), &SearchOptions::k(k)).unwrap(), 0);
        assert_eq!(found, int_ids(k));
    }
}

#[test]
fn another_process_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(4)).unwrap();
    upsert(&c, int_ids(1100), &points(1100, 4));
    // While this one holds the lock, and after it let go.
    for _ in 0..2 {
        let output = in_another_process("round_trip::child_reads", dir.path());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains(&format!("digest {}", c_digest(dir.path()))),
            "{text}"
        );
        assert!(text.contains("nearest 5 5 5"), "{text}");
        db.close().unwrap();
    }
}

fn c_digest(dir: &std::path::Path) -> String {
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    Database::open_with(dir.join("db"), &options)
        .unwrap()
        .collection("c")
        .unwrap()
        .digest()
        .unwrap()
}

/// The other process; does nothing unless started by the test above.
#[test]
#[ignore = "started by another_process_reads_it"]
fn child_reads() {
    let Some(path) = given_path() else { return };
    println!("digest {}", c_digest(&path));
    let options = OpenOptions {
        read_only: true,
        create: false,
        ..OpenOptions::default()
    };
    let c = Database::open_with(path.join("db"), &options)
        .unwrap()
        .collection("c")
        .unwrap();
    let record = c.get(&Key::Int(5)).unwrap().unwrap();
    let nearest = |exact| {
        let options = SearchOptions {
            exact,
            ..SearchOptions::k(1)
        };
        ids(&c.search(rows(&record.vector, 4), &options).unwrap(), 0)[0].clone()
    };
    println!("nearest {} {} {}", record.id, nearest(true), nearest(false));
}
