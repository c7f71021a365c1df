//! Reads by id and page by page agree with a map, whatever is written in between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proxime::{Batch, Collection, Key, Metadata};

use super::naive::{Tree, any_tree, metadata};
use crate::support::{in_memory, points, rows};

type Model = BTreeMap<Key, Metadata>;

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (-9..30i64).prop_map(Key::Int),
        "[ab]{0,3}".prop_map(Key::Text)
    ]
}

fn upsert(c: &Collection, model: &mut Model, records: &[(Key, Metadata)]) {
    let data = points(records.len(), 2);
    let (ids, metadata): (Vec<_>, Vec<_>) = records.iter().cloned().unzip();
    let vectors = rows(&data, 2);
    c.upsert(Batch::new(ids, &vectors).metadata(metadata))
        .unwrap();
    model.extend(records.iter().cloned());
}

/// All pages, one after the other.
fn scrolled(c: &Collection, limit: usize, filter: Option<&Tree>) -> Vec<(Key, Metadata)> {
    let (filter, mut all, mut after) = (filter.map(Tree::built), Vec::new(), None);
    loop {
        let page = c.scroll(after.as_ref(), limit, filter.as_ref()).unwrap();
        let full = page.len() == limit;
        all.extend(page.into_iter().map(|record| (record.id, record.metadata)));
        match full {
            true => after = all.last().map(|(id, _)| id.clone()),
            false => return all,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn like_a_map(
        batches in prop::collection::vec(prop::collection::vec((key(), metadata()), 1..12), 1..5),
        asked in prop::collection::vec(key(), 0..20),
        tree in any_tree(),
        limit in 1..9usize,
    ) {
        let (_db, c) = in_memory(2);
        let mut model = Model::new();
        batches.iter().for_each(|batch| upsert(&c, &mut model, batch));
        let found = c.get_many(&asked).unwrap();
        let found: Vec<_> = found.into_iter().map(|record| record.map(|r| (r.id, r.metadata))).collect();
        let truth: Vec<_> = asked.iter().map(|id| Some((id.clone(), model.get(id)?.clone()))).collect();
        prop_assert_eq!(found, truth);
        let there: Vec<bool> = asked.iter().map(|id| model.contains_key(id)).collect();
        prop_assert_eq!(c.exist(&asked).unwrap(), there);

        let all: Vec<_> = model.clone().into_iter().collect();
        prop_assert_eq!(scrolled(&c, limit, None), &all[..]);
        let matching = all.into_iter().filter(|(_, metadata)| tree.matches(metadata));
        prop_assert_eq!(scrolled(&c, limit, Some(&tree)), matching.collect::<Vec<_>>());
        prop_assert!(c.scroll(None, 0, None).unwrap().is_empty());
    }

    /// What is there before and after comes once, in order; what comes at all was there at some time.
    #[test]
    fn pages_survive_writes(
        first in prop::collection::btree_map(key(), metadata(), 5..30),
        second in prop::collection::btree_map(key(), metadata(), 1..20),
        gone in prop::collection::vec(key(), 0..10),
        limit in 1..9usize,
    ) {
        let (_db, c) = in_memory(2);
        let mut model = Model::new();
        upsert(&c, &mut model, &first.clone().into_iter().collect::<Vec<_>>());
        let start: Vec<Key> = c.scroll(None, limit, None).unwrap().into_iter().map(|r| r.id).collect();
        upsert(&c, &mut model, &second.clone().into_iter().collect::<Vec<_>>());
        c.delete(&gone).unwrap();
        let rest = c.scroll(start.last(), 1000, None).unwrap();
        let seen: Vec<Key> = start.into_iter().chain(rest.into_iter().map(|r| r.id)).collect();
        prop_assert!(seen.is_sorted_by(|a, b| a < b));
        prop_assert!(seen.iter().all(|id| model.contains_key(id)));
        prop_assert!(first.keys().filter(|id| !gone.contains(id)).all(|id| seen.contains(id)));
    }
}
