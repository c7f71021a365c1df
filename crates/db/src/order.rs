//! Records in the order of a field, and what values a field has.
//!
//! Both come from the index that filters use. Null counts as missing; so does, for the order, a list or an object.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use fixedbitset::FixedBitSet;

use crate::filter::{Field, FieldIndex, Filter, Scalar};
use crate::read::record;
use crate::record::ids::KeyRef;
use crate::snapshot::{Part, View};
use crate::{Collection, Error, Key, Record, Result, SearchOptions, Value};

/// By which field records are put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// As [`field`](crate::field) takes it: `outer.inner` is a field of an object.
    pub field: String,
    /// Largest first. Records without a value come last either way.
    pub descending: bool,
}

impl OrderBy {
    /// Smallest first.
    pub fn ascending(field: impl Into<String>) -> OrderBy {
        OrderBy {
            field: field.into(),
            descending: false,
        }
    }

    /// Largest first.
    pub fn descending(field: impl Into<String>) -> OrderBy {
        OrderBy {
            descending: true,
            ..OrderBy::ascending(field)
        }
    }
}

impl Collection {
    /// The next `limit` records in the order of a field, those of one value in the order of their ids, behind the record `after`;
    /// from the first if there is none. Those that the filter is true of, if there is one. Fewer only at the end.
    ///
    /// Values of different types come type by type: booleans, numbers, texts, times, bytes. Records without a single value are
    /// last. A page goes on behind the place that `after` has now.
    ///
    /// Errors: a field or a filter that is wrong; `after` has no record. Cost: a look at every record for each page.
    pub fn sorted(
        &self,
        order: &OrderBy,
        after: Option<&Key>,
        limit: usize,
        filter: Option<&Filter>,
    ) -> Result<Vec<Record>> {
        let view = self.view()?;
        let indexes = indexes(&view, &order.field)?;
        let mut places: Vec<Sorted<'_>> = Vec::new();
        for ((part, index), wanted) in (view.parts.iter().zip(&indexes)).zip(wanted(&view, filter)?)
        {
            places.extend(values_of(part, index, wanted));
        }
        if let Some(after) = after {
            let all = view.parts.iter().zip(&indexes);
            let mut all = all.flat_map(|(part, index)| values_of(part, index, part.live_bits()));
            let cursor = all.find(|place| place.id == after.borrowed());
            let cursor = cursor.ok_or_else(|| Error::IdNotFound {
                id: after.clone(),
                row: 0,
            })?;
            places.retain(|place| compare(place, &cursor, order) == Ordering::Greater);
        }
        if let Some(last) = limit.checked_sub(1).filter(|&last| last < places.len()) {
            places.select_nth_unstable_by(last, |a, b| compare(a, b, order));
        }
        places.truncate(limit);
        places.sort_unstable_by(|a, b| compare(a, b, order));
        let records = places.iter().map(|place| record(place.part, place.row));
        records.collect()
    }

    /// The different values of a field, and how many records have each: the most frequent first, then in their order. Of a list
    /// each different single value in it counts. Those that the filter is true of, if there is one; null is no value.
    ///
    /// Errors: a field or a filter that is wrong. Cost: a look at every value of the field.
    pub fn facets(&self, field: &str, filter: Option<&Filter>) -> Result<Vec<(Value, usize)>> {
        let view = self.view()?;
        let indexes = indexes(&view, field)?;
        let mut counts: BTreeMap<&Scalar<'static>, usize> = BTreeMap::new();
        for (index, wanted) in indexes.iter().zip(wanted(&view, filter)?) {
            for (value, rows) in index.values().chain(index.elements()) {
                // A list may have the same value twice: its row stands there twice, one after the other.
                let different = rows.chunk_by(|a, b| a == b).filter_map(|same| same.first());
                let count = different
                    .filter(|&&row| wanted.contains(row as usize))
                    .count();
                *counts.entry(value).or_default() += count;
            }
        }
        counts.retain(|value, count| **value != Scalar::Null && *count > 0);
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let facets = counts
            .into_iter()
            .map(|(value, count)| (Value::from(value), count));
        Ok(facets.collect())
    }
}

/// What a field holds, part by part.
pub(crate) fn indexes(view: &View, field: &str) -> Result<Vec<Arc<FieldIndex>>> {
    let field = Field::from_path(field)?;
    let parts = view.parts.iter();
    parts.map(|part| part.segment.index(&field)).collect()
}

/// The rows that the filter is true of, all that count if there is none, part by part.
pub(crate) fn wanted(view: &View, filter: Option<&Filter>) -> Result<Vec<FixedBitSet>> {
    filter.map_or(Ok(()), Filter::check)?;
    let one =
        |part: &Part| filter.map_or_else(|| Ok(part.live_bits()), |filter| part.select(filter));
    view.parts.iter().map(one).collect()
}

/// The rows that a search with these options may find, part by part.
pub(crate) fn wanted_by(view: &View, options: &SearchOptions) -> Result<Vec<FixedBitSet>> {
    let mut wanted = wanted(view, options.filter.as_ref())?;
    for id in &options.without {
        if let Some((part, row)) = view.place(&id.to_bytes())
            && let Some(wanted) = wanted.get_mut(part as usize)
        {
            wanted.set(row as usize, false);
        }
    }
    Ok(wanted)
}

/// A record and its place in the order.
struct Sorted<'a> {
    value: Option<&'a Scalar<'static>>,
    id: KeyRef<'a>,
    part: &'a Part,
    row: u32,
}

fn compare(a: &Sorted<'_>, b: &Sorted<'_>, order: &OrderBy) -> Ordering {
    let by_value = match (a.value, b.value) {
        (Some(a), Some(b)) if order.descending => b.cmp(a),
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    by_value.then_with(|| a.id.cmp(&b.id))
}

/// The wanted rows of a part, each with its value.
fn values_of<'a>(
    part: &'a Part,
    index: &'a FieldIndex,
    mut wanted: FixedBitSet,
) -> Vec<Sorted<'a>> {
    let sorted = |value, row| Sorted {
        value,
        id: part.segment.id(row),
        part,
        row,
    };
    let mut places = Vec::with_capacity(wanted.count_ones(..));
    for (value, rows) in index.values().filter(|(value, _)| **value != Scalar::Null) {
        for &row in rows {
            if wanted.contains(row as usize) {
                wanted.remove(row as usize);
                places.push(sorted(Some(value), row));
            }
        }
    }
    places.extend(wanted.ones().map(|row| sorted(None, row as u32)));
    places
}
