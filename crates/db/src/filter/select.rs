//! Which rows of a part a filter is true of.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixedbitset::FixedBitSet;

use super::index::FieldIndex;
use super::{Field, Filter, Node};
use crate::Result;

/// One bit a row: those that the filter is true of. Rows that no longer count are not looked at here.
///
/// `index` gives the index of a field. Errors: its; a filter that is wrong.
pub(crate) fn select(
    filter: &Filter,
    rows: u32,
    index: &impl Fn(&Field) -> Result<Arc<FieldIndex>>,
) -> Result<FixedBitSet> {
    let rec = |filter| select(filter, rows, index);
    Ok(match filter.node() {
        Node::In(field, values) => index(field)?.among(values),
        Node::Order(field, order, value) => index(field)?.ordered(&[(*order, value)]),
        Node::Contains(field, value) => index(field)?.containing(value),
        Node::Exists(field) => index(field)?.present().clone(),
        Node::And(filters) => {
            let mut found = None;
            // Bounds of one field are one run of its values.
            let mut bounds: BTreeMap<&Field, Vec<_>> = BTreeMap::new();
            for filter in filters {
                match filter.node() {
                    Node::Order(field, order, value) => {
                        bounds.entry(field).or_default().push((*order, value));
                    }
                    _ => narrow(&mut found, rec(filter)?),
                }
            }
            for (field, bounds) in bounds {
                narrow(&mut found, index(field)?.ordered(&bounds));
            }
            found.unwrap_or_else(|| every(rows))
        }
        Node::Or(filters) => {
            let mut found = FixedBitSet::with_capacity(rows as usize);
            for filter in filters {
                found.union_with(&rec(filter)?);
            }
            found
        }
        Node::Not(filter) => {
            let mut found = rec(filter)?;
            found.toggle_range(..);
            found
        }
        Node::Wrong(error) => return Err(error.clone().into()),
    })
}

/// Leaves those that are in `next`, too.
fn narrow(found: &mut Option<FixedBitSet>, next: FixedBitSet) {
    match found {
        Some(found) => found.intersect_with(&next),
        None => *found = Some(next),
    }
}

fn every(rows: u32) -> FixedBitSet {
    let mut all = FixedBitSet::with_capacity(rows as usize);
    all.insert_range(..);
    all
}
