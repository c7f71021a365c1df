//! `bench`, `tune` and `doctor`: their tables and reports, and what they say of themselves.

use std::fs;

use serde_json::Value;

use crate::support::{Desk, npy_f32, points};

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 24)));
    desk.write("q.npy", npy_f32(&points(3_100, 24)[3_000..]));
    desk.run("import db x.npy").ok();
    desk
}

#[test]
fn bench_measures_recall_beside_speed() {
    let desk = desk();
    let lines = desk
        .run("bench db --query q.npy --ef 10,400 --queries 60 --json")
        .json();
    let efs: Vec<&Value> = lines.iter().map(|line| &line["ef"]).collect();
    assert_eq!(efs, [&Value::from(10), &Value::from(400), &Value::Null]);
    let recalls: Vec<f64> = lines
        .iter()
        .map(|line| line["recall"].as_f64().unwrap())
        .collect();
    assert!(recalls[0] < recalls[1] && recalls[1] > 0.98, "{recalls:?}");
    assert_eq!(recalls[2], 1.0, "exact");
    for line in &lines {
        let of = |name: &str| line[name].as_f64().unwrap();
        assert!(0.0 < of("p50_us") && of("p50_us") <= of("p99_us") && of("queries_per_s") > 0.0);
    }
    let table = desk.run("bench db --query q.npy --ef 50 --queries 20").ok();
    assert!(
        table.starts_with("20 queries of 3,000 records, k = 10\n     ef   recall"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 4);
}

#[test]
fn what_finds_nothing_is_not_measured() {
    let desk = desk();
    for verb in ["bench", "tune"] {
        let ran = desk.run(&format!("{verb} db --query q.npy --where n>1"));
        assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{ran:?}");
        assert_eq!(
            ran.err,
            "proxime: note: no record has the field n\n\
             proxime: there are no queries, or no records to find: nothing can be measured\n"
        );
    }
}

#[test]
fn tune_finds_the_narrowest_beam_or_says_that_there_is_none() {
    let desk = desk();
    let report = &desk.run("tune db --query q.npy --recall 0.9 --json").json()[0];
    let ef = report["ef"].as_u64().unwrap();
    let tried = report["tried"].as_array().unwrap();
    let chosen = tried.iter().find(|m| m["ef"] == ef).unwrap();
    assert!(chosen["recall"].as_f64().unwrap() >= 0.9);
    if ef > 10 {
        let narrower = format!("bench db --query q.npy --ef {} --json", ef - 1);
        assert!(desk.run(&narrower).json()[0]["recall"].as_f64().unwrap() < 0.9);
    }
    let said = desk.run("tune db --query q.npy --recall 0.9").ok();
    assert!(
        said.lines()
            .last()
            .unwrap()
            .starts_with(&format!("use ef = {ef}: recall 0.9")),
        "{said}"
    );
    let slow = desk.run("tune db --query q.npy --recall 0.9 --p99-us 0.001");
    assert_eq!(slow.code, 1);
    assert!(
        slow.out
            .ends_with("ask for less recall, or for more time\n"),
        "{slow:?}"
    );
    for (line, code) in [
        ("--recall 1.5", 2),
        ("--recall nan", 2),
        ("--queries 0", 2),
        ("-k 0", 2),
    ] {
        assert_eq!(
            desk.run(&format!("tune db --query q.npy {line}")).code,
            code,
            "{line}"
        );
    }
    desk.write("none.npy", npy_f32(&[]));
    let nothing = desk.run("bench db --query none.npy");
    assert_eq!(nothing.code, 6, "{nothing:?}");
}

#[test]
fn doctor_looks_at_kernels_and_disk_and_leaves_nothing() {
    let desk = Desk::new();
    fs::create_dir(desk.path("here")).unwrap();
    let report = &desk.run("doctor here --json").json()[0];
    assert_eq!(report["ok"], true);
    let findings = report["findings"].as_array().unwrap();
    let topics = |topic: &str| findings.iter().filter(|f| f["topic"] == topic).count();
    for topic in [
        "processor",
        "huge pages",
        "memory",
        "file system",
        "sync",
        "disk",
    ] {
        assert_eq!(topics(topic), 1, "{topic}");
    }
    assert!(topics("kernels") >= 1);
    assert!(
        findings
            .iter()
            .all(|f| f["ok"] == true || f["advice"].is_string())
    );
    assert_eq!(fs::read_dir(desk.path("here")).unwrap().count(), 0);
    let chosen = desk
        .command(&["doctor", "here"])
        .env("PROXIME_ISA", "scalar")
        .output()
        .unwrap();
    let said = String::from_utf8(chosen.stdout).unwrap();
    assert!(
        said.contains("kernels for scalar") && said.contains("PROXIME_ISA=scalar"),
        "{said}"
    );
    assert_eq!(desk.run("doctor nowhere").code, 3);
}
