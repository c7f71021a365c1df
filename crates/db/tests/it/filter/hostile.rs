//! What is no filter is refused by place and reason, and nothing that is refused ever matches.

use proptest::prelude::*;
use proxime::{Filter, FilterProblem, Metadata, Value, field};
use serde_json::json;

fn text(text: &str) -> String {
    Filter::parse(text, &Metadata::new())
        .unwrap_err()
        .to_string()
}

#[test]
fn dictionaries_that_say_nothing_or_the_wrong_thing() {
    let problem = |json| Filter::from_json(&json).unwrap_err().to_string();
    for empty in [
        json!({}),
        json!({"$and": []}),
        json!({"a": {}}),
        json!({"$not": {}}),
    ] {
        assert!(problem(empty.clone()).contains("empty"), "{empty}");
    }
    assert_eq!(
        problem(json!({"$or": [{"a": 1}, {"b": {"$regex": "x"}}]}))
            .split(';')
            .next(),
        Some("filter.$or[1].b.$regex: there is no operator \"$regex\"")
    );
    assert!(problem(json!({"$nor": []})).starts_with("filter.$nor: there is no operator"));
    assert_eq!(
        problem(json!({"a": [1]})),
        "filter.a: a single value is needed, not a list"
    );
    assert_eq!(
        problem(json!({"a": {"b": 1}})).split(';').next(),
        Some("filter.a.b: there is no operator \"b\"")
    );
    assert_eq!(
        problem(json!({"a": {"$in": 1}})),
        "filter.a.$in: a list is needed, not a number"
    );
    assert_eq!(
        problem(json!({"a": {"$gt": true}})),
        "filter.a.$gt: a boolean is neither less nor greater"
    );
    assert_eq!(
        problem(json!({"a": {"$gt": null}})),
        "filter.a.$gt: null is neither less nor greater"
    );
    assert_eq!(
        problem(json!({"a": {"$exists": 1}})),
        "filter.a.$exists: true or false is needed, not a number"
    );
    assert_eq!(
        problem(json!({"$and": {"a": 1}})),
        "filter.$and: a list of filters is needed, not an object"
    );
    assert_eq!(
        problem(json!({"a\\": 1})),
        "filter.a\\: the field \"a\\\\\" ends with a single \\"
    );
    assert_eq!(
        problem(json!({"a": u64::MAX})),
        "filter.a: 18446744073709551615 does not fit a 64-bit signed integer"
    );
    assert_eq!(
        problem(json!([1])),
        "filter: an object is needed, not a list"
    );
}

#[test]
fn texts_that_are_no_filter() {
    assert_eq!(
        text(" "),
        "filter: empty; leave the filter out to match everything"
    );
    assert_eq!(
        text("a"),
        "filter at byte 1: an operator is needed, not the end"
    );
    assert_eq!(
        text("a = 1 b = 2"),
        "filter at byte 6: AND, OR or the end is needed, not \"b\""
    );
    assert_eq!(
        text("(a = 1"),
        "filter at byte 6: AND, OR or ) is needed, not the end"
    );
    assert_eq!(
        text("a = 'x"),
        "filter at byte 4: a closing quote is needed, not the end"
    );
    assert_eq!(
        text("a = b"),
        "filter at byte 4: a value is needed, not \"b\""
    );
    assert_eq!(text("1 = 1"), "filter at byte 0: a field is needed, not 1");
    assert_eq!(
        text("a = 1; drop"),
        "filter at byte 5: a field, a value or an operator is needed, not ';'"
    );
    assert_eq!(
        text("a > NULL"),
        "filter at byte 0: null is neither less nor greater"
    );
    assert_eq!(
        text("a = 1e999"),
        "filter at byte 4: inf is not a finite number"
    );
    assert_eq!(
        text("a = 12x"),
        "filter at byte 4: a number is needed, not \"12x\""
    );
    assert_eq!(
        text("a = 9223372036854775808"),
        "filter at byte 4: 9223372036854775808 does not fit a 64-bit signed integer"
    );
    assert_eq!(
        text("a NOT = 1"),
        "filter at byte 6: IN or CONTAINS is needed, not ="
    );
    assert_eq!(
        text("a.and = 1"),
        "filter at byte 2: a field is needed, not \"and\""
    );
}

