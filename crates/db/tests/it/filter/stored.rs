//! Searches from stored records and in groups agree with loops over a map, and sorted pages and facets with it, too.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proxime::{
    Batch, Collection, Error, GroupBy, Key, Metadata, OrderBy, Presence, SearchOptions, Value,
};

use super::naive::{Tree, any_tree, metadata};
use crate::support::{ids, in_memory, int_ids, points, rows};

type Records = BTreeMap<i64, ([f32; 2], Metadata)>;

/// Small integers: many ties, no rounding. Later batches replace records, the last deletes some.
fn filled(
    batches: &[Vec<(i64, [i8; 2], Metadata)>],
    gone: &[i64],
) -> (proxime::Database, Collection, Records) {
    let (db, c) = in_memory(2);
    let mut model = Records::new();
    for batch in batches {
        let batch: BTreeMap<i64, _> = (batch.iter())
            .map(|(id, [x, y], metadata)| (*id, ([f32::from(*x), f32::from(*y)], metadata.clone())))
            .collect();
        let data: Vec<f32> = batch.values().flat_map(|(vector, _)| *vector).collect();
        let keys = batch.keys().copied().map(Key::Int).collect();
        let metadata = batch
            .values()
            .map(|(_, metadata)| metadata.clone())
            .collect();
        c.upsert(Batch::new(keys, &rows(&data, 2)).metadata(metadata))
            .unwrap();
        model.extend(batch);
    }
    c.delete(&gone.iter().copied().map(Key::Int).collect::<Vec<_>>())
        .unwrap();
    gone.iter().for_each(|id| _ = model.remove(id));
    (db, c, model)
}

fn batches() -> impl Strategy<Value = Vec<Vec<(i64, [i8; 2], Metadata)>>> {
    let record = (0..40i64, [-4..5i8, -4..5i8], metadata());
    prop::collection::vec(prop::collection::vec(record, 1..20), 1..4)
}

/// Ids of the records that match, nearest first, ties by id.
fn brute(model: &Records, query: [f32; 2], tree: &Tree) -> Vec<i64> {
    let distance = |v: &[f32; 2]| (v[0] - query[0]).powi(2) + (v[1] - query[1]).powi(2);
    let matching = model
        .iter()
        .filter(|(_, (_, metadata))| tree.matches(metadata));
    let mut found: Vec<_> = matching
        .map(|(id, (vector, _))| (distance(vector), *id))
        .collect();
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    found.into_iter().map(|(_, id)| id).collect()
}

fn keys(ids: impl IntoIterator<Item = i64>) -> Vec<Key> {
    ids.into_iter().map(Key::Int).collect()
}

