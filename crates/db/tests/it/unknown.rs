//! Which fields of a filter no record has, and what else it may have meant.

use proxime::{
    Batch, Collection, FieldType, Filter, Key, Metadata, Schema, SearchOptions, Value, field,
};

use crate::support::{in_memory, l2, object, rows};

fn upsert(c: &Collection, id: i64, metadata: Metadata) {
    let vector = rows(&[1.0, 0.0], 2);
    c.upsert(Batch::new(vec![Key::Int(id)], &vector).metadata(vec![metadata]))
        .unwrap();
}

fn told(c: &Collection, filter: &Filter) -> Vec<String> {
    let unknown = c.unknown_fields([filter]).unwrap();
    unknown.iter().map(ToString::to_string).collect()
}

const NOBODY: [&str; 0] = [];

#[test]
fn fields_are_those_of_records_that_count() {
    let (db, c) = in_memory(2);
    let lang = field("lang").eq("en");
    assert_eq!(told(&c, &lang), NOBODY, "there are no records");
    upsert(&c, 1, Metadata::new());
    assert_eq!(told(&c, &lang), ["no record has the field lang"]);
    upsert(&c, 2, object([("lang", Value::Null)]));
    assert_eq!(told(&c, &lang), NOBODY, "null is there");
    upsert(&c, 2, object([("year", Value::Int(1))]));
    let gone = "no record has the field lang; some have year";
    assert_eq!(told(&c, &lang), [gone], "it was replaced");
    upsert(&c, 3, object([("lang", Value::from("en"))]));
    c.delete(&[Key::Int(3)]).unwrap();
    assert_eq!(told(&c, &lang), [gone], "it was deleted");

    let schema = Schema::new().optional("lang", FieldType::Text);
    let c = db.create_collection("s", l2(2).schema(schema)).unwrap();
    upsert(&c, 1, Metadata::new());
    assert_eq!(told(&c, &lang), NOBODY, "the schema names it");
    let lnag = field("lnag").eq("en");
    assert_eq!(
        told(&c, &lnag),
        ["no record has the field lnag; some have lang"]
    );
}

#[test]
fn every_condition_is_looked_at_and_every_object() {
    let (_db, c) = in_memory(2);
    let inner = |name: &str| Value::Object(object([(name, Value::Int(1))]));
    upsert(
        &c,
        1,
        object([
            ("outer", inner("a")),
            ("list", Value::List(vec![inner("b")])),
        ]),
    );
    upsert(&c, 2, object([("a.b", Value::Int(1))]));
    let there = field("outer.a").ge(1) & field("outer").exists() & field(r"a\.b").eq(1);
    assert_eq!(told(&c, &there), NOBODY);
    let filter = !(field("x").lt(3) | field("y").contains("z")) & (field("x").eq(1) | there);
    assert_eq!(
        told(&c, &filter),
        [
            "no record has the field x; some have list, \"a.b\", outer, outer.a",
            "no record has the field y; some have list, \"a.b\", outer, outer.a",
        ]
    );
    let inside = ["list.b", "outer.a.c", "a.b"].map(|path| told(&c, &field(path).eq(1)).len());
    assert_eq!(inside, [1, 1, 1], "paths lead through objects only");
    assert!(c.unknown_fields([&field("a\\").eq(1)]).is_err());
}

#[test]
fn explain_and_why_not_tell_too() {
    let (_db, c) = in_memory(2);
    upsert(&c, 1, object([("lang", Value::from("en"))]));
    let options = SearchOptions::default().filter(field("lnag").eq("en"));
    let unknown = c.unknown_fields(&options.filter).unwrap();
    assert_eq!(
        (unknown[0].field.as_str(), &unknown[0].there[..]),
        ("lnag", &["lang".to_owned()][..])
    );
    let (_, how) = c.explain(rows(&[1.0, 0.0], 2), &options).unwrap();
    assert_eq!(how.unknown_fields, unknown);
    for id in [1, 2] {
        let why = c.why_not(&[1.0, 0.0], &Key::Int(id), &options).unwrap();
        assert_eq!(why.unknown_fields, unknown);
    }
}

/// Of a field that one record in many has, nothing is told, and with many records only some are asked for theirs.
#[test]
fn rare_fields_are_known() {
    let (_db, c) = in_memory(2);
    let n = 3_000;
    let vectors: Vec<f32> = (0..n).flat_map(|i| [1.0, i as f32]).collect();
    let metadata = |i: i64| match i {
        2_999 => object([("rare", Value::Int(1))]),
        _ => object([("common", Value::Int(i))]),
    };
    let ids = (0..n).map(Key::Int).collect();
    let vectors = rows(&vectors, 2);
    c.upsert(Batch::new(ids, &vectors).metadata((0..n).map(metadata).collect()))
        .unwrap();
    assert_eq!(told(&c, &field("rare").eq(1)), NOBODY);
    assert_eq!(
        told(&c, &field("rear").eq(1)),
        ["no record has the field rear; some have common"]
    );
}
