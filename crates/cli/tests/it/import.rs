//! Every format gives the same records; bad rows are set aside; what was interrupted goes on.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::{Desk, npy_f32, points};

/// All records as exported, in the order of their ids.
fn records(desk: &Desk, db: &str) -> Vec<Value> {
    desk.run(&format!("export {db} -")).json()
}

fn little<T, const N: usize>(
    values: impl IntoIterator<Item = T>,
    bytes: fn(T) -> [u8; N],
) -> Vec<u8> {
    values.into_iter().flat_map(bytes).collect()
}

/// Each row behind its number of components.
fn prefixed<const N: usize>(rows: &[Vec<f32>], bytes: fn(f32) -> [u8; N]) -> Vec<u8> {
    let row = |row: &Vec<f32>| {
        [
            little([row.len() as i32], i32::to_le_bytes),
            little(row.clone(), bytes),
        ]
        .concat()
    };
    rows.iter().flat_map(row).collect()
}

/// All rows behind their shape.
fn counted<const N: usize>(rows: &[Vec<f32>], bytes: fn(f32) -> [u8; N]) -> Vec<u8> {
    let shape = little([rows.len() as u32, rows[0].len() as u32], u32::to_le_bytes);
    [shape, little(rows.concat(), bytes)].concat()
}

fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn csv(rows: &[Vec<f32>]) -> String {
    let names: Vec<String> = (0..rows[0].len()).map(|i| format!("v{i}")).collect();
    let mut csv = names.join(",") + "\n";
    for row in rows {
        let cells: Vec<String> = row.iter().map(f32::to_string).collect();
        writeln!(csv, "{}", cells.join(",")).unwrap();
    }
    csv
}

#[test]
fn every_format_gives_the_same_records() {
    let desk = Desk::new();
    let rows = points(1_200, 6);
    desk.write("x.npy", npy_f32(&rows));
    desk.run("import db-npy x.npy").ok();
    let expected = records(&desk, "db-npy");
    assert_eq!(expected.len(), 1_200);
    assert_eq!(
        expected[7],
        json!({"id": 7, "vector": rows[7], "metadata": {}})
    );

    let lines = rows
        .iter()
        .map(|row| format!("{}\n", json!({"vector": row})));
    let members = [("x.npy", npy_f32(&rows)), ("note.txt", b"hello".to_vec())];
    for (suffix, bytes, options) in [
        ("fvecs", prefixed(&rows, f32::to_le_bytes), ""),
        ("bvecs", prefixed(&rows, |x| [x as u8]), ""),
        ("ivecs", prefixed(&rows, |x| (x as i32).to_le_bytes()), ""),
        ("fbin", counted(&rows, f32::to_le_bytes), ""),
        ("u8bin", counted(&rows, |x| [x as u8]), ""),
        ("i8bin", counted(&rows, |x| [x as u8]), ""),
        ("ibin", counted(&rows, |x| (x as i32).to_le_bytes()), ""),
        ("npz", npz(&members, CompressionMethod::Stored), ""),
        (
            "NPZ",
            npz(&members, CompressionMethod::Deflated),
            "--array x",
        ),
        (
            "jsonl",
            lines.collect::<String>().into_bytes(),
            "--batch-rows 500",
        ),
        ("csv", csv(&rows).into_bytes(), "--vector-columns v0..v5"),
        ("npy", npy_f32(&rows), "--batch-rows 500"),
    ] {
        desk.write(&format!("y.{suffix}"), bytes);
        let db = format!("db-{suffix}-2");
        let report = desk
            .run(&format!("import {db} y.{suffix} {options} --json"))
            .json();
        assert_eq!(
            (&report[0]["rows"], &report[0]["records"]),
            (&json!(1200), &json!(1200))
        );
        assert!(report[0]["rows_per_s"].as_f64().unwrap() > 0.0);
        assert!(records(&desk, &db) == expected, "{suffix}");
    }
}

