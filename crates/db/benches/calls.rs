//! Searches for one query in a few records, timed: next to nothing but the call, which callers in other languages are measured by.
//!
//! `bench-compare/calls.py` runs it in turns with the same calls from Python (`cargo xtask bench calls`).
#![expect(clippy::print_stdout, reason = "a report is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use proxime::{Batch, CollectionConfig, Database, Key, Metric, Rows, SearchOptions};

/// That of the front doors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Microseconds of a call, for each group of calls a line.
#[derive(Parser)]
struct Args {
    /// Records
    n: usize,
    /// Components of each
    dim: usize,
    /// Records that are found
    k: usize,
    /// Groups of calls
    groups: usize,
    /// Calls in each
    calls: usize,
    /// What cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let values: Vec<f32> = (0..args.n * args.dim)
        .map(|i| (i * 7 % 101) as f32)
        .collect();
    let rows = Rows::new(&values, args.dim)?;
    let db = Database::in_memory()?;
    let config = CollectionConfig::new(args.dim).metric(Metric::L2);
    let collection = db.create_collection("rows", config)?;
    let ids: Vec<Key> = (0..args.n as i64).map(Key::Int).collect();
    collection.upsert(Batch::new(ids, &rows))?;
    let query = &values[..args.dim];
    for _ in 0..args.groups {
        let started = Instant::now();
        for _ in 0..args.calls {
            let query = Rows::new(black_box(query), args.dim)?;
            black_box(collection.search(query, &SearchOptions::k(args.k))?);
        }
        println!(
            "{}",
            started.elapsed().as_secs_f64() * 1e6 / args.calls as f64
        );
    }
    Ok(())
}
