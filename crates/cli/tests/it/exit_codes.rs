//! The documented exit codes, each reached.

use std::fs;
use std::path::Path;

use proxime::Database;

use crate::support::{Desk, files_of, npy_f32, points};

fn desk_with_store() -> Desk {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(500, 16)));
    desk.run("import db x.npy --json").json();
    desk
}

#[test]
fn success_and_usage() {
    let desk = Desk::new();
    let version = desk.run("--version");
    assert_eq!(
        (version.code, version.out),
        (0, format!("proxime {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = desk.run("--help");
    assert_eq!(help.code, 0);
    assert!(
        help.out.contains("proxime import docs.db docs.npy") && help.out.contains("Exit codes:")
    );
    for verb in [
        "import", "search", "info", "verify", "repair", "salvage", "backup",
    ] {
        let help = desk.run(&format!("{verb} --help"));
        assert!(
            help.out.contains(&format!("\n  proxime {verb} docs.db")),
            "{}",
            help.out
        );
        assert_eq!(desk.run(verb).code, 2);
    }
    // What has to be said comes behind the database.
    for (verb, words) in [
        ("get", "<ID>"),
        ("update", "--ids <FILE>"),
        ("delete", "--where <FILTER>"),
    ] {
        let usage = desk.run(&format!("{verb} --help")).out;
        let line = format!("proxime {verb} [OPTIONS] <DB> {words}");
        assert!(usage.contains(&line), "{usage}");
    }
    let typo = desk.run("serach db");
    assert_eq!(typo.code, 2);
    assert!(typo.err.contains("'search'"), "{typo:?}");
    assert_eq!(desk.run("").code, 2);
}

#[test]
fn impossible_settings_in_the_environment_are_2() {
    let desk = desk_with_store();
    for (name, value) in [("PROXIME_ISA", "mmx"), ("PROXIME_THREADS", "none")] {
        let output = desk
            .command(&["info", "db"])
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && said.contains(value), "{said}");
    }
}

#[test]
fn nothing_there_is_3_and_nothing_is_created() {
    let desk = Desk::new();
    desk.write("q.npy", npy_f32(&points(1, 4)));
    for line in ["search db --query q.npy", "info db", "verify db --json"] {
        let ran = desk.run(line);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("db: there is no store"), "{ran:?}");
        assert!(!desk.path("db").exists());
    }
}

#[test]
fn a_folder_that_is_not_a_store_is_6_and_left_alone() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(1, 4)));
    for line in ["import . x.npy", "info .", "verify .", "info x.npy"] {
        let ran = desk.run(line);
        assert_eq!(ran.code, 6, "{line}: {ran:?}");
        assert!(ran.err.contains("not a Proxime store"), "{ran:?}");
    }
    assert_eq!(files_of(&desk.path(".")).len(), 1);
}

#[test]
fn a_second_writer_is_5_and_readers_go_on() {
    let desk = desk_with_store();
    let writer = Database::open(desk.path("db")).unwrap();
    let ran = desk.run("import db x.npy");
    assert_eq!(ran.code, 5, "{ran:?}");
    let owner = format!("process {}", std::process::id());
    assert!(ran.err.contains(&owner), "{ran:?}");
    for line in ["info db", "verify db", "search db --query x.npy"] {
        assert_eq!(desk.run(line).code, 0, "{line}");
    }
    drop(writer);
    assert_eq!(desk.run("import db x.npy").code, 0);
}

/// Replaces a file, which may be read-only.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn damage_anywhere_is_4() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 8)));
    desk.run("import db x.npy --json").json();
    let (mut files, mut opened) = (0, 0);
    for file in files_of(&desk.path("db")) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("seg-") && !name.starts_with("MANIFEST-") {
            continue;
        }
        let whole = fs::read(&file).unwrap();
        files += 1;
        for part in 0..6 {
            let mut bytes = whole.clone();
            // Behind magic and version: with others it is a file of something newer, or of something else.
            let start = 64;
            bytes[start + part * (whole.len() - start) / 6] ^= 1;
            replace(&file, &bytes);
            let json = desk.run("verify db --json");
            assert_eq!(json.code, 4, "{name}: {json:?}");
            let report = &json.lines()[0];
            assert_eq!(report["ok"], false, "{name}");
            let text = desk.run("verify db");
            assert_eq!(text.code, 4);
            assert!(text.out.contains(&name), "{name}: {text:?}");
            assert!(text.out.ends_with("\ndamaged\n"), "{text:?}");
            if !report["manifest"].is_null() {
                opened += 1;
                let info = desk.run("info db");
                assert!(info.out.contains("damaged   1 graph;"), "{info:?}");
                assert_eq!(desk.run("search db --query x.npy --json").code, 0);
            }
        }
        replace(&file, &whole);
        assert_eq!(desk.run("verify db").code, 0);
    }
    assert_eq!(files, 2, "a manifest and a segment");
    assert!(opened > 0, "a damaged graph leaves the store usable");
}

#[test]
fn what_cannot_be_read_is_not_counted_as_nothing() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 8)));
    desk.write("few.npy", npy_f32(&points(1_500, 8)));
    desk.run("import db x.npy --json").json();
    desk.run("import db few.npy --collection few --json").json();
    let file = files_of(&desk.path("db")).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    // A vector.
    bytes[20_000] ^= 1;
    replace(&file, &bytes);
    let report = desk.run("verify db --json");
    let counts = ["segments", "unusable", "unusable_rows", "rows", "live"];
    let counts = counts.map(|name| report.lines()[0]["collections"][0][name].as_u64());
    assert_eq!(counts, [1, 1, 3_000, 0, 0].map(Some));
    let text = desk.run("verify db").out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "default: 0 records in 0 segments, 0 unreachable",
            "  not counted: 3,000 rows in 1 segment that cannot be read"
        ]
    );
    assert!(text.contains("\nfew: 1,500 records in 1 segment, 0 unreachable\n"));
}