#[test]
fn columns_become_ids_vectors_and_metadata_of_one_type_each() {
    let desk = Desk::new();
    let csv = "isbn,vector,year,code,score,seen\n\
               a,\"[1,2]\",2020,007,1,true\nb,\"[3, 4]\",,10,0.5,\n";
    let expected = [
        json!({"id": "a", "vector": [1.0, 2.0],
            "metadata": {"year": 2020, "code": "007", "score": 1.0, "seen": true}}),
        json!({"id": "b", "vector": [3.0, 4.0], "metadata": {"code": "10", "score": 0.5}}),
    ];
    desk.write("x.csv", csv);
    desk.run("import db x.csv --id-column isbn").ok();
    assert_eq!(records(&desk, "db"), expected);
    desk.run("import texts x.csv --id-column isbn --text-columns year,score")
        .ok();
    let metadata = &records(&desk, "texts")[0]["metadata"];
    assert_eq!(
        (&metadata["year"], &metadata["score"]),
        (&json!("2020"), &json!("1"))
    );

    let lines = "{\"id\": 1, \"embedding\": [1, 2], \"n\": null, \"metadata\": {\"at\": {\"$bytes\": \"0x01\"}}}\n\n";
    let stdin = "import lines - --format jsonl --vector-columns embedding --json";
    desk.run_with_stdin(stdin, lines.as_bytes()).json();
    let expected = json!({"id": 1, "vector": [1.0, 2.0],
        "metadata": {"n": null, "at": {"$bytes": "0x01"}}});
    assert_eq!(records(&desk, "lines"), [expected]);
}

#[test]
fn bad_rows_are_set_aside_with_the_reason() {
    let desk = Desk::new();
    let lines = [
        "{\"id\": \"a\", \"vector\": [1, 2]}",
        "{\"id\": \"b\", \"vector\": [1, 2, 3]}",
        "{\"id\": \"c\", \"vector\": [0, 0]}",
        "{\"id\": \"d\", \"vector\": [1e300, 0]}",
        "{\"id\": \"e\"}",
        "{\"vector\": [1, 2]}",
        "{\"id\": 1.5, \"vector\": [1, 2]}",
        "not JSON",
        "{\"id\": \"f\", \"vector\": [1, 2], \"at\": {\"$time\": \"noon\"}}",
        "{\"id\": \"g\", \"vector\": [3, 4]}",
    ];
    desk.write("x.jsonl", lines.join("\n"));
    let report = desk
        .run("import db x.jsonl --rejects bad.jsonl --json")
        .json();
    assert_eq!(
        (&report[0]["rows"], &report[0]["rejected"]),
        (&json!(10), &json!(8))
    );
    assert_eq!(report[0]["records"], 2);
    let text = fs::read_to_string(desk.path("bad.jsonl")).unwrap();
    let rejects: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reasons = [
        "3 components instead of 2",
        "zero vector",
        "vector: number out of range",
        "there is no \"vector\"",
        "there is no \"id\"",
        "the id 1.5 is not",
        "not a JSON object: expected ident",
        "\"noon\" is not a time",
    ];
    assert_eq!(rejects.len(), reasons.len());
    for (i, (reject, reason)) in rejects.iter().zip(reasons).enumerate() {
        assert_eq!(
            (&reject["row"], &reject["line"]),
            (&json!(i + 1), &json!(i + 2))
        );
        assert_eq!(reject["input"], lines[i + 1]);
        assert!(
            reject["reason"].as_str().unwrap().contains(reason),
            "{reject}"
        );
    }
    let stopped = desk.run("import other x.jsonl");
    assert_eq!(stopped.code, 6);
    assert!(
        stopped.err.contains("x.jsonl, line 2: 3 components"),
        "{stopped:?}"
    );

    let mut rows = points(3, 2);
    rows[1][0] = f32::NAN;
    desk.write("x.npy", npy_f32(&rows));
    let report = desk
        .run("import arrays x.npy --rejects bad.jsonl --json")
        .json();
    assert_eq!(
        (&report[0]["rejected"], &report[0]["records"]),
        (&json!(1), &json!(2))
    );
    let reject = fs::read_to_string(desk.path("bad.jsonl")).unwrap();
    assert!(reject.contains("component 0 is NaN"), "{reject}");
    desk.write("x.csv", "id,vector,n\n1,[1],1\n2,[1]\n");
    let report = desk
        .run("import csv x.csv --metric l2 --rejects bad.jsonl --json")
        .json();
    assert_eq!(report[0]["rejected"], 1);
    let reject = fs::read_to_string(desk.path("bad.jsonl")).unwrap();
    assert!(reject.contains("2 cells; the header has 3"), "{reject}");
    let said = desk
        .run("import csv x.csv --rejects bad.jsonl --resume")
        .ok();
    assert!(said.starts_with("0 rows into default in "), "{said}");
    let rest = "; it holds 1 record; 1 row stored already; 1 row rejected\n";
    assert!(said.ends_with(rest), "{said}");
}

