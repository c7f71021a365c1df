//! Bad input is refused with a typed error that names the culprit, and nothing is stored.

use proxime::{
    Batch, CollectionConfig, Database, Error, ErrorKind, Key, Metadata, Metric, OpenOptions,
    SearchOptions, Value,
};

use crate::support::{in_memory, int_ids, l2, object, rows, upsert};

/// Says exactly this, is of this kind, and left the collection empty.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
}

#[test]
fn vectors() {
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", CollectionConfig::new(2)).unwrap();
    let store = |data: &[f32], dim, n| {
        let source = rows(data, dim);
        let result = c.upsert(Batch::new(int_ids(n), &source));
        assert!(c.is_empty().unwrap());
        result
    };
    let kind = ErrorKind::Argument;
    refused(
        store(&[1.0; 6], 3, 2),
        kind,
        "row vectors have 3 components; this collection stores vectors of 2",
    );
    refused(
        store(&[1.0, 1.0, 1.0, f32::NAN], 2, 2),
        kind,
        "row 1, component 1 is NaN; every component must be finite",
    );
    refused(
        store(&[1.0, 1.0, f32::INFINITY, 1.0], 2, 2),
        kind,
        "row 1, component 0 is inf; every component must be finite",
    );
    refused(
        store(&[f32::NEG_INFINITY, 1.0], 2, 1),
        kind,
        "row 0, component 0 is -inf; every component must be finite",
    );
    refused(
        store(&[1.0, 0.0, -0.0, 0.0], 2, 2),
        kind,
        "row 1 is the zero vector; cosine distance needs a direction",
    );
    refused(
        store(&[1.0; 4], 2, 3),
        kind,
        "2 vectors came with 3 ids; each vector needs one",
    );
    let source = rows(&[1.0; 4], 2);
    let batch = Batch::new(int_ids(2), &source).metadata(vec![Metadata::new()]);
    refused(
        c.add(batch),
        kind,
        "2 vectors came with 1 metadata objects; give one for each, or none at all",
    );
}

#[test]
fn the_first_bad_row_is_named_wherever_it_is_found() {
    for (n, bad) in [
        (3000, vec![2999]),
        (3000, vec![1500]),
        (3000, vec![2500, 1]),
        (3000, vec![0]),
        (999, vec![998, 500]),
    ] {
        for metric in Metric::ALL {
            let db = Database::in_memory().unwrap();
            let c = db
                .create_collection("c", CollectionConfig::new(64).metric(metric))
                .unwrap();
            let mut data = vec![1.0; n * 64];
            bad.iter().for_each(|row| data[row * 64 + 9] = f32::NAN);
            let source = rows(&data, 64);
            // A sample is looked at first, so with several bad rows it is any of them.
            match c.upsert(Batch::new(int_ids(n), &source)).unwrap_err() {
                Error::NotFinite {
                    row,
                    column: 9,
                    value,
                    ..
                } if value.is_nan() => assert!(bad.contains(&row)),
                other => panic!("{other}"),
            }
            assert_eq!(c.stats().unwrap().segments, 0);
        }
    }
}

#[test]
fn a_bad_row_behind_a_replaced_one_has_its_own_number() {
    let (_db, c) = in_memory(1);
    let ids = vec![Key::Int(1), Key::Int(1), Key::Int(2)];
    let source = rows(&[0.0, 0.0, f32::NAN], 1);
    let error = c.upsert(Batch::new(ids, &source)).unwrap_err();
    assert!(matches!(error, Error::NotFinite { row: 2, .. }), "{error}");
}

#[test]
fn ids() {
    let (_db, c) = in_memory(1);
    upsert(&c, vec!["old".into()], &[0.0]);
    let source = rows(&[1.0, 2.0, 3.0], 1);
    let add = |ids: [&str; 3]| {
        let result = c.add(Batch::new(ids.map(Key::from).to_vec(), &source));
        assert_eq!(c.len().unwrap(), 1);
        result
    };
    refused(
        add(["a", "b", "a"]),
        ErrorKind::Argument,
        "id \"a\" is given twice, in rows 0 and 2; ids of one add must differ",
    );
    refused(
        add(["a", "b", "old"]),
        ErrorKind::Exists,
        "row 2: id \"old\" exists already; upsert replaces it",
    );
    let long = "x".repeat(65_536);
    refused(
        add(["a", &long, "b"]),
        ErrorKind::Argument,
        "row 1: the id has 65536 bytes; at most 65535 are possible",
    );
    c.add(Batch::new(
        vec!["x".repeat(65_535).into(), "".into(), Key::Int(0)],
        &source,
    ))
    .unwrap();
}

