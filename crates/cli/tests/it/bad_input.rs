//! Bad input is refused with an error that names the culprit, and changes nothing.

use std::fs;
use std::io::Write;

use crate::support::{Desk, npy, npy_f32, points};

/// A store with 5 rows of 4 components, and files of every kind.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(5, 4)));
    desk.run("import db x.npy --metric l2 --json").json();
    desk.write("dim7.npy", npy_f32(&points(5, 7)));
    let whole = npy_f32(&points(5, 4));
    desk.write("short.npy", &whole[..whole.len() - 1]);
    desk.write("header.npy", &whole[..40]);
    desk.write("text.npy", "not numpy");
    desk.write("empty.npy", "");
    desk.write("objects.npy", npy("|O", false, &[5, 4], &[0; 160]));
    desk.write("flat.npy", npy("<f4", false, &[5, 0], &[]));
    let mut rows = points(5, 4);
    rows[3][2] = f32::NAN;
    desk.write("nan.npy", npy_f32(&rows));
    rows[3][2] = f32::NEG_INFINITY;
    desk.write("inf.npy", npy_f32(&rows));
    rows[3] = vec![0.0; 4];
    desk.write("zero.npy", npy_f32(&rows));
    desk.write("ids4.txt", "a\nb\nc\nd\n");
    desk.write("ids6.txt", "a\nb\nc\nd\ne\nf\n");
    desk.write("gap.txt", "a\n\nc\nd\ne\n");
    desk.write("long.txt", format!("a\n{}", "x".repeat(65_536)));
    desk.write("latin.txt", b"a\nb\n\xfc\nd\ne\n");
    desk.write("ids2d.npy", npy("<i8", false, &[5, 1], &[0; 40]));
    desk.write("idsf.npy", npy("<f8", false, &[5], &[0; 40]));
    desk.write("ids3.npy", npy("<i8", false, &[3], &[0; 24]));
    desk.write("m4.jsonl", "{}\n{}\n{}\n{}\n");
    desk.write("list.jsonl", "{}\n[1]\n{}\n{}\n{}\n");
    desk.write("torn.jsonl", "{}\n{}\n{\"a\": }\n{}\n{}\n");
    desk.write(
        "deep.jsonl",
        format!("{{\"a\": {}1{}}}\n", "[".repeat(40), "]".repeat(40)),
    );
    desk.write("deeper.jsonl", format!("{{\"a\": {}", "[".repeat(100_000)));
    desk.write(
        "wide.jsonl",
        "{}\n{\"n\": 18446744073709551615}\n{}\n{}\n{}\n",
    );
    desk
}

#[test]
fn imports() {
    let desk = desk();
    // Not the files: whoever opens for writing starts a new log.
    let content = || {
        desk.run("search db --query x.npy -k 1000 --exact --json")
            .json()
    };
    let before = content();
    for (line, code, culprit) in [
        ("nowhere.npy", 3, "nowhere.npy: No such file"),
        (".", 6, ".: not a regular file"),
        ("/dev/zero", 6, "/dev/zero: not a regular file"),
        (
            "dim7.npy",
            6,
            "dim7.npy: row vectors have 7 components; this collection stores vectors of 4",
        ),
        (
            "short.npy",
            6,
            "short.npy, byte 128: an array of 80 bytes is announced; 79 are there",
        ),
        (
            "header.npy",
            6,
            "header.npy, byte 40: the file ends inside its header",
        ),
        ("text.npy", 6, "text.npy, byte 0: not a .npy file"),
        ("empty.npy", 6, "empty.npy, byte 0: not a .npy file"),
        (
            "objects.npy",
            6,
            "objects.npy, byte 10: elements of type \"|O\"",
        ),
        ("flat.npy", 6, "flat.npy, byte 0: an array of shape [5, 0]"),
        ("nan.npy", 6, "nan.npy: row 3, component 2 is NaN"),
        ("inf.npy", 6, "inf.npy: row 3, component 2 is -inf"),
        (
            "x.npy --metric cosine",
            6,
            "collection \"default\" compares by l2, not by cosine",
        ),
        (
            "x.npy --preset high",
            6,
            "collection \"default\" has the preset default, not high",
        ),
        ("x.npy --preset best", 2, "invalid value 'best'"),
        ("x.npy --ids nowhere.txt", 3, "nowhere.txt: No such file"),
        ("x.npy --ids ids4.txt", 6, "ids4.txt: 4 ids for 5 rows"),
        (
            "x.npy --ids ids6.txt",
            6,
            "ids6.txt: more than 5 ids for 5 rows",
        ),
        ("x.npy --ids gap.txt", 6, "gap.txt, line 2: empty"),
        (
            "x.npy --ids long.txt",
            6,
            "long.txt, line 2: longer than 65535 bytes",
        ),
        (
            "x.npy --ids /dev/zero",
            6,
            "/dev/zero, line 1: longer than 65535 bytes",
        ),
        ("x.npy --ids latin.txt", 6, "latin.txt, line 3: not UTF-8"),
        (
            "x.npy --ids ids2d.npy",
            6,
            "ids2d.npy, byte 0: an array of shape [5, 1]",
        ),
        (
            "x.npy --ids idsf.npy",
            6,
            "idsf.npy, byte 128: elements that are not integers",
        ),
        ("x.npy --ids ids3.npy", 6, "ids3.npy: 3 ids for 5 rows"),
        (
            "x.npy --metadata nowhere.jsonl",
            3,
            "nowhere.jsonl: No such file",
        ),
        (
            "x.npy --metadata m4.jsonl",
            6,
            "m4.jsonl: 4 metadata objects for 5 rows",
        ),
        (
            "x.npy --metadata list.jsonl",
            6,
            "list.jsonl, line 2: metadata: not an object",
        ),
        (
            "x.npy --metadata torn.jsonl",
            6,
            "torn.jsonl, line 3: column 7: expected value",
        ),
        (
            "x.npy --metadata deep.jsonl",
            6,
            "deep.jsonl, line 1: metadata.a[0][0]",
        ),
        (
            "x.npy --metadata deeper.jsonl",
            6,
            "deeper.jsonl, line 1: column ",
        ),
        (
            "x.npy --metadata wide.jsonl",
            6,
            "wide.jsonl, line 2: metadata.n: 18446744073709551615",
        ),
        ("x.npy --metric hamming", 2, "invalid value 'hamming'"),
        ("x.npy --threads 0", 2, "invalid value '0'"),
    ] {
        let ran = desk.run(&format!("import db {line}"));
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(
            ran.err.contains(culprit),
            "{line}: {:?} lacks {culprit:?}",
            ran.err
        );
        assert_eq!(ran.out, "", "{line}");
        assert!(content() == before, "{line} changed the store");
    }
}

