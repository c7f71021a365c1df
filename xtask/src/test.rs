//! `cargo xtask test`: every test there is. House rules, Rust, documentation examples, Python.

use anyhow::Result;

use crate::{python::Venv, shell, steps::Steps, tidy, workspace::Workspace};

/// Runs all tests, one kind after another, and says how each went.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    add_steps(workspace, &mut steps);
    steps.finish()
}

/// The same, as part of a longer list.
pub(crate) fn add_steps(workspace: &Workspace, steps: &mut Steps) {
    steps.step("tidy", || tidy::run(workspace));
    steps.step("rust tests", || {
        shell::run(workspace.cargo("test --workspace --locked --no-fail-fast"))
    });
    steps.step("python tests", || {
        let venv = Venv::open(workspace)?;
        venv.install_package()?;
        shell::run(venv.python("-m mypy -p proxime"))?;
        // The stubs against what is there at run time.
        let stubs = "proxime._core proxime.aio --mypy-config-file pyproject.toml";
        shell::run(venv.python("-m mypy.stubtest").args(stubs.split(' ')))?;
        let pytest = venv.python("-m pytest crates/py/tests");
        shell::run(workspace.with_command_line(pytest)?)
    });
}
