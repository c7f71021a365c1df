//! Every way to read that the library has: from stored records, in groups, in order, by value, and why not.

use serde_json::{Value, json};

use crate::support::{Desk, npy_f32};

/// Five points on a line, with a field of two values and one of five.
fn line() -> Desk {
    let desk = Desk::new();
    let rows: Vec<Vec<f32>> = [1.0, 1.1, 2.0, 4.0, 8.0].map(|x| vec![x, 0.0]).to_vec();
    desk.write("x.npy", npy_f32(&rows));
    desk.write("q.npy", npy_f32(&[vec![0.0, 0.0], vec![9.0, 0.0]]));
    desk.write("ids.txt", "a\nb\nc\nd\ne\n");
    let metadata = |(n, doc): (i64, &str)| json!({ "n": n, "doc": doc }).to_string() + "\n";
    let metadata = [(5, "x"), (4, "x"), (3, "y"), (2, "x"), (1, "y")].map(metadata);
    desk.write("meta.jsonl", metadata.concat());
    desk.run("import db x.npy --ids ids.txt --metadata meta.jsonl --metric l2");
    desk
}

fn ids(answer: &Value) -> Vec<&str> {
    let ids = answer["ids"].as_array().unwrap();
    ids.iter().map(|id| id.as_str().unwrap()).collect()
}

#[test]
fn from_stored_records() {
    let desk = line();
    let near = desk.run("search db --id a --id e -k 2 --json").json();
    assert_eq!([ids(&near[0]), ids(&near[1])], [["b", "c"], ["d", "c"]]);
    let like = desk
        .run("search db --like a --like c --unlike e -k 2 --json")
        .json();
    assert_eq!(like.len(), 1);
    assert_eq!(ids(&like[0]), ["b", "d"]);
    assert_eq!(desk.run("search db --id nobody").code, 3);
    for wrong in [
        "--unlike a",
        "--id a --like b",
        "--id a --query q.npy",
        "--like a --text x",
        "--like a --group-by doc",
        "--like a --relevance 0.5",
        "--id a --array x",
        "--id a --where-each x",
        "--id a --explain",
    ] {
        assert_eq!(desk.run(&format!("search db {wrong}")).code, 2, "{wrong}");
    }
}

/// What is near to a record is found without it, however it is asked for.
#[test]
fn stored_records_are_queries_like_others() {
    let desk = line();
    let groups = desk
        .run("search db --id a --id c --group-by doc --group-size 2 --json")
        .json();
    let told: Vec<_> = groups
        .iter()
        .map(|g| {
            (
                g["query"].as_u64().unwrap(),
                g["group"].as_str().unwrap(),
                ids(g),
            )
        })
        .collect();
    let expected = [
        (0, "x", vec!["b", "d"]),
        (0, "y", vec!["c", "e"]),
        (1, "x", vec!["b", "a"]),
        (1, "y", vec!["e"]),
    ];
    assert_eq!(told, expected);
    let differ = desk.run("search db --id a --relevance 0.2 -k 2 --json");
    assert_eq!(ids(&differ.json()[0]), ["b", "e"]);
    let both = desk.run("search db --id a --text x --fields doc --json");
    assert_eq!(ids(&both.json()[0]), ["b", "d", "c", "e"]);
    for how in ["--group-by doc", "--relevance 0.5", "--text x --fields doc"] {
        let missing = desk.run(&format!("search db --id a --id nobody {how}"));
        assert_eq!(
            (missing.code, missing.err.as_str()),
            (3, "proxime: row 1: there is no record with id \"nobody\"\n")
        );
    }
}

#[test]
fn in_groups_and_unlike_each_other() {
    let desk = line();
    let groups = desk
        .run("search db --query q.npy --group-by doc --group-size 2 -k 5 --json")
        .json();
    let told: Vec<_> = groups
        .iter()
        .map(|g| (&g["query"], &g["group"], ids(g)))
        .collect();
    let (first, second, x, y) = (json!(0), json!(1), json!("x"), json!("y"));
    let expected = [
        (&first, &x, vec!["a", "b"]),
        (&first, &y, vec!["c", "e"]),
        (&second, &y, vec!["e", "c"]),
        (&second, &x, vec!["d", "b"]),
    ];
    assert_eq!(told, expected);
    let differ = desk
        .run("search db --query q.npy --relevance 0.2 -k 2 --json")
        .json();
    assert_eq!(ids(&differ[0]), ["a", "e"]);
    let table = desk.run("search db --query q.npy --group-by doc -k 1").out;
    assert!(table.contains("\"x\""), "{table}");
    for wrong in [
        "--group-by doc --relevance 0.5",
        "--group-size 2",
        "--text x --group-by doc",
    ] {
        assert_eq!(
            desk.run(&format!("search db --query q.npy {wrong}")).code,
            2,
            "{wrong}"
        );
    }
    assert_eq!(desk.run("search db --query q.npy --relevance 2").code, 2);
}