#[test]
fn a_bad_row_of_the_first_import_leaves_no_collection() {
    let desk = desk();
    for file in ["nan.npy", "zero.npy", "dim7.npy --threads 1 --ids ids4.txt"] {
        let ran = desk.run(&format!("import new {file}"));
        assert_eq!(ran.code, 6, "{ran:?}");
    }
    assert_eq!(
        desk.run("info new --json").json()[0]["collections"],
        serde_json::json!([])
    );
    // A collection of the bad file's shape would now be in the way.
    desk.run("import new dim7.npy --json").json();
    assert_eq!(
        desk.run("info new --json").json()[0]["collections"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn searches() {
    let desk = desk();
    desk.write(
        "many.npy",
        npy_f32(&[points(1_500, 4), vec![vec![1.0, f32::NAN, 0.0, 0.0]]].concat()),
    );
    // 256 GiB of float32 if it were believed; the file takes no space.
    let header = npy("|u1", false, &[1, 1 << 36], &[]);
    let sparse = fs::File::create(desk.path("sparse.npy")).unwrap();
    (&sparse).write_all(&header).unwrap();
    sparse.set_len(header.len() as u64 + (1 << 36)).unwrap();
    for (line, code, culprit) in [
        (
            "--query sparse.npy",
            6,
            "sparse.npy: query vectors have 68719476736 components",
        ),
        ("--query nowhere.npy", 3, "nowhere.npy: No such file"),
        (
            "--query dim7.npy",
            6,
            "dim7.npy: query vectors have 7 components; this collection stores vectors of 4",
        ),
        ("--query short.npy", 6, "short.npy, byte 128"),
        ("--query nan.npy", 6, "nan.npy: query 3, component 2 is NaN"),
        (
            "--query many.npy",
            6,
            "many.npy: query 1500, component 1 is NaN",
        ),
        ("--query x.csv", 6, "x.csv: an array is needed"),
        ("--query -", 6, "stdin, byte 0: not a .npy file"),
        (
            "--query x.npy --collection c",
            3,
            "there is no collection \"c\"; there is \"default\"",
        ),
        ("--query x.npy -k -1", 2, "-1"),
        ("--query x.npy --ef 0", 2, "invalid value '0'"),
        ("--query x.npy --ef 3 --exact", 2, "cannot be used with"),
        ("", 2, "--query"),
    ] {
        let ran = desk.run(&format!("search db {line}"));
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(
            ran.err.contains(culprit),
            "{line}: {:?} lacks {culprit:?}",
            ran.err
        );
        // But the answers to queries before a wrong one, if they are many.
        assert_eq!(
            ran.out.is_empty(),
            !line.contains("many"),
            "{line}: {ran:?}"
        );
    }
}
