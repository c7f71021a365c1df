//! Dictionary, text and Rust make the same filter of the same meaning.

use proptest::prelude::*;
use proxime::{Filter, Metadata, Value, field};
use serde_json::json;

use super::naive::tree;
use crate::support::object;

fn parse(text: &str) -> Filter {
    Filter::parse(text, &Metadata::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_way_makes_the_same_filter(tree in tree()) {
        let built = tree.built();
        prop_assert_eq!(&Filter::from_json(&tree.json()).unwrap(), &built);
        prop_assert_eq!(&parse(&tree.text()), &built);
        prop_assert_eq!(&parse(&built.to_string()), &built, "{}", built);
    }

    /// A field may be named anything.
    #[test]
    fn names_come_back(names in prop::collection::vec(".{0,5}", 1..4), x in any::<f64>(), text in ".{0,6}") {
        let path: Vec<String> = names
            .iter()
            .map(|name| name.replace('\\', "\\\\").replace('.', "\\.").replace('$', "\\$"))
            .collect();
        let path = path.join(".");
        let number = if x.is_finite() { x } else { 0.5 };
        let filter = field(&path).eq(number) | field(&path).contains(text.clone());
        prop_assert_eq!(&parse(&filter.to_string()), &filter);
        let json = json!({"$or": [{path.clone(): number}, {path.clone(): {"$contains": text}}]});
        prop_assert_eq!(Filter::from_json(&json).unwrap(), filter);
    }
}

#[test]
fn shorthands() {
    let json = |json| Filter::from_json(&json).unwrap();
    let both = field("a").eq(1) & field("b").gt(2) & field("b").lt(5);
    assert_eq!(json(json!({"a": 1, "b": {"$gt": 2, "$lt": 5}})), both);
    assert_eq!(parse("a = 1 AND (b > 2 AND b < 5)"), both);
    assert_eq!(json(json!({"a": {"$not": {"$gt": 2}}})), !field("a").gt(2));
    assert_eq!(parse("a IS NULL"), field("a").eq(Value::Null));
    assert_eq!(
        parse("not a is null or b IS NOT NULL"),
        field("a").ne(Value::Null) | field("b").ne(Value::Null)
    );
    assert_eq!(
        parse("a = 1 OR b = 1 AND NOT c = 1"),
        field("a").eq(1) | (field("b").eq(1) & !field("c").eq(1))
    );
    assert_eq!(
        parse("\"order by\".\"a.b\" != 'it''s'"),
        field("order by.a\\.b").ne("it's")
    );
    assert_eq!(parse("x IN ()"), field("x").is_in([]));
    assert_eq!(parse("x = -1e3"), field("x").eq(-1000));
}

#[test]
fn parameters() {
    let list = Value::List(vec!["a".into(), "b".into()]);
    let given = object([("l", "x' OR 1 = 1".into()), ("years", list)]);
    let filter = Filter::parse("lang = :l AND tag IN :years", &given).unwrap();
    let built = field("lang").eq("x' OR 1 = 1") & field("tag").is_in(["a".into(), "b".into()]);
    assert_eq!(filter, built);
    let problem = |text: &str| Filter::parse(text, &given).unwrap_err().to_string();
    assert_eq!(problem("a = :l"), "filter: parameter \"years\" is not used");
    assert_eq!(
        problem("a = :m"),
        "filter at byte 4: there is no parameter \"m\""
    );
    assert_eq!(
        problem("a IN :l"),
        "filter at byte 5: a list is needed, not a text"
    );
    assert_eq!(
        problem("a IN :years AND b = :years"),
        "filter at byte 16: a single value is needed, not a list"
    );
}
