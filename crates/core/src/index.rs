//! One graph with its vectors: for library users who want an in-memory index and nothing else.

use std::ops::ControlFlow;

use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

use crate::search::{ScratchPool, rerank, search};
use crate::{Error, Graph, Neighbor, Params, flat};

/// Rows the codec is trained on, spread evenly over the input.
const TRAIN_ROWS: usize = 1024;

/// An in-memory index over float32 rows.
///
/// Holds a copy of the rows: `4 * dim` bytes each, a quarter of that for codes, and `8 * m` for links.
/// See the crate's page for an example.
#[derive(Debug)]
pub struct Index {
    dim: usize,
    params: Params,
    codec: ScalarI8,
    codes: Codes,
    graph: Graph,
    rows: Vec<f32>,
    scratches: ScratchPool,
}

impl Index {
    /// Builds an index of all rows, with a thread for every core.
    ///
    /// Errors: a component that is not finite, a zero row under cosine, more rows than a graph can number.
    pub fn build(rows: Rows<'_, f32>, metric: Metric, params: &Params) -> Result<Self, Error> {
        let step = rows.n().div_ceil(TRAIN_ROWS).max(1);
        let sample: Vec<f32> = rows.iter().step_by(step).flatten().copied().collect();
        let codec = ScalarI8::train(Rows::new(&sample, rows.dim())?, metric)?;
        let codes = Codes::encode(&codec, rows)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .build()
            .map_err(|error| Error::Threads {
                reason: error.to_string(),
            })?;
        let graph = Graph::build(&codes, params, &pool, &|_| ControlFlow::Continue(()))?;
        let rows_owned = rows.as_slice().to_vec();
        let scratches = ScratchPool::default();
        Ok(Self {
            dim: rows.dim(),
            params: *params,
            codec,
            codes,
            graph,
            rows: rows_owned,
            scratches,
        })
    }

    /// The up to `k` nearest rows, nearest first; `ef` defaults to the parameters' `ef_search` and is at least `k`.
    ///
    /// Errors: another dimension, a component that is not finite, a zero query under cosine.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: Option<usize>,
    ) -> Result<Vec<Neighbor>, Error> {
        let prepared = self.codec.prepare(query)?;
        let ef = ef
            .unwrap_or(self.params.ef_search())
            .max(k)
            .min(self.graph.n());
        let found = self.scratches.with(|scratch| {
            search(&self.graph, &self.codes, &prepared, ef, scratch);
            self.rows()
                .map(|rows| rerank(self.codec.metric(), query, rows, scratch.candidates(), k))
        })?;
        Ok(found)
    }

    /// The same by looking at every row: exact.
    ///
    /// Errors: as [`Index::search`].
    pub fn search_exact(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, Error> {
        self.codec.prepare(query)?;
        let found = flat::search(
            self.codec.metric(),
            Rows::new(query, self.dim)?,
            self.rows()?,
            k,
            |_| true,
        );
        Ok(found.into_iter().flatten().collect())
    }

    /// The topology.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn rows(&self) -> Result<Rows<'_, f32>, Error> {
        Ok(Rows::new(&self.rows, self.dim)?)
    }
}