#[test]
fn what_is_too_large_is_refused_on_every_way() {
    let leaf = || field("a").eq(1);
    let deep = |n: usize| (1..n).fold(leaf(), |filter, _| !filter);
    assert!(deep(32).check().is_ok());
    let problem = |filter: Filter| filter.check().unwrap_err().problem;
    assert_eq!(problem(deep(33)), FilterProblem::Depth);
    assert_eq!(problem(deep(100_000)), FilterProblem::Depth);
    let in_text = |n: usize| format!("{}a = 1{}", "(".repeat(n), ")".repeat(n));
    assert!(Filter::parse(&in_text(31), &Metadata::new()).is_ok());
    assert!(text(&in_text(32)).ends_with("nested deeper than 32"));
    assert!(text(&in_text(1_000_000)).ends_with("nested deeper than 32"));
    assert!(text(&"not ".repeat(1_000_000)).ends_with("nested deeper than 32"));
    let nested = |n: usize| {
        (1..n).fold(
            json!({"a": 1}),
            |inner, _| json!({"$and": [inner, {"b": 1}]}),
        )
    };
    let ored = |n: usize| (1..n).fold(json!({"a": 1}), |inner, _| json!({"$not": inner}));
    assert!(Filter::from_json(&nested(32)).is_ok());
    assert!(Filter::from_json(&ored(32)).is_ok());
    assert_eq!(
        Filter::from_json(&ored(33)).unwrap_err().problem,
        FilterProblem::Depth
    );
    assert_eq!(
        Filter::from_json(&nested(60)).unwrap_err().problem,
        FilterProblem::Depth
    );

    let wide = |n: usize| Filter::any((0..n).map(|_| leaf()));
    assert!(wide(9_999).check().is_ok());
    assert_eq!(problem(wide(10_000)), FilterProblem::Nodes);
    let many = |n: usize| field("a").is_in((0..n as i64).map(Value::Int));
    assert!(many(1_000_000).check().is_ok());
    assert!(matches!(problem(many(1_000_001)), FilterProblem::List(_)));
    let long = "x".repeat(3 << 20);
    assert!(field("a").eq(long.as_str()).check().is_ok());
    let twice = field("a").eq(long.as_str()) & field("b").eq(long.as_str());
    assert!(matches!(problem(twice), FilterProblem::Bytes(_)));
    assert!(text(&" ".repeat((4 << 20) + 1)).contains("bytes of text"));
}

#[test]
fn what_is_wrong_stays_wrong() {
    let wrong = || field("a").gt(true);
    let nan = field("a").eq(f64::NAN).check().unwrap_err();
    assert!(matches!(nan.problem, FilterProblem::NotFinite(_)));
    for filter in [
        !wrong(),
        wrong() | field("b").eq(1),
        field("b").eq(1) & !wrong(),
        Filter::any([]),
    ] {
        assert!(filter.check().is_err(), "{filter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_filter_or_is_not(words in prop::collection::vec(prop::sample::select(vec![
        "a", "NOT", "AND", "OR", "(", ")", "=", "<", "IN", ",", "1", "'x'", "IS", "NULL", ".", ":p", "CONTAINS", "\"q\"", "é", "-",
    ]), 0..12)) {
        if let Ok(filter) = Filter::parse(&words.join(" "), &Metadata::new()) {
            prop_assert_eq!(Filter::parse(&filter.to_string(), &Metadata::new()).unwrap(), filter);
        }
    }

    #[test]
    fn any_characters_are_a_filter_or_are_not(text in ".{0,40}") {
        let _ = Filter::parse(&text, &Metadata::new());
    }
}
