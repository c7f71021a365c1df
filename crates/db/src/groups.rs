//! The nearest records with different values of a field: one document's chunks do not take all the places.
//!
//! Found by ordinary searches, each among the records of groups not met before: so there are `k` groups where there are `k`
//! values, however many records the nearest ones have.

use fixedbitset::FixedBitSet;

use crate::filter::{Field, Scalar, value_at};
use crate::order::{indexes, wanted};
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
    /// Errors: as [`Collection::search`]; a size of 0. Cost: a look at the field of every record, and a few searches; with a size above
    /// 1 another one for each group.
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
        let mut open = wanted(&view, options.filter.as_ref())?;
        for (open, index) in open.iter_mut().zip(&indexes) {
            open.intersect_with(&index.single());
        }
        let nearest = |k: usize, among: &[FixedBitSet]| -> Result<Vec<Place>> {
            let chosen: Vec<Chosen> = among.iter().cloned().map(Chosen::new).collect();
            let found = self.run(&view, query, plan.with_k(k), options.recall, Some(&chosen))?;
            Ok(found.into_iter().flatten().collect())
        };
        let of = |values: &[Scalar<'static>]| -> Vec<FixedBitSet> {
            indexes.iter().map(|index| index.among(values)).collect()
        };

        let all = open.clone();
        let (mut values, mut groups) = (Vec::<Scalar<'static>>::new(), Vec::<Vec<Place>>::new());
        while groups.len() < options.k {
            let known = groups.len();
            for place in nearest(2 * (options.k - known), &open)? {
                let Some(part) = view.parts.get(place.part as usize) else {
                    continue;
                };
                let Some(value) = value_at(&field, &*part.segment, place.row)? else {
                    continue;
                };
                if groups.len() < options.k && !values.contains(&value) {
                    values.push(value.into_owned());
                    groups.push(vec![place]);
                }
            }
            if groups.len() == known {
                break;
            }
            for (open, met) in open
                .iter_mut()
                .zip(of(values.get(known..).unwrap_or_default()))
            {
                open.difference_with(&met);
            }
        }
        if by.size > 1 {
            for (value, group) in values.iter().zip(&mut groups) {
                let mut among = all.clone();
                let own = of(std::slice::from_ref(value));
                among
                    .iter_mut()
                    .zip(own)
                    .for_each(|(among, own)| among.intersect_with(&own));
                *group = nearest(by.size, &among)?;
            }
        }
        Ok(Groups {
            values: values.iter().map(Value::from).collect(),
            hits: Results::new(view, groups),
        })
    }
}
