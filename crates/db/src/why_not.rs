//! Why a search does not return a record.

use crate::collection::choose_by;
use crate::filter::Node;
use crate::record::ids;
use crate::search::{Place, Plan};
use crate::snapshot::{Part, View};
use crate::unknown::unknown_fields;
use crate::{Collection, Filter, Key, Result, Rows, SearchOptions, UnknownField};

/// Whether there is a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is stored.
    Stored,
    /// It was deleted, and what is left of it is still on disk.
    Deleted,
    /// It was never stored; or deleted, and merges have forgotten it.
    Unknown,
}

/// What keeps a record from being a hit. Made by [`Collection::why_not`].
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNot {
    /// Whether the search returns it.
    pub found: bool,
    /// Whether it is there; nothing below is known of a record that is not.
    pub presence: Presence,
    /// Whether the search is told to go without it; the rest is said as if it were not.
    pub left_out: bool,
    /// The parts of the filter that are false of it: of conditions that are connected by "and" those, else the whole filter.
    pub rejected_by: Vec<Filter>,
    /// Fields of the filter that no record has.
    pub unknown_fields: Vec<UnknownField>,
    /// How far it is from the query.
    pub distance: Option<f32>,
    /// Its true place, counted from 1, among the records that may be found; the filter aside if that rejects it. With a
    /// smaller `k` it cannot be found.
    pub rank: Option<usize>,
    /// Whether it is farther than `max_distance`.
    pub too_far: bool,
    /// A beam width that finds it, if `k` is at least its rank: the least of those asked for, twice as much, and so on. None if
    /// the filter rejects it, it is too far, or only an exact search finds it.
    pub ef: Option<usize>,
}

impl Collection {
    /// Why a search with these options does not return this record, or that it does.
    ///
    /// Errors: as [`Collection::search`]. Cost: an exact search for all records, and one search for each beam width that is tried.
    pub fn why_not(&self, query: &[f32], id: &Key, options: &SearchOptions) -> Result<WhyNot> {
        let view = self.view()?;
        let query = Rows::new(query, query.len())?;
        let plan = self.plan(query, options)?;
        let key = id.to_bytes();
        let mut why = WhyNot {
            found: false,
            presence: Presence::Stored,
            left_out: options.without.contains(id),
            rejected_by: Vec::new(),
            unknown_fields: unknown_fields(&view, &options.filter)?,
            distance: None,
            rank: None,
            too_far: false,
            ef: None,
        };
        let Some(own) = view.place(&key) else {
            why.presence = match view.parts.iter().any(|part| remembers(part, &key)) {
                true => Presence::Deleted,
                false => Presence::Unknown,
            };
            return Ok(why);
        };
        let is_own = |place: &Place| (place.part, place.row) == own;
        why.rejected_by = rejecting(&view, options.filter.as_ref(), own)?;
        let with_it = SearchOptions {
            filter: (options.filter.clone()).filter(|_| why.rejected_by.is_empty()),
            without: (options.without.iter().filter(|other| *other != id).cloned()).collect(),
            ..options.clone()
        };
        let chosen = choose_by(&view, &with_it)?;
        let search = |plan: Plan, recall| -> Result<Vec<Place>> {
            let found = self.run(&view, query, plan, recall, chosen.as_deref())?;
            Ok(found.into_iter().flatten().collect())
        };
        let all = search(Plan::exact(view.live()), None)?;
        if let Some(at) = all.iter().position(is_own) {
            why.rank = Some(at + 1);
            why.distance = all.get(at).map(|place| place.distance);
        }
        why.too_far = why
            .distance
            .is_some_and(|distance| distance > plan.max_distance);
        if !why.rejected_by.is_empty() {
            return Ok(why);
        }
        why.found = !why.left_out && search(plan, options.recall)?.iter().any(is_own);
        let k = plan.k.max(why.rank.unwrap_or_default());
        if why.too_far {
            return Ok(why);
        }
        let widths = std::iter::successors(Some(plan.ef), |ef| ef.checked_mul(2));
        for ef in widths.take_while(|&ef| ef <= proxime_core::EF_MAX) {
            let wider = Plan {
                ef,
                exact: false,
                ..plan.with_k(k)
            };
            if search(wider, None)?.iter().any(is_own) {
                why.ef = Some(ef);
                break;
            }
        }
        Ok(why)
    }
}

/// Whether the id had a record here, or is deleted here.
fn remembers(part: &Part, id: &[u8]) -> bool {
    let all = [Some(&part.segment.ids), part.segment.deleted.as_ref()];
    let mut all = all.into_iter().flatten();
    all.any(|all| all.row_of(id, ids::hash(id)).is_some())
}

/// The parts of the filter that are false of a row.
fn rejecting(view: &View, filter: Option<&Filter>, own: (u32, u32)) -> Result<Vec<Filter>> {
    let (Some(filter), Some(part)) = (filter, view.parts.get(own.0 as usize)) else {
        return Ok(Vec::new());
    };
    filter.check()?;
    let clauses = match filter.node() {
        Node::And(clauses) => clauses.as_slice(),
        _ => std::slice::from_ref(filter),
    };
    let mut rejecting = Vec::new();
    for clause in clauses {
        if !part.segment.select(clause)?.contains(own.1 as usize) {
            rejecting.push(clause.clone());
        }
    }
    Ok(rejecting)
}
