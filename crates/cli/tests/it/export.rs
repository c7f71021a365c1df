//! What is exported is what is stored, and comes back as it was.

use std::fs;

use proxime::{Batch, CollectionConfig, Database, Key, Metadata, Metric, Rows, Value};

use crate::support::{Desk, content, points};

/// A store with ids and values of every kind, and vectors with many digits.
fn store(desk: &Desk) {
    let db = Database::open(desk.path("db")).unwrap();
    let rows: Vec<Vec<f32>> = points(40, 3)
        .into_iter()
        .map(|row| row.iter().map(|x| x / 7.3).collect())
        .collect();
    let vectors = rows.concat();
    let ids = (0..40_u8).map(|i| match i % 4 {
        0 => Key::Int(i64::from(i) - 9),
        1 => Key::from(format!("tab\t line\n {i}")),
        2 => Key::Uuid([i; 16]),
        _ => Key::Bytes(vec![i, 255]),
    });
    let metadata = (0..40).map(|i| {
        Metadata::from([
            ("n".to_owned(), Value::Int(i)),
            ("x".to_owned(), Value::Float(0.1 + i as f64 / 3.0)),
            ("t".to_owned(), Value::Time(i * 1_234_567_891_011)),
            (
                "deep".to_owned(),
                Value::List(vec![Value::Bytes(vec![i as u8]), Value::Null]),
            ),
        ])
    });
    let rows = Rows::new(&vectors, 3).unwrap();
    let batch = Batch::new(ids.collect(), &rows).metadata(metadata.collect());
    let config = CollectionConfig::new(3).metric(Metric::L2);
    db.create_collection_with("default", config, batch).unwrap();
}

#[test]
fn json_lines_come_back_exactly() {
    let desk = Desk::new();
    store(&desk);
    let report = desk.run("export db out.jsonl --json").json();
    assert_eq!(report[0]["rows"], 40);
    desk.run("import again out.jsonl --metric l2").ok();
    assert_eq!(content(&desk, "again"), content(&desk, "db"));
    let piped = desk.run("export db - --where n<3");
    assert!(piped.err.contains("3 records of default in "), "{piped:?}");
    desk.run_with_stdin("import few - --format jsonl", piped.ok().as_bytes())
        .ok();
    assert_eq!(content(&desk, "few").len(), 3);
}

#[test]
fn arrays_come_back_with_their_ids_and_metadata() {
    let desk = Desk::new();
    store(&desk);
    let failed = desk.run("export db out.npy --ids ids.txt");
    assert_eq!(failed.code, 6);
    assert!(
        failed.err.contains("cannot be a line of its own"),
        "{failed:?}"
    );
    assert!(!desk.path("out.npy").exists() && !desk.path("ids.txt").exists());
    let ran = desk
        .command(&[
            "export",
            "db",
            "out.npy",
            "--ids",
            "ids.txt",
            "--metadata",
            "m.jsonl",
            "--where",
            "n IN (0, 4, 8)",
        ])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(
        fs::read_to_string(desk.path("ids.txt")).unwrap(),
        "-9\n-5\n-1\n"
    );
    desk.run("import again out.npy --ids ids.txt --metadata m.jsonl --metric l2")
        .ok();
    let expected: Vec<_> = content(&desk, "db")
        .into_iter()
        .filter(|record| matches!(record.id, Key::Int(-9 | -5 | -1)))
        .collect();
    assert_eq!(content(&desk, "again"), expected);
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let desk = Desk::new();
    store(&desk);
    for (line, code, culprit) in [
        (
            "out.csv",
            2,
            "export writes .jsonl, .parquet, .arrow and .npy",
        ),
        ("out.jsonl --ids ids.txt", 2, "go with .npy"),
        ("nowhere/out.jsonl", 3, "nowhere/out.jsonl: "),
        ("out.jsonl --collection other", 3, "\"other\""),
    ] {
        let ran = desk.run(&format!("export db {line}"));
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(ran.err.contains(culprit), "{line}: {ran:?}");
    }
}
