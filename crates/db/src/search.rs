//! A batch of queries against a snapshot: each segment in its own way, then one sorted list per query.
//!
//! A segment with a graph is searched by a beam over its codes, and what codes leave in doubt of that by the vectors; one without,
//! or in which the beam found fewer rows than there are, by looking at every vector, or at every one that bounds from codes do not rule
//! out. So `k` records come back whenever there are `k`.
//!
//! A filter is evaluated once, before the queries. Where it is true of few rows, or of fewer around the query than
//! elsewhere, the codes of all that match are looked at; elsewhere the beam keeps to the rows that match.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

use fixedbitset::FixedBitSet;
use proxime_core::{
    Candidate, FilteredRoute, Graph, Matches, Neighbor, Scratch, ScratchPool, WalkCodes, flat,
    search_filtered,
};
use proxime_quant::BoundedCodes;
use rayon::prelude::*;

use crate::calibration::{self, Need};
use crate::explain::Effort;
use crate::filter::Filter;
use crate::pool::Workers;
use crate::segment::{AnyCodes, GraphIndex};
use crate::snapshot::{Part, View};
use crate::{Metric, Result, Rows};

/// Queries that one task takes at once: each block of vectors read for an exact answer serves all of them.
const QUERIES_MAX: usize = 32;

/// To look at so many rows, one after the other, costs about as much as a step of a walk.
const ROWS_PER_STEP: usize = 8;

/// A walk has gone astray if the nearest row found is so many times as far as a neighbour in the middle of that row's list, in squares of
/// distances. Of 2,000 queries that took 6 images there, and no sentence embedding.
const ASTRAY: f32 = 4.0;

/// Matches of a filter, spread over all of them, that a walk from match to match may start at.
const SEEDS: usize = 32;

/// How to search; `k` is at most the number of records.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) k: usize,
    pub(crate) ef: usize,
    pub(crate) exact: bool,
    /// Whether a beam is searched again with twice its width where its last may be as near as the `k`-th: where codes cannot tell. And
    /// from another start where it has not come near the query.
    pub(crate) widens: bool,
    /// Whether all that a beam found is compared by its vectors, not only what codes leave in doubt.
    pub(crate) thorough: bool,
    /// The recall that the beam begins to look for: what it finds says how wide the next has to be.
    pub(crate) recall: Option<f64>,
    pub(crate) max_distance: f32,
    /// Whether somebody wants to know how it goes.
    pub(crate) explain: bool,
}

/// The rows of a part that may be found.
pub(crate) struct Chosen {
    rows: FixedBitSet,
    count: usize,
    seeds: OnceLock<Vec<u32>>,
}

impl Chosen {
    /// The rows that count and that the filter is true of.
    ///
    /// Errors: a filter that is wrong; damaged metadata.
    pub(crate) fn by(filter: &Filter, part: &Part) -> Result<Chosen> {
        Ok(Chosen::new(part.select(filter)?))
    }

    /// These rows, all of which count.
    pub(crate) fn new(rows: FixedBitSet) -> Chosen {
        Chosen {
            count: rows.count_ones(..),
            seeds: OnceLock::new(),
            rows,
        }
    }

    /// How many rows of a part may be found.
    pub(crate) fn available(part: &Part, chosen: Option<&Chosen>) -> usize {
        chosen.map_or(part.live(), Matches::count)
    }
}

impl Matches for Chosen {
    fn count(&self) -> usize {
        self.count
    }

    fn contains(&self, row: u32) -> bool {
        self.rows.contains(row as usize)
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        self.rows.ones().map(|row| row as u32)
    }

    fn seeds(&self) -> &[u32] {
        self.seeds.get_or_init(|| {
            let rows = self.rows.ones().step_by((self.count / SEEDS).max(1));
            rows.map(|row| row as u32).collect()
        })
    }
}

impl Plan {
    pub(crate) fn beam(k: usize, ef: usize) -> Plan {
        Plan {
            k,
            ef,
            exact: false,
            widens: false,
            thorough: false,
            recall: None,
            max_distance: f32::INFINITY,
            explain: false,
        }
    }

    fn clock(&self) -> Option<Instant> {
        self.explain.then(Instant::now)
    }

