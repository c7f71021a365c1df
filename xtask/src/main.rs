//! The project's chores as one program: `cargo xtask demo`, `cargo xtask test` and what stands behind CI.
//!
//! Needs the pinned Rust toolchain, a C compiler and Python 3.11 or newer; whatever else a command wants it installs under
//! the target directory. It drives other programs (cargo, maturin, pytest) and knows nothing of vectors: no crate of the
//! house depends on it and it depends on none.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: what it says is what it is for"
)]

mod bench;
mod ci;
mod conformance;
mod demo;
mod deny;
mod dist;
mod docs;
mod fuzz;
mod neon;
mod plants;
mod python;
mod shell;
mod steps;
mod test;
mod tidy;
mod torture;
mod workspace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Chores of the Proxime workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Ingest real data, reopen it in another process, search it, print a small table
    Demo {
        /// Use this set instead of the bundled one: an .npz with `base` and `queries`, or an .npy with rows
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
    },
    /// Run every test: the house rules, Rust, documentation, Python
    Test,
    /// Do exactly what CI does
    Ci,
    /// Run the test suites that other projects have for what plugs into them
    Conformance {
        /// Only these files of crates/py/conformance
        files: Vec<String>,
    },
    /// Check the house rules: layers, module docs, unsafe, paths in the documents
    Tidy,
    /// Measure, beside other libraries on the same data
    Bench(bench::Bench),
    /// Crash, kill and damage stores for some minutes, and count
    Torture {
        /// About how long
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
    },
    /// Look for inputs that do harm to what reads bytes from outside
    Fuzz {
        /// Only this target; otherwise each in turn
        target: Option<String>,
        /// How long each, in time of the processor
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Plant mistakes into a copy of the source, one at a time, and see that the tests find them
    Plants {
        /// Only those whose description contains one of these
        only: Vec<String>,
    },
    /// Run what must hold on every processor on emulated ARM ones
    Neon,
    /// Write the guides and the Python reference as web pages
    Docs {
        /// A folder; made if it is not there
        #[arg(default_value = "target/docs")]
        out: PathBuf,
    },
    /// Build the wheels that are handed out, for any Linux on x86-64 and ARM, and try them
    Dist,
}

fn main() -> ExitCode {
    let chore = Cli::parse().chore;
    let outcome = Workspace::find().and_then(|workspace| match chore {
        Chore::Demo { data } => demo::run(&workspace, data.as_deref()),
        Chore::Test => test::run(&workspace),
        Chore::Ci => ci::run(&workspace),
        Chore::Conformance { files } => conformance::run(&workspace, &files),
        Chore::Tidy => tidy::run(&workspace),
        Chore::Bench(bench) => bench::run(&workspace, &bench),
        Chore::Torture { minutes } => torture::run(&workspace, minutes),
        Chore::Fuzz { target, seconds } => fuzz::run(&workspace, target.as_deref(), seconds),
        Chore::Plants { only } => plants::run(&workspace, &only),
        Chore::Neon => neon::run(&workspace),
        Chore::Docs { out } => docs::run(&workspace, &out),
        Chore::Dist => dist::run(&workspace),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
