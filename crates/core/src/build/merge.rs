//! From the lists of the leaves to one list a row.
//!
//! Each row gathers its lists from the leaves it is in and prunes their union by the heuristic, with distances across
//! leaves. Then every link is offered to the row it leads to, and what has become too long is pruned again. Each step reads
//! the result of the one before and writes its own, so the order of rows and threads is of no consequence.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use super::Effort;
use super::lists::Lists;
use crate::Error;
use crate::links::{Links, NONE};
use crate::progress::{Step, Watch};
use crate::scorer::{NodeScorer, Scorer};
use crate::search::Candidate;
use crate::select::{is_nearer_to_one, select};

/// Rows in one task.
const CHUNK_ROWS: usize = 512;

/// Where a row stands in a leaf.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    leaf: u32,
    list: u32,
}

/// One list of `stride` slots for every row of `codes`, from the lists of its leaves.
///
/// Errors: asked to stop.
pub(crate) fn merge(
    codes: &Codes,
    leaves: Vec<Vec<u32>>,
    lists: Vec<Lists<u32>>,
    effort: Effort,
    stride: usize,
    watch: &Watch<'_>,
) -> Result<Links, Error> {
    let (order, pruned) = prune(codes, leaves, lists, effort, watch)?;
    let mut turns = vec![0; codes.n()];
    for (&row, turn) in order.iter().zip(0..) {
        turns[row as usize] = turn;
    }
    let list = |row: u32| {
        let turn = turns[row as usize];
        pruned[turn / CHUNK_ROWS].get(turn % CHUNK_ROWS)
    };
    let offered = Lists::sorted_out(codes.n(), || {
        let rows = 0..codes.n() as u32;
        rows.flat_map(|row| {
            list(row).iter().map(move |link| {
                (
                    link.node,
                    Candidate {
                        key: link.key,
                        node: row,
                    },
                )
            })
        })
    });
    let mut slots = vec![NONE; codes.n() * stride];
    slots
        .par_chunks_mut(CHUNK_ROWS * stride)
        .enumerate()
        .try_for_each(|(chunk, slots)| -> Result<(), Error> {
            watch.report(Step::Merge)?;
            let first = (chunk * CHUNK_ROWS) as u32;
            Level::detect().dispatch(UniteChunk {
                codes,
                first,
                cap: effort.cap,
                slots,
                stride,
                parts: |row| [list(row), offered.get(row as usize)],
            });
            Ok(())
        })?;
    Ok(Links::from_slots(slots, stride))
}

/// The rows in an order of their own, and the list of each in chunks of that order. What the leaves have found is gone then: the
/// links offered take its place in memory.
fn prune(
    codes: &Codes,
    leaves: Vec<Vec<u32>>,
    lists: Vec<Lists<u32>>,
    effort: Effort,
    watch: &Watch<'_>,
) -> Result<(Vec<u32>, Vec<Lists<Candidate>>), Error> {
    watch.report(Step::Merge)?;
    let places = Lists::sorted_out(codes.n(), || {
        leaves.iter().zip(0..).flat_map(|(rows, leaf)| {
            rows.iter()
                .zip(0..)
                .map(move |(&row, list)| (row, Place { leaf, list }))
        })
    });
    watch.report(Step::Merge)?;
    let order = in_home_order(&leaves, &places);
    drop(leaves);
    let gathered = |row: u32, gathered: &mut Vec<Tagged>| {
        for (place, bit) in places.get(row as usize).iter().zip(0..) {
            let list = lists[place.leaf as usize].get(place.list as usize);
            let from = 1 << bit;
            gathered.extend(list.iter().map(|&node| Tagged::new(node, from)));
        }
    };
    let prune = |rows: &[u32]| -> Result<Lists<Candidate>, Error> {
        watch.report(Step::Merge)?;
        Ok(Level::detect().dispatch(PruneChunk {
            codes,
            rows,
            cap: effort.cap,
            gathered_max: effort.gathered,
            gathered,
        }))
    };
    let chunks = order.par_chunks(CHUNK_ROWS);
    let pruned = chunks.map(prune).collect::<Result<_, _>>()?;
    Ok((order, pruned))
}

/// All rows, those of one leaf beside each other: their candidates are mostly the same, and stay in cache.
fn in_home_order(leaves: &[Vec<u32>], places: &Lists<Place>) -> Vec<u32> {
    let is_home = |row: u32, leaf: u32| {
        places
            .get(row as usize)
            .first()
            .is_some_and(|home| home.leaf == leaf)
    };
    let homes = leaves.iter().zip(0..);
    homes
        .flat_map(|(rows, leaf)| rows.iter().copied().filter(move |&row| is_home(row, leaf)))
        .collect()
}