    pub(crate) fn with_k(self, k: usize) -> Plan {
        Plan { k, ..self }
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

/// What a search found, and did if it was to be explained.
#[derive(Default)]
pub(crate) struct Found {
    /// Of each query, nearest first.
    pub(crate) places: Vec<Vec<Place>>,
    /// In each part.
    pub(crate) efforts: Vec<Effort>,
    pub(crate) prepare_seconds: f64,
}

impl Found {
    /// With what was found for the queries that follow.
    fn and(mut self, next: Found) -> Found {
        self.places.extend(next.places);
        self.efforts.resize(next.efforts.len(), Effort::default());
        for (effort, next) in self.efforts.iter_mut().zip(next.efforts) {
            *effort += next;
        }
        self
    }
}

fn seconds(since: Option<Instant>) -> f64 {
    since.map_or(0.0, |since| since.elapsed().as_secs_f64())
}

/// The nearest of each query; with `recall`, by beams that are calibrated to find that share of them; of the
/// rows chosen of each part, if any were.
pub(crate) fn search(
    view: &View,
    workers: &Workers,
    queries: Rows<'_, f32>,
    plan: Plan,
    recall: Option<f64>,
    chosen: Option<&[Chosen]>,
) -> Result<Found> {
    let started = plan.clock();
    if !plan.exact {
        (view.parts.iter()).for_each(|part| part.segment.prepare(workers));
    }
    let plans: Result<Vec<Plan>> = (view.parts.iter())
        .map(|part| plan_for(view, part, workers, plan, recall))
        .collect();
    let (plans, prepare_seconds) = (&plans?, seconds(started));
    let tasks = 4 * workers.threads.current_num_threads();
    let per_task = queries.n().div_ceil(tasks).clamp(1, QUERIES_MAX);
    let task = |first: usize| {
        let some = queries.slice(first..queries.n().min(first + per_task));
        // Lent once a task: threads that handed it round query by query would wait for each other's cache lines.
        (workers.scratches).with(|scratch| search_all(view, scratch, some, plans, plan, chosen))
    };
    let mut found = if queries.n() <= per_task {
        task(0)?
    } else {
        let starts: Vec<usize> = (0..queries.n()).step_by(per_task).collect();
        let found: Vec<Result<Found>> = workers
            .threads
            .install(|| starts.into_par_iter().map(task).collect());
        let found: Result<Vec<Found>> = found.into_iter().collect();
        found?.into_iter().fold(Found::default(), Found::and)
    };
    found.prepare_seconds = prepare_seconds;
    Ok(found)
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
    calibration::plan_for(view, part, index, workers, (plan.k, recall))
}

fn search_all(
    view: &View,
    scratch: &mut Scratch,
    queries: Rows<'_, f32>,
    plans: &[Plan],
    plan: Plan,
    chosen: Option<&[Chosen]>,
) -> Result<Found> {
    let (explain, mut efforts) = (plan.explain, Vec::new());
    let mut merged: Vec<Vec<Place>> = queries.iter().map(|_| Vec::new()).collect();
    for (number, (part, &plan)) in view.parts.iter().zip(plans).enumerate() {
        let search = PartSearch {
            view,
            part,
            chosen: chosen.and_then(|chosen| chosen.get(number)),
            plan,
            explain: explain.then(Cell::default),
        };
        for (list, found) in merged.iter_mut().zip(search.run(queries, scratch)?) {
            list.extend(found.into_iter().map(|n| Place {
                distance: n.distance,
                part: number as u32,
                row: n.node,
            }));
        }
        efforts.extend(search.explain.map(Cell::into_inner));
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
        list.truncate(plan.k);
        list.truncate(list.partition_point(|place| place.distance <= plan.max_distance));
    }
    Ok(Found {
        places: merged,
        efforts,
        prepare_seconds: 0.0,
    })
}

/// By beam alone, in one part.
pub(crate) fn search_graph(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    scratches: &ScratchPool,
    query: &[f32],
    plan: Plan,
) -> Result<Vec<Neighbor>> {
    let search = PartSearch {
        view,
        part,
        chosen: None,
        plan,
        explain: None,
    };
    scratches.with(|scratch| search.beam(index, query, part.live(), scratch))
}

/// A search in one part.
struct PartSearch<'a> {
    view: &'a View,
    part: &'a Part,
    chosen: Option<&'a Chosen>,
    plan: Plan,
    /// `None` if nobody asks.
    explain: Option<Cell<Effort>>,
}

impl PartSearch<'_> {
    /// Runs a stage and, if somebody asks, has what it did, and the seconds it took, added to what is told.
    fn stage<T>(&self, run: impl FnOnce() -> T, add: impl FnOnce(&mut Effort, &T, f64)) -> T {
        let Some(effort) = &self.explain else {
            return run();
        };
        let started = Instant::now();
        let done = run();
        let mut sum = effort.get();
        add(&mut sum, &done, started.elapsed().as_secs_f64());
        effort.set(sum);
        done
    }

