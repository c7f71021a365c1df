//! What this crate does alone, in memory: codes and graph of a data set, stage by stage, and what the graph is worth.
//!
//! `cargo xtask bench build` runs it beside other libraries. By hand, on a set that bench-compare has made:
//! `cargo bench -p proxime-core --bench build -- "$PWD/target/bench-data/text-svd-768" --quality` (cargo runs it in another
//! folder). The crate reads no clock; this program does, whenever the progress hook tells it of a step. No files, no ids:
//! those are in the figures of whole databases.
#![expect(clippy::print_stdout, reason = "a report is what it is for")]

mod changes;
mod data;
mod process;
mod quality;
mod report;
mod stages;

use anyhow::Result;
use clap::Parser;
use rayon::ThreadPool;
use rayon::prelude::*;

use proxime_core::{Graph, Params, Preset};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

use crate::data::Data;
use crate::quality::Judge;
use crate::report::{Quality, Report};
use crate::stages::Stopwatch;

/// That of the front doors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As the database does it: rows the codec is trained on, and bytes of vectors that one task encodes.
const SAMPLE_ROWS: usize = 1024;
const CHUNK_BYTES: usize = 256 << 10;

/// Codes and graph of a data set by squared L2, measured.
#[derive(Parser)]
struct Args {
    /// The set: its files are STEM-base.npy, STEM-queries.npy and STEM-neighbors.npy
    stem: String,
    /// Only the first N rows
    #[arg(long, value_name = "N", conflicts_with = "quality")]
    rows: Option<usize>,
    /// fast, default or high
    #[arg(long, default_value_t)]
    preset: Preset,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Of the graph: what changes with it is luck
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also search, insert and delete
    #[arg(long)]
    quality: bool,
    /// Report as one JSON object
    #[arg(long)]
    json: bool,
    /// What cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let data = Data::read(&args.stem, args.rows)?;
    let params = Params::default()
        .with_preset(args.preset)
        .with_seed(args.seed);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build()?;
    let report = measure(&data, &params, &pool, args.quality)?;
    match args.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => report.print(),
    }
    Ok(())
}

fn measure(data: &Data, params: &Params, pool: &ThreadPool, quality: bool) -> Result<Report> {
    let rows = data.base()?;
    let resident_before = process::reset_peak()?;
    let cpu_before = process::cpu_seconds()?;
    let stopwatch = Stopwatch::start();

    stopwatch.begin("train");
    let codec = train(rows)?;
    stopwatch.begin("encode");
    let codes = encode(&codec, rows, pool)?;
    let graph = Graph::build(&codes, params, pool, &|done| stopwatch.hear(done))?;

    let stages = stopwatch.stop();
    let cpu_seconds = process::cpu_seconds()? - cpu_before;
    let peak_bytes = process::peak_bytes()?;
    let stats = graph.stats();
    let index_bytes = index_bytes(&codes, &graph);
    let quality = match quality {
        true => Some(judge(data, &codec, &codes, graph, params, pool)?),
        false => None,
    };
    let seconds: f64 = stages.iter().map(|stage| stage.seconds).sum();
    Ok(Report {
        n: rows.n(),
        dim: rows.dim(),
        preset: params.preset().to_string(),
        seconds,
        cpu_seconds,
        vec_s: rows.n() as f64 / seconds,
        peak_bytes,
        extra_bytes: peak_bytes.saturating_sub(resident_before),
        index_bytes,
        stages,
        mean_degree: stats.mean_degree,
        levels: stats.levels,
        unreachable: stats.unreachable,
        quality,
    })
}

/// A codec from rows spread evenly over the set.
fn train(rows: Rows<'_, f32>) -> Result<ScalarI8> {
    let sampled = rows.n().min(SAMPLE_ROWS);
    let sample: Vec<f32> = (0..sampled)
        .flat_map(|i| rows.row(i * rows.n() / sampled))
        .copied()
        .collect();
    Ok(ScalarI8::train(
        Rows::new(&sample, rows.dim())?,
        Metric::L2,
    )?)
}

fn encode(codec: &ScalarI8, rows: Rows<'_, f32>, pool: &ThreadPool) -> Result<Codes> {
    let mut codes = Codes::zeroed(codec, rows.n());
    let chunk_rows = (CHUNK_BYTES / (4 * rows.dim())).max(1);
    let chunks = codes.chunks_mut(chunk_rows);
    pool.install(|| {
        chunks
            .into_par_iter()
            .enumerate()
            .try_for_each(|(i, mut chunk)| {
                let first = i * chunk_rows;
                codec.encode_rows(rows.slice(first..first + chunk.n()), &mut chunk)
            })
    })?;
    Ok(codes)
}

/// What stays in memory: the codes, a sum, a norm and a term of each row, the lists.
fn index_bytes(codes: &Codes, graph: &Graph) -> usize {
    codes.as_bytes().len() + 12 * codes.n() + graph.to_bytes().len()
}

fn judge(
    data: &Data,
    codec: &ScalarI8,
    codes: &Codes,
    graph: Graph,
    params: &Params,
    pool: &ThreadPool,
) -> Result<Quality> {
    let judge = Judge::new(data, codec, codes, pool)?;
    Ok(Quality {
        curve: judge.curve(&graph)?,
        changes: changes::measure(&judge, graph, params)?,
    })
}
