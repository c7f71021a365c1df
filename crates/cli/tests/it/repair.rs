//! Transcripts: what a person sees who repairs a damaged database.

use std::fs;

use crate::exit_codes::replace;
use crate::support::{Desk, files_of, npy_f32, points};

#[test]
fn a_damaged_graph_is_built_again() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 8)));
    desk.run("import db x.npy --json").json();
    assert_eq!(
        desk.run("repair db --rebuild-index").out,
        "every index is sound; nothing was changed\n"
    );
    let segment = files_of(&desk.path("db"))
        .into_iter()
        .find(|file| file.to_string_lossy().contains("seg-"))
        .unwrap();
    // The graph is the last section: its checksums and the footer follow.
    let mut bytes = fs::read(&segment).unwrap();
    let blocks = (bytes.len() - 4096 - 64) / 4100;
    bytes[4096 * (blocks - 1)] ^= 1;
    replace(&segment, &bytes);

    let verify = desk.run("verify db");
    assert_eq!(verify.code, 4, "{verify:?}");
    assert!(
        verify.out.contains("the checksum of GRAPH block"),
        "{verify:?}"
    );
    assert_eq!(desk.run("repair db").code, 2, "what to do has to be said");
    let repair = desk.run("repair db --rebuild-index");
    let expected = "default: 3,000 rows indexed again in place of db/seg-0000000000000001.seg, because: db/seg-0000000000000001.seg is damaged at byte ";
    assert!(
        repair.code == 0 && repair.out.starts_with(expected),
        "{repair:?}"
    );
    assert!(desk.run("verify db --deep").out.ends_with("ok\n"));
    let json = desk.run("repair db --rebuild-index --json").json();
    assert_eq!(json[0]["rebuilt"].as_array().unwrap().len(), 0);
    assert_eq!(desk.run("repair nothing --rebuild-index").code, 3);
}

#[test]
fn what_is_left_of_damaged_vectors_is_salvaged() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 8)));
    desk.run("import db x.npy --json").json();
    let segment = files_of(&desk.path("db"))
        .into_iter()
        .find(|file| file.to_string_lossy().contains("seg-"))
        .unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    // The vectors are the first section; a block holds 128 of them.
    bytes[4096 + 2 * 4096] ^= 1;
    replace(&segment, &bytes);

    assert_eq!(desk.run("info db").code, 0, "nothing damaged is needed");
    assert_eq!(desk.run("verify db").code, 4);
    let salvage = desk.run("salvage db new");
    let expected = "default: 2,872 records salvaged
  lost: 128 rows from row 256 of db/seg-0000000000000001.seg on, ids 256 to 383
incomplete
";
    assert_eq!((salvage.code, salvage.out.as_str()), (4, expected));
    assert_eq!(desk.run("verify new --deep").code, 0);
    assert_eq!(desk.run("salvage db new").code, 6, "never over something");

    let json = desk.run("salvage db newer --json");
    let report = &json.lines()[0];
    let lost = &report["collections"][0]["lost"][0];
    assert_eq!((json.code, &report["complete"]), (4, &false.into()));
    assert_eq!(
        (&lost["first_row"], &lost["ids"][127]),
        (&256.into(), &383.into())
    );
    let complete = desk.run("salvage new newest");
    assert_eq!(complete.out, "default: 2,872 records salvaged\ncomplete\n");
    assert_eq!(complete.code, 0);
}