    /// At least the `min(k, available)` nearest rows, for each query.
    fn run(&self, queries: Rows<'_, f32>, scratch: &mut Scratch) -> Result<Vec<Vec<Neighbor>>> {
        let available = Chosen::available(self.part, self.chosen);
        if available == 0 {
            return Ok(queries.iter().map(|_| Vec::new()).collect());
        }
        let index = match self.part.segment.graph() {
            Some(index) if !self.plan.exact && !self.is_slow_scan(available) => index,
            _ => return self.scan(queries),
        };
        let beam = |query: &[f32]| -> Result<Vec<Neighbor>> {
            let found = self.beam(index, query, available, scratch)?;
            if found.len() >= self.plan.k.min(available) {
                return Ok(found);
            }
            let all = self.scan(Rows::new(query, self.view.config.dim)?)?;
            Ok(all.into_iter().flatten().collect())
        };
        queries.iter().map(beam).collect()
    }

    /// A beam as wide as the part is a slow scan.
    fn is_slow_scan(&self, available: usize) -> bool {
        match self.chosen {
            None => self.ef(self.plan.ef, available) >= self.part.segment.rows() as usize,
            Some(_) => self.depth() >= available,
        }
    }

    /// Hidden rows take places in the beam: it is widened by their share. Rows that are not chosen do not.
    fn ef(&self, ef: usize, available: usize) -> usize {
        let ef = ef.max(self.plan.k);
        let rows = self.part.segment.rows() as usize;
        match self.chosen {
            None => ef.saturating_mul(rows).div_ceil(available),
            Some(_) => ef.max(self.depth()),
        }
    }

    /// Codes order well enough that most of the true nearest are among twice as many.
    fn depth(&self) -> usize {
        (2 * self.plan.k).max(self.plan.k + 10)
    }

