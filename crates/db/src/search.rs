//! A batch of queries against a snapshot: each segment in its own way, then one sorted list per query.
//!
//! A segment with a graph is searched by a beam over its codes, and the best of that by their vectors; one without, or in which
//! the beam found fewer rows than there are, by looking at every vector. So `k` records come back whenever there are `k`.

use proxime_core::{Neighbor, ScratchPool, flat, rerank};
use rayon::prelude::*;

use crate::pool::Workers;
use crate::segment::GraphIndex;
use crate::snapshot::{Part, View};
use crate::{Result, Rows, recall};

/// Queries that one task takes at once: each block of vectors read for an exact answer serves all of them.
const QUERIES_MAX: usize = 32;

/// How to search; `k` is at most the number of records.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) k: usize,
    pub(crate) ef: usize,
    pub(crate) exact: bool,
}

impl Plan {
    pub(crate) fn beam(k: usize, ef: usize) -> Plan {
        Plan {
            k,
            ef,
            exact: false,
        }
    }

    pub(crate) fn exact(k: usize) -> Plan {
        Plan {
            exact: true,
            ..Plan::beam(k, k)
        }
    }
}

/// A hit by its place: part and row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) distance: f32,
    pub(crate) part: u32,
    pub(crate) row: u32,
}

/// The nearest of each query, nearest first; with `recall`, by beams that are calibrated to find that share of them.
pub(crate) fn search(
    view: &View,
    workers: &Workers,
    queries: Rows<'_, f32>,
    plan: Plan,
    recall: Option<f64>,
) -> Result<Vec<Vec<Place>>> {
    let plans: Result<Vec<Plan>> = (view.parts.iter())
        .map(|part| plan_for(view, part, workers, plan, recall))
        .collect();
    let plans = &plans?;
    let tasks = 4 * workers.threads.current_num_threads();
    let per_task = queries.n().div_ceil(tasks).clamp(1, QUERIES_MAX);
    let task = |first: usize| {
        let some = queries.slice(first..queries.n().min(first + per_task));
        search_all(view, &workers.scratches, some, plans, plan.k)
    };
    if queries.n() <= per_task {
        return task(0);
    }
    let starts: Vec<usize> = (0..queries.n()).step_by(per_task).collect();
    let found: Vec<Result<_>> = workers
        .threads
        .install(|| starts.into_par_iter().map(task).collect());
    let found: Result<Vec<Vec<_>>> = found.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

/// The plan for one segment. Where no beam is known to find enough, every vector is looked at.
fn plan_for(
    view: &View,
    part: &Part,
    workers: &Workers,
    plan: Plan,
    recall: Option<f64>,
) -> Result<Plan> {
    let (Some(recall), Some(index), false) = (recall, part.segment.graph(), plan.exact) else {
        return Ok(plan);
    };
    recall::plan_for(view, part, index, workers, (plan.k, recall))
}

fn search_all(
    view: &View,
    scratches: &ScratchPool,
    queries: Rows<'_, f32>,
    plans: &[Plan],
    k: usize,
) -> Result<Vec<Vec<Place>>> {
    let mut merged: Vec<Vec<Place>> = queries.iter().map(|_| Vec::new()).collect();
    for ((number, part), &plan) in (0u32..).zip(&view.parts).zip(plans) {
        let found = search_part(view, part, scratches, queries, plan)?;
        for (list, found) in merged.iter_mut().zip(found) {
            list.extend(found.into_iter().map(|n| Place {
                distance: n.distance,
                part: number,
                row: n.node,
            }));
        }
    }
    let id = |place: &Place| {
        view.parts
            .get(place.part as usize)
            .map(|part| part.segment.id(place.row))
    };
    for list in &mut merged {
        list.sort_unstable_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then_with(|| id(a).cmp(&id(b)))
        });
        list.truncate(k);
    }
    Ok(merged)
}

/// At least the `min(k, live)` nearest rows of one segment, for each query.
fn search_part(
    view: &View,
    part: &Part,
    scratches: &ScratchPool,
    queries: Rows<'_, f32>,
    plan: Plan,
) -> Result<Vec<Vec<Neighbor>>> {
    let (rows, live) = (part.segment.rows() as usize, part.live());
    if live == 0 {
        return Ok(queries.iter().map(|_| Vec::new()).collect());
    }
    // Hidden rows take places in the beam: widen it by their share. A beam as wide as the segment is a slow scan.
    let ef = plan.ef.max(plan.k).saturating_mul(rows).div_ceil(live);
    match part.segment.graph() {
        Some(index) if !plan.exact && ef < rows => {
            let beam = |query: &[f32]| -> Result<Vec<Neighbor>> {
                let found = search_graph(view, part, index, scratches, query, Plan { ef, ..plan })?;
                if found.len() >= plan.k.min(live) {
                    return Ok(found);
                }
                let all = scan(view, part, Rows::new(query, view.config.dim)?, plan.k)?;
                Ok(all.into_iter().flatten().collect())
            };
            queries.iter().map(beam).collect()
        }
        _ => scan(view, part, queries, plan.k),
    }
}

pub(crate) fn search_graph(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    scratches: &ScratchPool,
    query: &[f32],
    plan: Plan,
) -> Result<Vec<Neighbor>> {
    let GraphIndex {
        codec,
        codes,
        graph,
        ..
    } = index;
    let prepared = codes
        .prepare(codec, query)
        .map_err(proxime_core::Error::from)?;
    // Codes order well enough that the true nearest are among twice as many.
    let depth = (2 * plan.k).max(plan.k + 10);
    let vectors = part.segment.vectors()?;
    Ok(scratches.with(|scratch| {
        proxime_core::search(graph, codes, &prepared, plan.ef, scratch);
        let candidates = scratch
            .candidates()
            .filter(|candidate| part.is_live(candidate.node))
            .take(depth);
        rerank(view.config.metric, query, vectors, candidates, depth)
    }))
}

/// By looking at every vector. Rows at the same distance as the `k`-th come along: which of them counts is decided by id, of
/// which nothing is known here.
fn scan(view: &View, part: &Part, queries: Rows<'_, f32>, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    let vectors = part.segment.vectors()?;
    let nearest = |queries, k| {
        flat::search(view.config.metric, queries, vectors, k, |row| {
            part.is_live(row)
        })
    };
    let mut found = nearest(queries, k.saturating_add(1));
    for (query, list) in queries.iter().zip(&mut found) {
        let mut wanted = k.saturating_add(1);
        while list.len() == wanted && tied(list, k) {
            wanted = wanted.saturating_mul(2);
            *list = nearest(Rows::new(query, view.config.dim)?, wanted)
                .into_iter()
                .flatten()
                .collect();
        }
    }
    Ok(found)
}

/// Whether the last of the list is as near as the `k`-th.
fn tied(list: &[Neighbor], k: usize) -> bool {
    match (
        k.checked_sub(1).and_then(|last| list.get(last)),
        list.last(),
    ) {
        (Some(kth), Some(last)) => kth.distance == last.distance,
        _ => false,
    }
}
