//! `cargo xtask neon`: the kernels' tests, and the graph that must be the same everywhere, on emulated ARM processors.
//!
//! rustup's cargo drives Debian's rustc, because Debian ships the ARM standard library of the same build beside it, and
//! qemu runs what comes out. Run-time detection follows the emulated processor, so each tier is really taken. Emulation
//! proves answers, never speed.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::{shell, workspace::Workspace};

/// What must hold on every processor: all that the kernels promise, and one graph, known by its digest.
const TESTED: [&str; 2] = [
    "--package proxime-simd",
    "--package proxime-core --test it same_bytes::the_graph_of_seeded_points_is_known",
];
/// A processor without dot products, one with them, and one with everything the emulator knows; and the tier that each
/// must not fail to take.
const PROCESSORS: [(&str, &str); 3] = [
    ("cortex-a53", "neon"),
    ("neoverse-n1", "neondot"),
    ("max", "neondot"),
];
const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
const RUSTC: &str = "/usr/bin/rustc";
const RUSTDOC: &str = "/usr/bin/rustdoc";
const DEBIAN_PACKAGES: &str =
    "rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user";
/// One test binary on one processor. A program that hangs under emulation must not hang CI.
const TEST_SECONDS_MAX: u32 = 900;
/// One run of apt, waiting for another one included.
const INSTALL_SECONDS_MAX: u32 = 900;

/// Prepares, then tests. An error on a machine that cannot do it, where CI only skips with a shout.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prepare(workspace)?;
    test(workspace)
}

/// Makes sure that compiler, linker and emulator are there, installing them when we may.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    let Err(missing) = check_tools(workspace) else {
        return Ok(());
    };
    println!("installing what is missing: {missing:#}");
    install(workspace).with_context(|| format!("{missing:#}"))?;
    check_tools(workspace)
}

/// Runs the tests on every processor.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    for (processor, tier) in PROCESSORS {
        for tested in TESTED {
            let mut cargo = workspace.cargo(&format!("test --locked --target {TARGET} {tested}"));
            // Another compiler: in the usual target directory each would rebuild what the other left.
            cargo.env("CARGO_TARGET_DIR", workspace.target.join("neon"));
            cargo.env("RUSTC", RUSTC).env("RUSTDOC", RUSTDOC);
            cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
            // No `-L` for qemu: it would mix two builds of the C library, and threads would spin for ever.
            let runner = format!("timeout {TEST_SECONDS_MAX} {EMULATOR} -cpu {processor}");
            cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
            shell::run(cargo.env("PROXIME_REQUIRE_ISA", tier))?;
        }
    }
    Ok(())
}

fn check_tools(workspace: &Workspace) -> Result<()> {
    let ask = |program, args: &str| shell::capture(shell::command(program, args, &workspace.root));
    for program in [LINKER, EMULATOR, RUSTDOC] {
        ask(program, "--version")?;
    }
    let libraries = ask(RUSTC, &format!("--print target-libdir --target {TARGET}"))?;
    let present = Path::new(&libraries).is_dir();
    ensure!(present, "{RUSTC} has no standard library for {TARGET}");
    Ok(())
}

fn install(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    let user = shell::capture(shell::command("id", "-u", root))?;
    ensure!(user == "0", "only root may install it");
    shell::run(shell::command("dpkg", "--add-architecture arm64", root))
        .context("this is no Debian")?;
    let apt = |args: &str| {
        // Another apt may be at work: wait for it rather than fail.
        let args = format!(
            "{INSTALL_SECONDS_MAX} apt-get -o DPkg::Lock::Timeout=600 --quiet=2 --yes {args}"
        );
        let mut apt = shell::command("timeout", &args, root);
        shell::run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt("update")?;
    apt(&format!(
        "install --no-install-recommends {DEBIAN_PACKAGES}"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Cargo is content when a name matches no test at all.
    #[test]
    fn the_named_test_exists() {
        let (_, name) = TESTED[1].rsplit_once("::").unwrap();
        let root = Workspace::find().unwrap().root;
        let source = fs::read_to_string(root.join("crates/core/tests/it/same_bytes.rs")).unwrap();
        assert!(source.contains(&format!("fn {name}()")), "{name}");
    }
}