    fn beam(
        &self,
        index: &GraphIndex,
        query: &[f32],
        available: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<Neighbor>> {
        // Without it nothing is found, and every row looked at.
        let Some(walk) = index.walk() else {
            return Ok(Vec::new());
        };
        let wider = 1 + usize::from(self.plan.widens && walk.lengths_differ);
        let ef = |ef| wider * self.ef(ef, available);
        match &walk.codes {
            AnyCodes::Coarse(codes) => self.walk(index, codes, query, ef, scratch),
            AnyCodes::Fine(codes) => self.walk(index, codes, query, ef, scratch),
        }
    }

    /// A walk, and with a recall a wider one where that is what the query needs.
    fn walk<C: WalkCodes>(
        &self,
        index: &GraphIndex,
        codes: &C,
        query: &[f32],
        ef: impl Fn(usize) -> usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<Neighbor>> {
        let prepared = (codes.prepare(&index.codec, query)).map_err(proxime_core::Error::from)?;
        let walk = |width, scratch: &mut Scratch| {
            let graph = &index.graph;
            self.walk_of_width(graph, codes, (query, &prepared), ef(width), scratch)
        };
        let nearest = walk(self.plan.ef, scratch)?;
        let all_matches = self.chosen.is_some() && scratch.nodes() == 0;
        let Some(recall) = self.plan.recall.filter(|_| !all_matches) else {
            return Ok(nearest);
        };
        let metric = self.view.config.metric;
        match calibration::need(index, metric, query, &nearest, (self.plan.k, recall)) {
            Need::Beam(width) if width > self.plan.ef => walk(width, scratch),
            Need::Beam(_) => Ok(nearest),
            Need::EveryVector => Ok(Vec::new()),
        }
    }

    /// A search that leaves its candidates in the scratch, and its way if there were several.
    fn by_codes(
        &self,
        ef: usize,
        scratch: &mut Scratch,
        search: impl FnOnce(&mut Scratch) -> Option<FilteredRoute>,
    ) {
        self.stage(
            || (search(scratch), &*scratch),
            |effort, (route, did), seconds| {
                let (count, ef) = match *route {
                    None => (&mut effort.walks, ef),
                    Some(FilteredRoute::Walk { ef }) => (&mut effort.filtered_walks, ef),
                    Some(FilteredRoute::Among) => (&mut effort.code_scans, 0),
                };
                *count += 1;
                effort.ef = effort.ef.max(ef);
                effort.nodes += did.nodes() as u64;
                effort.code_distances += did.distances();
                effort.screened += did.screened();
                effort.codes_seconds += seconds;
            },
        );
    }

    fn walk_of_width<C: WalkCodes>(
        &self,
        graph: &Graph,
        codes: &C,
        (query, prepared): (&[f32], &C::Query),
        mut ef: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<Neighbor>> {
        if let Some(chosen) = self.chosen {
            self.by_codes(ef, scratch, |scratch| {
                let found = search_filtered(graph, codes, prepared, ef, chosen, scratch);
                Some(found)
            });
            return self.matches_by_vectors(query, scratch);
        }
        let mut was_astray = false;
        let is_slow_scan = |ef: usize| ef.saturating_mul(ROWS_PER_STEP) >= graph.n();
        loop {
            let search = match was_astray {
                true => proxime_core::search_from_all,
                false => proxime_core::search,
            };
            self.by_codes(ef, scratch, |scratch| {
                search(graph, codes, prepared, ef, scratch);
                None
            });
            let error = |candidate| codes.error(prepared, candidate);
            let live = || scratch.candidates().filter(|c| self.part.is_live(c.node));
            let found = match self.plan.thorough {
                true => live().collect(),
                false => proxime_core::contenders(live(), self.plan.k, error),
            };
            if self.plan.widens && found.len() == live().count() {
                ef *= 2;
                if is_slow_scan(ef) {
                    return Ok(Vec::new());
                }
                continue;
            }
            let nearest = self.by_vectors(query, found.iter().copied())?;
            if !self.plan.widens || was_astray || self.has_arrived(graph, &nearest)? {
                return Ok(nearest);
            }
            was_astray = true;
        }
    }

    /// Whether the nearest row found is about as near as its own neighbours. If it is much farther, the walk may have stayed in a cluster
    /// far from the query, or all rows are far from it. Dot product does not tell.
    fn has_arrived(&self, graph: &Graph, nearest: &[Neighbor]) -> Result<bool> {
        let (Some(first), false) = (nearest.first(), self.view.config.metric == Metric::Dot) else {
            return Ok(true);
        };
        let neighbors = graph.neighbors(0, first.node);
        // The last may have been attached from afar.
        let Some(&middle) = neighbors.get(neighbors.len() / 2) else {
            return Ok(true);
        };
        let row = first.node as usize;
        let vectors = (self.part.segment).vectors_of([first.node, middle].into_iter())?;
        let neighbor = std::iter::once(Candidate {
            key: 0,
            node: middle,
        });
        let far = vectors.rerank(
            self.view.config.metric,
            &vectors.get(row..row + 1),
            neighbor,
            1,
        )?;
        Ok(far
            .first()
            .is_none_or(|far| first.distance <= ASTRAY * far.distance))
    }

    /// The nearest matches of a search's candidates. Where rows are all about as far from the query, codes order them badly: of
    /// a filter's matches, which may lie anywhere, twice as many are looked at until that changes nothing.
    fn matches_by_vectors(&self, query: &[f32], scratch: &mut Scratch) -> Result<Vec<Neighbor>> {
        let depth = self.depth();
        let mut nearest: Vec<Neighbor> = Vec::new();
        let (mut from, mut to) = (0, depth);
        loop {
            scratch.widen(to);
            let some = || scratch.candidates().take(to).skip(from);
            let more = self.by_vectors(query, some())?;
            let is_nearer =
                |kth: &Neighbor| more.first().is_some_and(|n| n.distance < kth.distance);
            let goes_on = nearest.get(self.plan.k - 1).is_none_or(is_nearer);
            nearest.extend(more);
            nearest.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
            nearest.truncate(depth);
            if !goes_on || some().count() < to - from {
                return Ok(nearest);
            }
            (from, to) = (to, 2 * to);
        }
    }

    /// Candidates by their vectors, nearest first.
    fn by_vectors(
        &self,
        query: &[f32],
        candidates: impl Iterator<Item = Candidate> + Clone,
    ) -> Result<Vec<Neighbor>> {
        let nodes = candidates.clone().map(|candidate| candidate.node);
        let vectors = self.part.segment.vectors_of(nodes)?;
        let (metric, all) = (self.view.config.metric, usize::MAX);
        let compare = || vectors.rerank(metric, query, candidates, all);
        self.stage(compare, |effort, compared, seconds| {
            let compared = compared.as_ref().map_or(0, Vec::len);
            effort.vector_distances += compared as u64;
            effort.vectors_read += compared as u64;
            effort.rerank_seconds += seconds;
        })
    }

    /// By looking at every vector. Rows at the same distance as the `k`-th come along: which of them counts is decided by id,
    /// of which nothing is known here.
    fn scan(&self, queries: Rows<'_, f32>) -> Result<Vec<Vec<Neighbor>>> {
        let k = self.plan.k;
        let mut found = self.nearest(queries, k.saturating_add(1))?;
        for (query, list) in queries.iter().zip(&mut found) {
            let mut wanted = k.saturating_add(1);
            while list.len() == wanted && tied(list, k) {
                wanted = wanted.saturating_mul(2);
                let more = self.nearest(Rows::new(query, self.view.config.dim)?, wanted)?;
                *list = more.into_iter().flatten().collect();
            }
        }
        Ok(found)
    }

    /// The `k` nearest of all rows that may be found, exactly.
    fn nearest(&self, queries: Rows<'_, f32>, k: usize) -> Result<Vec<Vec<Neighbor>>> {
        match self.part.segment.bounded() {
            Some(codes) if self.chosen.is_none() && !self.plan.exact => {
                let one = |query| self.nearest_possible(codes, query, k);
                queries.iter().map(one).collect()
            }
            _ => self.nearest_of_all(queries, k),
        }
    }

    /// By the vectors that codes do not rule out.
    fn nearest_possible(
        &self,
        codes: &BoundedCodes,
        query: &[f32],
        k: usize,
    ) -> Result<Vec<Neighbor>> {
        let prepared = codes.prepare(query).map_err(proxime_core::Error::from)?;
        let look = || flat::possible(codes, &prepared, self.part.live_rows(), k);
        let left = self.stage(look, |effort, _, seconds| {
            effort.code_scans += 1;
            effort.code_distances += self.part.live() as u64;
            effort.codes_seconds += seconds;
        });
        let left = left.iter().map(|&node| Candidate { key: 0, node });
        let mut nearest = self.by_vectors(query, left)?;
        nearest.truncate(k);
        Ok(nearest)
    }

    fn nearest_of_all(&self, queries: Rows<'_, f32>, k: usize) -> Result<Vec<Vec<Neighbor>>> {
        let vectors = self.part.segment.vectors()?;
        let metric = self.view.config.metric;
        let scan = || match self.chosen {
            None => vectors.nearest(metric, queries, k, |row| self.part.is_live(row)),
            Some(chosen) => {
                let all = || chosen.iter().map(|node| Candidate { key: 0, node });
                let one = |query| vectors.rerank(metric, query, all(), k);
                queries.iter().map(one).collect()
            }
        };
        self.stage(scan, |effort, _, seconds| {
            let (read, times) = match self.chosen {
                None => (self.part.segment.rows() as usize, 1),
                Some(chosen) => (chosen.count(), queries.n()),
            };
            effort.vector_scans += queries.n();
            effort.vector_distances += (read * queries.n()) as u64;
            effort.vectors_read += (read * times) as u64;
            effort.scan_seconds += seconds;
        })
    }
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
