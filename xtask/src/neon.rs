//! `cargo xtask neon`: the kernels' tests on emulated ARM processors, one per instruction tier.
//!
//! rustup's cargo drives Debian's rustc, because Debian ships the ARM standard library of the same build beside it, and
//! qemu runs what comes out. Run-time detection follows the emulated processor, so each tier is really taken. Emulation
//! proves answers, never speed.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::{shell, workspace::Workspace};

/// Packages whose code differs by processor.
const TESTED: [&str; 1] = ["proxime-simd"];
/// NEON alone; NEON with dot products; everything the emulator knows.
const PROCESSORS: [&str; 3] = ["cortex-a53", "neoverse-n1", "max"];
const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
const RUSTC: &str = "/usr/bin/rustc";
const RUSTDOC: &str = "/usr/bin/rustdoc";
/// One test binary on one processor. A program that hangs under emulation must not hang CI.
const TEST_SECONDS_MAX: &str = "900";
/// All of apt together, waiting for another apt included.
const INSTALL_SECONDS_MAX: &str = "900";
const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "libstd-rust-web-dev:arm64",
    "gcc-aarch64-linux-gnu",
    "libc6-dev-arm64-cross",
    "qemu-user",
];

/// Prepares, then tests. Unlike CI, which skips with a shout, this is an error on a machine that cannot do it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prepare(workspace)?;
    test(workspace)
}

/// Makes sure that compiler, linker and emulator are there, installing them when we may.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    let Err(missing) = check_tools(workspace) else {
        return Ok(());
    };
    println!("{missing:#}; installing it");
    install(workspace).with_context(|| format!("{missing:#}, and it cannot be installed"))?;
    check_tools(workspace)
}

/// Runs the tests on every processor.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    for processor in PROCESSORS {
        let mut cargo = workspace.cargo();
        // Another compiler: the usual target directory would be rebuilt at every change between the two.
        cargo.env("CARGO_TARGET_DIR", workspace.target.join("neon"));
        cargo.env("RUSTC", RUSTC).env("RUSTDOC", RUSTDOC);
        cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
        // No `-L` for qemu: it would mix two builds of the C library, and threads would spin for ever.
        let runner = format!("timeout {TEST_SECONDS_MAX} {EMULATOR} -cpu {processor}");
        cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
        cargo.args(["test", "--locked", "--target", TARGET]);
        for package in TESTED {
            cargo.args(["--package", package]);
        }
        shell::run(&mut cargo)?;
    }
    Ok(())
}

fn check_tools(workspace: &Workspace) -> Result<()> {
    for program in [LINKER, EMULATOR, RUSTDOC] {
        shell::capture(shell::command(program, &workspace.root).arg("--version"))?;
    }
    let libraries = shell::capture(shell::command(RUSTC, &workspace.root).args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]))?;
    ensure!(
        Path::new(&libraries).is_dir(),
        "{RUSTC} has no standard library for {TARGET}"
    );
    Ok(())
}

fn install(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    let user = shell::capture(shell::command("id", root).arg("-u"))?;
    ensure!(user == "0", "only root may install packages");
    shell::run(shell::command("dpkg", root).args(["--add-architecture", "arm64"]))
        .context("this is no Debian")?;
    let apt = |args: &[&str]| {
        let mut apt = shell::command("timeout", root);
        // Another apt may be at work: wait for it rather than fail.
        apt.args([
            INSTALL_SECONDS_MAX,
            "apt-get",
            "-o",
            "DPkg::Lock::Timeout=600",
            "--quiet=2",
        ])
        .args(args);
        shell::run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update"])?;
    apt(&[
        &["install", "--yes", "--no-install-recommends"],
        DEBIAN_PACKAGES.as_slice(),
    ]
    .concat())
}
