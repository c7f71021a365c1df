//! Records and collections looked at and changed one by one, seen by the next process.

use serde_json::json;

use crate::support::{Desk, npy_f32, points};

/// Three records: ids a, b, 7 as texts; metadata on the first.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3, 8)));
    desk.write("ids.txt", "a\nb\n7\n");
    desk.write("m.jsonl", "{\"n\": 1}\n{}\n{}\n");
    desk.run("import db x.npy --ids ids.txt --metadata m.jsonl --metric l2")
        .ok();
    desk
}

#[test]
fn got_by_id_in_the_order_asked_for() {
    let desk = desk();
    let rows = points(3, 8);
    let got = desk.run("get db 7 a --id-type text --json").json();
    let expected = [
        json!({"id": "7", "vector": rows[2], "metadata": {}}),
        json!({"id": "a", "vector": rows[0], "metadata": {"n": 1}}),
    ];
    assert_eq!(got, expected);
    let shown = desk.run("get db a");
    let first: Vec<String> = rows[0][..6].iter().map(f32::to_string).collect();
    let expected = format!("\"a\"  [{}, ... 8 in all]  {{\"n\":1}}\n", first.join(", "));
    assert_eq!(shown.out, expected);
    // As an integer it is another id.
    let partly = desk.run("get db 7 --json");
    assert_eq!((partly.code, partly.out.as_str()), (3, ""));
    assert_eq!(partly.err, "proxime: there is no record 7\n");
    assert_eq!(desk.run("get db").code, 2);
    assert_eq!(desk.run("get db a --ids ids.txt").code, 2);
}

#[test]
fn halves_are_updated_or_nothing_is() {
    let desk = desk();
    desk.write("y.npy", npy_f32(&points(5, 8)[3..]));
    desk.write(
        "two.jsonl",
        "{\"n\": 2}\n{\"at\": {\"$time\": \"2024-05-01T14:00:00+02:00\"}}\n",
    );
    let report = desk.run("update db a b --metadata two.jsonl --json").json();
    assert_eq!(report, [json!({"collection": "default", "updated": 2})]);
    assert_eq!(
        desk.run("update db a b --vectors y.npy").out,
        "default: 2 records updated\n"
    );
    let rows = points(5, 8);
    let expected = [
        json!({"id": "a", "vector": rows[3], "metadata": {"n": 2}}),
        json!({"id": "b", "vector": rows[4], "metadata": {"at": {"$time": "2024-05-01T12:00:00.000000Z"}}}),
    ];
    let all = || desk.run("get db a b --json").json();
    assert_eq!(all(), expected);
    let found = desk.run("search db --query y.npy -k 1 --json").json();
    assert_eq!(found[1]["metadata"], json!([expected[1]["metadata"]]));
    for (line, code, culprit) in [
        ("a z --metadata two.jsonl", 3, "\"z\""),
        (
            "a --vectors y.npy",
            6,
            "y.npy: more than 1 vectors for 1 rows",
        ),
        (
            "a --metadata m.jsonl",
            6,
            "m.jsonl: more than 1 metadata objects",
        ),
        ("a", 2, "--vectors"),
        ("--metadata m.jsonl", 2, "--ids"),
    ] {
        let ran = desk.run(&format!("update db {line}"));
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(culprit), "{ran:?}");
        assert_eq!(all(), expected);
    }
}

#[test]
fn ids_of_every_kind() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(2, 4)));
    for (id_type, ids, json_ids) in [
        (
            "uuid",
            [
                "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
                "6BA7B8119DAD11D180B400C04FD430C8",
            ],
            json!([
                {"$uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
                {"$uuid": "6ba7b811-9dad-11d1-80b4-00c04fd430c8"},
            ]),
        ),
        (
            "bytes",
            ["0x", "0xFF00"],
            json!([{"$bytes": "0x"}, {"$bytes": "0xff00"}]),
        ),
        ("text", ["1", "2"], json!(["1", "2"])),
        ("auto", ["1", "2"], json!([1, 2])),
    ] {
        desk.write("ids.txt", ids.join("\n"));
        desk.run(&format!(
            "import {id_type} x.npy --ids ids.txt --id-type {id_type}"
        ))
        .ok();
        let got = desk.run(&format!(
            "get {id_type} --ids ids.txt --id-type {id_type} --json"
        ));
        let got: Vec<_> = got
            .json()
            .into_iter()
            .map(|record| record["id"].clone())
            .collect();
        assert_eq!(json!(got), json_ids);
        let found = desk.run(&format!("search {id_type} --query x.npy -k 1 --json"));
        let found: Vec<_> = found
            .json()
            .iter()
            .map(|hit| hit["ids"][0].clone())
            .collect();
        assert_eq!(json!(found), json_ids);
        let line = format!("delete {id_type} {} --id-type {id_type} --json", ids[1]);
        assert_eq!(desk.run(&line).json()[0]["deleted"], 1);
    }
    let bad = desk.run("get uuid 6ba7 --id-type uuid");
    assert_eq!(
        (bad.code, bad.err.as_str()),
        (2, "proxime: \"6ba7\" is not a UUID\n")
    );
    desk.write("ids.txt", "0x\nff\n");
    let bad = desk.run("import new x.npy --ids ids.txt --id-type bytes");
    assert_eq!(bad.code, 6, "{bad:?}");
    assert!(
        bad.err
            .contains("ids.txt, line 2: \"ff\" is not hexadecimal"),
        "{bad:?}"
    );
}

#[test]
fn collections_are_listed_renamed_and_dropped() {
    let desk = desk();
    desk.run("import db x.npy --collection b").ok();
    assert_eq!(desk.run("list db").out, "default\nb\n");
    let listed = desk.run("list db --json").json();
    assert_eq!(
        listed[0],
        json!({"name": "default", "records": 3, "dim": 8, "metric": "l2", "aliases": []})
    );
    assert_eq!(desk.run("rename db b c").out, "b is now c\n");
    for (line, code, culprit) in [
        ("rename db b d", 3, "\"b\""),
        ("rename db c default", 6, "\"default\""),
        ("drop db b --yes", 3, "\"b\""),
        (
            "drop db c",
            6,
            "holds 3 records, which would be lost; add --yes",
        ),
    ] {
        let ran = desk.run(line);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(culprit), "{ran:?}");
        assert_eq!(desk.run("list db").out, "default\nc\n");
    }
    let dropped = desk.run("drop db c --yes --json").json();
    assert_eq!(dropped, [json!({"collection": "c", "records": 3})]);
    assert_eq!(desk.run("list db").out, "default\n");
}
