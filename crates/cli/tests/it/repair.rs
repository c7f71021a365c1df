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