/// The place of a value's type in the order, and its place among those.
fn order(value: &Value) -> Option<(u8, f64, String)> {
    Some(match value {
        Value::Bool(b) => (1, f64::from(u8::from(*b)), String::new()),
        Value::Int(i) => (2, *i as f64, String::new()),
        Value::Float(x) => (2, *x, String::new()),
        Value::Text(text) => (3, 0.0, text.clone()),
        Value::Time(micros) => (4, *micros as f64, String::new()),
        Value::Bytes(bytes) => (5, 0.0, bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn from_stored_records(batches in batches(), gone in prop::collection::vec(0..40i64, 0..5), tree in any_tree(), k in 0..12usize) {
        let (_db, c, model) = filled(&batches, &gone);
        let options = SearchOptions::k(k).filter(tree.built());
        let all: Vec<i64> = model.keys().copied().collect();
        let found = c.search_by_id(&keys(all.clone()), &options).unwrap();
        for (query, id) in all.iter().enumerate() {
            let others = brute(&model, model[id].0, &tree).into_iter().filter(|other| other != id);
            prop_assert_eq!(ids(&found, query), keys(others.take(k)));
        }
        let [liked, disliked] = [(0, 2), (1, 4)].map(|(first, step)| {
            let some = all.iter().copied().skip(first).step_by(step);
            some.take(4).collect::<Vec<_>>()
        });
        // Means of a power of two of small integers are exact.
        if [1, 2, 4].contains(&liked.len()) && [0, 1, 2, 4].contains(&disliked.len()) {
            let mean = |ids: &[i64], axis: usize| {
                ids.iter().map(|id| model[id].0[axis]).sum::<f32>() / ids.len() as f32
            };
            let query = [0, 1].map(|axis| match disliked.is_empty() {
                true => mean(&liked, axis),
                false => 2.0 * mean(&liked, axis) - mean(&disliked, axis),
            });
            let near = brute(&model, query, &tree).into_iter();
            let near = near.filter(|id| !liked.contains(id) && !disliked.contains(id)).take(k);
            let found = c.recommend(&keys(liked.clone()), &keys(disliked.clone()), &options).unwrap();
            prop_assert_eq!(ids(&found, 0), keys(near));
        }
    }

    #[test]
    fn why_not(batches in batches(), gone in prop::collection::vec(0..40i64, 0..5), first in any_tree(), second in any_tree(), k in 0..12usize, reach in 0..60u8) {
        let (_db, c, model) = filled(&batches, &gone);
        let both = Tree::And(vec![first.clone(), second.clone()]);
        let reach = f32::from(reach);
        let options = SearchOptions { max_distance: Some(reach), ..SearchOptions::k(k).filter(both.built()) };
        let near = brute(&model, [1.0, 2.0], &both);
        let all = brute(&model, [1.0, 2.0], &Tree::Or(vec![both.clone(), Tree::Not(Box::new(both.clone()))]));
        for id in 0..40 {
            let why = c.why_not(&[1.0, 2.0], &Key::Int(id), &options).unwrap();
            let Some((vector, metadata)) = model.get(&id) else {
                prop_assert!(why.presence != Presence::Stored && why.rank.is_none() && !why.found);
                let was_there = batches.iter().flatten().any(|(other, ..)| *other == id);
                prop_assert!(was_there || why.presence == Presence::Unknown);
                continue;
            };
            let distance = (vector[0] - 1.0).powi(2) + (vector[1] - 2.0).powi(2);
            let matches = both.matches(metadata);
            let place = |list: &[i64]| list.iter().position(|other| *other == id).map(|at| at + 1);
            prop_assert_eq!(why.rank, if matches { place(&near) } else { place(&all) });
            prop_assert_eq!((why.distance, why.too_far), (Some(distance), distance > reach));
            prop_assert_eq!(why.rejected_by.is_empty(), matches);
            let found = matches && distance <= reach && why.rank.unwrap() <= k;
            prop_assert_eq!((why.found, why.ef.is_some()), (found, matches && distance <= reach));
        }
    }

    #[test]
    fn in_groups(batches in batches(), gone in prop::collection::vec(0..40i64, 0..5), tree in any_tree(), k in 0..6usize, size in 1..4usize) {
        let (_db, c, model) = filled(&batches, &gone);
        let near = brute(&model, [1.0, 2.0], &tree);
        let mut truth: Vec<((u8, f64, String), Vec<i64>)> = Vec::new();
        for id in near {
            let Some(value) = model[&id].1.get("a").and_then(order) else { continue };
            match truth.iter_mut().find(|(other, _)| *other == value) {
                Some((_, group)) => group.push(id),
                None => truth.push((value, vec![id])),
            }
        }
        truth.truncate(k);
        let by = GroupBy { field: "a".to_owned(), size };
        let found = c.search_groups(&[1.0, 2.0], &by, &SearchOptions::k(k).filter(tree.built())).unwrap();
        let values: Vec<_> = found.values.iter().map(|value| order(value).unwrap()).collect();
        prop_assert_eq!(values, truth.iter().map(|(value, _)| value.clone()).collect::<Vec<_>>());
        for (group, (_, truth)) in truth.iter().enumerate() {
            prop_assert_eq!(ids(&found.hits, group), keys(truth.iter().copied().take(size)));
        }
    }

    #[test]
    fn sorted_and_counted(batches in batches(), gone in prop::collection::vec(0..40i64, 0..5), tree in any_tree(), limit in 1..9usize, descending in any::<bool>()) {
        let (_db, c, model) = filled(&batches, &gone);
        let filter = tree.built();
        let matching: Vec<_> = model.iter().filter(|(_, (_, metadata))| tree.matches(metadata)).collect();
        let mut truth: Vec<_> = matching.iter().map(|(id, (_, metadata))| (metadata.get("a").and_then(order), **id)).collect();
        truth.sort_by(|(a, x), (b, y)| {
            let by_value = match (a, b) {
                (Some(a), Some(b)) if descending => b.partial_cmp(a).unwrap(),
                (Some(a), Some(b)) => a.partial_cmp(b).unwrap(),
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            by_value.then(x.cmp(y))
        });
        let order_by = OrderBy { field: "a".to_owned(), descending };
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = c.sorted(&order_by, after.as_ref(), limit, Some(&filter)).unwrap();
            seen.extend(page.iter().map(|record| record.id.clone()));
            if page.len() < limit { break }
            after = seen.last().cloned();
        }
        prop_assert_eq!(seen, keys(truth.into_iter().map(|(_, id)| id)));

        let mut counts: Vec<((u8, f64, String), usize)> = Vec::new();
        for (_, (_, metadata)) in matching {
            let values = match metadata.get("a") {
                Some(Value::List(list)) => list.iter().filter_map(order).collect(),
                value => Vec::from_iter(value.and_then(order)),
            };
            let mut own: Vec<(u8, f64, String)> = Vec::new();
            for value in values {
                if !own.contains(&value) {
                    own.push(value.clone());
                    match counts.iter_mut().find(|(other, _)| *other == value) {
                        Some((_, count)) => *count += 1,
                        None => counts.push((value, 1)),
                    }
                }
            }
        }
        counts.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.partial_cmp(b).unwrap()));
        let found = c.facets("a", Some(&filter)).unwrap();
        let found: Vec<_> = found.iter().map(|(value, count)| (order(value).unwrap(), *count)).collect();
        prop_assert_eq!(found, counts);
    }
}

/// Half of all records, and the nearest of them, share one value: the other groups are found all the same, by graph.
#[test]
fn one_large_group_leaves_room_for_others() {
    let (_db, c) = in_memory(2);
    let data = points(2000, 2);
    let doc = |i: usize| if i < 1000 { 0 } else { i as i64 % 20 };
    let mut order: Vec<usize> = (0..2000).collect();
    let distance = |i: usize| data[2 * i].powi(2) + data[2 * i + 1].powi(2);
    order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let mut metadata = vec![Metadata::new(); 2000];
    for (place, &row) in order.iter().enumerate() {
        metadata[row] = crate::support::object([("doc", Value::Int(doc(place)))]);
    }
    c.upsert(Batch::new(int_ids(2000), &rows(&data, 2)).metadata(metadata))
        .unwrap();
    let by = GroupBy {
        field: "doc".to_owned(),
        size: 2,
    };
    let found = c
        .search_groups(&[0.0, 0.0], &by, &SearchOptions::k(30))
        .unwrap();
    let docs: BTreeSet<String> = found
        .values
        .iter()
        .map(|value| format!("{value:?}"))
        .collect();
    assert_eq!(
        (found.values.len(), docs.len(), found.hits.queries()),
        (20, 20, 20)
    );
    assert_eq!(found.values[0], Value::Int(0));
    assert!((0..20).all(|group| found.hits.hits(group).len() == 2));
}

#[test]
fn what_is_not_there_is_refused() {
    let (_db, c, _) = filled(&[vec![(1, [1, 2], Metadata::new())]], &[]);
    let options = SearchOptions::default();
    let missing = |error| {
        matches!(
            error,
            Error::IdNotFound {
                id: Key::Int(7),
                row: 1
            }
        )
    };
    let ids = [Key::Int(1), Key::Int(7)];
    assert!(missing(c.search_by_id(&ids, &options).unwrap_err()));
    assert!(missing(c.recommend(&ids, &[], &options).unwrap_err()));
    assert!(missing(c.recommend(&ids[..1], &ids, &options).unwrap_err()));
    let none = c.recommend(&[], &ids, &options).unwrap_err();
    assert_eq!(
        none.to_string(),
        "positive = []; it must be at least one id"
    );
    let by = GroupBy {
        field: "a".to_owned(),
        size: 0,
    };
    let none = c.search_groups(&[0.0, 0.0], &by, &options).unwrap_err();
    assert_eq!(none.to_string(), "group_size = 0; it must be at least 1");
    let order = OrderBy::ascending("a");
    assert!(c.sorted(&order, Some(&Key::Int(7)), 1, None).is_err());
    assert!(c.facets("a\\", None).is_err());
}
