//! Distances from one point, a node or a query, to many nodes.
//!
//! Both kinds come as `u32` keys of the distance's order, so that one search loop serves building and searching.

use proxime_quant::{Codes, CodesU4, Error as QuantError, Query, QueryU4, ScalarI8};
use proxime_simd::{I8Query, Isa};

use crate::neighbor::ordered;
use crate::search::Candidate;

/// Rows multiplied at once: as many as have their sums in registers on every tier.
const GROUP: usize = 4;

/// Rows in flight behind them.
const AHEAD: usize = 8;

/// Codes that a graph can be walked on: [`Codes`], or [`CodesU4`] with half the memory traffic.
pub trait WalkCodes {
    /// A query prepared for them.
    type Query;

    /// Prepares a query; `codec` is the one that the codes are of.
    ///
    /// Errors: as [`ScalarI8::prepare`].
    fn prepare(&self, codec: &ScalarI8, query: &[f32]) -> Result<Self::Query, QuantError>;

    /// How far the candidate's distance may be off: one standard deviation.
    fn error(&self, query: &Self::Query, candidate: Candidate) -> f32;

    /// Distances from a query to these codes.
    #[doc(hidden)]
    type Scorer<'a>: Scorer
    where
        Self: 'a;

    #[doc(hidden)]
    fn scorer<'a>(&'a self, query: &'a Self::Query) -> Self::Scorer<'a>;
}

impl WalkCodes for Codes {
    type Query = Query;
    type Scorer<'a> = QueryScorer<'a>;

    fn prepare(&self, codec: &ScalarI8, query: &[f32]) -> Result<Query, QuantError> {
        codec.prepare(query)
    }

    fn error(&self, query: &Query, candidate: Candidate) -> f32 {
        self.error(query, candidate.distance())
    }

    fn scorer<'a>(&'a self, query: &'a Query) -> QueryScorer<'a> {
        QueryScorer::new(self, query)
    }
}

impl WalkCodes for CodesU4 {
    type Query = QueryU4;
    type Scorer<'a> = U4Scorer<'a>;

    fn prepare(&self, codec: &ScalarI8, query: &[f32]) -> Result<QueryU4, QuantError> {
        self.prepare(codec, query)
    }

    fn error(&self, query: &QueryU4, candidate: Candidate) -> f32 {
        self.error(query, candidate.node as usize)
    }

    fn scorer<'a>(&'a self, query: &'a QueryU4) -> U4Scorer<'a> {
        U4Scorer {
            codes: self,
            query,
            query_codes: query.codes(),
        }
    }
}

/// Something with a distance to every node.
pub trait Scorer {
    /// Appends the key of each node's distance.
    fn score<I: Isa>(&self, isa: I, nodes: &[u32], keys: &mut Vec<u32>);

    /// Hints that a node will be scored soon.
    #[inline(always)]
    fn prefetch<I: Isa>(&self, _isa: I, _node: u32) {}

    /// Takes out nodes whose key is likely greater than `farthest`, where a small part of their codes tells. Those that stay are
    /// prefetched.
    #[inline(always)]
    fn screen<I: Isa>(&self, _isa: I, _farthest: u32, _nodes: &mut Vec<u32>) {}

    /// Hints that a node will be screened soon.
    #[inline(always)]
    fn prefetch_screen<I: Isa>(&self, _isa: I, _node: u32) {}
}

/// The distance between two rows, from the product of their codes, their norms and added coordinates.
///
/// Wraps where an intermediate sum does; the distance itself fits u32 (see `Codes`).
#[inline(always)]
pub(crate) fn distance_from_dot(dot: i32, norms: [u32; 2], extras: [u32; 2]) -> u32 {
    let product = (dot as u32).wrapping_add(extras[0].wrapping_mul(extras[1]));
    norms[0]
        .wrapping_add(norms[1])
        .wrapping_sub(product.wrapping_mul(2))
}

/// Distances from a node: exact integers, the same on every CPU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeScorer<'a> {
    codes: &'a Codes,
    query: I8Query<'a>,
    norm: u32,
    extra: u32,
}

impl<'a> NodeScorer<'a> {
    #[inline(always)]
    pub(crate) fn new(codes: &'a Codes, node: u32) -> Self {
        let row = node as usize;
        Self {
            codes,
            query: codes.query(row),
            norm: codes.norm(row),
            extra: codes.extra(row),
        }
    }

    /// The distance to one node.
    #[inline(always)]
    pub(crate) fn distance<I: Isa>(&self, isa: I, node: u32) -> u32 {
        let [dot] = dots_of(isa, self.query, self.codes, &[node]);
        self.key(node, dot)
    }

    /// The distances to four nodes.
    #[inline(always)]
    pub(crate) fn distances<I: Isa>(&self, isa: I, nodes: [u32; 4]) -> [u32; 4] {
        let mut keys = [0; 4];
        let dots = dots_of(isa, self.query, self.codes, &nodes);
        for (key, (&node, &dot)) in keys.iter_mut().zip(nodes.iter().zip(&dots)) {
            *key = self.key(node, dot);
        }
        keys
    }

    #[inline(always)]
    fn key(&self, node: u32, dot: i32) -> u32 {
        let row = node as usize;
        let norms = [self.norm, self.codes.norm(row)];
        distance_from_dot(dot, norms, [self.extra, self.codes.extra(row)])
    }
}

