//! `search`: the nearest records of each query, as a table or as JSON Lines.
//!
//! Queries are read and answered in groups, so a file of any length needs little memory and the first answers come early.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;

use proxime::{Collection, Key, Results, Rows, SearchOptions, VectorSource, metadata_to_json};
use serde::Serialize;

use crate::args::Search;
use crate::array::Array;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

/// Hits held at once.
const HITS_MAX: usize = 1 << 20;
/// Queries answered at once: enough to keep every thread busy.
const QUERIES_MAX: usize = 1024;
/// Components of queries held at once: 64 MiB.
const COMPONENTS_MAX: usize = 1 << 24;

#[derive(Serialize)]
struct Answer {
    query: usize,
    ids: Vec<serde_json::Value>,
    distances: Vec<f32>,
    metadata: Vec<serde_json::Value>,
}

pub(crate) fn run(args: &Search, out: &mut impl Write) -> Result<Exit, Error> {
    let queries = if args.query == Path::new("-") {
        Array::from_stdin()?
    } else {
        Array::open(&args.query)?
    };
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    let options = SearchOptions {
        k: args.k,
        ef: args.ef.map(NonZeroUsize::get),
        recall: args.recall,
        exact: args.exact,
        filter: args.filter.clone(),
        max_distance: args.max_distance,
    };

    queries.check_dim(&collection)?;
    let hits = args.k.min(collection.len()?).max(1);
    let group = (HITS_MAX / hits)
        .min(COMPONENTS_MAX / queries.dim())
        .clamp(1, QUERIES_MAX);
    if !args.json {
        writeln!(out, "{:>6} {:>5} {:>14}  id", "query", "rank", "distance")?;
    }
    for first in (0..queries.rows()).step_by(group) {
        let n = group.min(queries.rows() - first);
        let results = search(&collection, &queries, first, n, &options)?;
        for i in 0..n {
            if args.json {
                print::json(out, &answer(first + i, &results, i)?)?;
            } else {
                write_table(out, first + i, &results, i)?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn search(
    collection: &Collection,
    queries: &Array,
    first: usize,
    n: usize,
    options: &SearchOptions,
) -> Result<Results, Error> {
    let mut vectors = vec![0.0; n * queries.dim()];
    queries.read_rows(first, &mut vectors)?;
    Rows::new(&vectors, queries.dim())
        .map_err(proxime::Error::from)
        .and_then(|rows| collection.search(rows, options))
        .map_err(|e| Error::from_vectors(queries.name(), first, e))
}

fn answer(query: usize, results: &Results, i: usize) -> Result<Answer, Error> {
    let mut answer = Answer {
        query,
        ids: Vec::new(),
        distances: Vec::new(),
        metadata: Vec::new(),
    };
    for hit in results.hits(i) {
        answer.ids.push(match hit.id() {
            Key::Int(id) => id.into(),
            Key::Text(id) => id.into(),
            id @ (Key::Uuid(_) | Key::Bytes(_)) => id.to_string().into(),
        });
        answer.distances.push(hit.distance());
        answer.metadata.push(metadata_to_json(&hit.metadata()?));
    }
    Ok(answer)
}

fn write_table(
    out: &mut impl Write,
    query: usize,
    results: &Results,
    i: usize,
) -> Result<(), Error> {
    for (rank, hit) in results.hits(i).enumerate() {
        write!(
            out,
            "{query:>6} {rank:>5} {:>14.6}  {}",
            hit.distance(),
            hit.id()
        )?;
        let metadata = hit.metadata()?;
        if !metadata.is_empty() {
            write!(out, "  {}", Clean(metadata_to_json(&metadata)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
