//! The documented exit codes, each reached.

use std::fs;

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
    for verb in ["import", "search", "info", "verify"] {
        let help = desk.run(&format!("{verb} --help"));
        assert!(
            help.out.contains(&format!("\n  proxime {verb} docs.db")),
            "{}",
            help.out
        );
        assert_eq!(desk.run(verb).code, 2);
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

/// Flips one bit in the middle of `path`, which may be read-only.
fn damage(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn damage_in_any_large_file_is_4() {
    let files = files_of(&desk_with_store().path("db")).len();
    let mut found = 0;
    for i in 0..files {
        let desk = desk_with_store();
        let file = &files_of(&desk.path("db"))[i];
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if fs::metadata(file).unwrap().len() == 0 || name.contains("LOCK") {
            continue;
        }
        damage(file);
        let json = desk.run("verify db --json");
        assert_eq!(json.code, 4, "{name}: {json:?}");
        assert_eq!(json.lines()[0]["ok"], false, "{name}");
        let text = desk.run("verify db");
        assert_eq!(text.code, 4);
        assert!(
            text.out.contains(&name) && text.out.ends_with("\ndamaged\n"),
            "{name}: {text:?}"
        );
        found += 1;
    }
    assert!(found >= 2, "a manifest and a segment at least");
}