impl Scorer for NodeScorer<'_> {
    #[inline(always)]
    fn score<I: Isa>(&self, isa: I, nodes: &[u32], keys: &mut Vec<u32>) {
        dots(isa, self.query, self.codes, nodes, |node, dot| {
            keys.push(self.key(node, dot))
        });
    }
}

/// Distances from a prepared query.
#[derive(Debug, Clone, Copy)]
pub struct QueryScorer<'a> {
    codes: &'a Codes,
    query: &'a Query,
    query_codes: I8Query<'a>,
}

impl<'a> QueryScorer<'a> {
    pub(crate) fn new(codes: &'a Codes, query: &'a Query) -> Self {
        Self {
            codes,
            query,
            query_codes: query.codes(),
        }
    }
}

impl Scorer for QueryScorer<'_> {
    #[inline(always)]
    fn score<I: Isa>(&self, isa: I, nodes: &[u32], keys: &mut Vec<u32>) {
        dots(isa, self.query_codes, self.codes, nodes, |node, dot| {
            keys.push(ordered(
                self.query
                    .distance_from_dot(dot, self.codes.term(node as usize)),
            ));
        });
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, node: u32) {
        isa.prefetch(self.codes.row(node as usize));
    }
}

/// Distances from a prepared query to 4-bit codes.
#[derive(Debug, Clone, Copy)]
pub struct U4Scorer<'a> {
    codes: &'a CodesU4,
    query: &'a QueryU4,
    query_codes: I8Query<'a>,
}

impl U4Scorer<'_> {
    #[inline(always)]
    fn score_group<I: Isa, const N: usize>(&self, isa: I, group: &[u32; N], keys: &mut Vec<u32>) {
        let mut rows: [&[u8]; N] = [&[]; N];
        for (row, &node) in rows.iter_mut().zip(group) {
            *row = self.codes.row(node as usize);
        }
        let dots = isa.dots_u4(self.query_codes, rows);
        for (&node, dot) in group.iter().zip(dots) {
            let distance = self.codes.distance_from_dot(self.query, dot, node as usize);
            keys.push(ordered(distance));
        }
    }

    /// The least keys that a group of nodes is likely to have.
    #[inline(always)]
    fn least<I: Isa, const N: usize>(&self, isa: I, group: [u32; N]) -> [u32; N] {
        let mut signs: [&[u8]; N] = [&[]; N];
        for (signs, &node) in signs.iter_mut().zip(&group) {
            *signs = self.codes.signs(node as usize);
        }
        let dots = isa.dots_bits(self.query_codes, signs);
        let mut least = [0; N];
        for (least, (&node, &dot)) in least.iter_mut().zip(group.iter().zip(&dots)) {
            *least = ordered(self.codes.least_from_signs(self.query, dot, node as usize));
        }
        least
    }
}

impl Scorer for U4Scorer<'_> {
    #[inline(always)]
    fn score<I: Isa>(&self, isa: I, nodes: &[u32], keys: &mut Vec<u32>) {
        let (groups, rest) = nodes.as_chunks::<4>();
        for group in groups {
            self.score_group(isa, group, keys);
        }
        for node in rest {
            self.score_group(isa, &[*node], keys);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, node: u32) {
        self.codes.prefetch(isa, node as usize);
    }

    #[inline(always)]
    fn screen<I: Isa>(&self, isa: I, farthest: u32, nodes: &mut Vec<u32>) {
        let (mut read, mut kept) = (0, 0);
        while read < nodes.len() {
            let rest = &nodes[read..];
            let (group, count, least) = match rest.first_chunk::<4>() {
                Some(&group) => (group, 4, self.least(isa, group)),
                None => {
                    let [least] = self.least(isa, [rest[0]]);
                    ([rest[0]; 4], 1, [least; 4])
                }
            };
            for (node, least) in group.into_iter().zip(least).take(count) {
                if least <= farthest {
                    self.prefetch(isa, node);
                    nodes[kept] = node;
                    kept += 1;
                }
            }
            read += count;
        }
        nodes.truncate(kept);
    }

    #[inline(always)]
    fn prefetch_screen<I: Isa>(&self, isa: I, node: u32) {
        self.codes.prefetch_signs(isa, node as usize);
    }
}

/// Products of the query with the nodes' codes, in the nodes' order.
#[inline(always)]
pub(crate) fn dots<I: Isa>(
    isa: I,
    query: I8Query<'_>,
    codes: &Codes,
    nodes: &[u32],
    mut emit: impl FnMut(u32, i32),
) {
    let (groups, rest) = nodes.as_chunks::<GROUP>();
    for (group, next) in groups.iter().zip((GROUP..).step_by(GROUP)) {
        for &node in nodes[next..].iter().take(AHEAD) {
            isa.prefetch(codes.row(node as usize));
        }
        let products = dots_of(isa, query, codes, group);
        for (&node, dot) in group.iter().zip(products) {
            emit(node, dot);
        }
    }
    for &node in rest {
        let [dot] = dots_of(isa, query, codes, &[node]);
        emit(node, dot);
    }
}

/// Products with as many rows at once as there are nodes.
#[inline(always)]
fn dots_of<I: Isa, const N: usize>(
    isa: I,
    query: I8Query<'_>,
    codes: &Codes,
    nodes: &[u32; N],
) -> [i32; N] {
    // A loop: a closure given to an array is not always inlined, and leaves the tier.
    let mut rows: [&[i8]; N] = [&[]; N];
    for (row, &node) in rows.iter_mut().zip(nodes) {
        *row = codes.row(node as usize);
    }
    isa.dots_i8(query, rows)
}