#[test]
fn in_order_and_by_value() {
    let desk = line();
    let page = |words: &str| -> Vec<String> {
        let page = desk.run(&format!("scroll db {words} --json")).json();
        page.iter()
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(page("--limit 2"), ["a", "b"]);
    assert_eq!(page("--limit 2 --after b"), ["c", "d"]);
    assert_eq!(page("--order-by n --limit 3"), ["e", "d", "c"]);
    assert_eq!(
        page("--order-by n --descending --after b --where n>1"),
        ["c", "d"]
    );
    assert!(
        desk.run("scroll db --limit 1")
            .out
            .starts_with("\"a\"  [1, 0]")
    );
    assert_eq!(desk.run("scroll db --descending").code, 2);
    assert_eq!(desk.run("scroll db --order-by n --after nobody").code, 3);

    let facets = desk.run("facets db doc --json").json();
    assert_eq!(
        facets,
        [
            json!({"value": "x", "count": 3}),
            json!({"value": "y", "count": 2})
        ]
    );
    assert_eq!(
        desk.run("facets db doc --where n=1").out,
        "         1  \"y\"\n"
    );
}

#[test]
fn why_not() {
    let desk = line();
    let why = |words: &str| desk.run(&format!("why-not db {words} --json")).json()[0].clone();
    let told = why("b --query q.npy -k 1");
    assert_eq!(
        (&told["found"], &told["presence"], &told["rank"]),
        (&json!(false), &json!("stored"), &json!(2))
    );
    assert_eq!(why("d --query q.npy --row 1 -k 2")["found"], true);
    assert_eq!(
        why("b --query q.npy --where n>4")["rejected_by"],
        json!(["n > 4"])
    );
    let misspelt = why("b --query q.npy --where dcc='x'");
    assert_eq!(
        misspelt["unknown_fields"],
        json!([{"field": "dcc", "there": ["doc", "n"]}])
    );
    assert_eq!(why("nobody --query q.npy")["presence"], "unknown");
    let unknown = desk.run("why-not db nobody --query q.npy").out;
    assert_eq!(unknown, "it was never stored, or deleted long ago\n");
    assert_eq!(why("e --query q.npy --max-distance 1")["too_far"], true);
    let text = desk.run("why-not db b --query q.npy -k 1 --where n>4").out;
    assert!(text.contains("this is false of it: n > 4"), "{text}");
    assert_eq!(desk.run("why-not db b --query q.npy --row 2").code, 6);
}

#[test]
fn aliases() {
    let desk = line();
    desk.run("import db x.npy --collection new");
    let set = desk.run("alias db docs default --json").json();
    assert_eq!(set[0], json!({"alias": "docs", "collection": "default"}));
    assert_eq!(desk.run("get db a --collection docs").code, 0);
    assert_eq!(desk.run("alias db docs new").out, "docs stands for new\n");
    assert_eq!(desk.run("get db a --collection docs").code, 3);
    assert_eq!(desk.run("list db").out, "default\nnew  docs\n");
    assert_eq!(
        desk.run("list db --json").json()[1]["aliases"],
        json!(["docs"])
    );
    assert_eq!(desk.run("alias db new default").code, 6);
    let refused = desk.run("drop db docs");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (
            6,
            "proxime: \"docs\" is an alias of the collection \"new\": drop that by its own name, or take the alias away with alias DB docs --drop\n"
        )
    );
    assert_eq!(desk.run("drop db docs --yes"), refused);
    let refused = desk.run("rename db docs other");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (
            6,
            "proxime: \"docs\" is an alias of the collection \"new\", which has to be named itself here\n"
        )
    );
    desk.run("import db x.npy --collection docs");
    assert_eq!(
        desk.run("list db").out,
        "default\nnew  docs\n",
        "an import goes where the alias says"
    );
    let dropped = desk.run("alias db docs --drop --json").json();
    assert_eq!(dropped[0], json!({"alias": "docs", "collection": null}));
    let refused = desk.run("alias db docs --drop");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (3, "proxime: there is no alias \"docs\"\n")
    );
    for wrong in ["alias db docs", "alias db docs new --drop"] {
        assert_eq!(desk.run(wrong).code, 2, "{wrong}");
    }
}
