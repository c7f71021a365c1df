//! Tables of Arrow and Parquet: what is exported comes back exactly, what others write is understood, and what is damaged is told.

use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float64Type, Int8Type};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, FixedSizeListArray, Float32Array,
    Int64Array, LargeStringArray, ListArray, PrimitiveArray, RecordBatch, StructArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt64Array,
};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use proxime::{Batch, CollectionConfig, Database, Key, Metadata, Metric, Rows, Value};
use serde_json::json;

use crate::support::{Desk, content, points};

/// A store whose ids are of one kind, with values of every type, and of several in one field.
fn store(desk: &Desk, id: impl Fn(u8) -> Key) {
    let vectors: Vec<f32> = points(40, 3).concat().iter().map(|x| x / 7.3).collect();
    let metadata = (0..40_i64).map(|i| {
        let mut fields = Metadata::from([
            ("x".to_owned(), Value::Float(0.1 + i as f64 / 3.0)),
            ("t".to_owned(), Value::Time(i * 1_234_567_891_011)),
            ("raw".to_owned(), Value::Bytes(vec![i as u8, 255])),
            ("id".to_owned(), Value::Int(i)),
            ("text".to_owned(), Value::from(format!("{i} \u{e9}"))),
            ("deep".to_owned(), Value::List(vec![Value::Null])),
        ]);
        let mixed = match i % 4 {
            0 => Value::Int(i),
            1 => Value::Float(i as f64),
            2 => Value::Null,
            _ => Value::Bool(true),
        };
        fields.insert("mixed".to_owned(), mixed);
        if i % 3 == 0 {
            fields.insert("seldom".to_owned(), Value::Bool(i % 2 == 0));
        }
        fields
    });
    let rows = Rows::new(&vectors, 3).unwrap();
    let batch = Batch::new((0..40).map(id).collect(), &rows).metadata(metadata.collect());
    let config = CollectionConfig::new(3).metric(Metric::L2);
    let _ = fs::remove_dir_all(desk.path("db"));
    let db = Database::open(desk.path("db")).unwrap();
    db.create_collection_with("default", config, batch).unwrap();
}

#[test]
fn tables_come_back_exactly() {
    let desk = Desk::new();
    let kinds: [fn(u8) -> Key; 4] = [
        |i| Key::Int(i64::from(i) - 9),
        |i| Key::from(format!("tab\t line\n {i}")),
        |i| Key::Uuid([i; 16]),
        |i| Key::Bytes(vec![i; 16]),
    ];
    for kind in kinds {
        store(&desk, kind);
        for file in ["out.parquet", "out.arrow"] {
            let report = desk.run(&format!("export db {file} --json")).json();
            assert_eq!(report[0]["rows"], 40);
            let _ = fs::remove_dir_all(desk.path("again"));
            desk.run(&format!("import again {file} --metric l2")).ok();
            assert_eq!(content(&desk, "again"), content(&desk, "db"), "{file}");
        }
    }
}

#[test]
fn ids_of_several_kinds_fit_no_column() {
    let desk = Desk::new();
    store(&desk, |i| match i {
        39 => Key::from("last"),
        i => Key::Int(i.into()),
    });
    let ran = desk.run("export db out.parquet");
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("ids are of several kinds"), "{ran:?}");
    assert!(!desk.path("out.parquet").exists());
    desk.run("export db out.parquet --where id<39").ok();
}

