//! What is imported is found again, by another process, and the numbers about it are right.

use serde_json::json;

use crate::support::{Desk, npy, npy_f32, points};

/// The `k` nearest rows by squared Euclidean distance, the slow way.
fn nearest(rows: &[Vec<f32>], query: &[f32], k: usize) -> Vec<(i64, f64)> {
    let distance = |row: &Vec<f32>| {
        let pairs = row.iter().zip(query);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
    };
    let mut all: Vec<(i64, f64)> = rows
        .iter()
        .map(distance)
        .zip(0..)
        .map(|(d, i)| (i, d))
        .collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

#[test]
fn import_search_info_verify() {
    let desk = Desk::new();
    let rows = points(2_000, 16);
    desk.write("x.npy", npy_f32(&rows));
    desk.write("q.npy", npy_f32(&rows[..50]));

    let import = desk.run("import db x.npy --metric l2 --json").json();
    assert_eq!(import[0]["collection"], "default");
    assert_eq!(import[0]["rows"], 2_000);
    assert_eq!(import[0]["records"], 2_000);
    assert!(import[0]["seconds"].as_f64().unwrap() > 0.0);

    let exact = desk
        .run("search db --query q.npy -k 7 --exact --json")
        .json();
    assert_eq!(exact.len(), 50);
    for (i, answer) in exact.iter().enumerate() {
        let expected = nearest(&rows, &rows[i], 7);
        assert_eq!(answer["query"], i);
        let ids: Vec<i64> = expected.iter().map(|(id, _)| *id).collect();
        assert_eq!(answer["ids"], json!(ids));
        let distances: Vec<f64> = expected.iter().map(|(_, d)| *d).collect();
        assert_eq!(answer["distances"], json!(distances));
        assert_eq!(answer["metadata"], json!(vec![json!({}); 7]));
    }

    let explained = desk.run("search db --query q.npy -k 7 --exact --explain --json");
    let explained = explained.json();
    assert_eq!(explained[..50], exact);
    let how = &explained[50]["explanation"];
    assert_eq!(
        (&how["queries"], &how["segments"][0]["rows"]),
        (&json!(50), &json!(2_000))
    );
    assert_eq!(how["segments"][0]["vector_scans"], 50);
    let text = desk.run("search db --query q.npy --ef 50 --explain").ok();
    assert!(
        text.contains("2,000 of 2,000 rows may be found; 50 walks"),
        "{text}"
    );

    let fast = desk
        .run("search db --query q.npy -k 7 --ef 200 --json")
        .json();
    let found = |i: usize| {
        let is_true = |id: &&serde_json::Value| exact[i]["ids"].as_array().unwrap().contains(id);
        fast[i]["ids"]
            .as_array()
            .unwrap()
            .iter()
            .filter(is_true)
            .count()
    };
    let recall = (0..50).map(found).sum::<usize>() as f64 / 350.0;
    assert!(recall > 0.95, "recall {recall}");

    let info = desk.run("info db --json").json();
    assert_eq!(info[0]["version"], 1);
    assert_eq!(info[0]["path"], "db");
    let collection = &info[0]["collections"][0];
    assert_eq!(collection["name"], "default");
    assert_eq!(collection["dim"], 16);
    assert_eq!(collection["metric"], "l2");
    assert_eq!(collection["live"], 2_000);

    let verify = desk.run("verify db --json").json();
    assert_eq!(verify[0]["ok"], true);
    assert_eq!(verify[0]["collections"][0]["unreachable"], 0);
    assert!(verify[0]["collections"][0]["deep"].is_null());
    let deep = desk.run("verify db --deep --json").json();
    assert_eq!(deep[0]["collections"][0]["deep"]["codes"], 2_000);
    let deep = desk.run("verify db --deep");
    assert!(
        deep.out.contains("  2,000 codes compared; recall@10 "),
        "{deep:?}"
    );
    assert!(
        deep.out.ends_with(" for 200 stored vectors\nok\n"),
        "{deep:?}"
    );
}

#[test]
fn ids_and_metadata_come_back_as_they_were() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3, 4)));
    desk.write("q.npy", npy_f32(&points(1, 4)));
    desk.write("ids.txt", "a\r\n007\nü b");
    desk.write(
        "m.jsonl",
        "{\"year\": 2020, \"ok\": true, \"tags\": [null, 1.0]}\n{}\n{\"x\": {\"y\": \"z\"}}\n",
    );
    desk.run("import db x.npy --ids ids.txt --metadata m.jsonl --json")
        .json();
    let answer = &desk.run("search db --query q.npy --json").json()[0];
    let mut ids: Vec<&str> = answer["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(ids[0], "a");
    assert_eq!(
        answer["metadata"][0],
        json!({"year": 2020, "ok": true, "tags": [null, 1.0]})
    );
    ids.sort_unstable();
    assert_eq!(ids, ["007", "a", "ü b"]);
}

#[test]
fn ids_are_integers_if_every_line_is_one() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(2, 4)));
    let ids_after = |ids: &str| {
        let _ = std::fs::remove_dir_all(desk.path("db"));
        desk.run(&format!("import db x.npy --ids {ids} --json"))
            .json();
        let answer = &desk.run("search db --query x.npy --json").json()[0];
        answer["ids"].clone()
    };
    desk.write("integers.txt", "-5\n9223372036854775807\n");
    assert_eq!(ids_after("integers.txt"), json!([-5, i64::MAX]));
    desk.write("mixed.txt", "1\n01\n");
    assert_eq!(ids_after("mixed.txt"), json!(["1", "01"]));
    desk.write("big.txt", "1\n9223372036854775808\n");
    assert_eq!(ids_after("big.txt"), json!(["1", "9223372036854775808"]));
    desk.write(
        "ids.npy",
        npy(
            "<i8",
            false,
            &[2],
            &[[7_i64, -8].map(i64::to_le_bytes).concat()].concat(),
        ),
    );
    assert_eq!(ids_after("ids.npy"), json!([7, -8]));
}

