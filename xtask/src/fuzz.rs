//! `cargo xtask fuzz`: inputs for everything that reads bytes from outside, found by looking at which code they reach.
//!
//! libFuzzer on the pinned toolchain: the flags that make a program say where it has been are stable ones, so neither a nightly
//! nor another subcommand of cargo is needed, but a C++ compiler is. Inputs are kept in the target directory; one that does harm is
//! left there, and belongs into `fuzz/corpus` with its mending.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{
    shell,
    workspace::{Workspace, checked},
};

/// Counters for each edge, and the operands of comparisons.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// What a single input may take before it counts as harm. Of time only what never ends is libFuzzer's: it looks at the clock, the
/// target at the processor.
const LIMITS: &str = "-timeout=1200 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=65536";

/// Fuzzes one target, or each in turn, for so many seconds of the processor.
pub(crate) fn run(workspace: &Workspace, target: Option<&str>, seconds: u64) -> Result<()> {
    let corpus = workspace.root.join("fuzz/corpus");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&corpus)? {
        targets.push(entry?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    if let Some(target) = target {
        if !targets.iter().any(|name| name == target) {
            bail!("no target {target:?}; there are {}", targets.join(", "));
        }
        targets.retain(|name| name == target);
    }
    let host = host(workspace)?;
    build(workspace, &host)?;
    let program = workspace
        .target
        .join("fuzz")
        .join(&host)
        .join("release/guided");
    for target in targets {
        let found = workspace.target.join("fuzz-corpus").join(&target);
        fs::create_dir_all(&found)?;
        let limits = format!("{LIMITS} -print_final_stats=1");
        let mut command = shell::command(&program, &limits, &found);
        command
            .env("PROXIME_FUZZ_TARGET", &target)
            .env("PROXIME_FUZZ_SECONDS", seconds.to_string())
            .arg(format!("-artifact_prefix={}-", found.display()))
            .arg(&found)
            .arg(corpus.join(&target));
        shell::run(command)?;
    }
    Ok(())
}

/// With optimizations, and with what the debug profile checks.
fn build(workspace: &Workspace, host: &str) -> Result<()> {
    let args = format!(
        "build --locked --release --package proxime-fuzz --features guided --bin guided --target {host}"
    );
    let mut command = workspace.cargo(&args);
    command
        .arg("--target-dir")
        .arg(workspace.target.join("fuzz"))
        .env("RUSTFLAGS", COVERAGE);
    shell::run(checked(&mut command))
}

/// Named, so that programs which only run during the build are not instrumented.
fn host(workspace: &Workspace) -> Result<String> {
    let said = shell::capture(shell::command("rustc", "-vV", &workspace.root))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host
        .context("rustc does not say what it runs on")?
        .to_owned())
}