/// Columns as other programs write them, and the fields that their two rows have.
fn foreign() -> (RecordBatch, [serde_json::Value; 2]) {
    let vector = ListArray::from_iter_primitive::<Float64Type, _, _>([
        Some(vec![Some(1.0), Some(0.5)]),
        Some(vec![Some(2.0), Some(4.0)]),
    ]);
    let inner = Arc::new(arrow_schema::Field::new(
        "deep",
        arrow_schema::DataType::Boolean,
        true,
    ));
    let flags = Arc::new(BooleanArray::from(vec![Some(true), None]));
    let columns: [(&str, ArrayRef); 9] = [
        ("key", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
        ("embedding", Arc::new(vector)),
        ("year", Arc::new(UInt8Array::from(vec![Some(7), None]))),
        ("day", Arc::new(Date32Array::from(vec![0, -1]))),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from(vec![1, 2]).with_timezone("+02:00")),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![None, Some(-5000)])),
        ),
        (
            "lang",
            Arc::new(DictionaryArray::<Int8Type>::from_iter([
                Some("de"),
                Some("en"),
            ])),
        ),
        (
            "inner",
            Arc::new(StructArray::from(vec![(inner, flags as ArrayRef)])),
        ),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<
                arrow_array::types::Int64Type,
                _,
                _,
            >([Some(vec![Some(1), None]), None])),
        ),
    ];
    let expected = [
        json!({"id": "a", "vector": [1.0, 0.5], "metadata": {
            "year": 7, "day": {"$time": "1970-01-01T00:00:00.000000Z"}, "at": {"$time": "1970-01-01T00:00:00.001000Z"},
            "lang": "de", "inner": {"deep": true}, "tags": [1, null]}}),
        json!({"id": "b", "vector": [2.0, 4.0], "metadata": {
            "day": {"$time": "1969-12-31T00:00:00.000000Z"}, "at": {"$time": "1970-01-01T00:00:00.002000Z"},
            "nanos": {"$time": "1969-12-31T23:59:59.999995Z"}, "lang": "en", "inner": {"deep": null}}}),
    ];
    (RecordBatch::try_from_iter(columns).unwrap(), expected)
}