/// A candidate and which of a row's lists it is from, a bit for each.
#[derive(Clone, Copy, Debug)]
struct Tagged {
    candidate: Candidate,
    from: u32,
}

impl Tagged {
    /// A candidate whose distance is not known yet.
    fn new(node: u32, from: u32) -> Self {
        let candidate = Candidate { key: 0, node };
        Self { candidate, from }
    }
}

/// Prunes the gathered candidates of some rows.
struct PruneChunk<'a, G> {
    codes: &'a Codes,
    rows: &'a [u32],
    cap: usize,
    gathered_max: usize,
    gathered: G,
}

impl<G: Fn(u32, &mut Vec<Tagged>)> WithIsa for PruneChunk<'_, G> {
    type Output = Lists<Candidate>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Lists<Candidate> {
        let Self {
            codes,
            rows,
            cap,
            gathered_max,
            gathered,
        } = self;
        let mut lists = Lists::with_capacity(rows.len(), rows.len() * cap);
        let (mut candidates, mut kept) = (Vec::new(), Vec::new());
        for &row in rows {
            candidates.clear();
            gathered(row, &mut candidates);
            unite_equal(&mut candidates);
            score(isa, codes, row, &mut candidates);
            candidates.truncate(gathered_max);
            select_across(isa, codes, &candidates, cap, &mut kept);
            kept.iter()
                .for_each(|kept: &Tagged| lists.push_item(kept.candidate));
            lists.end_list();
        }
        lists
    }
}

/// Candidates of one node become one, which is from all of their lists.
#[inline(always)]
fn unite_equal(candidates: &mut Vec<Tagged>) {
    candidates.sort_unstable_by_key(|tagged| tagged.candidate.node);
    candidates.dedup_by(|later, first| {
        let same = later.candidate.node == first.candidate.node;
        first.from |= if same { later.from } else { 0 };
        same
    });
}

/// Finds the distances between codes, and sorts by them.
#[inline(always)]
fn score<I: Isa>(isa: I, codes: &Codes, row: u32, candidates: &mut [Tagged]) {
    let nodes: Vec<u32> = candidates.iter().map(|one| one.candidate.node).collect();
    let mut keys = Vec::with_capacity(nodes.len());
    NodeScorer::new(codes, row).score(isa, &nodes, &mut keys);
    for (tagged, key) in candidates.iter_mut().zip(keys) {
        tagged.candidate.key = key;
    }
    candidates.sort_unstable_by_key(|tagged| tagged.candidate);
}

/// The neighbour heuristic across lists.
///
/// Of two from one list neither strikes out the other: the leaf has seen to that.
#[inline(always)]
fn select_across<I: Isa>(
    isa: I,
    codes: &Codes,
    candidates: &[Tagged],
    cap: usize,
    kept: &mut Vec<Tagged>,
) {
    kept.clear();
    let mut strangers: Vec<Candidate> = Vec::with_capacity(cap);
    for &one in candidates {
        if kept.len() == cap {
            break;
        }
        strangers.clear();
        let stranger = |other: &&Tagged| other.from & one.from == 0;
        strangers.extend(kept.iter().filter(stranger).map(|other| other.candidate));
        if !is_nearer_to_one(isa, codes, one.candidate, &strangers) {
            kept.push(one);
        }
    }
}

/// Writes the union of each row's own list and the links offered to it, pruned where it is too long.
struct UniteChunk<'a, P> {
    codes: &'a Codes,
    first: u32,
    cap: usize,
    slots: &'a mut [u32],
    stride: usize,
    parts: P,
}

impl<'a, P: Fn(u32) -> [&'a [Candidate]; 2]> WithIsa for UniteChunk<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let mut united = Vec::new();
        for (slots, row) in self.slots.chunks_exact_mut(self.stride).zip(self.first..) {
            united.clear();
            (self.parts)(row)
                .iter()
                .for_each(|part| united.extend_from_slice(part));
            sort_and_dedup(&mut united);
            if united.len() > self.cap {
                united = select(isa, self.codes, &united, self.cap);
            }
            slots
                .iter_mut()
                .zip(&united)
                .for_each(|(slot, link)| *slot = link.node);
        }
    }
}

/// The same link from two leaves has the same key, so equal nodes are neighbours once sorted.
#[inline(always)]
fn sort_and_dedup(candidates: &mut Vec<Candidate>) {
    candidates.sort_unstable();
    candidates.dedup();
}
