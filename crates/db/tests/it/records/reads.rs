//! Every way to read, and what a loop over a map says that it must give.

use std::cmp::Ordering;

use proptest::prelude::*;
use proxime::{
    Collection, Diversity, Error, GroupBy, Key, Metadata, OrderBy, Record, Results, SearchOptions,
    Value,
};

use super::{Records, Stored, key, of, with_n};
use crate::support::rows;

/// A record: mostly one that is there.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// The so manieth of them, counted on from the first again behind the last.
    There(usize),
    Any(Key),
}

/// What may be found, as searches are told it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    k: usize,
    /// Those whose "n" is so much.
    n: Option<i64>,
    without: Vec<Who>,
    max_distance: Option<f32>,
}

#[derive(Clone, Debug)]
pub(super) enum Read {
    Get(Key),
    Count(i64),
    Scroll(Option<Key>, usize, Option<i64>),
    /// In the order of "n", descending or not.
    Sorted(bool, Option<Who>, usize, Option<i64>),
    /// Of "n".
    Facets(Option<i64>),
    Search([f32; 2], Wanted),
    SearchById(Vec<Who>, Wanted),
    Recommend(Vec<Who>, Vec<Who>, Wanted),
    /// By "n", so many of each.
    Groups([f32; 2], usize, Wanted),
    Diverse([f32; 2], Diversity, Wanted),
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        9 => (0..16usize).prop_map(Who::There),
        1 => key().prop_map(Who::Any),
    ]
}

fn n() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(0..3i64)
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let without = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(who(), 1..3)];
    let max_distance = prop::option::of((0..9i8).prop_map(f32::from));
    (0..6usize, n(), without, max_distance).prop_map(|(k, n, without, max_distance)| Wanted {
        k,
        n,
        without,
        max_distance,
    })
}

/// So many of them that their mean has no rounding.
fn like() -> impl Strategy<Value = Vec<Who>> {
    prop::sample::select(vec![1usize, 2, 4]).prop_flat_map(|n| prop::collection::vec(who(), n))
}

pub(super) fn read() -> impl Strategy<Value = Read> {
    let query = || (0..5i8, 0..5i8).prop_map(|(x, y)| [x.into(), y.into()]);
    let relevance = prop::sample::select(vec![0.0f32, 0.25, 0.5, 1.0]);
    let diversity = (relevance, 0..8usize).prop_map(|(relevance, candidates)| Diversity {
        relevance,
        candidates,
    });
    prop_oneof![
        2 => key().prop_map(Read::Get),
        1 => (0..3i64).prop_map(Read::Count),
        2 => (prop::option::of(key()), 0..6usize, n()).prop_map(|(after, limit, n)| Read::Scroll(after, limit, n)),
        2 => (any::<bool>(), prop::option::of(who()), 0..6usize, n()).prop_map(|(down, after, limit, n)| Read::Sorted(down, after, limit, n)),
        1 => n().prop_map(Read::Facets),
        3 => (query(), wanted()).prop_map(|(query, wanted)| Read::Search(query, wanted)),
        1 => (prop::collection::vec(who(), 0..3), wanted()).prop_map(|(ids, wanted)| Read::SearchById(ids, wanted)),
        2 => (like(), prop_oneof![Just(vec![]), like()], wanted()).prop_map(|(yes, no, wanted)| Read::Recommend(yes, no, wanted)),
        2 => (query(), 1..4usize, wanted()).prop_map(|(query, size, wanted)| Read::Groups(query, size, wanted)),
        2 => (query(), diversity, wanted()).prop_map(|(query, by, wanted)| Read::Diverse(query, by, wanted)),
    ]
}

impl Who {
    fn id(&self, records: &Records) -> Key {
        match self {
            Who::Any(key) => key.clone(),
            Who::There(nth) => {
                let nth = records.keys().nth(nth % records.len().max(1));
                nth.cloned().unwrap_or(Key::Int(0))
            }
        }
    }
}

fn ids(who: &[Who], records: &Records) -> Vec<Key> {
    who.iter().map(|who| who.id(records)).collect()
}

fn has_n(stored: &Stored, n: Option<i64>) -> bool {
    n.is_none_or(|n| stored.1 == of(n))
}

impl Wanted {
    fn options(&self, records: &Records) -> SearchOptions {
        SearchOptions {
            filter: self.n.map(with_n),
            without: ids(&self.without, records),
            max_distance: self.max_distance,
            ..SearchOptions::k(self.k)
        }
    }

