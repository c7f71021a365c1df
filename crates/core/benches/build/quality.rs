//! Recall, and the distances it costs: what no other load on the machine can change.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use rayon::ThreadPool;
use rayon::prelude::*;
use serde::Serialize;

use proxime_core::{Graph, Scratch, ScratchPool, rerank, search};
use proxime_quant::{Codes, Query, ScalarI8};
use proxime_simd::{Metric, Rows};

use crate::data::Data;

const K: usize = 10;
/// As the database does it: the candidates of the exact pass.
const RERANKED: usize = 2 * K;
/// Those of bench-compare, so that the curves have points for the same beams.
const EFS: [usize; 19] = [
    10, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 200, 300, 400, 600, 800,
];

/// What searches with one beam width find, and what they compute for it.
#[derive(Clone, Serialize)]
pub(crate) struct Point {
    pub(crate) ef: usize,
    /// Of the 10 nearest rows.
    pub(crate) recall: f64,
    /// A query, between codes, on all levels.
    pub(crate) distances: f64,
    /// A query, between vectors, in the exact pass.
    pub(crate) exact_distances: f64,
}

/// Searches graphs of the rows, or of the first of them, and knows the right answers.
pub(crate) struct Judge<'a> {
    pub(crate) codes: &'a Codes,
    pub(crate) pool: &'a ThreadPool,
    data: &'a Data,
    rows: Rows<'a, f32>,
    queries: Rows<'a, f32>,
    prepared: Vec<Query>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        data: &'a Data,
        codec: &ScalarI8,
        codes: &'a Codes,
        pool: &'a ThreadPool,
    ) -> Result<Self> {
        let queries = data.queries()?;
        let prepared: Result<_, _> = queries.iter().map(|query| codec.prepare(query)).collect();
        Ok(Self {
            codes,
            pool,
            data,
            rows: data.base()?,
            queries,
            prepared: prepared?,
        })
    }

    /// Recall over a sweep of beam widths, in a graph of all rows.
    pub(crate) fn curve(&self, graph: &Graph) -> Result<Vec<Point>> {
        let truth = self.truth(self.codes.n())?;
        let points = EFS.iter().map(|&ef| self.search(graph, ef, &truth));
        Ok(points.collect())
    }

    /// One point of the curve of a graph in which only the first `n` rows can be found.
    pub(crate) fn point(&self, graph: &Graph, ef: usize, n: usize) -> Result<Point> {
        Ok(self.search(graph, ef, &self.truth(n)?))
    }

    /// Of each query the nearest of the first `n` rows: as many of the known neighbours are left of nearly all rows.
    fn truth(&self, n: usize) -> Result<Vec<HashSet<u32>>> {
        let nearest = |neighbors: &[i32]| -> Result<HashSet<u32>> {
            let rows = neighbors.iter().map(|&row| row as u32);
            let nearest: HashSet<_> = rows.filter(|&row| (row as usize) < n).take(K).collect();
            ensure!(
                nearest.len() == K,
                "too few of the {n} rows are known neighbours"
            );
            Ok(nearest)
        };
        self.data.neighbors().map(nearest).collect()
    }

    fn search(&self, graph: &Graph, ef: usize, truth: &[HashSet<u32>]) -> Point {
        let scratches = ScratchPool::default();
        let one = |i| scratches.with(|scratch| self.search_one(graph, ef, i, &truth[i], scratch));
        let sum = self.pool.install(|| {
            let all = (0..truth.len()).into_par_iter().map(one);
            all.reduce(|| [0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]])
        });
        let [hits, distances, exact_distances] = sum.map(|sum| sum as f64 / truth.len() as f64);
        Point {
            ef,
            recall: hits / K as f64,
            distances,
            exact_distances,
        }
    }

    /// Hits, distances between codes, distances between vectors.
    fn search_one(
        &self,
        graph: &Graph,
        ef: usize,
        query: usize,
        truth: &HashSet<u32>,
        scratch: &mut Scratch,
    ) -> [u64; 3] {
        search(graph, self.codes, &self.prepared[query], ef, scratch);
        let reranked = scratch.candidates().take(RERANKED).count();
        let candidates = scratch.candidates().take(RERANKED);
        let query = self.queries.row(query);
        let found = rerank(Metric::L2, query, self.rows, candidates, K);
        let hits = found.iter().filter(|found| truth.contains(&found.node));
        [hits.count() as u64, scratch.distances(), reranked as u64]
    }
}
