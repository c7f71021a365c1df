//! One batch into a new collection, timed: the rate that callers in other languages are measured by.
//!
//! `bench-compare/ingest.py` runs it in turns with the same call from Python (`cargo xtask bench ingest`).
#![expect(clippy::print_stdout, reason = "a report is what it is for")]

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use proxime::{Batch, CollectionConfig, Database, Key, Metric, OpenOptions, Rows};

/// That of the front doors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seconds from rows and integer ids to the durable commit.
#[derive(Parser)]
struct Args {
    /// Rows that come on stdin, as little-endian float32
    n: usize,
    /// Components of each
    dim: usize,
    /// Where the store is made; otherwise it is in memory
    store: Option<PathBuf>,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// What cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut values = vec![0f32; args.n * args.dim];
    io::stdin().read_exact(bytemuck::cast_slice_mut(&mut values))?;
    let rows = Rows::new(&values, args.dim)?;
    let ids: Vec<i64> = (0..args.n as i64).collect();
    let options = OpenOptions {
        threads: Some(args.threads),
        ..OpenOptions::default()
    };
    let db = match &args.store {
        Some(store) => Database::open_with(store, &options)?,
        None => Database::in_memory_with(&options)?,
    };
    let config = CollectionConfig::new(args.dim).metric(Metric::L2);
    let collection = db.create_collection("rows", config)?;
    let started = Instant::now();
    let ids: Vec<Key> = ids.into_iter().map(Key::Int).collect();
    collection.upsert(Batch::new(ids, &rows))?;
    println!("{}", started.elapsed().as_secs_f64());
    db.close()?;
    Ok(())
}
