//! The nearest records with different values of a field: one document's chunks do not take all the places.
//!
//! Found by ordinary searches, each for twice as many as the one before and among records that may still be wanted: not among those
//! met before, nor of groups that are full. So there are `k` groups where there are `k` values, however many records the nearest
//! ones have.

use std::collections::HashMap;

use crate::filter::{Field, Scalar, value_at};
use crate::order::{indexes, wanted_by};
use crate::search::{Chosen, Place};
use crate::{Collection, Error, Result, Results, Rows, SearchOptions, Value};

/// How hits are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy {
    /// The field whose value records of a group share. Records without a single value, or with null, are in no group.
    pub field: String,
    /// Hits of each group at most; at least 1.
    pub size: usize,
}

/// The groups nearest to a query, by the nearest record of each.
#[derive(Debug)]
pub struct Groups {
    /// The value of each group.
    pub values: Vec<Value>,
    /// The hits of group `i` are `hits.hits(i)`, nearest first.
    pub hits: Results,
}

impl Collection {
    /// The `k` groups nearest to the query, with the nearest of their records: always `min(k, values of the field)` of them, or with
    /// a filter as many as its records have. Only `max_distance` makes them fewer.
    ///
    /// Errors: as [`Collection::search`]; a size of 0. Cost: a look at the field of every record, and a few searches; at worst, where
    /// some groups have most of the nearest records, as many as it takes to double `k * size` to the number of records.
    pub fn search_groups(
        &self,
        query: &[f32],
        by: &GroupBy,
        options: &SearchOptions,
    ) -> Result<Groups> {
        if by.size == 0 {
            return Err(Error::Parameter {
                name: "group_size",
                value: "0".to_owned(),
                limit: "at least 1".to_owned(),
            });
        }
        let view = self.view()?;
        let query = Rows::new(query, query.len())?;
        let plan = self.plan(query, options)?;
        let (field, indexes) = (Field::from_path(&by.field)?, indexes(&view, &by.field)?);
        let mut open = wanted_by(&view, options)?;
        for (open, index) in open.iter_mut().zip(&indexes) {
            open.intersect_with(&index.single());
        }
        let mut groups = Filling::new(options.k, by.size);
        let mut count = options.k.saturating_mul(by.size);
        while !groups.are_full() {
            let chosen: Vec<Chosen> = open.iter().cloned().map(Chosen::new).collect();
            let found = self.run(
                &view,
                query,
                plan.with_k(count),
                options.recall,
                Some(&chosen),
            )?;
            let found: Vec<Place> = found.into_iter().flatten().collect();
            for place in &found {
                if let Some(part) = view.parts.get(place.part as usize)
                    && let Some(value) = value_at(&field, &*part.segment, place.row)?
                {
                    groups.offer(value, *place);
                }
                if let Some(open) = open.get_mut(place.part as usize) {
                    open.set(place.row as usize, false);
                }
            }
            if found.len() < count {
                break;
            }
            let (full, filling) = groups.values();
            for (open, index) in open.iter_mut().zip(&indexes) {
                match groups.may_be_more() {
                    true => open.difference_with(&index.among(&full)),
                    false => open.intersect_with(&index.among(&filling)),
                }
            }
            count = count.saturating_mul(2);
        }
        let (values, places) = groups.into_sorted();
        Ok(Groups {
            values,
            hits: Results::new(view, places),
        })
    }
}

/// Groups that take in records, nearest first.
struct Filling {
    groups_max: usize,
    size: usize,
    numbers: HashMap<Scalar<'static>, usize>,
    places: Vec<Vec<Place>>,
    /// How many have their size.
    full: usize,
}

impl Filling {
    fn new(groups_max: usize, size: usize) -> Filling {
        Filling {
            groups_max,
            size,
            numbers: HashMap::new(),
            places: Vec::new(),
            full: 0,
        }
    }

    /// Takes the record in, if there is room for it.
    fn offer(&mut self, value: Scalar<'_>, place: Place) {
        let number = match self.numbers.get(&value) {
            Some(&number) => number,
            None if self.may_be_more() => {
                self.numbers.insert(value.into_owned(), self.places.len());
                self.places.push(Vec::new());
                self.places.len() - 1
            }
            None => return,
        };
        if let Some(group) = self.places.get_mut(number)
            && group.len() < self.size
        {
            group.push(place);
            self.full += usize::from(group.len() == self.size);
        }
    }

    fn may_be_more(&self) -> bool {
        self.places.len() < self.groups_max
    }

    fn are_full(&self) -> bool {
        self.full == self.groups_max
    }

    /// The values of groups that are full, and of those that are not.
    fn values(&self) -> (Vec<Scalar<'static>>, Vec<Scalar<'static>>) {
        let is_full = |number: usize| self.places.get(number).map(Vec::len) == Some(self.size);
        let values = self.numbers.iter();
        let (full, filling): (Vec<_>, Vec<_>) = values.partition(|(_, number)| is_full(**number));
        let cloned =
            |some: Vec<(&Scalar<'static>, _)>| some.into_iter().map(|(v, _)| v.clone()).collect();
        (cloned(full), cloned(filling))
    }

    /// The nearest group first. Beams that missed a record may find it later: so they are put in order here.
    fn into_sorted(self) -> (Vec<Value>, Vec<Vec<Place>>) {
        let by_distance = |a: &Place, b: &Place| a.distance.total_cmp(&b.distance);
        let mut groups: Vec<(Value, Vec<Place>)> = Vec::new();
        let mut numbered: Vec<(Scalar<'static>, usize)> = self.numbers.into_iter().collect();
        numbered.sort_by_key(|(_, number)| *number);
        for ((value, _), mut places) in numbered.into_iter().zip(self.places) {
            places.sort_by(by_distance);
            groups.push((Value::from(&value), places));
        }
        groups.sort_by(|(_, a), (_, b)| match (a.first(), b.first()) {
            (Some(a), Some(b)) => by_distance(a, b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        groups.into_iter().unzip()
    }
}