#[test]
fn an_interrupted_import_goes_on_where_it_was() {
    let desk = Desk::new();
    let line = |i: usize, x: f32| format!("{}\n", json!({"id": i, "vector": [x, 1.0]}));
    let mut lines: Vec<String> = (0..2_500).map(|i| line(i, i as f32)).collect();
    lines[2_200] = "torn\n".to_owned();
    desk.write("x.jsonl", lines.concat());
    assert_eq!(desk.run("import db x.jsonl --batch-rows 1000").code, 6);
    assert_eq!(desk.run("count db").out, "2000\n");
    lines[2_200] = line(2_200, 2_200.0);
    desk.write("x.jsonl", lines.concat());
    let resumed = desk
        .run("import db x.jsonl --batch-rows 1000 --resume --json")
        .json();
    assert_eq!(
        (&resumed[0]["passed_over"], &resumed[0]["records"]),
        (&json!(2_000), &json!(2_500))
    );
    desk.run("import whole x.jsonl").ok();
    assert!(records(&desk, "db") == records(&desk, "whole"));
}

/// Written by h5py (`hdf5.py` beside them): as the oldest programs read them, and as HDF5 1.10 to 1.14 write them when asked for the newest.
const HDF5: [(&str, &[u8]); 2] = [
    ("earliest.hdf5", include_bytes!("../data/earliest.hdf5")),
    ("v110.h5", include_bytes!("../data/v110.hdf5")),
];

#[test]
fn hdf5_gives_the_records_of_each_array_in_it() {
    let desk = Desk::new();
    let rows: Vec<Vec<f32>> = (0..40)
        .map(|row| (0..6).map(|i| ((6 * row + i) % 97) as f32).collect())
        .collect();
    desk.write("x.npy", npy_f32(&rows));
    desk.write("ones.npy", npy_f32(&vec![vec![1.0; 6]; 40]));
    desk.write(
        "all.txt",
        (0..40).map(|id| format!("{id}\n")).collect::<String>(),
    );
    desk.run("import db x.npy").ok();
    let expected = records(&desk, "db");
    for (file, bytes) in HDF5 {
        desk.write(file, bytes);
        for options in [
            "",
            "--array bytes",
            "--array grown --batch-rows 7",
            "--array half",
            "--array more/deep",
        ] {
            let db = format!("{file}{}.db", options.replace([' ', '/'], "_"));
            desk.run(&format!("import {db} {file} {options}")).ok();
            assert!(records(&desk, &db) == expected, "{file} {options}");
        }
        // The same five rows, as float64, are what is asked for.
        let found = desk
            .run(&format!("search db --query {file} -k 1 --json"))
            .json();
        let ids = found.iter().map(|answer| answer["ids"][0].as_u64());
        assert!(ids.eq((0..5).map(Some)), "{found:?}");
        // What is stored in place of other vectors is what would have been imported.
        desk.run(&format!(
            "update {file}.db --ids all.txt --vectors ones.npy"
        ))
        .ok();
        assert!(records(&desk, &format!("{file}.db")) != expected);
        desk.run(&format!("update {file}.db --ids all.txt --vectors {file}"))
            .ok();
        assert!(records(&desk, &format!("{file}.db")) == expected);
    }
}

#[test]
fn hdf5_that_cannot_be_read_is_refused() {
    let desk = Desk::new();
    for (file, bytes) in HDF5 {
        desk.write(file, bytes);
        desk.write("cut.hdf5", &bytes[..600]);
        desk.write("not.hdf5", "\u{89}PNG");
        for (line, culprit) in [
            ("--array none", "it holds the arrays"),
            ("--array more", "it holds the arrays"),
            ("--array words", "elements of type"),
            ("--array cube", "an array of shape [2, 2, 2]"),
            ("--array empty", "byte 0: "),
        ] {
            let ran = desk.run(&format!("import db {file} {line}"));
            assert_eq!(ran.code, 6, "{line}: {ran:?}");
            assert!(ran.err.contains(culprit), "{line}: {ran:?}");
        }
        for file in ["cut.hdf5", "not.hdf5"] {
            let ran = desk.run(&format!("import db {file}"));
            assert_eq!(ran.code, 6, "{ran:?}");
            let culprit = format!("{file}, byte 0: no HDF5 that can be read");
            assert!(ran.err.contains(&culprit), "{ran:?}");
        }
    }
}

