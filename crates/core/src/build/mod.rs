//! Building a graph of many rows at once.
//!
//! Rows are inserted in batches that double until they are a fiftieth of the graph, those of high level first and
//! otherwise in the order of their hash, so that neither sorted input nor the number of threads matters.

use std::ops::ControlFlow;

use rayon::ThreadPool;

use proxime_quant::Codes;

use crate::connect::connect;
use crate::insert::insert_batch;
use crate::level::{draw, node_hash};
use crate::links::ROWS_MAX;
use crate::search::ScratchPool;
use crate::{Error, Graph, Params};

/// Called with the number of rows done; `Break` stops the build with [`Error::Interrupted`].
pub type Progress<'a> = &'a (dyn Fn(usize) -> ControlFlow<()> + Sync);

/// A batch sees nothing of itself: at most this part of the graph so far.
const BATCH_PART: usize = 50;

impl Graph {
    /// Builds the graph of all rows of `codes` on `pool`.
    ///
    /// The same codes and parameters give the same graph for any number of threads and on any CPU. Every row is
    /// reachable from the entry point on level 0.
    /// Errors: more rows than a graph can number; `progress` asked to stop.
    pub fn build(
        codes: &Codes,
        params: &Params,
        pool: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        if codes.n() > ROWS_MAX {
            return Err(Error::TooManyRows {
                n: codes.n(),
                max: ROWS_MAX,
            });
        }
        pool.install(|| build(codes, params, progress))
    }
}

fn build(codes: &Codes, params: &Params, progress: Progress<'_>) -> Result<Graph, Error> {
    let hash = |node: u32| node_hash(params.seed(), node);
    let levels: Vec<u8> = (0..codes.n() as u32)
        .map(|node| draw(hash(node), params.m()) as u8)
        .collect();
    let mut order: Vec<u32> = (0..codes.n() as u32).collect();
    // A node's level falls as its hash grows, so the order of hashes is also that of levels, highest first.
    order.sort_unstable_by_key(|&node| (hash(node), node));
    let mut graph = Graph::unlinked(&levels, params.m(), order.first().copied());
    let scratches = ScratchPool::default();
    let mut done = 1.min(order.len());
    while done < order.len() {
        let size = done
            .min((done / BATCH_PART).max(64))
            .min(order.len() - done);
        insert_batch(
            &mut graph,
            codes,
            &levels,
            &order[done..done + size],
            params,
            &scratches,
        );
        done += size;
        if progress(done).is_break() {
            return Err(Error::Interrupted);
        }
    }
    connect(&mut graph, codes, params.ef_construction());
    Ok(graph)
}