#[test]
fn a_second_import_replaces_records_with_the_same_id() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(10, 4)));
    desk.write("y.npy", npy_f32(&vec![vec![-1.0, 0.0, 0.0, 0.0]; 2]));
    desk.write("ids.txt", "9\n10\n");
    desk.run("import db x.npy --json").json();
    let second = desk.run("import db y.npy --ids ids.txt --json").json();
    assert_eq!(second[0]["rows"], 2);
    assert_eq!(second[0]["records"], 11);
    let answer = &desk.run("search db --query y.npy -k 2 --json").json()[0];
    assert_eq!(answer["ids"], json!([9, 10]));
}

#[test]
fn collections_of_one_store_are_apart() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(5, 4)));
    desk.write("y.npy", npy_f32(&points(6, 8)));
    desk.run("import db x.npy --json").json();
    desk.run("import db y.npy --collection other --metric dot --preset high --json")
        .json();
    let info = desk.run("info db --json").json();
    let configs: Vec<_> = info[0]["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["name"], c["dim"], c["metric"], c["preset"]]))
        .collect();
    assert_eq!(
        configs,
        [
            json!(["default", 4, "cosine", "default"]),
            json!(["other", 8, "dot", "high"]),
        ]
    );
    desk.run("search db --query y.npy --collection other --json")
        .json();
}

#[test]
fn edges_of_k_and_of_nothing() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(5, 4)));
    desk.write("none.npy", npy("<f4", false, &[0, 4], &[]));
    let empty = desk.run("import db none.npy --json").json();
    assert_eq!(empty[0]["records"], 0);
    assert_eq!(
        desk.run("search db --query x.npy --json").json()[0]["ids"],
        json!([])
    );
    desk.run("import db x.npy --json").json();
    assert_eq!(
        desk.run("search db --query x.npy -k 0 --json").json()[4]["ids"],
        json!([])
    );
    let all = desk
        .run("search db --query x.npy -k 18446744073709551615 --json")
        .json();
    assert_eq!(all[0]["ids"].as_array().unwrap().len(), 5);
    assert_eq!(
        desk.run("search db --query none.npy --json").json(),
        Vec::<serde_json::Value>::new()
    );
}

#[test]
fn queries_come_from_stdin_and_one_vector_is_one_query() {
    let desk = Desk::new();
    let rows = points(20, 4);
    desk.write("x.npy", npy_f32(&rows));
    desk.run("import db x.npy --json").json();
    let data: Vec<u8> = rows[3].iter().flat_map(|x| x.to_le_bytes()).collect();
    let single = npy("<f4", false, &[4], &data);
    let answers = desk
        .run_with_stdin("search db --query - -k 1 --json", &single)
        .json();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["ids"], json!([3]));
}

#[test]
fn tables_for_people() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(1_500, 4)));
    desk.write("y.npy", npy_f32(&points(1, 4)));
    desk.write("id.txt", "esc\u{1b}[2J");
    desk.write("m.jsonl", "{\"note\": \"\u{9b}2J\"}");
    let import = desk.run("import db x.npy");
    assert!(
        import.out.starts_with("1,500 rows into default in "),
        "{import:?}"
    );
    assert!(
        import.out.ends_with(" s; it holds 1,500 records\n"),
        "{import:?}"
    );
    assert_eq!(import.err, "", "no bar where there is no terminal");
    desk.run("import db y.npy --collection odd --ids id.txt --metadata m.jsonl");
    let search = desk.run("search db --query y.npy --collection odd");
    assert_eq!(
        search.out,
        " query  rank       distance  id\n     \
              0     0       0.000000  \"esc\\u{1b}[2J\"  {\"note\":\"\\u{9b}2J\"}\n"
    );
    let info = desk.run("info db").out;
    assert!(
        info.starts_with(
            "db: 2 collections\n\ndefault\n  records   1,500 of 4 components, f32, cosine\n"
        ),
        "{info}"
    );
    let verify = desk.run("verify db").out;
    assert!(
        verify.starts_with("default: 1,500 records in 1 segment, 0 unreachable\n"),
        "{verify}"
    );
    assert!(verify.ends_with("\nok\n"), "{verify}");
}

#[test]
fn a_backup_is_a_database_and_can_be_restored() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(2_000, 16)));
    desk.run("import db x.npy --json").json();
    let writer = proxime::Database::open(desk.path("db")).unwrap();
    let backup = desk.run("backup db copy");
    assert_eq!(backup.code, 0, "{backup:?}");
    assert!(
        backup.out.ends_with(" of segments copied to copy\n"),
        "{backup:?}"
    );
    drop(writer);
    assert_eq!(desk.run("restore copy again").code, 0);
    let query = "search {} --query x.npy --json";
    let expected = desk.run(&query.replace("{}", "db")).out;
    for copy in ["copy", "again"] {
        assert_eq!(desk.run(&query.replace("{}", copy)).out, expected);
    }
    for (line, code) in [
        ("backup db copy", 6),
        ("restore nothing new", 3),
        ("backup db", 2),
    ] {
        let ran = desk.run(line);
        assert_eq!(ran.code, code, "{ran:?}");
    }
    assert!(!desk.path("new").exists());
}
