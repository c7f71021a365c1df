//! Records are deleted by id and segments put together, seen by the next process.

use crate::support::{Desk, npy_f32, points};

#[test]
fn deleted_and_compacted() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3000, 8)));
    desk.write("few.npy", npy_f32(&points(3, 8)));
    desk.write("few.txt", "a\nb\n7\n");
    desk.run("import db x.npy");
    desk.run("import db few.npy --ids few.txt");
    let deleted = desk.run("delete db 5 6 70000 --json").json();
    assert_eq!(deleted[0]["deleted"], 2);
    assert_eq!(deleted[0]["records"], 3001);
    // Not all are integers, so none is.
    let deleted = desk.run("delete db a 7 8 --json").json();
    assert_eq!(deleted[0]["deleted"], 2);
    desk.write(
        "gone.txt",
        (0..1000).map(|id| format!("{id}\n")).collect::<String>(),
    );
    let deleted = desk.run("delete db --ids gone.txt");
    assert_eq!(
        deleted.out,
        "default: 998 records deleted, 2,001 records left\n"
    );

    let report = desk.run("compact db --json").json();
    let bytes = |name: &str| report[0][name].as_u64().unwrap();
    assert!(bytes("bytes_after") < bytes("bytes_before"));
    let info = desk.run("info db --json").json();
    assert_eq!(info[0]["collections"][0]["rows"], 2001);
    assert_eq!(info[0]["collections"][0]["segments"], 1);
    assert_eq!(desk.run("verify db").code, 0);
}

#[test]
fn deleted_by_metadata() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(4, 8)));
    desk.write("meta.jsonl", "{\"n\":1}\n{\"n\":2}\n{}\n{\"n\":\"2\"}\n");
    desk.run("import db x.npy --metadata meta.jsonl");
    let deleted = desk.run("delete db --where n>=2 --json").json();
    assert_eq!(
        (&deleted[0]["deleted"], &deleted[0]["records"]),
        (&1.into(), &3.into())
    );
    assert_eq!(desk.run("count db --json").json()[0]["count"], 3);
    assert_eq!(desk.run("delete db 1 --where n>=2").code, 2);
}

#[test]
fn what_is_not_there_is_not_made() {
    let desk = Desk::new();
    assert_eq!(desk.run("delete db 1").code, 3);
    assert_eq!(desk.run("compact db").code, 3);
    assert!(!desk.path("db").exists());
    assert_eq!(desk.run("delete db").code, 2);
}