#[test]
fn metadata() {
    let (_db, c) = in_memory(1);
    let source = rows(&[1.0, 2.0], 1);
    let store = |value| {
        let second = object([("a", Value::List(vec![Value::Null, value]))]);
        let result =
            c.upsert(Batch::new(int_ids(2), &source).metadata(vec![Metadata::new(), second]));
        assert!(c.is_empty().unwrap());
        result
    };
    refused(
        store(Value::Float(f64::NAN)),
        ErrorKind::Argument,
        "row 1, metadata.a[1]: NaN is not a finite number",
    );
    refused(
        store(Value::Float(f64::INFINITY)),
        ErrorKind::Argument,
        "row 1, metadata.a[1]: inf is not a finite number",
    );
    let deep = (0..40).fold(Value::Null, |value, _| Value::List(vec![value]));
    let error = store(deep).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Metadata {
                row: 1,
                problem: proxime::Problem::Depth,
                ..
            }
        ),
        "{error}"
    );
    let error = store(Value::Text("x".repeat(17 << 20))).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Metadata {
                row: 1,
                problem: proxime::Problem::Size(_),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn queries() {
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", CollectionConfig::new(2)).unwrap();
    let search = |data: &[f32], dim| c.search(rows(data, dim), &SearchOptions::default());
    let kind = ErrorKind::Argument;
    refused(
        search(&[1.0; 3], 3),
        kind,
        "query vectors have 3 components; this collection stores vectors of 2",
    );
    refused(
        search(&[1.0, 1.0, f32::NAN, 1.0], 2),
        kind,
        "query 1, component 0 is NaN; every component must be finite",
    );
    refused(
        search(&[0.0, 0.0], 2),
        kind,
        "query 0 is the zero vector; cosine distance needs a direction",
    );
    for ef in [0, 1_000_001] {
        let options = SearchOptions {
            ef: Some(ef),
            ..SearchOptions::default()
        };
        refused(
            c.search(rows(&[1.0; 2], 2), &options),
            kind,
            &format!("ef = {ef}; it must be between 1 and 1000000"),
        );
    }
}

#[test]
fn nothing_is_fine() {
    let (_db, c) = in_memory(2);
    let nothing = rows(&[], 2);
    c.upsert(Batch::new(vec![], &nothing)).unwrap();
    c.add(Batch::new(vec![], &nothing).metadata(vec![]))
        .unwrap();
    assert_eq!(c.stats().unwrap().segments, 0);
    assert_eq!(
        c.search(nothing, &SearchOptions::default())
            .unwrap()
            .queries(),
        0
    );
    let query = rows(&[1.0, 1.0], 2);
    for k in [0, 1, usize::MAX] {
        assert_eq!(
            c.search(query, &SearchOptions::k(k)).unwrap().hits(0).len(),
            0
        );
    }
    upsert(&c, int_ids(3), &[1.0; 6]);
    for (k, expected) in [(0, 0), (2, 2), (3, 3), (4, 3), (usize::MAX, 3)] {
        for exact in [false, true] {
            let options = SearchOptions {
                exact,
                ..SearchOptions::k(k)
            };
            assert_eq!(c.search(query, &options).unwrap().hits(0).len(), expected);
        }
    }
}

#[test]
fn names_and_parameters() {
    let db = Database::in_memory().unwrap();
    let create = |name: &str, dim| db.create_collection(name, l2(dim));
    refused(
        create("", 1),
        ErrorKind::Argument,
        "\"\" cannot name a collection: a name has 1 to 255 bytes",
    );
    assert!(matches!(
        create(&"é".repeat(128), 1),
        Err(Error::Name { .. })
    ));
    refused(
        create("c", 0),
        ErrorKind::Argument,
        "dim = 0; it must be between 1 and 65536",
    );
    refused(
        create("c", 65_537),
        ErrorKind::Argument,
        "dim = 65537; it must be between 1 and 65536",
    );
    create(&"x".repeat(255), 65_536).unwrap();
    create("\0\n/", 1).unwrap();
    refused(
        create("\0\n/", 1),
        ErrorKind::Exists,
        "collection \"\\0\\n/\" exists already",
    );
    refused(
        db.collection("none"),
        ErrorKind::NotFound,
        &format!(
            "there is no collection \"none\"; there are \"\\0\\n/\", \"{}\"",
            "x".repeat(255)
        ),
    );
    let empty = Database::in_memory().unwrap();
    let there = |told: &str| {
        let message = format!("there is no collection \"docs\"; {told}");
        refused(empty.collection("docs"), ErrorKind::NotFound, &message);
    };
    let create = |name: &str| {
        let created = empty.create_collection(name, CollectionConfig::new(1));
        created.unwrap();
    };
    there("there are none");
    create("papers");
    there("there is \"papers\"");
    empty.set_alias("doc", "papers").unwrap();
    for name in ["a", "b", "e", "f", "dogs"] {
        create(name);
    }
    there("there are \"dogs\", \"doc\", \"a\", \"b\", \"e\" and 2 more");
    for threads in [0, 5000] {
        let options = OpenOptions {
            threads: Some(threads),
            ..OpenOptions::default()
        };
        let message = format!("threads = {threads}; it must be between 1 and 1024");
        refused(
            Database::in_memory_with(&options),
            ErrorKind::Argument,
            &message,
        );
    }
    let error = Error::from(proxime::Params::default().with_m(1).unwrap_err());
    assert!(
        matches!(error, Error::Parameter { name: "m", .. }) && error.kind() == ErrorKind::Argument,
        "{error}"
    );
}
