//! Rates of inserts and deletes, and what they leave of a graph.
//!
//! The last tenth of the rows is inserted into a graph built of the others, and deleted from one built of all. So each graph
//! can be compared with one that was built of the same rows.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use proxime_core::{Done, Graph, Params};

use crate::quality::{Judge, Point};

/// Of the rows, one in so many is inserted and deleted.
const PART: usize = 10;
const BATCH: usize = 1000;
/// Inserts of one row: each needs a copy of all codes beforehand, so not many.
const SINGLES: usize = 100;
/// The beam width of all searches here.
const EF: usize = 32;

/// A change to a graph.
#[derive(Serialize)]
pub(crate) struct Change {
    pub(crate) what: String,
    /// Rows inserted or deleted.
    pub(crate) rows: usize,
    pub(crate) rows_s: f64,
    pub(crate) before: Point,
    pub(crate) after: Point,
    /// Of a graph built of the rows that this one has now; unknown where none was built.
    pub(crate) built: Option<Point>,
    pub(crate) unreachable: usize,
}

/// Inserts in batches, inserts row by row, deletes. `all` is the graph of all rows.
pub(crate) fn measure(judge: &Judge<'_>, all: Graph, params: &Params) -> Result<Vec<Change>> {
    let n = judge.codes.n();
    let rest = n - n / PART;
    let codes = judge.codes.select(&first(rest));
    let others = Graph::build(&codes, params, judge.pool, &go_on)?;
    let of_all = judge.point(&all, EF, n)?;
    let of_others = judge.point(&others, EF, rest)?;

    let singly = insert(judge, others.clone(), (rest + SINGLES).min(n), 1, params)?;
    let batched = insert(judge, others, n, BATCH, params)?;
    let deleted = delete(judge, all, rest, params)?;
    Ok(vec![
        batched.judge(
            judge,
            format!("insert, {BATCH} a call"),
            &of_others,
            Some(&of_all),
        )?,
        singly.judge(judge, "insert, 1 a call".into(), &of_others, None)?,
        deleted.judge(
            judge,
            "delete, all in a call".into(),
            &of_all,
            Some(&of_others),
        )?,
    ])
}

/// A graph that was changed.
struct Changed {
    graph: Graph,
    /// Rows inserted or deleted.
    rows: usize,
    took: Duration,
}

impl Changed {
    fn judge(
        &self,
        judge: &Judge<'_>,
        what: String,
        before: &Point,
        built: Option<&Point>,
    ) -> Result<Change> {
        Ok(Change {
            what,
            rows: self.rows,
            rows_s: self.rows as f64 / self.took.as_secs_f64(),
            before: before.clone(),
            after: judge.point(&self.graph, EF, self.graph.live())?,
            built: built.cloned(),
            unreachable: self.graph.stats().unreachable,
        })
    }
}

/// Grows a graph to `n` rows, `batch` a call.
fn insert(
    judge: &Judge<'_>,
    mut graph: Graph,
    n: usize,
    batch: usize,
    params: &Params,
) -> Result<Changed> {
    let rows = n - graph.n();
    let mut took = Duration::ZERO;
    while graph.n() < n {
        let codes = judge.codes.select(&first((graph.n() + batch).min(n)));
        let started = Instant::now();
        graph.insert(&codes, params, judge.pool, &go_on)?;
        took += started.elapsed();
    }
    Ok(Changed { graph, rows, took })
}

/// Deletes all but the first `rest` rows.
fn delete(judge: &Judge<'_>, mut graph: Graph, rest: usize, params: &Params) -> Result<Changed> {
    let gone: Vec<u32> = (rest as u32..graph.n() as u32).collect();
    let started = Instant::now();
    let rows = graph.delete(judge.codes, &gone, params, judge.pool, &go_on)?;
    let took = started.elapsed();
    Ok(Changed { graph, rows, took })
}

fn first(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

fn go_on(_: Done) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
