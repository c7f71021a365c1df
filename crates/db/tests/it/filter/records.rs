//! What a filter is true of is what the naive reading of it says, record by record.

use proptest::prelude::*;
use proxime::{Batch, Collection, Database, Error, Key, Metadata, Value, field};

use super::naive::{Tree, any_tree, metadata};
use crate::support::{in_memory, object, points, rows};

fn upsert(c: &Collection, first: i64, metadata: &[Metadata]) {
    let data = points(metadata.len(), 2);
    let ids = (first..).take(metadata.len()).map(Key::Int).collect();
    let vectors = rows(&data, 2);
    c.upsert(Batch::new(ids, &vectors).metadata(metadata.to_vec()))
        .unwrap();
}

fn matching(tree: &Tree, records: &[Metadata]) -> usize {
    records.iter().filter(|record| tree.matches(record)).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn count_is_what_a_loop_counts(
        first in prop::collection::vec(metadata(), 1..30),
        second in prop::collection::vec(metadata(), 1..10),
        trees in prop::collection::vec(any_tree(), 1..12),
    ) {
        let (_db, c) = in_memory(2);
        upsert(&c, 0, &first);
        for tree in &trees {
            prop_assert_eq!(c.count(&tree.built()).unwrap(), matching(tree, &first), "{}", tree.built());
        }
        // The second batch replaces records from the middle of the first on.
        let middle = first.len() / 2;
        upsert(&c, middle as i64, &second);
        let mut records = first;
        records.splice(middle..records.len().min(middle + second.len()), second);
        for tree in &trees {
            prop_assert_eq!(c.count(&tree.built()).unwrap(), matching(tree, &records), "{}", tree.built());
        }
    }
}

#[test]
fn records_without_metadata_have_no_fields() {
    let (_db, c) = in_memory(2);
    let data = points(3, 2);
    let vectors = rows(&data, 2);
    c.upsert(Batch::new((0..3).map(Key::Int).collect(), &vectors))
        .unwrap();
    assert_eq!(c.count(&field("a").eq(Value::Null)).unwrap(), 3);
    assert_eq!(c.count(&field("a").exists()).unwrap(), 0);
    assert_eq!(c.count(&field("a").ne(1)).unwrap(), 3);
    assert_eq!(c.count(&!field("a").gt(1)).unwrap(), 3);
}

#[test]
fn types_are_exact() {
    let (_db, c) = in_memory(2);
    let big = (1i64 << 53) + 1;
    let values = [
        Value::Bool(true),
        Value::Int(1),
        Value::Float(1.0),
        Value::from("1"),
        Value::Int(big),
        Value::List(vec![Value::Int(1), Value::Bool(true)]),
    ];
    let records: Vec<Metadata> = values.iter().map(|v| object([("a", v.clone())])).collect();
    upsert(&c, 0, &records);
    let count = |filter| c.count(&filter).unwrap();
    assert_eq!(count(field("a").eq(true)), 1);
    assert_eq!(count(field("a").eq(1)), 2, "1 and 1.0");
    assert_eq!(count(field("a").eq("1")), 1);
    assert_eq!(
        count(field("a").eq((big - 1) as f64)),
        0,
        "exactly, not as floats"
    );
    assert_eq!(count(field("a").gt((big - 1) as f64)), 1);
    assert_eq!(count(field("a").contains(true)), 1);
    assert_eq!(count(field("a").contains("1")), 1);
}

#[test]
fn a_wrong_filter_is_an_error_even_where_there_is_nothing_to_filter() {
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", crate::support::l2(2)).unwrap();
    let error = c.count(&field("a").gt(true)).unwrap_err();
    assert!(matches!(error, Error::Filter(_)), "{error}");
}
