//! `--where` and `--max-distance` choose what is found, `count` counts it, and a filter that is none is a usage error.

use crate::support::{Desk, npy_f32, points};

fn run(desk: &Desk, words: &[&str]) -> (i32, String, String) {
    let output = desk.command(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn films() -> Desk {
    let desk = Desk::new();
    let rows = points(40, 3);
    desk.write("x.npy", npy_f32(&rows));
    desk.write("q.npy", npy_f32(&rows[..1]));
    let lines: Vec<String> = (0..40)
        .map(|i| {
            format!(
                "{{\"lang\": \"{}\", \"year\": {}}}",
                ["en", "de"][i % 2],
                2000 + i
            )
        })
        .collect();
    desk.write("m.jsonl", lines.join("\n"));
    desk.run("import db x.npy --metadata m.jsonl --metric l2 --json")
        .json();
    desk
}

#[test]
fn only_what_matches_is_found_and_counted() {
    let desk = films();
    let filter = "lang = 'en' AND year >= 2020";
    let (code, out, err) = run(
        &desk,
        &[
            "search", "db", "--query", "q.npy", "-k", "40", "--where", filter, "--json",
        ],
    );
    assert_eq!(code, 0, "{err}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let mut ids: Vec<i64> = (answer["ids"].as_array().unwrap().iter())
        .map(|id| id.as_i64().unwrap())
        .collect();
    ids.sort();
    assert_eq!(ids, [20, 22, 24, 26, 28, 30, 32, 34, 36, 38]);
    assert_eq!(run(&desk, &["count", "db", "--where", filter]).1, "10\n");
    assert_eq!(run(&desk, &["count", "db"]).1, "40\n");
    let counted = &desk.run("count db --json").json()[0];
    assert_eq!(
        counted,
        &serde_json::json!({"collection": "default", "count": 40})
    );
    let near = desk.run("search db --query q.npy --max-distance 0 --json");
    assert_eq!(near.json()[0]["ids"], serde_json::json!([0]));
}

#[test]
fn each_query_has_a_filter_of_its_own() {
    let desk = films();
    desk.write("q2.npy", npy_f32(&points(3, 3)));
    desk.write(
        "filters.txt",
        "lang = 'de' AND year < 2004\n\nyear < 2010\n",
    );
    let each = "search db --query q2.npy --where-each filters.txt -k 40 --json";
    let ids = |line: &str| -> Vec<Vec<i64>> {
        let ids = |answer: &serde_json::Value| {
            let ids = answer["ids"].as_array().unwrap().iter();
            let mut ids: Vec<i64> = ids.map(|id| id.as_i64().unwrap()).collect();
            ids.sort();
            ids
        };
        desk.run(line).json().iter().map(ids).collect()
    };
    let all: Vec<i64> = (0..40).collect();
    assert_eq!(ids(each), [&[1, 3][..], &all, &all[..10]]);
    let both = format!("{each} --where year>=2002");
    assert_eq!(ids(&both), [&[3][..], &all[2..], &all[2..10]]);

    for (text, problem) in [
        ("year < 2004\n", "1"),
        ("\n\nyear <\n", "line 3"),
        ("\n\n\n\n", "more than 3"),
    ] {
        desk.write("filters.txt", text);
        let refused = desk.run(each);
        assert_ne!(refused.code, 0, "{text}");
        assert!(refused.err.contains(problem), "{}", refused.err);
    }
    assert_eq!(desk.run(&format!("{each} --explain")).code, 2);
}

#[test]
fn words_are_found_alone_and_with_queries() {
    let desk = films();
    let alone = desk
        .run("search db --text EN --fields lang,year -k 3 --json")
        .json();
    assert_eq!(alone[0]["ids"], serde_json::json!([0, 2, 4]));
    assert_eq!(alone[0]["scores"], alone[0]["text_scores"]);
    assert_eq!(alone[0]["distances"], serde_json::json!([null, null, null]));
    let both = "search db --text de --fields lang --query q.npy --where year>=2002";
    let both = desk.run(&format!("{both} --fusion 0,1 -k 2 --json")).json();
    assert_eq!(both[0]["ids"], serde_json::json!([3, 5]));
    assert!(both[0]["distances"][0].as_f64().unwrap() > 0.0);
    let table = desk.run("search db --text en --fields lang -k 1").out;
    assert!(
        table.starts_with(" query  rank       score  text score "),
        "{table}"
    );
    assert_eq!(table.lines().count(), 2);
    assert!(table.contains("   -  0"), "{table}");
    assert_eq!(
        desk.run("search db --text en --query q.npy --fusion best")
            .code,
        2
    );
    assert_eq!(
        desk.run("search db --text en --query q.npy --fusion -1,1")
            .code,
        2
    );
    assert_eq!(desk.run("search db").code, 2);
    assert_eq!(
        desk.run("search db --text en --json").json()[0]["ids"],
        serde_json::json!([])
    );
}

#[test]
fn what_is_no_filter_is_a_usage_error() {
    let desk = films();
    for (filter, problem) in [
        ("lang = ", "a value is needed, not the end"),
        ("lang = :l", "there is no parameter"),
        ("", "empty"),
    ] {
        for verb in [&["count", "db"][..], &["search", "db", "--query", "q.npy"]] {
            let (code, out, err) = run(&desk, &[verb, &["--where", filter]].concat());
            assert_eq!((code, out.as_str()), (2, ""), "{filter}");
            assert!(err.contains(problem), "{err}");
        }
    }
    let (code, _, err) = run(&desk, &["count", "db", "--collection", "other"]);
    assert_eq!(code, 3, "{err}");
}

/// It is not an error: the answer is the same as ever.
#[test]
fn fields_that_no_record_has_are_told() {
    let desk = films();
    desk.write("filters.txt", "lnag = 'de'\n");
    let told = "proxime: note: no record has the field lnag; some have lang, year\n";
    for (line, out) in [
        ("count db --where lnag='en'", "0\n"),
        ("count db --where lnag!='en'", "40\n"),
        ("facets db lnag", ""),
        ("scroll db --where lnag='en'", ""),
        (
            "search db --query q.npy --where lnag='en' --json",
            "{\"query\":0,\"ids\":[],\"distances\":[],\"metadata\":[]}\n",
        ),
        (
            "search db --query q.npy --where-each filters.txt --json",
            "{\"query\":0,\"ids\":[],\"distances\":[],\"metadata\":[]}\n",
        ),
        ("search db --query q.npy --group-by lnag --json", ""),
        ("export db - --where lnag='en'", ""),
        (
            "delete db --where lnag='en'",
            "default: 0 records deleted, 40 records left\n",
        ),
    ] {
        let ran = desk.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (0, out), "{line}");
        assert!(ran.err.starts_with(told), "{line}: {}", ran.err);
    }
    let sorted = desk.run("scroll db --order-by lnag --limit 1");
    assert_eq!((sorted.err.as_str(), sorted.out.lines().count()), (told, 1));
    let words = desk.run("search db --text en");
    let of_words = "proxime: note: no record has the field text; some have year, lang\n";
    assert_eq!((words.code, words.err.as_str()), (0, of_words));

    assert_eq!(
        desk.run("count db --where lang='fr'").err,
        "",
        "rare, not unknown"
    );
    assert_eq!(desk.run("facets db year").err, "");
    desk.run("delete db --where year>=2000").ok();
    assert_eq!(
        desk.run("count db --where lnag='en'").err,
        "",
        "there is nothing to have it"
    );
}