/// Whoever reads an array can be told which.
#[test]
fn one_of_several_arrays_is_chosen_wherever_arrays_are_read() {
    let desk = Desk::new();
    let rows = points(30, 4);
    let members = [("a.npy", npy_f32(&rows[..2])), ("b.npy", npy_f32(&rows))];
    desk.write("two.npz", npz(&members, CompressionMethod::Stored));
    desk.run("import db two.npz --array b").ok();
    let found = |line: &str| -> Vec<usize> {
        let lines = desk.run(line).json();
        let hits = lines
            .iter()
            .map(|line| line["ids"].as_array().unwrap().len());
        hits.collect()
    };
    assert_eq!(
        found("search db --query two.npz --array a -k 3 --json"),
        [3, 3]
    );
    assert_eq!(
        found("search db --query two.npz --array b -k 1 --json"),
        [1; 30]
    );
    desk.run("why-not db 3 --query two.npz --array b --row 29")
        .ok();
    desk.run("update db 28 29 --vectors two.npz --array a").ok();
    let again = desk
        .run("search db --query two.npz --array a -k 2 --json")
        .json();
    assert_eq!(again[1]["ids"], serde_json::json!([1, 29]));
    desk.run("tune db --query two.npz --array a -k 1").ok();
    for line in [
        "search db --query",
        "why-not db 3 --query",
        "bench db --query",
        "update db 3 --vectors",
    ] {
        let which = desk.run(&format!("{line} two.npz"));
        assert_eq!(which.code, 6, "{line}: {which:?}");
        assert!(
            which
                .err
                .contains("it holds the arrays a, b; name one with --array")
        );
        desk.write("x.npy", npy_f32(&rows[..1]));
        let single = desk.run(&format!("{line} x.npy --array a"));
        assert_eq!(
            (single.code, single.err.as_str()),
            (2, "proxime: --array is for .npz and .hdf5\n")
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let desk = Desk::new();
    let rows = points(3, 4);
    desk.write("x.npy", npy_f32(&rows));
    desk.write(
        "two.npz",
        npz(
            &[("a.npy", npy_f32(&rows)), ("b.npy", npy_f32(&rows))],
            CompressionMethod::Stored,
        ),
    );
    desk.write("bad.npz", "PK not");
    desk.write("short.fvecs", &prefixed(&rows, f32::to_le_bytes)[1..]);
    let mut ragged = prefixed(&rows, f32::to_le_bytes);
    ragged[20] = 5;
    desk.write("ragged.fvecs", ragged);
    desk.write("short.fbin", &counted(&rows, f32::to_le_bytes)[..40]);
    desk.write("x.dat", "");
    desk.write("x.csv", "a,b\n1,2\n");
    desk.write("x.jsonl", "");
    for (line, code, culprit) in [
        (
            "two.npz",
            6,
            "two.npz, byte 0: it holds the arrays a, b; name one with --array",
        ),
        ("two.npz --array c", 6, "name one with --array"),
        ("bad.npz", 6, "bad.npz, byte 0: not a .npz file"),
        ("short.fvecs", 6, "a file of fvecs has rows of equal length"),
        (
            "ragged.fvecs",
            6,
            "ragged.fvecs, byte 20: a row of 5 components among rows of 4",
        ),
        (
            "short.fbin",
            6,
            "an array of 48 bytes is announced; 32 are there",
        ),
        ("x.dat", 6, "say --format"),
        ("-", 2, "say --format"),
        ("x.csv", 6, "x.csv: there is no column \"vector\""),
        (
            "x.csv --vector-columns a --id-column c",
            6,
            "there is no column \"c\"",
        ),
        (
            "x.csv --ids x.npy",
            2,
            "--ids and --metadata go with arrays",
        ),
        ("x.npy --id-column id", 2, "an array has no columns"),
        ("x.jsonl --text-columns a", 2, "is for CSV"),
        ("x.npy --array a", 2, "--array is for .npz and .hdf5"),
    ] {
        let ran = desk.run(&format!("import db {line}"));
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(ran.err.contains(culprit), "{line}: {ran:?}");
    }
    let empty = desk.run("import empty x.jsonl --json").json();
    assert_eq!(
        (&empty[0]["rows"], &empty[0]["records"]),
        (&json!(0), &json!(0))
    );
}