    /// All that may be found, nearest first, those equally near in the order of their ids.
    fn all(&self, records: &Records, query: [f32; 2]) -> Vec<(f32, Key)> {
        let without = ids(&self.without, records);
        let all = records
            .iter()
            .map(|(id, stored)| (apart(stored.0, query), id, stored));
        let mut all: Vec<(f32, Key)> = all
            .filter(|(distance, id, stored)| {
                has_n(stored, self.n)
                    && !without.contains(id)
                    && self.max_distance.is_none_or(|max| *distance <= max)
            })
            .map(|(distance, id, _)| (distance, id.clone()))
            .collect();
        // They come in the order of their ids, and stay so.
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// The nearest `k` but for some.
    fn nearest(&self, records: &Records, query: [f32; 2], but: &[Key]) -> Vec<(f32, Key)> {
        let mut all = self.all(records, query);
        all.retain(|(_, id)| !but.contains(id));
        all.truncate(self.k);
        all
    }
}

fn apart(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

fn hits(found: &Results, query: usize) -> Vec<(f32, Key)> {
    let hits = found.hits(query).map(|hit| (hit.distance(), hit.id()));
    hits.collect()
}

fn keys(page: &[Record]) -> Vec<&Key> {
    page.iter().map(|record| &record.id).collect()
}

/// The first of the ids that has no record.
fn missing(ids: &[Key], records: &Records) -> Option<(usize, Key)> {
    let mut ids = ids.iter().cloned().enumerate();
    ids.find(|(_, id)| !records.contains_key(id))
}

/// What was found, or `None` if an id has no record and that was said.
fn unless_missing<T>(outcome: proxime::Result<T>, missing: Option<(usize, Key)>) -> Option<T> {
    match (outcome, missing) {
        (Ok(found), None) => Some(found),
        (Err(Error::IdNotFound { id, row }), Some(expected)) => {
            assert_eq!((row, id), expected);
            None
        }
        (outcome, expected) => panic!("{:?} instead of {expected:?}", outcome.map(drop)),
    }
}

/// The single value of "n", if that is one and not null.
fn value(metadata: &Metadata) -> Option<&Value> {
    let value = metadata.get("n");
    value.filter(|value| matches!(value, Value::Int(_) | Value::Text(_)))
}

/// Numbers before texts.
fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Int(_), _) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// All ids, in the order of "n", then of ids; those without a value last.
fn in_order(records: &Records, descending: bool) -> Vec<&Key> {
    let (mut with, without): (Vec<_>, Vec<_>) = (records.iter())
        .map(|(id, stored)| (id, value(&stored.1)))
        .partition(|(_, value)| value.is_some());
    with.sort_by(|(_, a), (_, b)| {
        let by_value = compare_values(a.unwrap(), b.unwrap());
        if descending {
            by_value.reverse()
        } else {
            by_value
        }
    });
    with.iter().chain(&without).map(|(id, _)| *id).collect()
}

/// Each different value of "n", in lists too, and how many records have it: the most frequent first.
fn facets(records: &Records, n: Option<i64>) -> Vec<(Value, usize)> {
    let has = |stored: &Stored, value: &Value| match stored.1.get("n") {
        Some(Value::List(list)) => list.contains(value),
        single => single == Some(value),
    };
    let values = [0, 1, 2].map(Value::Int).into_iter();
    let mut facets: Vec<(Value, usize)> = values
        .chain([Value::from("3")])
        .map(|value| {
            let records = records.values().filter(|stored| has_n(stored, n));
            let count = records.filter(|stored| has(stored, &value)).count();
            (value, count)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    facets.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    facets
}

/// The groups in the order in which their nearest record comes, each with its nearest.
fn groups(
    records: &Records,
    nearest: Vec<(f32, Key)>,
    (k, size): (usize, usize),
) -> Vec<(Value, Vec<(f32, Key)>)> {
    let mut groups: Vec<(Value, Vec<(f32, Key)>)> = Vec::new();
    for (distance, id) in nearest {
        let Some(value) = value(&records[&id].1) else {
            continue;
        };
        match groups.iter_mut().find(|(of, _)| of == value) {
            Some((_, group)) => group.push((distance, id)),
            None => groups.push((value.clone(), vec![(distance, id)])),
        }
    }
    groups.truncate(k);
    groups
        .iter_mut()
        .for_each(|(_, group)| group.truncate(size));
    groups
}

/// Of the candidates, nearest first, those that differ: at each step the one that costs least, by the definition.
fn diverse(
    records: &Records,
    mut left: Vec<(f32, Key)>,
    (k, relevance): (usize, f32),
) -> Vec<(f32, Key)> {
    let mut chosen: Vec<(f32, Key)> = Vec::new();
    while chosen.len() < k && !left.is_empty() {
        let cost = |(distance, id): &(f32, Key)| {
            let apart = |(_, other): &(f32, Key)| apart(records[id].0, records[other].0);
            let nearest = chosen.iter().map(apart).reduce(f32::min);
            // The first is the nearest to the query.
            nearest.map_or(*distance, |nearest| {
                relevance * distance - (1.0 - relevance) * nearest
            })
        };
        let least = left.iter().map(cost).reduce(f32::min).unwrap();
        let at = left.iter().position(|candidate| cost(candidate) == least);
        chosen.push(left.remove(at.unwrap()));
    }
    chosen
}

fn mean(ids: &[Key], records: &Records) -> [f32; 2] {
    [0, 1].map(|i| {
        let sum: f32 = ids.iter().map(|id| records[id].0[i]).sum();
        sum / ids.len() as f32
    })
}

/// Both give the same.
pub(super) fn check(c: &Collection, records: &Records, read: &Read) {
    match read {
        Read::Get(key) => {
            let found = c.get(key).unwrap();
            let found = found.map(|record| (record.vector, record.metadata, record.version));
            let there = records.get(key);
            let there = there.map(|(v, m, version)| (v.to_vec(), m.clone(), *version));
            assert_eq!(
                c.exist(std::slice::from_ref(key)).unwrap(),
                [there.is_some()]
            );
            assert_eq!(found, there);
        }
        Read::Count(n) => {
            let there = records.values().filter(|stored| has_n(stored, Some(*n)));
            assert_eq!(c.count(&with_n(*n)).unwrap(), there.count());
        }
        Read::Scroll(after, limit, n) => {
            let filter = n.map(with_n);
            let page = c.scroll(after.as_ref(), *limit, filter.as_ref()).unwrap();
            let there = records.iter().filter(|(key, stored)| {
                after.as_ref().is_none_or(|after| *key > after) && has_n(stored, *n)
            });
            let there: Vec<&Key> = there.map(|(key, _)| key).take(*limit).collect();
            assert_eq!(keys(&page), there);
        }
        Read::Sorted(descending, after, limit, n) => {
            let after = after.as_ref().map(|after| after.id(records));
            let order = OrderBy {
                field: "n".to_owned(),
                descending: *descending,
            };
            let filter = n.map(with_n);
            let page = c.sorted(&order, after.as_ref(), *limit, filter.as_ref());
            let cursor = after.as_slice();
            let Some(page) = unless_missing(page, missing(cursor, records)) else {
                return;
            };
            let order = in_order(records, *descending);
            let behind = after.map_or(0, |after| {
                1 + order.iter().position(|id| **id == after).unwrap()
            });
            let there = order.into_iter().skip(behind);
            let there = there.filter(|id| has_n(&records[*id], *n));
            assert_eq!(keys(&page), there.take(*limit).collect::<Vec<_>>());
        }
        Read::Facets(n) => {
            let found = c.facets("n", n.map(with_n).as_ref()).unwrap();
            assert_eq!(found, facets(records, *n));
        }
        _ => check_search(c, records, read),
    }
}

fn check_search(c: &Collection, records: &Records, read: &Read) {
    match read {
        Read::Search(query, wanted) => {
            let found = c.search(rows(query, 2), &wanted.options(records)).unwrap();
            assert_eq!(hits(&found, 0), wanted.nearest(records, *query, &[]));
        }
        Read::SearchById(who, wanted) => {
            let ids = ids(who, records);
            let found = c.search_by_id(&ids, &wanted.options(records));
            let Some(found) = unless_missing(found, missing(&ids, records)) else {
                return;
            };
            for (query, id) in ids.iter().enumerate() {
                let own = std::slice::from_ref(id);
                let there = wanted.nearest(records, records[id].0, own);
                assert_eq!(hits(&found, query), there);
            }
        }
        Read::Recommend(yes, no, wanted) => {
            let (yes, no) = (ids(yes, records), ids(no, records));
            let found = c.recommend(&yes, &no, &wanted.options(records));
            let missing = missing(&yes, records).or_else(|| missing(&no, records));
            let Some(found) = unless_missing(found, missing) else {
                return;
            };
            let to = mean(&yes, records);
            let query = match no.is_empty() {
                true => to,
                false => {
                    let from = mean(&no, records);
                    [0, 1].map(|i| to[i] + (to[i] - from[i]))
                }
            };
            let there = wanted.nearest(records, query, &[yes, no].concat());
            assert_eq!(hits(&found, 0), there);
        }
        Read::Groups(query, size, wanted) => {
            let by = GroupBy {
                field: "n".to_owned(),
                size: *size,
            };
            let found = c.search_groups(query, &by, &wanted.options(records));
            let found = found.unwrap();
            let of = |(i, value): (usize, Value)| (value, hits(&found.hits, i));
            let of_each: Vec<_> = found.values.iter().cloned().enumerate().map(of).collect();
            let all = wanted.all(records, *query);
            assert_eq!(of_each, groups(records, all, (wanted.k, *size)));
        }
        Read::Diverse(query, by, wanted) => {
            let found = c.search_diverse(query, *by, &wanted.options(records));
            let mut candidates = wanted.all(records, *query);
            candidates.truncate(by.candidates.max(wanted.k));
            let there = diverse(records, candidates, (wanted.k, by.relevance));
            assert_eq!(hits(&found.unwrap(), 0), there);
        }
        _ => unreachable!("{read:?} is no search"),
    }
}