fn parquet_file(desk: &Desk, name: &str, batch: &RecordBatch) {
    let file = File::create(desk.path(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn what_others_write_is_understood() {
    let desk = Desk::new();
    let (batch, expected) = foreign();
    parquet_file(&desk, "x.parquet", &batch);
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    desk.write("x.feather", file.into_inner().unwrap());
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    let stream = stream.into_inner().unwrap();
    desk.write("x.arrows", &stream);
    let columns = "--id-column key --vector-columns embedding --metric l2";
    for file in ["x.parquet", "x.feather", "x.arrows"] {
        desk.run(&format!("import {file}.db {file} {columns}")).ok();
        let got = desk.run(&format!("export {file}.db -")).lines();
        assert_eq!(got, expected, "{file}");
    }
    desk.run_with_stdin(&format!("import piped - --format arrow {columns}"), &stream)
        .ok();
    assert_eq!(desk.run("export piped -").lines(), expected);
}

#[test]
fn a_column_for_each_component() {
    let desk = Desk::new();
    let column = |values: [f32; 2]| Arc::new(Float32Array::from(values.to_vec())) as ArrayRef;
    let columns = [("v0", column([1.0, 2.0])), ("v1", column([3.0, 4.0]))];
    parquet_file(
        &desk,
        "x.parquet",
        &RecordBatch::try_from_iter(columns).unwrap(),
    );
    desk.run("import db x.parquet --vector-columns v0..v1 --metric l2")
        .ok();
    let vectors: Vec<_> = content(&desk, "db")
        .into_iter()
        .map(|r| (r.id, r.vector))
        .collect();
    let expected = [(Key::Int(0), vec![1.0, 3.0]), (Key::Int(1), vec![2.0, 4.0])];
    assert_eq!(vectors, expected);
}

#[test]
fn bad_rows_are_set_aside_with_their_reasons() {
    let desk = Desk::new();
    let components = Arc::new(Float32Array::from(vec![
        Some(1.0),
        Some(2.0),
        None,
        Some(4.0),
        Some(5.0),
        Some(6.0),
        Some(7.0),
        Some(8.0),
        Some(f32::NAN),
        Some(1.0),
    ]));
    let item = Arc::new(arrow_schema::Field::new(
        "item",
        arrow_schema::DataType::Float32,
        true,
    ));
    let present = vec![true, true, false, true, true].into();
    let columns: [(&str, ArrayRef); 3] = [
        (
            "id",
            Arc::new(Int64Array::from(vec![
                Some(10),
                Some(11),
                Some(12),
                None,
                Some(14),
            ])),
        ),
        (
            "vector",
            Arc::new(FixedSizeListArray::new(item, 2, components, Some(present))),
        ),
        ("n", Arc::new(UInt64Array::from(vec![1, 2, 3, 4, 5]))),
    ];
    parquet_file(
        &desk,
        "x.parquet",
        &RecordBatch::try_from_iter(columns).unwrap(),
    );
    let stopped = desk.run("import db x.parquet");
    assert_eq!(stopped.code, 6, "{stopped:?}");
    assert!(
        stopped
            .err
            .contains("x.parquet, row 1: vector: component 0 is missing"),
        "{stopped:?}"
    );
    let report = desk
        .run("import db x.parquet --rejects bad.jsonl --json")
        .json();
    assert_eq!(
        (&report[0]["records"], &report[0]["rejected"]),
        (&json!(1), &json!(4))
    );
    let rejects = fs::read_to_string(desk.path("bad.jsonl")).unwrap();
    for (line, reason) in rejects.lines().zip([
        "component 0",
        "the vector is missing",
        "the id is missing",
        "component 0",
    ]) {
        assert!(line.contains(reason), "{line}");
    }
    let again = desk
        .run("import db x.parquet --rejects bad.jsonl --resume --json")
        .json();
    assert_eq!(
        (&again[0]["records"], &again[0]["passed_over"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn types_and_columns_that_do_not_fit_are_named() {
    let desk = Desk::new();
    let vector = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.0)])]);
    let price: PrimitiveArray<Decimal128Type> = vec![Some(1)].into();
    let large = UInt64Array::from(vec![u64::MAX]);
    let nanos = TimestampNanosecondArray::from(vec![1]);
    let columns: [ArrayRef; 3] = [Arc::new(price), Arc::new(large), Arc::new(nanos)];
    for (column, culprit) in columns.into_iter().zip([
        "odd: metadata cannot hold Decimal128",
        "odd: 18446744073709551615 is above",
        "odd: a time that is no whole microsecond",
    ]) {
        let columns: [(&str, ArrayRef); 2] =
            [("vector", Arc::new(vector.clone())), ("odd", column)];
        parquet_file(
            &desk,
            "x.parquet",
            &RecordBatch::try_from_iter(columns).unwrap(),
        );
        let ran = desk.run("import db x.parquet");
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.err.contains(culprit), "{ran:?}");
    }
    for (options, code, culprit) in [
        (
            "x.parquet --vector-columns v",
            6,
            "there is no column \"v\"; --vector-columns names it",
        ),
        (
            "x.parquet --id-column key",
            6,
            "there is no column \"key\"; --id-column names it",
        ),
        ("x.parquet --vector-columns odd", 6, "odd: Timestamp"),
        ("x.parquet --format arrow", 6, "x.parquet: "),
        (
            "- --format parquet",
            2,
            "only npy, jsonl, csv and arrow can come from stdin",
        ),
    ] {
        let ran = desk.run(&format!("import db {options}"));
        assert_eq!(ran.code, code, "{options}: {ran:?}");
        assert!(ran.err.contains(culprit), "{options}: {ran:?}");
    }
}

/// Whatever is flipped or cut off: an error or a result, never a crash.
#[test]
fn damage_is_an_error() {
    let desk = Desk::new();
    let (batch, _) = foreign();
    parquet_file(&desk, "x.parquet", &batch);
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    let files = [
        ("parquet", fs::read(desk.path("x.parquet")).unwrap()),
        ("arrow", file.into_inner().unwrap()),
    ];
    for (format, whole) in files {
        for step in 0..60 {
            let at = step * whole.len() / 60;
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (step % 8);
            for (what, damaged) in [("flipped", &flipped[..]), ("cut", &whole[..at])] {
                desk.write("bad", damaged);
                let ran = desk.run(&format!(
                    "import db bad --format {format} --id-column key --vector-columns embedding"
                ));
                assert!(
                    [0, 1, 6].contains(&ran.code),
                    "{format} {what} at {at}: {ran:?}"
                );
            }
        }
    }
}
